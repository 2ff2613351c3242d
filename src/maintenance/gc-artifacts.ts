import { lstatOrNull, type FileStat } from '../host/files.js';
import { partName } from '../layouts/examination.js';
import type { LayoutName } from '../layouts/layout.js';
import { entryFormat, RECORD_PART } from '../layouts/vyre/entry-format.js';
import { HomePaths, StorePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import { isExpiredFailure } from '../model/failure.js';
import { isFingerprint, type Fingerprint } from '../model/fingerprint.js';
import { DiskTier } from '../store/disk-tier.js';
import { lookNow, removeArtifact } from './artifact-files.js';
import type { HomeLocks } from './home-locks.js';
import {
  artifactAt,
  below,
  pathOf,
  type Inventory,
  type LitterFile,
  type NamedArtifact,
} from './inventory.js';
import { isLeftOver, isPastSafeAge } from './litter.js';
import type { MaintainedRoot } from './maintained-root.js';
import { isOwner } from './owner.js';
import { removeUnchanged, type Removals } from './removals.js';

/** What a name of an older scheme has to be unused for; whoever still reads such names uses them within this time. */
const OLD_SCHEME_AGE_MS = 30 * 86_400_000;

export interface ArtifactGarbageOptions {
  readonly locks: HomeLocks;
  readonly removals: Removals;
  readonly dryRun: boolean;
}

/** The garbage among the artifacts of all systems. What is garbage is judged one by one when everything is listed. */
export class ArtifactGarbage {
  readonly #root: MaintainedRoot;
  readonly #inventory: Inventory;
  readonly #locks: HomeLocks;
  readonly #removals: Removals;
  readonly #dryRun: boolean;
  /** The folders of each layout that hold artifacts of its present scheme. */
  #current: ReadonlyMap<LayoutName, ReadonlySet<string>> | null = null;

  constructor(root: MaintainedRoot, inventory: Inventory, options: ArtifactGarbageOptions) {
    this.#root = root;
    this.#inventory = inventory;
    this.#locks = options.locks;
    this.#removals = options.removals;
    this.#dryRun = options.dryRun;
  }

  async collect(): Promise<void> {
    const { artifacts, litter, unreadable } = this.#inventory;
    for (const { relative, errno } of unreadable)
      this.#removals.fail(below(this.#root.root, relative), errno);
    for (const file of litter) await this.#litter(file);
    for (let row = 0; row < artifacts.count; row += 1) {
      try {
        await this.#artifact(row);
      } catch (error) {
        const errno = errnoOf(error);
        if (errno === null) throw error;
        // What cannot be looked at stays.
        this.#removals.fail(below(this.#root.root, pathOf(this.#inventory, row)), errno);
      }
    }
  }

  async #artifact(row: number): Promise<void> {
    const { artifacts } = this.#inventory;
    const format = artifacts.format(row);
    const isOrphan = !artifacts.isIrregular(row) && format.wholeness(artifacts.present(row)) === 'orphan';
    if (isOrphan && format === entryFormat) await this.#record(artifactAt(this.#inventory, row));
    else if (isOrphan) await this.#orphan(artifactAt(this.#inventory, row));
    else if (format.emptyIsLitter === true) await this.#empty(artifactAt(this.#inventory, row));
    if (format.isOldScheme === true && !isOrphan) await this.#old(row);
  }

  async #litter({ place, name, rule }: LitterFile): Promise<void> {
    const { host } = this.#root;
    const path = `${this.#inventory.places[place]?.path ?? ''}/${name}`;
    const stat = lstatOrNull(host.files, path);
    if (stat?.type !== 'file') return;
    if (isLeftOver(host, { rule, name, stat })) {
      const reason = rule === 'temporary' ? 'temporary' : 'expired-lock';
      await removeUnchanged(host, this.#removals, { path, reason, stat });
    } else this.#removals.keep(stat.bytes);
  }

  /** What other systems left of artifacts that are gone, such as statistics. They take no lock: age tells. */
  async #orphan(artifact: NamedArtifact): Promise<void> {
    const { host } = this.#root;
    const { format, folder, stem } = artifact;
    for (const part of format.removal) {
      const path = `${folder}/${partName(format, part, stem)}`;
      const stat = lstatOrNull(host.files, path);
      if (stat?.type !== 'file') continue;
      const isAlone = lookNow(host, artifact) === null;
      const isHeld = this.#locks.isHeldElsewhere(artifact);
      if (isAlone && !isHeld && isPastSafeAge(stat, host.clock.nowMs()))
        await removeUnchanged(host, this.#removals, { path, reason: 'orphan', stat });
      else this.#removals.keep(stat.bytes);
    }
  }

  /** The empty file that a failed compilation leaves. */
  async #empty(artifact: NamedArtifact): Promise<void> {
    const { host } = this.#root;
    const { format, folder, stem } = artifact;
    const path = `${folder}/${partName(format, 0, stem)}`;
    const stat = lstatOrNull(host.files, path);
    if (stat?.type !== 'file' || stat.bytes > 0) return;
    const isHeld = this.#locks.isHeldElsewhere(artifact);
    if (!isHeld && isPastSafeAge(stat, host.clock.nowMs()))
      await removeUnchanged(host, this.#removals, { path, reason: 'empty', stat });
    else this.#removals.keep(0);
  }

  /** An artifact under a name that its system has given up, where the system has been at work since. */
  async #old(row: number): Promise<void> {
    const { host } = this.#root;
    const artifact = artifactAt(this.#inventory, row);
    const path = pathOf(this.#inventory, row);
    const stat = lstatOrNull(host.files, `${this.#root.root}/${path}`);
    const state = stat === null ? null : lookNow(host, artifact);
    // An empty one was judged as such.
    if (stat === null || state === null || stat.bytes === 0) return;
    const isUnused = host.clock.nowMs() - state.usedAtMs > OLD_SCHEME_AGE_MS;
    if (!isUnused || !this.#hasSuccessor(row)) return;
    const garbage = { path: `${this.#root.root}/${path}`, reason: 'old-scheme', stat, bytes: state.bytes };
    await this.#removals.take(garbage, () => {
      if (lookNow(host, artifact)?.usedAtMs !== state.usedAtMs) return false;
      removeArtifact(host, artifact);
      return true;
    });
  }

  /** True when the same system has artifacts of its present scheme in the same folder or below it. */
  #hasSuccessor(row: number): boolean {
    const { artifacts, places } = this.#inventory;
    const { layout } = artifacts.format(row);
    const here = places[artifacts.place(row)]?.path ?? '';
    this.#current ??= foldersOfPresentSchemes(this.#inventory);
    return [...(this.#current.get(layout) ?? [])].some(
      (path) => path === here || path.startsWith(`${here}/`),
    );
  }

  /** A record without an entry. A publisher renames the record first, and holds the fingerprint's lock meanwhile. */
  async #record(artifact: NamedArtifact): Promise<void> {
    const { host } = this.#root;
    const { folder, stem } = artifact;
    if (!isFingerprint(stem)) return;
    const path = `${folder}/${partName(entryFormat, RECORD_PART, stem)}`;
    const held = await this.#locks.tryHold(artifact, async () => this.#judgeRecord(artifact, stem, path));
    if (!held.held) this.#removals.keepInUse(lstatOrNull(host.files, path)?.bytes ?? 0);
  }

  async #judgeRecord(artifact: NamedArtifact, fingerprint: Fingerprint, path: string): Promise<void> {
    const { host, maxPayloadBytes } = this.#root;
    const paths = new StorePaths(artifact.folder);
    const store = new DiskTier(host, { paths, maxPayloadBytes, lock: null });
    const stat = lstatOrNull(host.files, path);
    if (stat?.type !== 'file' || this.#mayHaveEntry(store, fingerprint)) return;
    const reason = this.#reasonFor(store, fingerprint, artifact.home !== null);
    if (reason === null || !this.#mayGo(artifact.home, stat)) {
      this.#removals.keep(stat.bytes);
      return;
    }
    await this.#removals.take({ path, reason, stat, bytes: stat.bytes }, () => {
      host.files.unlink(path);
      return true;
    });
  }

  /** Where no lock tells whether somebody publishes, age does. */
  #mayGo(home: string | null, stat: FileStat): boolean {
    const lock = this.#locks.of(home);
    const locksTell = lock === null ? this.#dryRun && this.#willHaveLock(home) : lock.excludesProcesses;
    return locksTell || isPastSafeAge(stat, this.#root.host.clock.nowMs());
  }

  /** True when a real run would make the lock file that is not there. */
  #willHaveLock(home: string | null): boolean {
    const { host, root } = this.#root;
    if (home !== root || !isOwner(this.#root)) return false;
    return host.locks.available && lstatOrNull(host.files, new HomePaths(root).lock) === null;
  }

  /** What cannot be looked at may be there, and its record with it. */
  #mayHaveEntry(store: DiskTier, fingerprint: Fingerprint): boolean {
    const path = store.paths.entry(fingerprint);
    try {
      return this.#root.host.files.lstat(path) !== null;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      this.#removals.fail(path, errno);
      return true;
    }
  }

  /** Null for what has to stay: a failure in force, a record of a newer version, what nobody knows outside a home. */
  #reasonFor(
    store: DiskTier,
    fingerprint: Fingerprint,
    isHome: boolean,
  ): 'orphan-record' | 'expired-failure' | null {
    const remembered = store.readFailure(fingerprint);
    if (remembered !== null) {
      return isExpiredFailure(remembered.failure, this.#root.host.clock.nowMs()) ? 'expired-failure' : null;
    }
    const read = store.readRecord(fingerprint);
    if (read.ok || read.reason === 'absent') return 'orphan-record';
    return read.reason === 'unreadable' && isHome ? 'orphan-record' : null;
  }
}

function foldersOfPresentSchemes({
  artifacts,
  places,
}: Inventory): ReadonlyMap<LayoutName, ReadonlySet<string>> {
  const folders = new Map<LayoutName, Set<string>>();
  for (let row = 0; row < artifacts.count; row += 1) {
    const { layout, isOldScheme } = artifacts.format(row);
    if (isOldScheme === true) continue;
    const known = folders.get(layout) ?? new Set();
    folders.set(layout, known.add(places[artifacts.place(row)]?.path ?? ''));
  }
  return folders;
}
