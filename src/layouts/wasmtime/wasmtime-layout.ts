import type { Host } from '../../host/host.js';
import { errnoOf } from '../../model/error.js';
import type { Format, Layout, Named, Section } from '../layout.js';
import { compilerOfFolder } from './compiler-folder.js';
import { MODULE_PART, moduleFormat, STATS_PART } from './module-format.js';

const MODULES_FOLDER = 'modules';

/** The SHA-256 of what was compiled, then what the file is to the module. */
const FILE = /^([A-Za-z0-9_-]{43})(\.stats|\.wip-(?:atomic-write-mod|atomic-write-stats|[0-9]+))?$/;
/** Left in place by each cleanup: its mtime tells when the last one was. */
const CLEANUP_CERTIFICATE = /^\.cleanup\.wip-[0-9]+$/;

const TASK_LOCK: Named = { kind: 'litter', rule: 'wasmtime-lock' };
const PRIVATE: Named = { kind: 'private' };

/** What one version of one compiler compiled. */
const compilerSection: Section = {
  file: (name) => {
    const match = FILE.exec(name);
    if (match === null) return null;
    const [, stem = '', extension] = match;
    if (extension === undefined) return { kind: 'part', format: moduleFormat, part: MODULE_PART, stem };
    if (extension === '.stats') return { kind: 'part', format: moduleFormat, part: STATS_PART, stem };
    return TASK_LOCK;
  },
  folder: () => null,
};

const modulesSection: Section = {
  file: () => null,
  folder: (name) => (compilerOfFolder(name) === null ? null : compilerSection),
};

/** A directory that wasmtime was given. */
export const wasmtimeLayout: Layout = {
  name: 'wasmtime',
  suggests: ({ name, type }) =>
    type === 'directory' ? name === MODULES_FOLDER : type === 'file' && CLEANUP_CERTIFICATE.test(name),
  confirms: (host, folder, { type }) => {
    const modules = `${folder}/${MODULES_FOLDER}`;
    if (type === 'file') return host.files.lstat(modules)?.type === 'directory';
    return holdsCompilers(host, modules);
  },
  top: {
    file: (name) => (CLEANUP_CERTIFICATE.test(name) ? PRIVATE : null),
    folder: (name) => (name === MODULES_FOLDER ? modulesSection : null),
  },
};

/** The folder of all modules, named without the directory around it. */
export const wasmtimeModulesLayout: Layout = {
  name: 'wasmtime',
  suggests: ({ name, type }) => type === 'directory' && compilerOfFolder(name) !== null,
  confirms: (host, folder, { name }) =>
    folder.endsWith(`/${MODULES_FOLDER}`) && holdsModules(host, `${folder}/${name}`),
  top: modulesSection,
};

export const wasmtimeFormats: readonly Format[] = [moduleFormat];

/** Names looked at before a folder is taken for something else. */
const MAX_LOOKS = 64;

function holdsCompilers(host: Host, modules: string): boolean {
  let looks = 0;
  let found = false;
  host.files.scanDirectory(modules, ({ name, type }) => {
    looks += 1;
    found = type === 'directory' && compilerOfFolder(name) !== null && seemsIts(host, `${modules}/${name}`);
    return !found && looks < MAX_LOOKS;
  });
  return found;
}

/** A folder that may not be read proves nothing; another one may. */
function seemsIts(host: Host, folder: string): boolean {
  try {
    return holdsModules(host, folder);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

function holdsModules(host: Host, folder: string): boolean {
  let looks = 0;
  let found = false;
  host.files.scanDirectory(folder, ({ name, type }) => {
    looks += 1;
    found = type === 'file' && compilerSection.file(name) !== null;
    return !found && looks < MAX_LOOKS;
  });
  return found;
}
