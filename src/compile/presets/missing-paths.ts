import { dirname } from 'node:path';
import { statOrNull, type FileStat } from '../../host/files.js';
import type { Host } from '../../host/host.js';
import { pathOf } from '../file-names.js';
import { sameState } from '../file-state.js';
import { isSettled } from '../stamps.js';

/** Paths that one process remembers for a working directory: some 200 bytes each. A larger project begins anew. */
const MAX_KNOWN = 65_536;
const MAX_CWDS = 16;

/** A path at which nothing lies. */
interface Missing {
  /** Its shallowest missing part. */
  readonly part: string;
  /** The folder in which that would lie, as it was. */
  readonly folder: FileStat;
}

/**
 * Paths at which nothing was: nothing is there as long as the folder has the times that it had. Compilations of one
 * project ask for hundreds of the same. Where a file system hides a new file by leaving the folder's times alone, what
 * is there is taken for missing: then no lookup finds the result, which is compiled again.
 */
export class MissingPaths {
  readonly #host: Pick<Host, 'files' | 'clock'>;
  /** By working directory, then by the path as it is named from there. */
  readonly #known = new Map<string, Map<string, Missing>>();
  /** By absolute path: the state that those who know it share. */
  readonly #folders = new Map<string, FileStat>();

  constructor(host: Pick<Host, 'files' | 'clock'>) {
    this.#host = host;
  }

  /** Looks from a working directory now: each path is asked for once. */
  look(cwd: string): PathLook {
    let known = this.#known.get(cwd);
    if (known === undefined || known.size > MAX_KNOWN) {
      if (this.#known.size >= MAX_CWDS) this.#known.clear();
      known = new Map<string, Missing>();
      this.#known.set(cwd, known);
    }
    return new PathLook(this.#host, { cwd, known, folders: this.#folders });
  }
}

const OF_HOSTS = new WeakMap<Host, MissingPaths>();

/** What this process knows of a host. */
export function missingPathsOf(host: Host): MissingPaths {
  const known = OF_HOSTS.get(host) ?? new MissingPaths(host);
  OF_HOSTS.set(host, known);
  return known;
}

/** What lies at paths, links followed. */
export class PathLook {
  readonly #host: Pick<Host, 'files' | 'clock'>;
  readonly #cwd: string;
  readonly #known: Map<string, Missing>;
  readonly #folders: Map<string, FileStat>;
  readonly #stats = new Map<string, FileStat | null>();
  /** Null for a folder that may change without a change of its times. */
  readonly #states = new Map<string, FileStat | null>();

  constructor(
    host: Pick<Host, 'files' | 'clock'>,
    from: {
      readonly cwd: string;
      readonly known: Map<string, Missing>;
      readonly folders: Map<string, FileStat>;
    },
  ) {
    this.#host = host;
    this.#cwd = from.cwd;
    this.#known = from.known;
    this.#folders = from.folders;
  }

  /** Null when nothing lies there. */
  typeOf(path: string): FileStat['type'] | null {
    return this.#stat(path)?.type ?? null;
  }

  /** The shallowest missing part of a path; null when something lies there. */
  missingPart(path: string): string | null {
    const known = this.#known.get(path);
    if (known !== undefined && known.folder === this.#stateOf(dirname(known.part))) return known.part;
    if (this.#stat(path) !== null) return null;
    let part = path;
    let folder = dirname(path);
    while (folder !== part && folder !== '.' && folder !== '/' && this.#stat(folder) === null) {
      part = folder;
      folder = dirname(folder);
    }
    const state = this.#stateOf(folder);
    if (state !== null) this.#known.set(path, { part, folder: state });
    return part;
  }

  #stat(path: string): FileStat | null {
    let stat = this.#stats.get(path);
    if (stat === undefined) {
      // A path that the system refuses (too long, no permission) is refused to the compiler, too.
      stat = statOrNull(this.#host.files, pathOf(this.#cwd, path));
      this.#stats.set(path, stat);
    }
    return stat;
  }

  /** The state of a folder, the same object while it stays as it is; null where its times tell nothing. */
  #stateOf(folder: string): FileStat | null {
    let state = this.#states.get(folder);
    if (state === undefined) {
      state = this.#stateNow(folder);
      this.#states.set(folder, state);
    }
    return state;
  }

  #stateNow(folder: string): FileStat | null {
    const stat = this.#stat(folder);
    if (stat === null || !isSettled(stat, this.#host.clock.nowMs())) return null;
    const absolute = pathOf(this.#cwd, folder);
    const before = this.#folders.get(absolute);
    if (before !== undefined && sameState(before, stat)) return before;
    this.#folders.set(absolute, stat);
    return stat;
  }
}
