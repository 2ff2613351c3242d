import type { Host } from '../../host/host.js';
import type { Format, Layout, Named, Section } from '../layout.js';
import { hasArtifactMagic } from './artifact-header.js';
import { hashedModuleFormat } from './hashed-module.js';
import { engineOfFolder, oldWasixModuleFormat, wasixModuleFormat } from './wasix-module.js';

const HASHED_MODULE = /^[0-9a-f]{64}$/;
const WASIX_MODULE = /^([0-9A-F]{16})\.bin$/;
/** Of Rust's tempfile: wasix renames it to the final name. */
const WASIX_TEMPORARY = /^\.tmp[A-Za-z0-9]{6}$/;

const TEMPORARY: Named = { kind: 'litter', rule: 'temporary' };

/**
 * A directory of wasmer's FileSystemCache, or of gear's cache. Stores of other programs hold names of 64 digits as well:
 * either the folder or the file has to say whose it is.
 */
export const wasmerLayout: Layout = {
  name: 'wasmer',
  suggests: ({ name, type }) => type === 'file' && HASHED_MODULE.test(name),
  confirms: (host, folder, { name }) =>
    baseName(folder).includes('wasmer') || hasArtifactMagic(host, `${folder}/${name}`),
  top: {
    file: (name) =>
      HASHED_MODULE.test(name) ? { kind: 'part', format: hashedModuleFormat, part: 0, stem: name } : null,
    folder: () => null,
  },
};

/** A directory of wasix's runtime. */
export const wasixLayout: Layout = {
  name: 'wasmer',
  suggests: ({ name, type }) =>
    type === 'directory' ? engineOfFolder(name) !== null : type === 'file' && WASIX_MODULE.test(name),
  confirms: (host, folder, { name, type }) => {
    const path = `${folder}/${name}`;
    if (type === 'directory') return holdsModule(host, path);
    return /wasmer|wasix/.test(baseName(folder)) || hasArtifactMagic(host, path);
  },
  top: {
    ...wasixSection(oldWasixModuleFormat),
    folder: (name) => (engineOfFolder(name) === null ? null : wasixSection(wasixModuleFormat)),
  },
};

export const wasmerFormats: readonly Format[] = [hashedModuleFormat, wasixModuleFormat, oldWasixModuleFormat];

function wasixSection(format: Format): Section {
  return {
    file: (name) => {
      const stem = WASIX_MODULE.exec(name)?.[1];
      if (stem !== undefined) return { kind: 'part', format, part: 0, stem };
      // Such names are Rust's for every program: only the folder of an engine is wasix's alone.
      return format === wasixModuleFormat && WASIX_TEMPORARY.test(name) ? TEMPORARY : null;
    },
    folder: () => null,
  };
}

function baseName(folder: string): string {
  return folder.slice(folder.lastIndexOf('/') + 1);
}

/** Names looked at before a folder is taken for something else. */
const MAX_LOOKS = 64;

function holdsModule(host: Host, folder: string): boolean {
  let looks = 0;
  let found = false;
  host.files.scanDirectory(folder, ({ name, type }) => {
    looks += 1;
    found = type === 'file' && WASIX_MODULE.test(name);
    return !found && looks < MAX_LOOKS;
  });
  return found;
}
