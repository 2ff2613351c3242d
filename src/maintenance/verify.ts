import { relative as relativePath } from 'node:path';
import { CacheError, errnoOf } from '../model/error.js';
import { isFingerprint, type Fingerprint } from '../model/fingerprint.js';
import { isExpiredFailure } from '../model/failure.js';
import { partName } from '../layouts/examination.js';
import { entryFormat } from '../layouts/vyre/entry-format.js';
import { QUARANTINE_FOLDER, StorePaths } from '../layouts/vyre/home-paths.js';
import { DiskTier } from '../store/disk-tier.js';
import { type ArtifactTable, RESULT } from './artifact-table.js';
import { withLanes, type Lanes } from './bulk.js';
import { HomeLocks } from './home-locks.js';
import { artifactAt, below, pathOf, takeInventory, type Inventory, type NamedArtifact } from './inventory.js';
import { Judge, type Judgement } from './judge.js';
import { isRecognised, type MaintainedRoot } from './maintained-root.js';
import type { VerifyProblem, VerifyReport } from './reports.js';
import { quarantineIds } from './quarantine.js';
import { SealBook, type Seal } from './seals.js';
import { demandTreatable, treat, type DamagedArtifact, type Treatment } from './treatment.js';
import { noteVerified } from './last-verify.js';

export interface VerifyOptions {
  /** Null: everything below the root. */
  readonly fingerprints: readonly Fingerprint[] | null;
  /** What becomes of damaged artifacts; they stay unless it is said. */
  readonly treatment?: Treatment | null;
  /** Notes the digests of what carries no checksum, so that later runs find what changed. */
  readonly seals?: boolean;
  readonly onProgress?: ((progress: { readonly files: number; readonly bytes: number }) => void) | null;
}

type Tallied = 'valid' | 'damaged' | 'unverifiable' | 'litter' | 'aliens' | 'unreadable';

/** An artifact that something speaks against, with its path below the root. */
type Suspect = Omit<DamagedArtifact, 'reason' | 'rotten'>;

/**
 * Checks every byte of every artifact. Reads only, unless a treatment is asked for, and is safe while others write: a
 * verdict that speaks against an artifact is repeated until nobody writes it.
 */
export async function verify(root: MaintainedRoot, options: VerifyOptions): Promise<VerifyReport> {
  const isTreating = (options.treatment ?? null) !== null;
  if (isTreating) demandTreatable(root);
  const startMs = root.host.clock.monotonicMs();
  const locks = new HomeLocks(root, { make: isTreating });
  try {
    const verifier = new Verifier(root, options, locks);
    if (options.fingerprints === null) await verifier.all();
    else await verifier.named(options.fingerprints);
    return await verifier.report(startMs);
  } finally {
    locks.close();
  }
}

