import { publicationWith, SOUND, type Rules, type Violation, type World } from './world.js';

export const WORLD: World = {
  callers: ['compile', 'compile'],
  removers: [],
  sweeps: false,
  crashes: 2,
  discovers: false,
  storable: true,
  isThere: false,
  hasOldMark: false,
};

const THREE = ['compile', 'compile', 'compile'] as const;

/** What is explored in seconds. */
export const SMALL_WORLDS: readonly (readonly [string, World])[] = [
  ['two callers', WORLD],
  ['two callers, prune and a sweep', { ...WORLD, removers: ['remove'], sweeps: true }],
  ['two callers of a compiler that lists what it reads', { ...WORLD, discovers: true, sweeps: true }],
  ['two callers of what cannot be kept', { ...WORLD, storable: false, sweeps: true, hasOldMark: true }],
  [
    'a caller, a refresh and prune',
    { ...WORLD, callers: ['compile', 'refresh'], removers: ['remove'], isThere: true },
  ],
  [
    'a caller, a put and prune',
    { ...WORLD, callers: ['compile', 'put'], removers: ['remove'], discovers: true },
  ],
  ['three callers and a sweep', { ...WORLD, callers: THREE, sweeps: true }],
  ['three callers of what cannot be kept', { ...WORLD, callers: THREE, storable: false }],
];

/** What takes minutes. */
export const LARGE_WORLDS: readonly (readonly [string, World])[] = [
  [
    'three callers, prune, gc and a sweep',
    { ...WORLD, callers: THREE, removers: ['remove', 'collect'], sweeps: true, crashes: 1 },
  ],
  ['three callers, prune and a sweep', { ...WORLD, callers: THREE, removers: ['remove'], sweeps: true }],
  [
    'three callers of a compiler that lists what it reads, prune and a sweep',
    { ...WORLD, callers: THREE, removers: ['remove'], sweeps: true, discovers: true },
  ],
  [
    'three callers of what cannot be kept, and a sweep',
    { ...WORLD, callers: THREE, storable: false, sweeps: true, hasOldMark: true },
  ],
  [
    'two callers, a refresh, prune and gc',
    {
      ...WORLD,
      callers: ['compile', 'compile', 'refresh'],
      removers: ['remove', 'collect'],
      isThere: true,
      crashes: 1,
    },
  ],
  [
    'a caller, a refresh, a put and prune',
    { ...WORLD, callers: ['compile', 'refresh', 'put'], removers: ['remove'], isThere: true },
  ],
];

/** A protocol that was broken on purpose. */
export interface BrokenProtocol {
  readonly name: string;
  readonly rules: Rules;
  readonly world: World;
  readonly violation: Violation;
}

const IN_PLACE = SOUND.publication.flatMap((step) =>
  step === 'rename-entry' ? (['write-entry-begin', 'write-entry-end'] as const) : [step],
);

export const BROKEN_PROTOCOLS: readonly BrokenProtocol[] = [
  broken('no lock', { locks: 'none' }, 'concurrent'),
  broken('a lock that outlives its holder', { locks: 'file' }, 'stuck'),
  broken('no second look under the lock', { looksAgain: false }, 'too-many'),
  broken(
    'the lock released before the entry is published',
    { publication: publicationWith(['unlock', 'lock-complete']) },
    'too-many',
  ),
  broken(
    'the entry renamed before its record',
    { publication: publicationWith(['rename-entry', 'rename-record']) },
    'unrecorded',
  ),
  broken('an entry written in place', { publication: IN_PLACE }, 'torn'),
  broken(
    'the record removed before its entry',
    { removal: ['remove-record', 'remove-entry'] },
    'unrecorded',
    { isThere: true, removers: ['remove'] },
  ),
  broken('a removal without the lock', { removersLock: false }, 'unrecorded', { removers: ['remove'] }),
  broken('a collection without the lock', { removersLock: false }, 'unrecorded', { removers: ['collect'] }),
  broken('a removal that waits for the second lock', { removersWait: true }, 'stuck', {
    discovers: true,
    removers: ['remove'],
  }),
  broken('an entry served without a look at what its record says', { compares: false }, 'wrong-bytes', {
    callers: ['compile', 'refresh'],
    isThere: true,
  }),
  broken('no end for what the dead left running', { takesOver: false }, 'concurrent'),
  broken('a sweep that does not ask who owns a directory', { sweepAsksOwner: false }, 'robbed', {
    sweeps: true,
  }),
  broken('no mark for what cannot be kept', { honoursMark: false }, 'queued', { storable: false }),
  broken('a mark that counts for ever', { marksHaveTime: false }, 'too-many', {
    hasOldMark: true,
    callers: THREE,
    crashes: 1,
  }),
];

function broken(
  name: string,
  rules: Partial<Rules>,
  violation: Violation,
  world: Partial<World> = {},
): BrokenProtocol {
  return { name, rules: { ...SOUND, ...rules }, world: { ...WORLD, ...world }, violation };
}
