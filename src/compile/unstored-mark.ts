import { withFile } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { HomePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';

/** Kernel clocks of files lag behind the clock by a tick. */
const TICK_MS = 20;

function markPath(paths: HomePaths, primary: Fingerprint): string {
  return paths.staged(`unstored-${primary}`);
}

/**
 * Tells those who wait for this fingerprint that its compilation ended without an entry, so that they need not queue up
 * to find out one by one. Best effort: without the mark they compile one after the other. The sweep removes it after a
 * day.
 */
export function markUnstored(host: Host, paths: HomePaths, primary: Fingerprint): void {
  const { files, clock } = host;
  try {
    withFile(files, { path: markPath(paths, primary), flags: 'createReadWrite' }, (fd) => {
      files.setTimes(fd, clock.nowMs(), clock.nowMs());
    });
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
}

/** True when a compilation ended without an entry since then. */
export function wasUnstoredSince(host: Host, paths: HomePaths, primary: Fingerprint, sinceMs: number): boolean {
  try {
    const stat = host.files.lstat(markPath(paths, primary));
    return stat !== null && stat.mtimeMs >= sinceMs - TICK_MS;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}
