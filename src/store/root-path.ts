import { basename, dirname, join, resolve } from 'node:path';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';

/**
 * The absolute root with every link resolved, whether it exists or not; a root called `pipelines` means its parent.
 */
export function resolveRoot(host: Host, given: string): string {
  const resolved = resolveExisting(host, given);
  return resolved.endsWith('/pipelines') ? dirname(resolved) : resolved;
}

function resolveExisting(host: Host, given: string): string {
  try {
    return host.files.realpath(given);
  } catch (error) {
    const errno = errnoOf(error);
    const path = resolve(given);
    const parent = dirname(path);
    if ((errno !== 'ENOENT' && errno !== 'ENOTDIR') || parent === path) return path;
    return join(resolveExisting(host, parent), basename(path));
  }
}
