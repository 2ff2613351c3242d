import { basename, join } from 'node:path';
import { lstatOrNull, type FileStat } from '../host/files.js';
import type { Layout } from '../layouts/layout.js';
import { STORE_FOLDER } from '../layouts/vyre/home-paths.js';
import { storeLayout } from '../layouts/vyre/vyre-layout.js';
import { errnoOf } from '../model/error.js';
import { isExpiredFailure } from '../model/failure.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { DiskTier } from '../store/disk-tier.js';
import type { RootKind } from '../store/home.js';
import { fingerprintByte, LOCK_BYTES, type LockFile } from '../store/lock-file.js';
import { noteRemovals } from './journal.js';
import { hasLivingWriter, isPastSafeAge } from './litter.js';
import { layoutOf, type MaintainedRoot } from './maintained-root.js';
import { demandKnownFormat, demandOwner, isOwner } from './owner.js';
import { isUnchanged, Removals, treeBytes } from './removals.js';
import type { RemovalReport } from './reports.js';
import { scanIfThere } from './scan.js';
import { itemsOf, stagedItems, visitWorkers } from './sweep.js';

/** A request that nobody repeated for 90 days is worth a compilation when it comes back. */
const STATE_AGE_MS = 90 * 86_400_000;
const STATE_NAME = /^[0-9a-f]{64}$/;
/** vyre's DiskPipelineCache spreads its files over folders of two digits. */
const SHARD = /^[0-9a-f]{2}$/;

export interface GcReport extends RemovalReport {
  /** True when another process was removing from this root: then nothing was looked at. */
  readonly isBusy: boolean;
}

/**
 * Removes garbage: what no command needs, whatever the limits. Entries are never touched; neither are aliens, links and
 * the sections of other writers. Safe beside everything else: what is held or young stays. One process does it at a
 * time.
 * @throws CacheError environment when the root belongs to somebody else, or a newer version.
 */
export async function collectGarbage(
  root: MaintainedRoot,
  options: { readonly dryRun: boolean },
): Promise<GcReport> {
  demandOwner(root);
  demandKnownFormat(root);
  const kind = root.kind();
  const removals = new Removals(root.host, root.root, options);
  if (layoutOf(kind) === null) return { ...removals.report(), isBusy: false };
  const lock = root.openLock({ make: !options.dryRun });
  const collector = new Collector(root, removals, { kind, lock, dryRun: options.dryRun });
  const collect = async (): Promise<void> => collector.collect();
  const held = lock === null ? await unheld(collect) : await lock.tryHold(LOCK_BYTES.maintenance, collect);
  const report = removals.report();
  noteRemovals(root, 'gc', report);
  return { ...report, isBusy: !held.held };
}

async function unheld(work: () => Promise<void>): Promise<{ readonly held: true }> {
  await work();
  return { held: true };
}

/** True when a real run would make the lock file that is not there. */
function willHaveLock(root: MaintainedRoot, kind: RootKind): boolean {
  const { host } = root;
  const lockPath = root.states()[0]?.lockPath;
  if (kind !== 'home' || !isOwner(root) || lockPath === undefined) return false;
  return host.locks.available && lstatOrNull(host.files, lockPath) === null;
}

/** What lies in a store and may be garbage. */
interface Suspects {
  readonly temporaries: string[];
  readonly records: Fingerprint[];
}

interface Collecting {
  readonly kind: RootKind;
  /** Null where nothing can be locked, and for a dry run also where nobody has locked anything yet. */
  readonly lock: LockFile | null;
  readonly dryRun: boolean;
}

class Collector {
  readonly #root: MaintainedRoot;
  readonly #removals: Removals;
  readonly #lock: LockFile | null;
  readonly #isHome: boolean;
  readonly #layout: Layout | null;
  /** True when the lock of a fingerprint tells whether somebody publishes it. */
  readonly #locksTell: boolean;

  constructor(root: MaintainedRoot, removals: Removals, { kind, lock, dryRun }: Collecting) {
    this.#root = root;
    this.#removals = removals;
    this.#lock = lock;
    this.#isHome = kind === 'home';
    this.#layout = layoutOf(kind);
    this.#locksTell = lock === null ? dryRun && willHaveLock(root, kind) : lock.excludesProcesses;
  }

  async collect(): Promise<void> {
    // Without our marker nothing is known to be ours; vyre's temporary files are told by their names.
    if (this.#isHome) {
      const { requests, dependencySets } = this.#root.paths;
      await this.#workers();
      await this.#staged();
      for (const folder of [requests, dependencySets]) await this.#unusedState(folder);
    }
    await this.#store();
  }