class Verifier {
  readonly #root: MaintainedRoot;
  readonly #options: VerifyOptions;
  readonly #locks: HomeLocks;
  readonly #judge: Judge;
  readonly #seals: SealBook;
  readonly #counts: Record<Tallied, number> = {
    valid: 0,
    damaged: 0,
    unverifiable: 0,
    litter: 0,
    aliens: 0,
    unreadable: 0,
  };
  readonly #problems: VerifyProblem[] = [];
  readonly #damaged: DamagedArtifact[] = [];
  #damagedBytes = 0;
  #sealed = 0;
  #sealError: string | null = null;
  #bytes = 0;

  constructor(root: MaintainedRoot, options: VerifyOptions, locks: HomeLocks) {
    this.#root = root;
    this.#options = options;
    this.#locks = locks;
    this.#seals = SealBook.open(root);
    this.#judge = new Judge(root.host, locks, {
      maxPayloadBytes: root.maxPayloadBytes,
      signing: root.signing,
      takesDigest: this.#takesDigests,
    });
  }

  get #takesDigests(): boolean {
    return this.#options.seals === true || !this.#seals.isEmpty;
  }

  async all(): Promise<void> {
    const { host } = this.#root;
    if (!isRecognised(this.#root)) return;
    // Before the work: where they cannot be kept, it would be in vain.
    if (this.#options.seals === true) this.#seals.demandFolder();
    const { inventory, digests } = await withLanes(host, async (lanes) => this.#checkAll(lanes));
    const { artifacts } = inventory;
    if (this.#options.seals === true) this.#seals.begin(artifacts.count);
    this.#counts.aliens = inventory.aliens;
    this.#counts.litter = inventory.litter.length;
    for (const { relative, errno } of inventory.unreadable) this.#unreadable(relative, errno);
    for (const row of this.#countValid(artifacts)) await this.#row(inventory, row, digests);
    if (this.#options.seals === true) this.#saveSeals();
    noteVerified(this.#root, { damaged: this.#counts.damaged, damagedBytes: this.#damagedBytes });
  }

  async #checkAll(
    lanes: Lanes,
  ): Promise<{ readonly inventory: Inventory; readonly digests: SharedArrayBuffer | null }> {
    const { host, root, maxPayloadBytes, signing } = this.#root;
    const check = { kind: 'check', maxPayloadBytes, keys: signing?.keys ?? null, digests: null } as const;
    const inventory = await takeInventory(host, root, {
      layouts: null,
      countsAliens: true,
      onLargeFolder: lanes.prepare,
      onMany: (listed) => {
        // How many digests there will be is not known yet.
        if (!this.#takesDigests) lanes.goAhead(check, listed);
      },
    });
    const digests = this.#takesDigests ? new SharedArrayBuffer(32 * inventory.artifacts.count) : null;
    await lanes.run(inventory, {
      task: { ...check, digests },
      signal: null,
      onProgress: this.#options.onProgress ?? null,
    });
    return { inventory, digests };
  }

  /** What was found is told, whether its digests can be kept or not. */
  #saveSeals(): void {
    if (this.#counts.unreadable > 0) this.#seals.keepRest();
    try {
      this.#seals.save();
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      this.#sealError = error.message;
    }
  }

  /** In a loop without a promise, which of a million would be felt. @returns the rows of all others. */
  #countValid({ results, bytes }: ArtifactTable): readonly number[] {
    const others: number[] = [];
    let valid = 0;
    let validBytes = 0;
    for (let row = 0; row < results.length; row += 1) {
      if (results[row] === RESULT.valid) {
        valid += 1;
        validBytes += bytes[row] ?? 0;
      } else others.push(row);
    }
    this.#counts.valid += valid;
    this.#bytes += validBytes;
    return others;
  }

  async #row(inventory: Inventory, row: number, digests: SharedArrayBuffer | null): Promise<void> {
    const { artifacts } = inventory;
    switch (artifacts.results[row] ?? RESULT.none) {
      case RESULT.unverifiable:
        return this.#unverifiable(inventory, row, digests);
      case RESULT.litter:
        this.#counts.litter += 1;
        return;
      case RESULT.orphan:
        if (await this.#isOrphan(artifactAt(inventory, row))) this.#counts.litter += 1;
        return;
      default:
        await this.#suspect(suspectAt(inventory, row));
    }
  }

  async #unverifiable(inventory: Inventory, row: number, digests: SharedArrayBuffer | null): Promise<void> {
    const { artifacts } = inventory;
    const bytes = artifacts.bytes[row] ?? 0;
    if (digests !== null) {
      const seal = {
        bytes,
        mtimeMs: artifacts.usedAtMs[row] ?? 0,
        digest: new Uint8Array(digests, 32 * row, 32),
      };
      if (await this.#hasBroken(suspectAt(inventory, row), seal)) return;
    }
    this.#counts.unverifiable += 1;
    this.#bytes += bytes;
  }

  /** Compares with the seal, and notes it. @returns true for what is damaged. */
  async #hasBroken(suspect: Suspect, seal: Seal): Promise<boolean> {
    const key = `${suspect.artifact.format.name}:${suspect.path}`;
    if (Number.isNaN(seal.mtimeMs)) {
      // Written while it was read: what is known of it stays.
      if (this.#options.seals === true) this.#seals.keep(key);
      return false;
    }
    const found = this.#seals.compare(key, seal);
    if (found === 'changed' && (await this.#hasRotted(suspect, key))) return true;
    if (found === 'same') this.#sealed += 1;
    if (this.#options.seals === true) this.#seals.note(key, seal);
    return false;
  }

  /** Looks again: the same size and time, and other bytes than those that were sealed. */
  async #hasRotted(suspect: Suspect, key: string): Promise<boolean> {
    const { stats, digest } = await this.#judge.judge(suspect.artifact);
    if (digest === null) return false;
    const seal = { ...SealBook.stampOf(suspect.artifact.format, stats), digest };
    if (this.#seals.compare(key, seal) !== 'changed') return false;
    if (this.#options.seals === true) this.#seals.keep(key);
    this.#damage(suspect, 'seal-mismatch', { bytes: seal.bytes, rotten: stats });
    return true;
  }

  async named(fingerprints: readonly Fingerprint[]): Promise<void> {
    const { paths } = this.#root.openStore();
    const isHome = this.#root.kind() === 'home';
    const relative = relativePath(this.#root.root, paths.folder);
    let files = 0;
    for (const stem of fingerprints) {
      const artifact = {
        format: entryFormat,
        stem,
        folder: paths.folder,
        home: isHome ? this.#root.root : null,
      };
      const suspect = { artifact, path: below(relative, partName(entryFormat, 0, stem)) };
      await this.#suspect(suspect, 'absent');
      files += 1;
      this.#options.onProgress?.({ files, bytes: this.#bytes });
    }
  }

  /** `whenGone`: the reason for what has to be there; null where it may vanish. */
  async #suspect(suspect: Suspect, whenGone: string | null = null): Promise<void> {
    const judgement = await this.#judge.judge(suspect.artifact);
    const { verdict, bytesRead } = judgement;
    this.#bytes += bytesRead;
    switch (verdict.kind) {
      case 'valid':
      case 'unverifiable':
      case 'litter':
        if (verdict.kind !== 'litter' || whenGone === null) this.#counts[verdict.kind] += 1;
        else this.#damage(suspect, whenGone, { bytes: 0 });
        return;
      case 'gone':
        if (whenGone !== null) this.#damage(suspect, whenGone, { bytes: 0 });
        return;
      case 'damaged':
        this.#damage(suspect, verdict.reason, { bytes: sizeOf(judgement) });
        return;
      case 'unreadable':
        this.#problem(suspect, verdict.errno);
        this.#counts.unreadable += 1;
        return;
      default:
        verdict satisfies never;
    }
  }

  #damage(
    suspect: Suspect,
    reason: string,
    { bytes, rotten = null }: { readonly bytes: number; readonly rotten?: DamagedArtifact['rotten'] },
  ): void {
    this.#counts.damaged += 1;
    this.#damagedBytes += bytes;
    // There may be hundreds of thousands: what nobody will treat is not kept.
    if ((this.#options.treatment ?? null) !== null) this.#damaged.push({ ...suspect, reason, rotten });
    this.#problem(suspect, reason);
  }

  #problem({ artifact, path }: Suspect, reason: string): void {
    const { format, stem } = artifact;
    const fingerprint = format.isLockedByFingerprint ? stem : null;
    this.#problems.push({ path, layout: format.layout, fingerprint, reason });
  }

  #unreadable(path: string, errno: string): void {
    this.#counts.unreadable += 1;
    this.#problems.push({ path: path === '' ? '.' : path, layout: null, fingerprint: null, reason: errno });
  }

  /** Not merely a record whose entry is about to appear: whoever publishes holds the lock. */
  async #isOrphan(artifact: NamedArtifact): Promise<boolean> {
    const look = (): boolean => {
      const { verdict, stats } = this.#judge.look(artifact);
      return (
        verdict.kind === 'litter' && stats.some((stat) => stat !== null) && !this.#isLiveFailure(artifact)
      );
    };
    if (!look()) return false;
    const held = await this.#locks.tryHold(artifact, look);
    return held.held && held.value;
  }

  #isLiveFailure({ format, stem, folder }: NamedArtifact): boolean {
    if (format !== entryFormat || !isFingerprint(stem)) return false;
    const { host, maxPayloadBytes, signing } = this.#root;
    const paths = new StorePaths(folder);
    const store = new DiskTier(host, { paths, maxPayloadBytes, lock: null, signing });
    const record = store.readFailure(stem);
    return record !== null && !isExpiredFailure(record.failure, host.clock.nowMs());
  }

  #countQuarantined(): number {
    const { host, paths } = this.#root;
    try {
      return this.#root.kind() === 'home' ? quarantineIds(host, paths).length : 0;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      this.#unreadable(QUARANTINE_FOLDER, errno);
      return 0;
    }
  }

  async report(startMs: number): Promise<VerifyReport> {
    const { host, root } = this.#root;
    const { treatment = null } = this.#options;
    const context = { locks: this.#locks, judge: this.#judge };
    const treated =
      treatment === null
        ? []
        : await treat(this.#root, this.#damaged.toSorted(byPath), { treatment, ...context });
    const quarantined = this.#countQuarantined();
    return {
      root,
      artifacts: this.#counts.valid + this.#counts.damaged + this.#counts.unverifiable,
      ...this.#counts,
      quarantined,
      sealed: this.#sealed,
      sealError: this.#sealError,
      bytes: this.#bytes,
      seconds: (host.clock.monotonicMs() - startMs) / 1000,
      problems: this.#problems.toSorted(byPath),
      treated,
    };
  }
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : 1;
}

function sizeOf({ stats }: Judgement): number {
  return stats.reduce((sum, stat) => sum + (stat?.type === 'file' ? stat.bytes : 0), 0);
}

function suspectAt(inventory: Inventory, row: number): Suspect {
  const artifact = artifactAt(inventory, row);
  return { artifact, path: pathOf(inventory, row) };
}
