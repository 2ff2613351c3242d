import { join } from 'node:path';
import type { Host } from '../host/host.js';
import { OWNER_FILE, type HomePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import { removeQuietly, WORKER_FOLDERS, type OwnedFolder, type WorkerStock } from './worker-directory.js';

/** Long before a sweep takes it for something that nobody works on. */
const MAX_IDLE_MS = 3_600_000;
/** As they are made. */
const FOLDER_MODE = 0o700;
const FOLDERS: readonly string[] = Object.values(WORKER_FOLDERS);
const CONTENTS: ReadonlySet<string> = new Set([OWNER_FILE, ...FOLDERS]);
const NOTHING: ReadonlySet<string> = new Set();

/**
 * Worker directories of one process that compilations have left empty and hand on to the next ones: to remove a folder
 * takes some file systems as long as everything else that is done with it. They wait in `new/`, under a name that nobody
 * has been told. Worst effect: a process that has left its compilation unseen, and holds one of the folders open, may
 * put a file into it after the last look; the compilation that it meets finds it left behind, and is repeated unstored.
 */
export class IdleWorkers implements WorkerStock {
  readonly #host: Host;
  readonly #paths: HomePaths;
  readonly #idle: (OwnedFolder & { readonly sinceMs: number })[] = [];

  constructor(host: Host, paths: HomePaths) {
    this.#host = host;
    this.#paths = paths;
  }

  take(): OwnedFolder | null {
    for (let folder = this.#idle.pop(); folder !== undefined; folder = this.#idle.pop()) {
      const isYoung = this.#host.clock.monotonicMs() - folder.sinceMs < MAX_IDLE_MS;
      if (isYoung && this.#isLikeNew(this.#paths.staged(folder.name))) return folder;
      this.#remove(folder);
    }
    return null;
  }

  keep(path: string, fd: number): boolean {
    const { clock, files, random } = this.#host;
    try {
      this.#empty(path);
      const name = random.hex(8);
      files.rename(path, this.#paths.staged(name));
      this.#idle.push({ name, fd, sinceMs: clock.monotonicMs() });
      return true;
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }

  /** Removes them all. Best effort: what stays is swept. */
  close(): void {
    for (const folder of this.#idle.splice(0)) this.#remove(folder);
  }

  #remove({ name, fd }: OwnedFolder): void {
    removeQuietly(this.#host, this.#paths.staged(name));
    this.#host.files.close(fd);
  }

  #empty(path: string): void {
    this.#removeAllBut(CONTENTS, path);
    for (const folder of FOLDERS) this.#removeAllBut(NOTHING, join(path, folder));
  }

  #removeAllBut(kept: ReadonlySet<string>, folder: string): void {
    const { files } = this.#host;
    for (const { name, type } of files.readDirectory(folder)) {
      const path = join(folder, name);
      if (kept.has(name)) continue;
      if (type === 'directory') files.removeTree(path);
      else files.unlink(path);
    }
  }

  #isLikeNew(path: string): boolean {
    const { files } = this.#host;
    try {
      const names = files.readDirectory(path).map(({ name }) => name);
      return (
        names.length === CONTENTS.size &&
        FOLDERS.every((folder) => {
          const stat = files.lstat(join(path, folder));
          const isPlain = stat?.type === 'directory' && stat.mode === FOLDER_MODE;
          return isPlain && files.readDirectory(join(path, folder)).length === 0;
        })
      );
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }
}
