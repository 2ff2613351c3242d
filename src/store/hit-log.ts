import { lstatOrNull, withFile, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { readRegularFile } from '../host/regular-file.js';
import type { TakenLog } from '../model/counters.js';
import { errnoOf } from '../model/error.js';
import { isFingerprint } from '../model/fingerprint.js';
import type { Saving } from './savings.js';

/** Some 900 hits. Who finds a full log adds to the counters itself, and takes the log in. */
const MAX_BYTES = 65_536;
/** Who has opened the log writes to it at once; what was put aside this long ago is complete. */
const SETTLED_MS = 1000;
/** A dot shows that a line was written to its end, a newline before it keeps it apart from one that was not. */
const LINE = /^([0-9a-f]{64}) (\d{1,15})\.$/;

/**
 * Hits that are in no counters yet: a line each, appended without any lock. Who adds to the counters takes them in, under
 * the lock of the counters: the log is put aside, and what was put aside before is counted, then removed. A page of
 * counters names the last log that it contains, so a process that is killed in between counts nothing twice.
 */
export class HitLog {
  readonly #host: Host;
  readonly #path: string;

  /** `folder` is that of the private state. */
  constructor(host: Host, folder: string) {
    this.#host = host;
    this.#path = `${folder}/hits`;
  }

  get #aside(): string {
    return `${this.#path}.old`;
  }

  /** @returns false when the log is full, or cannot be written. */
  add({ fingerprint, savedMs }: Saving): boolean {
    const { files } = this.#host;
    try {
      return withFile(files, { path: this.#path, flags: 'append' }, (fd) => {
        const { type, bytes } = files.fstat(fd);
        if (type !== 'file' || bytes >= MAX_BYTES) return false;
        files.write(fd, Buffer.from(`\n${fingerprint} ${savedMs}.`));
        return true;
      });
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }

  /** The hits that counters which have taken in `last` do not contain; and since when, in ms since 1970. */
  uncounted(last: TakenLog | null): { readonly hits: readonly Saving[]; readonly sinceMs: number } | null {
    // In this order a log that is put aside meanwhile is met twice, and passed over once.
    const current = this.#read(this.#path);
    const aside = this.#read(this.#aside);
    const isCounted = aside === null || aside.stat.inode === current?.stat.inode || isSame(aside.stat, last);
    const logs = [current, isCounted ? null : aside].filter((log) => log !== null);
    const hits = logs.flatMap((log) => log.hits);
    if (hits.length === 0) return null;
    return { hits, sinceMs: Math.min(...logs.map(({ stat }) => stat.mtimeMs)) };
  }

  /**
   * Hands out what was put aside, once: `count` adds it to counters that name the log from then on. Then the log itself is
   * put aside. The caller holds the lock of the counters. Best effort: what stays is counted the next time.
   */
  takeIn(
    last: TakenLog | null,
    count: (log: { readonly hits: readonly Saving[]; readonly taken: TakenLog } | null) => void,
  ): void {
    const aside = this.#read(this.#aside);
    const ageMs = aside === null ? Infinity : this.#host.clock.nowMs() - aside.stat.ctimeMs;
    const isOpen = ageMs >= 0 && ageMs < SETTLED_MS;
    if (aside === null || isOpen || isSame(aside.stat, last)) count(null);
    else {
      const { inode, mtimeMs } = aside.stat;
      count({ hits: aside.hits, taken: { inode, mtimeMs } });
    }
    if (!isOpen) this.#turn(aside !== null);
  }

  #turn(hasAside: boolean): void {
    const { files } = this.#host;
    try {
      if (hasAside) files.unlink(this.#aside);
      if (lstatOrNull(files, this.#path) !== null) files.rename(this.#path, this.#aside);
    } catch (error) {
      // Best effort, see above.
      if (errnoOf(error) === null) throw error;
    }
  }

  /** Forgets what was never counted. The caller holds the lock of the counters. Best effort. */
  clear(): void {
    for (const path of [this.#aside, this.#path]) {
      try {
        this.#host.files.unlink(path);
      } catch (error) {
        if (errnoOf(error) === null) throw error;
      }
    }
  }

  /** Lines that are none are left out. Null where no log is. */
  #read(path: string): { readonly hits: readonly Saving[]; readonly stat: FileStat } | null {
    const read = readRegularFile(this.#host.files, path, 2 * MAX_BYTES);
    if (!read.ok) return null;
    return { hits: read.bytes.toString('latin1').split('\n').flatMap(decode), stat: read.stat };
  }
}

function decode(line: string): readonly Saving[] {
  const [, fingerprint = '', savedMs] = LINE.exec(line) ?? [];
  return isFingerprint(fingerprint) ? [{ fingerprint, savedMs: Number(savedMs), hits: 1 }] : [];
}

function isSame(stat: FileStat, log: TakenLog | null): boolean {
  return log !== null && stat.inode === log.inode && stat.mtimeMs === log.mtimeMs;
}