  async #workers(): Promise<void> {
    const { host, paths } = this.#root;
    const { files } = host;
    await visitWorkers(
      host,
      { paths, lock: this.#lock },
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
    const { host, paths } = this.#root;
    for (const { path, stat, isStale } of stagedItems(host, paths, this.#unreadable)) {
      const bytes = treeBytes(host.files, path);
      if (!isStale) this.#removals.keep(bytes);
      else {
        await this.#removals.take({ path, reason: 'staged', stat, bytes }, () => {
          host.files.removeTree(path);
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
    const { host } = this.#root;
    for (const { name, type } of itemsOf(host, folder, this.#unreadable)) {
      if (type !== 'file' || !STATE_NAME.test(name)) continue;
      const path = join(folder, name);
      const stat = lstatOrNull(host.files, path);
      if (stat === null || host.clock.nowMs() - Math.max(stat.mtimeMs, stat.atimeMs) < STATE_AGE_MS) continue;
      await this.#removeFile(path, 'unused-state', stat);
    }
  }

  /** The garbage among the entries. */
  async #store(): Promise<void> {
    const store = this.#root.openStore();
    const suspects: Suspects = { temporaries: [], records: [] };
    this.#scan(this.#layout === storeLayout ? [] : [STORE_FOLDER], store, suspects);
    for (const path of suspects.temporaries) await this.#temporary(path);
    for (const fingerprint of suspects.records) await this.#record(store, fingerprint);
  }

  /** Notes names only; what is garbage is judged one by one when the folder is no longer being read. */
  #scan(segments: readonly string[], store: DiskTier, suspects: Suspects): void {
    const { host, root } = this.#root;
    const folder = join(root, ...segments);
    const shards: string[] = [];
    this.#scanFolder(folder, (name, type) => {
      if (type === 'directory' && SHARD.test(name) && segments.length === 1) shards.push(name);
      if (type !== 'file') return;
      const classified = this.#layout?.classify([...segments, name]);
      if (classified?.kind === 'litter') suspects.temporaries.push(join(folder, name));
      if (classified?.kind !== 'record') return;
      if (lstatOrNull(host.files, store.paths.entry(classified.fingerprint)) === null)
        suspects.records.push(classified.fingerprint);
    });
    for (const shard of shards) this.#scan([...segments, shard], store, suspects);
  }

  #scanFolder(folder: string, visit: (name: string, type: FileStat['type']) => void): void {
    try {
      scanIfThere(this.#root.host.files, folder, ({ name, type }) => {
        visit(name, type);
      });
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      this.#unreadable(folder, errno);
    }
  }

  readonly #unreadable = (folder: string, errno: string): void => {
    this.#removals.fail(folder, errno);
  };

  async #temporary(path: string): Promise<void> {
    const { host } = this.#root;
    const stat = lstatOrNull(host.files, path);
    if (stat?.type !== 'file') return;
    const isLeftOver =
      isPastSafeAge(stat, host.clock.nowMs()) && !hasLivingWriter(host.processes, basename(path));
    if (isLeftOver) await this.#removeFile(path, 'temporary', stat);
    else this.#removals.keep(stat.bytes);
  }

  /**
   * Removes a file of which nothing but its age tells that nobody needs it. Its writers take no lock: one that begins
   * again between the last look and the removal loses what it writes, which is a compilation.
   */
  async #removeFile(path: string, reason: string, stat: FileStat): Promise<void> {
    const { files } = this.#root.host;
    await this.#removals.take({ path, reason, stat, bytes: stat.bytes }, () => {
      const now = files.lstat(path);
      if (now !== null && !isUnchanged(stat, now)) return false;
      files.unlink(path);
      return true;
    });
  }

  /** A record without an entry. A publisher renames the record first, and holds the fingerprint's lock meanwhile. */
  async #record(store: DiskTier, fingerprint: Fingerprint): Promise<void> {
    const path = store.paths.record(fingerprint);
    const work = async (): Promise<void> => this.#judgeRecord(store, fingerprint);
    if (this.#lock === null) return work();
    const held = await this.#lock.tryHold(fingerprintByte(fingerprint), work);
    if (!held.held) this.#removals.keepInUse(lstatOrNull(this.#root.host.files, path)?.bytes ?? 0);
  }

  async #judgeRecord(store: DiskTier, fingerprint: Fingerprint): Promise<void> {
    const { host } = this.#root;
    const path = store.paths.record(fingerprint);
    const stat = lstatOrNull(host.files, path);
    if (stat?.type !== 'file' || this.#mayHaveEntry(store, fingerprint)) return;
    const reason = this.#reasonFor(store, fingerprint);
    if (reason === null || (!this.#locksTell && !isPastSafeAge(stat, host.clock.nowMs()))) {
      this.#removals.keep(stat.bytes);
      return;
    }
    await this.#removals.take({ path, reason, stat, bytes: stat.bytes }, () => {
      host.files.unlink(path);
      return true;
    });
  }

  /** What cannot be looked at may be there, and its record with it. */
  #mayHaveEntry(store: DiskTier, fingerprint: Fingerprint): boolean {
    const path = store.paths.entry(fingerprint);
    try {
      return this.#root.host.files.lstat(path) !== null;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      this.#unreadable(path, errno);
      return true;
    }
  }

  /** Null for what has to stay: a failure in force, a record of a newer version, what nobody knows outside a home. */
  #reasonFor(store: DiskTier, fingerprint: Fingerprint): 'orphan-record' | 'expired-failure' | null {
    const remembered = store.readFailure(fingerprint);
    if (remembered !== null) {
      return isExpiredFailure(remembered.failure, this.#root.host.clock.nowMs()) ? 'expired-failure' : null;
    }
    const read = store.readRecord(fingerprint);
    if (read.ok || read.reason === 'absent') return 'orphan-record';
    return read.reason === 'unreadable' && this.#isHome ? 'orphan-record' : null;
  }
}
