/**
 * The lock and publish protocol of one fingerprint as a small world. Each actor takes one step at a time, in every order,
 * and may be killed before each of its steps: then the kernel releases its locks, and its compiler may live on.
 */

/** `compile` and `refresh` are calls of `compile`, without and with `--refresh`; `put` publishes what it has. */
export type CallerKind = 'compile' | 'refresh' | 'put';
/** `remove` is what prune, rm and quarantine do; `collect` is gc, which removes a record without an entry. */
export type RemoverKind = 'remove' | 'collect';

/** Who is in a world, and what it is like. */
export interface World {
  readonly callers: readonly CallerKind[];
  readonly removers: readonly RemoverKind[];
  readonly sweeps: boolean;
  /** How many actors are killed at most. */
  readonly crashes: number;
  /** The compiler lists what it reads: the entry has a fingerprint, and a lock, beside that of the request. */
  readonly discovers: boolean;
  /** False: results cannot be kept. */
  readonly storable: boolean;
  /** A valid artifact is there before. */
  readonly isThere: boolean;
  /** Long ago a result could not be kept, and the mark still tells so. */
  readonly hasOldMark: boolean;
}

/** The steps that {@link Rules.publication} puts in an order. */
export const PUBLICATION_STEPS = [
  'lock-complete',
  'publish-look',
  'stage-record',
  'stage-entry',
  'write-entry-begin',
  'write-entry-end',
  'rename-record',
  'rename-entry',
  'remember-set',
  'unlock-complete',
  'remove-worker',
  'unlock',
  'deliver',
] as const;
export type PublicationStep = (typeof PUBLICATION_STEPS)[number];

export type CallerStep =
  | PublicationStep
  | 'look-entry'
  | 'look-record'
  | 'look-under-lock'
  | 'lock'
  | 'again-entry'
  | 'again-record'
  | 'unlock-hit'
  | 'take-over'
  | 'read-mark'
  | 'unlock-unstored'
  | 'compile-alone'
  | 'make-worker'
  | 'compile'
  | 'compiled'
  | 'mark'
  | 'ended';

export type RemoverStep =
  | 'begin'
  | 'wait'
  | 'remove-entry'
  | 'remove-record'
  | 'collect'
  | 'unlock'
  | 'ended';
export type SweeperStep = 'find' | 'peek' | 'wait' | 'reclaim' | 'ended';

/** No artifact, no record. */
export const NOTHING = 0;
/** What was there before. */
export const OLD = 14;
/** An entry of which only a part is written. */
export const TORN = 15;

/** Versions are those of {@link NOTHING}, {@link OLD}, {@link TORN}, or 1 and the number of the caller who made it. */
export interface Caller {
  readonly kind: CallerKind;
  readonly step: CallerStep;
  readonly isAlive: boolean;
  /** What it has read, or made. */
  readonly version: number;
  /** The lock was not free when it came. */
  readonly waited: boolean;
  /** While it waited somebody found that the result cannot be kept. */
  readonly isMarked: boolean;
  readonly hasPrimary: boolean;
  readonly hasComplete: boolean;
  /** Its worker directory is there. */
  readonly hasWorker: boolean;
  /** Its compiler runs. */
  readonly runs: boolean;
  /** A sweep holds the lock of its owner file. */
  readonly isPeeked: boolean;
}

export interface Remover {
  readonly kind: RemoverKind;
  readonly step: RemoverStep;
  readonly isAlive: boolean;
  readonly hasComplete: boolean;
  readonly hasPrimary: boolean;
}

export interface Sweeper {
  readonly step: SweeperStep;
  readonly isAlive: boolean;
  /** The caller whose worker directory it deals with. */
  readonly about: number;
  readonly holds: boolean;
}

export interface State {
  readonly entry: number;
  readonly record: number;
  /** The dependency set is known, so that a look finds the entry. */
  readonly hasSet: boolean;
  readonly hasMark: boolean;
  readonly callers: readonly Caller[];
  readonly removers: readonly Remover[];
  readonly sweeper: Sweeper;
  readonly crashes: number;
  readonly compilations: number;
  readonly removals: number;
  /** What the step that led here broke. */
  readonly broken: Violation | null;
}

