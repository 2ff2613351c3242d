import type { FileStat } from '../../host/files.js';

const WORKER_PREFIX = 'worker-dir';
const ARTIFACT_EXTENSION = 'pvf';
/** The prefix of artifacts before they had an extension. */
const OLD_ARTIFACT_PREFIX = 'wasmtime_';

/**
 * True for what a PVF host removes from the top level of its artifact directory when it starts: folders of workers,
 * artifacts, artifacts of older versions. Links and everything else stay, on purpose: an operator may point the path at
 * a wrong directory.
 */
export function isSweptAtStart(name: string, type: FileStat['type']): boolean {
  if (type === 'directory') return name.startsWith(WORKER_PREFIX);
  if (type !== 'file') return false;
  return extensionOf(name) === ARTIFACT_EXTENSION || name.startsWith(OLD_ARTIFACT_PREFIX);
}

/** As Rust's `Path::extension` sees it: a name that only begins with a dot has none. */
function extensionOf(name: string): string | null {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot + 1) : null;
}
