import { readRegularFile } from '../../host/regular-file.js';
import type { Host } from '../../host/host.js';
import type { ArtifactReader } from '../artifact-reader.js';
import type { Format } from '../layout.js';
import { damaged, UNVERIFIABLE, type Verdict } from '../verdict.js';
import { compilerOfFolder } from './compiler-folder.js';
import { MAX_STATS_BYTES, readUsages } from './module-stats.js';
import { heldModules } from './task-locks.js';
import type { ZstdFault } from './zstd/zstd-fault.js';
import { ZstdStream } from './zstd/zstd-stream.js';

export const MODULE_PART = 0;
export const STATS_PART = 1;
const MODULE_BIT = 1 << MODULE_PART;

/** `<43 base64url>`, the module as one zstd stream; beside it `<43 base64url>.stats`. wasmtime writes them. */
export const moduleFormat: Format = {
  name: 'wasmtime-module',
  layout: 'wasmtime',
  parts: [
    { prefix: '', suffix: '' },
    { prefix: '', suffix: '.stats' },
  ],
  removal: [MODULE_PART, STATS_PART],
  isPrunable: true,
  isLockedByFingerprint: false,
  wholeness: (present) => ((present & MODULE_BIT) === 0 ? 'orphan' : 'artifact'),
  // wasmtime rewrites the statistics with each use, and orders its own cleanup by their mtime.
  usedAtMs: ([module = null, stats = null]) => Math.round((stats ?? module)?.mtimeMs ?? -Infinity),
  // wasmtime: statistics do not count.
  bytes: ([module]) => module?.bytes ?? 0,
  check,
  // wasmtime writes the statistics anew with each use.
  sealedParts: [MODULE_PART],
  heldStems: heldModules,
  uses,
  compiler: (folder) => compilerOfFolder(folder.slice(folder.lastIndexOf('/') + 1)),
};

function uses({ files }: Host, folder: string, stem: string): number | null {
  const read = readRegularFile(files, `${folder}/${stem}.stats`, MAX_STATS_BYTES);
  return read.ok ? readUsages(read.bytes) : null;
}

/**
 * The module alone: statistics that make no sense are those of a new module to wasmtime, and no damage. What is in the
 * stream depends on wasmtime's version and is not looked at; its frames have no checksums.
 */
function check(artifact: ArtifactReader): Verdict {
  const stream = new ZstdStream();
  const ended = artifact.stream(MODULE_PART, Infinity, (chunk) => verdictOf(stream.push(chunk)));
  return ended ?? verdictOf(stream.end()) ?? UNVERIFIABLE;
}

function verdictOf(fault: ZstdFault | null): Verdict | null {
  return fault === null ? null : damaged(fault);
}
