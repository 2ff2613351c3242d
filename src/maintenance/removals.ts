import { join, relative } from 'node:path';
import { lstatOrNull, type Files, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import type { Removal, FileFailure, RemovalReport } from './reports.js';

/** Something that nobody needs. */
export interface Garbage {
  /** Absolute, below the root. */
  readonly path: string;
  readonly reason: string;
  readonly stat: FileStat;
  /** Of everything that goes with it. */
  readonly bytes: number;
}

/** False: it stays, for somebody holds it or has changed it since it was judged. */
export type Remove = () => boolean | Promise<boolean>;

/** What one run removed and left, or, as a dry run, would have: counted as it goes. */
export class RemovalFigures {
  readonly failures: FileFailure[] = [];
  readonly #removedBy = new Map<string, { count: number; bytes: number }>();
  #keptCount = 0;
  #keptBytes = 0;
  #inUse = 0;

  addRemoved(bytes: number, reason: string): void {
    const sum = this.#removedBy.get(reason);
    if (sum === undefined) this.#removedBy.set(reason, { count: 1, bytes });
    else {
      sum.count += 1;
      sum.bytes += bytes;
    }
  }

  addKept(bytes: number): void {
    this.#keptCount += 1;
    this.#keptBytes += bytes;
  }

  /** What was counted as kept is gone after all. */
  subtractKept(bytes: number): void {
    this.#keptCount -= 1;
    this.#keptBytes -= bytes;
  }

  /** Of what is kept, one more would have gone. */
  addInUse(): void {
    this.#inUse += 1;
  }

  report(run: Pick<RemovalReport, 'root' | 'dryRun' | 'removed'>): RemovalReport {
    const sums = [...this.#removedBy.values()];
    return {
      ...run,
      removedBy: this.#removedBy,
      removedCount: sums.reduce((all, { count }) => all + count, 0),
      removedBytes: sums.reduce((all, { bytes }) => all + bytes, 0),
      keptCount: this.#keptCount,
      keptBytes: this.#keptBytes,
      inUse: this.#inUse,
      failures: this.failures,
    };
  }
}

/** The garbage that one run removes or, as a dry run, would remove. */
export class Removals {
  readonly #host: Host;
  readonly #root: string;
  readonly #dryRun: boolean;
  readonly #removed: Removal[] = [];
  readonly #figures = new RemovalFigures();

  constructor(host: Host, root: string, options: { readonly dryRun: boolean }) {
    this.#host = host;
    this.#root = root;
    this.#dryRun = options.dryRun;
  }

  /** Removes garbage, unless this is a dry run. What fails is reported; what is gone already is nothing. */
  async take(garbage: Garbage, remove: Remove): Promise<void> {
    const { path, reason, stat, bytes } = garbage;
    const ageSeconds = Math.max(0, (this.#host.clock.nowMs() - stat.mtimeMs) / 1000);
    try {
      if (this.#dryRun || (await remove())) {
        this.#removed.push({ path: relative(this.#root, path), reason, bytes, ageSeconds });
        this.#figures.addRemoved(bytes, reason);
      } else this.keepInUse(bytes);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      if (errno !== 'ENOENT') this.fail(path, errno);
    }
  }

  /** Counts what is no garbage yet. */
  keep(bytes: number): void {
    this.#figures.addKept(bytes);
  }

  /** Counts garbage that somebody holds. */
  keepInUse(bytes: number): void {
    this.#figures.addKept(bytes);
    this.#figures.addInUse();
  }

  /** `path` is absolute. */
  fail(path: string, error: string): void {
    this.#figures.failures.push({ path: relative(this.#root, path) || '.', error });
  }

  report(): RemovalReport {
    return this.#figures.report({ root: this.#root, dryRun: this.#dryRun, removed: this.#removed });
  }
}

/**
 * Removes a file of which nothing but its age tells that nobody needs it. Its writers take no lock: one that begins again
 * between the last look and the removal loses what it writes, which is a compilation.
 */
export async function removeUnchanged(
  { files }: Host,
  removals: Removals,
  { path, reason, stat }: Omit<Garbage, 'bytes'>,
): Promise<void> {
  await removals.take({ path, reason, stat, bytes: stat.bytes }, () => {
    const now = files.lstat(path);
    if (now !== null && !isUnchanged(stat, now)) return false;
    files.unlink(path);
    return true;
  });
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
function isUnchanged(before: FileStat, now: FileStat | null): boolean {
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

/** The same for all the parts of an artifact: null is absent, before and now. */
export function areUnchanged(
  before: readonly (FileStat | null)[],
  now: readonly (FileStat | null)[],
): boolean {
  return before.every((stat, part) => {
    const current = now[part] ?? null;
    return stat === null ? current === null : isUnchanged(stat, current);
  });
}
