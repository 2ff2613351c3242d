import type { Host } from '../../host/host.js';
import { errnoOf } from '../../model/error.js';
import type { Format, Layout, Named, Section } from '../layout.js';
import { aotFormat, aotSection } from './aot.js';
import { driverFormat, driverShard } from './driver-pipeline.js';
import { entryFormat, entryPart } from './entry-format.js';
import { frontendFormat, frontendSection } from './frontend-c-summary.js';
import { CACHE_TAG, PRIVATE_FOLDER, QUARANTINE_FOLDER, STORE_FOLDER, WORKER_PREFIX } from './home-paths.js';
import { opaqueFormat, opaqueSection } from './opaque.js';
import { parsedAstSection, payloadsFormat, tokensFormat } from './parsed-ast.js';
import { ptxFormat, ptxSection } from './ptx-source.js';
import { wgpuFormat, wgpuSection } from './wgpu-pipeline.js';

export const vyreFormats: readonly Format[] = [
  entryFormat,
  driverFormat,
  wgpuFormat,
  aotFormat,
  ptxFormat,
  frontendFormat,
  tokensFormat,
  payloadsFormat,
  opaqueFormat,
];

/** DiskCache: `.<hex>-<n>.bin.tmp`; vyre-aot: `.<hex>.bin.tmp`; the G8 module: `<hex>.bin.tmp`. */
const FLAT_TEMPORARY = /^\.?[0-9a-f]{64}(?:-[0-9]+)?\.bin\.tmp$/;
const SHARD = /^[0-9a-f]{2}$/;

const TEMPORARY: Named = { kind: 'litter', rule: 'temporary' };
const PRIVATE: Named = { kind: 'private' };

/** A flat folder of entries: vyre's DiskCache takes every root. */
export const flatStore: Section = {
  hexFormat: entryFormat,
  file: (name) => entryPart(name) ?? (FLAT_TEMPORARY.test(name) ? TEMPORARY : null),
  folder: () => null,
};

/** A home's `pipelines/`: a flat folder of entries, and the driver's shards between them. */
export const storeSection: Section = {
  hexFormat: entryFormat,
  file: (name) => flatStore.file(name),
  folder: (name) => (SHARD.test(name) ? driverShard(name) : null),
};

/** What vyre's writers fill below `~/.cache/vyre`. */
const SECTIONS: ReadonlyMap<string, Section> = new Map([
  [STORE_FOLDER, storeSection],
  ['pipeline', wgpuSection],
  ['aot', aotSection],
  ['ptx-source', ptxSection],
  ['ptx-cache', opaqueSection],
  ['frontend-c-summary', frontendSection],
  ['parsed-ast', parsedAstSection],
  ['cuda-jit', opaqueSection],
]);

function isPrivateFolder(name: string): boolean {
  return name === PRIVATE_FOLDER || name === QUARANTINE_FOLDER || name.startsWith(WORKER_PREFIX);
}

/** The top of a home as vyre's writers and we fill it. */
export const homeTop: Section = {
  file: (name) => (name === CACHE_TAG ? PRIVATE : null),
  folder: (name) => (isPrivateFolder(name) ? 'private' : (SECTIONS.get(name) ?? null)),
};

/** Told by our private folder, or by a section that holds what its writer puts there: the names of sections are common words. */
export const vyreLayout: Layout = {
  name: 'vyre',
  suggests: ({ name, type }) => type === 'directory' && (name === PRIVATE_FOLDER || SECTIONS.has(name)),
  confirms: (host, folder, { name }) =>
    name === PRIVATE_FOLDER || holdsSection(host, `${folder}/${name}`, SECTIONS.get(name) ?? null),
  top: homeTop,
};

/** A section that was named itself, without the home around it: by its name, and by what lies in it. */
export function sectionAt(host: Host, folder: string): Section | null {
  const section = SECTIONS.get(folder.slice(folder.lastIndexOf('/') + 1)) ?? null;
  return holdsSection(host, folder, section) ? section : null;
}

/** Names looked at before a folder is taken for something else. */
const MAX_LOOKS = 64;

/** Opaque sections prove nothing: every file fits them. */
function holdsSection(host: Host, folder: string, section: Section | null): boolean {
  if (section === null || section === opaqueSection) return false;
  let looks = 0;
  let found = false;
  host.files.scanDirectory(folder, ({ name, type }) => {
    const below = type === 'directory' ? section.folder(name) : null;
    if (below !== null && below !== 'private') found = seemsIts(host, `${folder}/${name}`, below);
    else found = type === 'file' && section.file(name)?.kind === 'part';
    looks += 1;
    return !found && looks < MAX_LOOKS;
  });
  return found;
}

/** A shard that may not be read proves nothing; another one may. */
function seemsIts(host: Host, folder: string, section: Section): boolean {
  try {
    return holdsSection(host, folder, section);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}