export type Violation =
  /** Two compilers of one fingerprint ran at once although nobody waited in vain. */
  | 'concurrent'
  /** More compilations than one, one for each kill, one for each removal and one for each refresh. */
  | 'too-many'
  /** Bytes were served that are not those of the record. */
  | 'wrong-bytes'
  /** An entry is visible without a record. */
  | 'unrecorded'
  /** An entry is visible of which a part is missing. */
  | 'torn'
  /** A living process is not served and cannot go on. */
  | 'stuck'
  /** Somebody queued for what cannot be kept. */
  | 'queued'
  /** The worker directory of a living process was taken from it. */
  | 'robbed'
  /** What the dead left behind outlives a sweep and the next compilation, or that compiles what is there. */
  | 'litter';

/** How the actors behave; anything but {@link SOUND} is broken on purpose. */
export interface Rules {
  /** `kernel`: a lock dies with its holder. `file`: it stays. `none`: everybody gets it. */
  readonly locks: 'kernel' | 'file' | 'none';
  /** A caller who got the lock looks again before it compiles. */
  readonly looksAgain: boolean;
  /** A reader compares the entry with its record. */
  readonly compares: boolean;
  /** A reader verifies the checksum of an entry. */
  readonly verifies: boolean;
  /** What follows a successful compilation. */
  readonly publication: readonly PublicationStep[];
  readonly removal: readonly ('remove-entry' | 'remove-record')[];
  readonly removersLock: boolean;
  /** A remover that holds the lock of the entry waits for that of the request. */
  readonly removersWait: boolean;
  /** What the dead left running is ended before the compiler is started again. */
  readonly takesOver: boolean;
  /** A sweep asks for the lock of the owner. */
  readonly sweepAsksOwner: boolean;
  readonly honoursMark: boolean;
  /** A mark counts only for those who waited when it was made. */
  readonly marksHaveTime: boolean;
}

const PUBLICATION = PUBLICATION_STEPS.filter(
  (step) => step !== 'write-entry-begin' && step !== 'write-entry-end',
);

export const SOUND: Rules = {
  locks: 'kernel',
  looksAgain: true,
  compares: true,
  verifies: true,
  publication: PUBLICATION,
  removal: ['remove-entry', 'remove-record'],
  removersLock: true,
  removersWait: false,
  takesOver: true,
  sweepAsksOwner: true,
  honoursMark: true,
  marksHaveTime: true,
};

/** {@link SOUND}'s publication with some of its steps in other places. */
export function publicationWith(changed: readonly PublicationStep[]): readonly PublicationStep[] {
  const at = PUBLICATION.findIndex((step) => changed.includes(step));
  const others = PUBLICATION.filter((step) => !changed.includes(step));
  return [...others.slice(0, at), ...changed, ...others.slice(at)];
}

export function startOf(world: World): State {
  const there = world.isThere ? OLD : NOTHING;
  return {
    entry: there,
    record: there,
    hasSet: world.isThere || !world.discovers,
    hasMark: world.hasOldMark,
    callers: world.callers.map(newCaller),
    removers: world.removers.map((kind) => ({
      kind,
      step: 'begin',
      isAlive: true,
      hasComplete: false,
      hasPrimary: false,
    })),
    sweeper: { step: world.sweeps ? 'find' : 'ended', isAlive: true, about: -1, holds: false },
    crashes: 0,
    compilations: 0,
    removals: 0,
    broken: null,
  };
}

export function newCaller(kind: CallerKind): Caller {
  return {
    kind,
    step: kind === 'compile' ? 'look-entry' : 'lock',
    isAlive: true,
    version: NOTHING,
    waited: false,
    isMarked: false,
    hasPrimary: false,
    hasComplete: false,
    hasWorker: false,
    runs: false,
    isPeeked: false,
  };
}
