import { dirname, relative } from 'node:path';
import { statOrNull } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { StorePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { forEachUnit } from '../schedule/units.js';
import { fingerprintByte, type LockFile } from '../store/lock-file.js';
import type { Notes } from '../store/pending-list.js';
import { eachEntry } from './list.js';
import type { MaintainedRoot } from './maintained-root.js';
import type { SyncFailure } from './reports.js';

/** As many as vyre-runtime syncs at once. */
const MAX_AT_ONCE = 16;

/** What a flush saw of an entry that was noted. */
export interface Look {
  /** Asked before the look. Free: whoever noted the entry before has ended, and what is there now is what they left. */
  readonly isHeld: boolean;
  readonly found: 'synced' | 'absent' | 'failed';
}

export type FlushOutcome = 'flushed' | 'gone' | 'failed' | 'pending';

/**
 * What becomes of an entry. Held, it may appear or be replaced right after the look: its note stays, whatever was
 * there. Absent and free, it has vanished, and a note that stayed would stay for ever.
 */
export function judgeLook({ isHeld, found }: Look): FlushOutcome {
  if (found === 'failed') return 'failed';
  if (isHeld) return 'pending';
  return found === 'absent' ? 'gone' : 'flushed';
}

/** True when the note of an entry has to be written again. */
export function staysNoted(outcome: FlushOutcome): boolean {
  return outcome === 'failed' || outcome === 'pending';
}

/** Syncs entries, several at once, then the folders that name them, each once. */
export class EntrySync {
  readonly host: Host;
  readonly failures: SyncFailure[] = [];
  gone = 0;
  readonly #root: MaintainedRoot;
  readonly #by: Record<Exclude<FlushOutcome, 'gone'>, Fingerprint[]> = {
    flushed: [],
    failed: [],
    pending: [],
  };

  constructor(root: MaintainedRoot) {
    this.host = root.host;
    this.#root = root;
  }

  get flushed(): readonly Fingerprint[] {
    return this.#by.flushed;
  }

  get failed(): readonly Fingerprint[] {
    return this.#by.failed;
  }

  get pending(): readonly Fingerprint[] {
    return this.#by.pending;
  }

  /** The entries to note again. */
  get staying(): readonly Fingerprint[] {
    return [...this.failed, ...this.pending];
  }

  /** `lock` is null where nobody notes: then every entry counts as free. @throws the errno error of a failed scan. */
  async sync({ noted, every }: Notes, lock: LockFile | null): Promise<void> {
    const store = this.#root.openStore();
    const waiting = new Set(noted);
    if (every) eachEntry(this.#root, store, (fingerprint) => waiting.add(fingerprint));
    const entries = [...waiting];
    await forEachUnit(entries.length, MAX_AT_ONCE, async ({ start, end }) => {
      for (const fingerprint of entries.slice(start, end)) {
        const isNoted = noted.has(fingerprint);
        await this.#syncEntry(store.paths, fingerprint, { isNoted, lock });
      }
    });
    await this.#syncFolders(store.paths);
  }

  async #syncEntry(
    store: StorePaths,
    fingerprint: Fingerprint,
    { isNoted, lock }: { readonly isNoted: boolean; readonly lock: LockFile | null },
  ): Promise<void> {
    const isHeld = isNoted && lock !== null && (await isHeldNow(lock, fingerprint));
    const found = await this.#syncFiles(store, fingerprint);
    const outcome = judgeLook({ isHeld, found });
    // An entry that was only seen by the scan and vanished since was removed by somebody: that is no news.
    if (outcome !== 'gone') this.#by[outcome].push(fingerprint);
    else if (isNoted) this.gone += 1;
  }

  async #syncFiles(store: StorePaths, fingerprint: Fingerprint): Promise<Look['found']> {
    for (const path of [store.entry(fingerprint), store.record(fingerprint)]) {
      const synced = await syncFile(this.host, path);
      if (synced.ok) continue;
      // An entry of another writer has no record.
      if (synced.error === null && path !== store.entry(fingerprint)) continue;
      if (synced.error === null) return 'absent';
      this.#addFailure(path, synced.error);
      return 'failed';
    }
    return 'synced';
  }

  /** A name is durable when its folder is: the store, the root, and every folder above, which may be new as well. */
  async #syncFolders({ folder }: StorePaths): Promise<void> {
    if (this.flushed.length + this.pending.length === 0) return;
    const { root } = this.#root;
    for (const path of new Set([folder, root])) {
      const error = await syncFolder(this.host, path);
      if (error === null) continue;
      this.#addFailure(path, error);
      this.#by.failed.push(...this.#by.flushed.splice(0));
    }
    // Best effort: they need not be readable for this user, and after the first flush of a home they have nothing new.
    for (const path of foldersAbove(this.host, root)) await syncFolder(this.host, path);
  }

  #addFailure(path: string, error: string): void {
    this.failures.push({ path: relative(this.#root.root, path), error });
  }
}

/** True when somebody publishes, compiles or removes the entry. Shared: two flushes do not take each other for one. */
async function isHeldNow(lock: LockFile, fingerprint: Fingerprint): Promise<boolean> {
  const probe = await lock.hold(fingerprintByte(fingerprint), { timeoutMs: 0, shared: true }, () => true);
  return !probe.held;
}

/** The folders above a path, the nearest first, as far as its file system reaches. */
function foldersAbove({ files }: Host, path: string): readonly string[] {
  const device = statOrNull(files, path)?.device;
  const folders: string[] = [];
  for (let below = path; dirname(below) !== below; below = dirname(below)) {
    const folder = dirname(below);
    if (statOrNull(files, folder)?.device !== device) break;
    folders.push(folder);
  }
  return folders;
}

type Synced =
  | { readonly ok: true }
  /** An errno name; null when nothing of ours is there. */
  | { readonly ok: false; readonly error: string | null };

/** No file: absent, the store is gone, or a link or a socket lies there. */
const NO_FILE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO']);

async function syncFile(host: Host, path: string): Promise<Synced> {
  const { files } = host;
  try {
    return await withOpen(host, path, async (fd) => {
      if (files.fstat(fd).type !== 'file') return { ok: false, error: null };
      await files.syncBeside(fd);
      return { ok: true };
    });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    return { ok: false, error: NO_FILE.has(errno) ? null : errno };
  }
}

/** @returns the errno name of a failure; null when it is durable. */
async function syncFolder(host: Host, path: string): Promise<string | null> {
  try {
    await withOpen(host, path, async (fd) => host.files.syncBeside(fd));
    return null;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    // A file system that cannot sync folders keeps their names in another way.
    return errno === 'EINVAL' || errno === 'ENOTSUP' ? null : errno;
  }
}

async function withOpen<T>({ files }: Host, path: string, work: (fd: number) => Promise<T>): Promise<T> {
  const fd = files.open(path, 'read');
  try {
    return await work(fd);
  } finally {
    files.close(fd);
  }
}
