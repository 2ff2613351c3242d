import { withFile } from '../host/files.js';
import { readRegularFile } from '../host/regular-file.js';
import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import {
  addCounters,
  decodeCounterPage,
  encodeCounterPage,
  followingPage,
  generationOf,
  latestPage,
  PAGE_BYTES,
  takenIn,
  tallyOfHits,
  type CounterPage,
  type Counters,
  type TakenLog,
  type Tally,
} from '../model/counters.js';
import { CacheError, errnoOf } from '../model/error.js';
import { HitLog } from './hit-log.js';
import { LOCK_BYTES, type LockFile } from './lock-file.js';
import { Savings, type Saving } from './savings.js';

/** The journal is cut here; one older half is kept. Some 1000 events each. */
const MAX_EVENTS_BYTES = 262_144;
/** In characters: what a person reads, and the journal stays bounded whatever a compiler is called. */
const MAX_MESSAGE_LENGTH = 4096;
/** Two pages of counters. */
const FILE_BYTES = 2 * PAGE_BYTES;
/** How often figures that change while they are read are read again. */
const READ_TRIES = 5;
/** Long enough for every process that merely adds its figures. */
const COUNTERS_TIMEOUT_MS = 10_000;

const EVENT_KINDS = ['trouble', 'nondeterministic', 'removed', 'swept', 'zeroed'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** One line of the journal. */
export interface CacheEvent {
  readonly atMs: number;
  readonly kind: EventKind;
  /** A word of the lifecycle, or an errno name. */
  readonly reason: string;
  readonly fingerprint: string | null;
  /** A sentence for people. */
  readonly message: string;
}

/**
 * Counters and journal in one folder: `.vyre-cache/` of a home, or a folder under the state directory for roots that
 * are not ours or not writable. May be deleted at any time: the counters then start at zero with a new `since`.
 */
export class PrivateState {
  readonly #host: Host;
  readonly folder: string;

  constructor(host: Host, folder: string) {
    this.#host = host;
    this.folder = folder;
  }

  get lockPath(): string {
    return `${this.folder}/lock`;
  }

  get countersPath(): string {
    return `${this.folder}/counters`;
  }

  get eventsPath(): string {
    return `${this.folder}/events`;
  }

  get #savings(): Savings {
    return new Savings(this.#host, this.folder);
  }

  get #log(): HitLog {
    return new HitLog(this.#host, this.folder);
  }

  /** What single entries have saved, as far as it is known; an entry may be among them more than once. */
  readSavings(): readonly Saving[] {
    const page = this.#readLatest();
    const logged = this.#log.uncounted(page === null ? null : takenIn(page));
    return [...this.#savings.read(), ...(logged?.hits ?? [])];
  }

  readonly #hash = (bytes: Uint8Array): Uint8Array => hashChunks(this.#host.hash, [bytes]);

  /** With the hits of the log. Null when nothing was ever counted here, or both pages are damaged. */
  readCounters(): Counters | null {
    for (let attempt = 1; ; attempt += 1) {
      const page = this.#readPages();
      const logged = this.#log.uncounted(page?.taken ?? null);
      // Somebody has taken the log in meanwhile: what was read may tell of its hits twice, or not at all.
      const isTorn = this.#readPages()?.generation !== page?.generation;
      if (isTorn && attempt < READ_TRIES) continue;
      if (logged === null) return page?.counters ?? null;
      const { values } = tallyOfHits(logged.hits);
      return addCounters(page?.counters ?? { sinceMs: logged.sinceMs, values: new Map() }, {
        sinceMs: page?.counters.sinceMs ?? logged.sinceMs,
        values,
      });
    }
  }

  #readPages(): CounterPage | null {
    const page = this.#readLatest();
    return page === null ? null : decodeCounterPage(page, this.#hash);
  }

  #readLatest(): Buffer | null {
    const { files } = this.#host;
    try {
      return withFile(files, { path: this.countersPath, flags: 'read' }, (fd) =>
        files.fstat(fd).type === 'file' ? this.#pageIn(fd) : null,
      );
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return null;
    }
  }

  /** The page in force, of the first two, however long the file is. */
  #pageIn(fd: number): Buffer | null {
    const bytes = Buffer.allocUnsafe(FILE_BYTES);
    const count = this.#host.files.readAt(fd, bytes, FILE_BYTES, 0);
    return latestPage(bytes.subarray(0, count), this.#hash);
  }

  /**
   * Adds to the counters: one read and one write under their lock. The page that is not in force is overwritten, so a
   * process killed in the middle leaves the old figures.
   * @returns false when the lock is not to be had: nothing was added.
   * @throws the errno error when the file cannot be written.
   */
  async addToCounters(tally: Tally, lock: LockFile, savings: readonly Saving[] = []): Promise<boolean> {
    if (tally.isEmpty) return true;
    const { held } = await lock.hold(LOCK_BYTES.counters, { timeoutMs: COUNTERS_TIMEOUT_MS }, () => {
      this.#savings.add([...savings, ...this.#writeCounters(tally)]);
    });
    return held;
  }

  /** @returns what the hits of the log have saved, which is in the counters from now on. */
  #writeCounters(tally: Tally): readonly Saving[] {
    let saved: readonly Saving[] = [];
    this.#withCounters((fd) => {
      const current = this.#pageIn(fd);
      this.#log.takeIn(current === null ? null : takenIn(current), (log) => {
        const all = tallyOfHits(log?.hits ?? []);
        all.addAll(tally);
        const { values } = all;
        const taken = log?.taken ?? null;
        if (current !== null) this.#writePage(fd, followingPage(current, { values, taken }, this.#hash));
        else this.#writePage(fd, this.#newPage(1n, { sinceMs: this.#host.clock.nowMs(), values }, taken));
        saved = log?.hits.filter(({ savedMs }) => savedMs > 0) ?? [];
      });
    });
    return saved;
  }

  /** Opens the file, whole: preallocated at once, later writes need no space, so a full disk does not stop the figures. */
  #withCounters(work: (fd: number) => void): void {
    const { files } = this.#host;
    withFile(files, { path: this.countersPath, flags: 'createReadWrite' }, (fd) => {
      const { bytes } = files.fstat(fd);
      if (bytes < FILE_BYTES) files.writeAt(fd, Buffer.alloc(FILE_BYTES - bytes), bytes);
      else if (bytes > FILE_BYTES) files.truncate(fd, FILE_BYTES);
      work(fd);
    });
  }

  #newPage(generation: bigint, counters: Counters, taken: TakenLog | null = null): Buffer {
    return Buffer.from(encodeCounterPage({ generation, counters, taken }, this.#hash));
  }

  #writePage(fd: number, page: Buffer): void {
    this.#host.files.writeAt(fd, page, generationOf(page) % 2n === 0n ? 0 : PAGE_BYTES);
  }

  /**
   * Starts again at zero under the counters' lock: who ends later adds to the new figures. The journal notes it: what it
   * tells before that note is over.
   * @returns the figures that were set to zero; null where nothing was counted.
   * @throws the errno error when a file cannot be written, CacheError environment when the lock is not to be had.
   */
  async zero(lock: LockFile): Promise<Counters | null> {
    const held = await lock.hold(LOCK_BYTES.counters, { timeoutMs: COUNTERS_TIMEOUT_MS }, () => this.#zero());
    if (held.held) return held.value;
    throw new CacheError(
      'environment',
      `the counters at "${this.countersPath}" are in use for more than ${COUNTERS_TIMEOUT_MS / 1000} s`,
    );
  }

  #zero(): Counters | null {
    const page = this.#readPages();
    const before = this.readCounters();
    const sinceMs = this.#host.clock.nowMs();
    const generation = page?.generation ?? 0n;
    this.#withCounters((fd) => {
      const message = 'the counters start again at zero';
      this.#append({ atMs: sinceMs, kind: 'zeroed', reason: 'requested', fingerprint: null, message });
      // Both pages: else the old figures would come back with the first page that is damaged.
      for (const step of [1n, 2n]) {
        this.#writePage(fd, this.#newPage(generation + step, { sinceMs, values: new Map() }));
      }
      this.#savings.clear();
      this.#log.clear();
    });
    return before;
  }

  /** Appends to the journal. @returns false when it cannot be written: it loses this line and nothing else. */
  addEvent(event: CacheEvent): boolean {
    try {
      this.#append(event);
      return true;
    } catch {
      // Best effort: another folder may take it, and the next event is tried here again.
      return false;
    }
  }

  #append(event: CacheEvent): void {
    const { files } = this.#host;
    withFile(files, { path: this.eventsPath, flags: 'append' }, (fd) => {
      const message = event.message.slice(0, MAX_MESSAGE_LENGTH);
      files.write(fd, Buffer.from(`${JSON.stringify({ ...event, message })}\n`, 'utf8'));
      this.#bound(fd);
    });
  }

  /** Puts a journal that is full aside. Two at once would put the new one aside as well, and lose the older half. */
  #bound(fd: number): void {
    const { files } = this.#host;
    const { bytes, inode } = files.fstat(fd);
    if (bytes <= MAX_EVENTS_BYTES || files.lstat(this.eventsPath)?.inode !== inode) return;
    try {
      files.rename(this.eventsPath, `${this.eventsPath}.old`);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      // ENOENT: somebody else has just done it. Else something lies there that cannot be replaced, such as a folder.
      if (errno !== 'ENOENT') files.truncate(fd, 0);
    }
  }

  /** The journal, oldest first; lines that do not decode are left out. */
  readEvents(): readonly CacheEvent[] {
    return [`${this.eventsPath}.old`, this.eventsPath].flatMap((path) => {
      const read = readRegularFile(this.#host.files, path, 2 * MAX_EVENTS_BYTES);
      return read.ok ? read.bytes.toString('utf8').split('\n').flatMap(decodeEvent) : [];
    });
  }

  /** What the journal tells since the counters were last set to zero. Its order decides: clocks may jump. */
  readEventsSinceZero(): readonly CacheEvent[] {
    const events = this.readEvents();
    return events.slice(events.findLastIndex(({ kind }) => kind === 'zeroed') + 1);
  }
}

function decodeEvent(line: string): readonly CacheEvent[] {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // Best effort: a line that was cut by a crash.
    return [];
  }
  if (typeof value !== 'object' || value === null) return [];
  const { atMs, kind, reason, fingerprint, message } = value as Record<string, unknown>;
  if (typeof atMs !== 'number' || typeof reason !== 'string' || typeof message !== 'string') return [];
  const known = EVENT_KINDS.find((each) => each === kind);
  if (known === undefined) return [];
  const about = typeof fingerprint === 'string' ? fingerprint : null;
  return [{ atMs, kind: known, reason, fingerprint: about, message }];
}
