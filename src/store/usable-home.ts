import type { Host } from '../host/host.js';
import { readRegularFile } from '../host/regular-file.js';
import { WORKER_PREFIX, type HomePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import type { Degraded } from '../model/lifecycle.js';

const MARKER_PREFIX = 'vyre-cache.home/';
const MARKER = {
  schema: `${MARKER_PREFIX}1`,
  note: 'private state of vyre-cache; may be deleted while nothing runs',
};
export const MARKER_TEXT = `${JSON.stringify(MARKER)}\n`;
const MAX_MARKER_BYTES = 65_536;
const WRITABLE_BY_OTHERS = 0o022;

export type HomeProblem = { readonly reason: Degraded; readonly message: string };

/** True for a home that is there whole, and that nobody else may write. @throws the errno error of a failed look. */
export function isUsable(host: Host, paths: HomePaths): boolean {
  for (const path of [paths.root, paths.private, paths.store])
    if (judgeOwner(host, path) !== null) return false;
  return readMarker(host, paths) === 'home';
}

/** Whether somebody compiles in the home, or has: their directories lie in its top. */
export function hasWorkers({ files }: Host, paths: HomePaths): boolean {
  try {
    for (const name of files.readNames(paths.root)) if (name.startsWith(WORKER_PREFIX)) return true;
    return false;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

/** What the marker says; null where there is none. */
export function readMarker({ files }: Host, paths: HomePaths): 'home' | 'newer-home' | null {
  const marker = readRegularFile(files, paths.marker, MAX_MARKER_BYTES);
  if (!marker.ok) return null;
  return isNewerMarker(marker.bytes) ? 'newer-home' : 'home';
}

/**
 * A higher number in the text of ours is a flipped bit and no newer version: that one changes more of the text. Taken
 * for one it would put the home out of use for good.
 */
function isNewerMarker(bytes: Buffer): boolean {
  const text = bytes.toString();
  if (text === MARKER_TEXT) return false;
  const version = /"schema"\s*:\s*"vyre-cache\.home\/([1-9][0-9]{0,8})"/.exec(text)?.[1] ?? '1';
  return Number(version) > 1 && text.replace(`${MARKER_PREFIX}${version}`, MARKER.schema) !== MARKER_TEXT;
}

/** Why a directory cannot be trusted; null for one of this user, or of root, that nobody else may write. */
export function judgeOwner(host: Host, path: string): HomeProblem | null {
  const { uid } = host.user;
  const stat = host.files.lstat(path);
  if (stat?.type !== 'directory') {
    return { reason: 'home-not-a-directory', message: `expected a directory at "${path}"` };
  }
  if (stat.uid !== uid && (stat.uid !== 0 || uid === 0)) {
    return { reason: 'home-owner', message: `"${path}" belongs to user ${stat.uid}, not to ${uid}` };
  }
  if ((stat.mode & WRITABLE_BY_OTHERS) !== 0) {
    return {
      reason: 'home-mode',
      message: `others may write to "${path}" (mode ${stat.mode.toString(8)}); chmod 700 makes it usable`,
    };
  }
  return null;
}
