import { lstatOrNull, statOrNull } from '../host/files.js';
import { HomePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import { isFingerprint } from '../model/fingerprint.js';
import { fingerprintByte, LOCK_BYTES, LockFile, type Held } from '../store/lock-file.js';
import type { NamedArtifact } from './inventory.js';
import type { MaintainedRoot } from './maintained-root.js';

/**
 * How long an answer counts that costs the listing of a folder. Whoever begins to work on an artifact within this time
 * finds it gone, as after any removal.
 */
const HELD_STEMS_MS = 1000;
/** It counts at least so many times as long as it took to find out. */
const HELD_STEMS_SHARE = 20;

/** What a lock is found by. */
type LockedArtifact = Pick<NamedArtifact, 'format' | 'stem' | 'home'>;

/** The locks of the homes that one run meets: that of the root, and those of homes that lie in it; and what other systems hold. */
export class HomeLocks {
  readonly #root: MaintainedRoot;
  readonly #make: boolean;
  readonly #busy = new Set<string>();
  readonly #nested = new Map<string, LockFile | null>();
  /** What was held in a folder, and until when that counts. */
  readonly #heldStems = new Map<string, { readonly untilMs: number; readonly stems: ReadonlySet<string> }>();

  /** `make`: the lock file of the root is made where it is absent. */
  constructor(root: MaintainedRoot, { make }: { readonly make: boolean }) {
    this.#root = root;
    this.#make = make;
  }

  /** Null outside of homes, and where nothing can be locked. */
  of(home: string | null): LockFile | null {
    if (home === null) return null;
    if (home === this.#root.root) return this.#root.openLock({ make: this.#make });
    let lock = this.#nested.get(home);
    if (lock === undefined) {
      lock = this.#open(home);
      this.#nested.set(home, lock);
    }
    return lock;
  }

  /** Where it is absent nobody holds a lock; in what is somebody else's only root opens it. */
  #open(home: string): LockFile | null {
    const { host } = this.#root;
    const { uid } = host.user;
    const path = new HomePaths(home).lock;
    const isMine = uid === 0 || statOrNull(host.files, home)?.uid === uid;
    if (!isMine || lstatOrNull(host.files, path) === null) return null;
    try {
      return new LockFile(host, path);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return null;
    }
  }

  /**
   * Runs work while nobody else removes from the homes in the root. In those where somebody does, everything counts as
   * held. The lock of the root itself is the caller's.
   */
  async whileMaintaining<T>(homes: readonly string[], work: () => Promise<T>): Promise<T> {
    const [home, ...others] = homes.filter((each) => each !== this.#root.root);
    if (home === undefined) return work();
    const next = async (): Promise<T> => this.whileMaintaining(others, work);
    const held = await this.of(home)?.tryHold(LOCK_BYTES.maintenance, next);
    if (held?.held === true) return held.value;
    if (held !== undefined) this.#busy.add(home);
    return next();
  }

  /** True for a home from which another process removes. */
  isBusy(home: string): boolean {
    return this.#busy.has(home);
  }

  /** Runs `work` under the lock of an artifact, where its format has one and it is free now. */
  async tryHold<T>(artifact: LockedArtifact, work: () => T | Promise<T>): Promise<Held<T>> {
    if (this.#isBusy(artifact)) return { held: false };
    const own = this.#lockOf(artifact);
    if (own === null) return { held: true, value: await work() };
    return own.lock.tryHold(own.byte, work);
  }

  /** {@link tryHold} of work that ends at once. */
  tryHoldNow<T>(artifact: LockedArtifact, work: () => T): Held<T> {
    if (this.#isBusy(artifact)) return { held: false };
    const own = this.#lockOf(artifact);
    if (own === null) return { held: true, value: work() };
    return own.lock.tryHoldNow(own.byte, work);
  }

  #isBusy({ home }: LockedArtifact): boolean {
    return home !== null && this.#busy.has(home);
  }

  /** Null where its format has no lock, or nothing can be locked. */
  #lockOf(artifact: LockedArtifact): { readonly lock: LockFile; readonly byte: number } | null {
    const lock = artifact.format.isLockedByFingerprint ? this.of(artifact.home) : null;
    if (lock === null) return null;
    const { stem } = artifact;
    return isFingerprint(stem) ? { lock, byte: fingerprintByte(stem) } : null;
  }

  /** True while the system of an artifact holds it by a lock of its own. @throws the errno error of a failed look. */
  isHeldElsewhere(artifact: NamedArtifact): boolean {
    const { host } = this.#root;
    const { format, folder } = artifact;
    if (format.heldStems === undefined) return format.isHeld?.(host, folder, artifact.stem) === true;
    const nowMs = host.clock.monotonicMs();
    let known = this.#heldStems.get(folder);
    if (known === undefined || nowMs >= known.untilMs) {
      const stems = format.heldStems(host, folder);
      const doneMs = host.clock.monotonicMs();
      // In a folder so large that listing it takes long, most of the time is still for the work.
      known = { untilMs: doneMs + Math.max(HELD_STEMS_MS, HELD_STEMS_SHARE * (doneMs - nowMs)), stems };
      this.#heldStems.set(folder, known);
    }
    return known.stems.has(artifact.stem);
  }

  /** Closes those of the homes in the root. */
  close(): void {
    for (const lock of this.#nested.values()) lock?.close();
    this.#nested.clear();
  }
}
