import type { FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';

/** Follows links. Null as well where a folder of the path may not be searched: what cannot be seen is not there. */
export function statOrNull(host: Host, path: string): FileStat | null {
  try {
    return host.files.stat(path);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
}
