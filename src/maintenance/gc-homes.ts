import { join } from 'node:path';
import { lstatOrNull } from '../host/files.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import { HomePaths, StorePaths } from '../layouts/vyre/home-paths.js';
import { fingerprintByte, type LockFile } from '../store/lock-file.js';
import { dropTaken, noteAll, readPending, takePending } from '../store/pending-list.js';
import { quarantineIds, readReason, REASON_FILE } from './quarantine.js';
import { removeUnchanged, treeBytes, type Removals } from './removals.js';
import { itemsOf, stagedItems, visitWorkers } from './sweep.js';

/** A request that nobody repeated for 90 days is worth a compilation when it comes back. */
const STATE_AGE_MS = 90 * 86_400_000;
/** What nobody has looked at in the quarantine for 30 days. */
const QUARANTINE_AGE_MS = 30 * 86_400_000;
/** Digests, and checksums of whatever runtime. */
const STATE_NAME = /^(?:[0-9a-f]{64}|[\w-]{43}=)$/;
/** A pending list is written anew from this size on: a thousand notes. */
const COMPACTED_BYTES = 65_536;

export interface HomeGarbageOptions {
  /** Null where nothing can be locked. */
  readonly lock: LockFile | null;
  readonly removals: Removals;
  readonly dryRun: boolean;
  /** Folders of state that is kept elsewhere. */
  readonly beside: readonly string[];
}

/** The garbage of one home besides its artifacts: what our own processes left. */
export class HomeGarbage {
  readonly #host: Host;
  readonly #paths: HomePaths;
  readonly #lock: LockFile | null;
  readonly #removals: Removals;
  readonly #dryRun: boolean;
  readonly #beside: readonly string[];

  constructor(host: Host, home: string, { lock, removals, dryRun, beside }: HomeGarbageOptions) {
    this.#host = host;
    this.#paths = new HomePaths(home);
    this.#lock = lock;
    this.#removals = removals;
    this.#dryRun = dryRun;
    this.#beside = beside;
  }

  async collect(): Promise<void> {
    const { requests, dependencySets } = this.#paths;
    await this.#workers();
    await this.#staged();
    for (const folder of [requests, dependencySets, ...this.#beside]) await this.#unusedState(folder);
    await this.#quarantine();
    await this.#pending();
  }

  async #workers(): Promise<void> {
    const { files } = this.#host;
    await visitWorkers(
      this.#host,
      { paths: this.#paths, lock: this.#lock },
      {
        dead: async ({ path }, remove) => {
          const stat = lstatOrNull(files, path);
          if (stat === null) return;
          const garbage = { path, reason: 'dead-worker', stat, bytes: treeBytes(files, path) };
          await this.#removals.take(garbage, async () => {
            if (!(await remove())) return false;
            // It does not say what failed; whoever tries again learns it.
            if (lstatOrNull(files, path) !== null) files.removeTree(path);
            return true;
          });
        },
        owned: ({ path }) => {
          this.#removals.keep(treeBytes(files, path));
        },
      },
    );
  }

  async #staged(): Promise<void> {
    for (const { path, stat, isStale } of stagedItems(this.#host, this.#paths, this.#unreadable)) {
      const bytes = treeBytes(this.#host.files, path);
      if (!isStale) this.#removals.keep(bytes);
      else {
        await this.#removals.take({ path, reason: 'staged', stat, bytes }, () => {
          this.#host.files.removeTree(path);
          return true;
        });
      }
    }
  }

  /**
   * State that was neither read nor written for 90 days; a time in the future keeps it. Where the file system keeps no
   * times of reading, state that is only read goes, too, and costs a compilation.
   */
  async #unusedState(folder: string): Promise<void> {
    const { files, clock } = this.#host;
    for (const { name, type } of itemsOf(this.#host, folder, this.#unreadable)) {
      if (type !== 'file' || !STATE_NAME.test(name)) continue;
      const path = join(folder, name);
      const stat = lstatOrNull(files, path);
      if (stat === null || clock.nowMs() - Math.max(stat.mtimeMs, stat.atimeMs) < STATE_AGE_MS) continue;
      await removeUnchanged(this.#host, this.#removals, { path, reason: 'unused-state', stat });
    }
  }

  /** What was moved there 30 days ago. A folder that does not tell its reason is not ours to remove. */
  async #quarantine(): Promise<void> {
    const { files, clock } = this.#host;
    for (const id of this.#quarantineIds()) {
      const path = this.#paths.quarantined(id);
      const stat = lstatOrNull(files, path);
      const why = readReason(this.#host, join(path, REASON_FILE));
      if (stat === null || why === null) continue;
      const bytes = treeBytes(files, path);
      if (!(clock.nowMs() - why.atMs >= QUARANTINE_AGE_MS)) {
        this.#removals.keep(bytes);
        continue;
      }
      await this.#removals.take({ path, reason: 'quarantine', stat, bytes }, () => {
        files.removeTree(path);
        return true;
      });
    }
  }

  #quarantineIds(): readonly string[] {
    try {
      return quarantineIds(this.#host, this.#paths);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      this.#unreadable(this.#paths.quarantine, errno);
      return [];
    }
  }

  /**
   * Writes a long pending list anew, without repetitions and without entries that are gone: a list that gets full makes
   * the next flush sync every entry. Killed in between, it loses nothing: a flush takes up what was taken away.
   */
  async #pending(): Promise<void> {
    const path = this.#paths.pending;
    const stat = lstatOrNull(this.#host.files, path);
    if (this.#lock === null || !this.#lock.excludesProcesses || stat?.type !== 'file') return;
    if (this.#dryRun || stat.bytes < COMPACTED_BYTES || readPending(this.#host, this.#paths).every) return;
    const home = { paths: this.#paths, lock: this.#lock };
    const taking = await takePending(this.#host, home);
    if (!taking.taken || taking.notes.every) return;
    const staying = [];
    const store = new StorePaths(this.#paths.store);
    for (const fingerprint of taking.notes.noted) {
      const look = (): boolean => this.#isGone(store.entry(fingerprint));
      const held = look() ? await this.#lock.tryHold(fingerprintByte(fingerprint), look) : null;
      // Absent and held by nobody: it has vanished. What is held may be about to appear.
      if (held?.held !== true || !held.value) staying.push(fingerprint);
    }
    if ((await noteAll(this.#host, home, staying)).noted) dropTaken(this.#host, taking.notes);
  }

  /** What cannot be looked at may be there. */
  #isGone(path: string): boolean {
    try {
      return this.#host.files.lstat(path) === null;
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }

  readonly #unreadable = (folder: string, errno: string): void => {
    this.#removals.fail(folder, errno);
  };
}
