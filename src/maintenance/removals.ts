import { join, relative } from 'node:path';
import { lstatOrNull, type Files, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import type { Removal, RemovalFailure, RemovalReport } from './reports.js';

/** Something that may go. */
export interface Candidate {
  /** Absolute, below the root. */
  readonly path: string;
  readonly reason: string;
  readonly stat: FileStat;
  /** Of everything that goes with it. */
  readonly bytes: number;
}

/** False: it stays, for somebody holds it or has changed it since it was judged. */
export type Remove = () => boolean | Promise<boolean>;

/** What one run removes or, as a dry run, would remove. */
export class Removals {
  readonly #host: Host;
  readonly #root: string;
  readonly #dryRun: boolean;
  readonly #removed: Removal[] = [];
  readonly #failures: RemovalFailure[] = [];
  #keptCount = 0;
  #keptBytes = 0;
  #inUse = 0;

  constructor(host: Host, root: string, options: { readonly dryRun: boolean }) {
    this.#host = host;
    this.#root = root;
    this.#dryRun = options.dryRun;
  }

  /** Removes a candidate, unless this is a dry run. One that fails is reported; one that is gone already is nothing. */
  async take(candidate: Candidate, remove: Remove): Promise<void> {
    const { path, reason, stat, bytes } = candidate;
    const ageSeconds = Math.max(0, (this.#host.clock.nowMs() - stat.mtimeMs) / 1000);
    try {
      if (this.#dryRun || (await remove())) {
        this.#removed.push({ path: relative(this.#root, path), reason, bytes, ageSeconds });
      } else this.keepInUse(bytes);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      if (errno !== 'ENOENT') this.fail(path, errno);
    }
  }

  /** Counts what is no garbage yet. */
  keep(bytes: number): void {
    this.#keptCount += 1;
    this.#keptBytes += bytes;
  }

  /** Counts garbage that somebody holds. */
  keepInUse(bytes: number): void {
    this.keep(bytes);
    this.#inUse += 1;
  }

  /** `path` is absolute. */
  fail(path: string, error: string): void {
    this.#failures.push({ path: relative(this.#root, path), error });
  }

  report(): RemovalReport {
    return {
      root: this.#root,
      dryRun: this.#dryRun,
      removed: this.#removed,
      removedCount: this.#removed.length,
      removedBytes: this.#removed.reduce((sum, { bytes }) => sum + bytes, 0),
      keptCount: this.#keptCount,
      keptBytes: this.#keptBytes,
      inUse: this.#inUse,
      failures: this.#failures,
    };
  }
}

/** The bytes of the regular files in a tree; what cannot be seen counts nothing. Follows no link. */
export function treeBytes(files: Files, path: string): number {
  const stat = lstatOrNull(files, path);
  if (stat?.type === 'file') return stat.bytes;
  if (stat?.type !== 'directory') return 0;
  try {
    return files.readDirectory(path).reduce((sum, { name }) => sum + treeBytes(files, join(path, name)), 0);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return 0;
  }
}

/** True when a path still names the file that was judged, unchanged since. */
export function isUnchanged(before: FileStat, now: FileStat | null): boolean {
  return (
    now !== null &&
    now.type === before.type &&
    now.device === before.device &&
    now.inode === before.inode &&
    now.bytes === before.bytes &&
    now.mtimeMs === before.mtimeMs &&
    now.ctimeMs === before.ctimeMs
  );
}
