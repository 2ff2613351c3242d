import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeLook } from '../../src/maintenance/entry-sync.js';
import { CLEAN, explore, SOUND, type Rules, type Violation, type World } from '../support/flush-model.js';

const WORLD: World = {
  fingerprints: 1,
  publishers: [0],
  flushes: 1,
  oldEntries: [],
  list: CLEAN,
  mayRemove: true,
  mayFail: true,
  mayKill: true,
};
const FULL = { ...CLEAN, full: true };

describe('in every order of steps, with a kill before each of them,', () => {
  const worlds: readonly (readonly [string, Partial<World>])[] = [
    ['one publisher and a flush that finds no list', { list: null }],
    ['one publisher and a flush that finds a full list', { list: FULL }],
    [
      'two publishers that replace an old entry, and a flush',
      { publishers: [0, 0], oldEntries: [0], list: { ...CLEAN, notes: 1 } },
    ],
    ['publishers of two entries and a flush', { fingerprints: 2, publishers: [0, 1] }],
    ['one publisher and two flushes', { flushes: 2 }],
    ['one publisher and two flushes that find a full list', { flushes: 2, list: FULL, mayFail: false }],
    [
      'two publishers of one entry and two flushes',
      { publishers: [0, 0], flushes: 2, mayRemove: false, mayFail: false },
    ],
    [
      'publishers of two entries and two flushes that nobody kills',
      { fingerprints: 2, publishers: [0, 1], flushes: 2, mayRemove: false, mayFail: false, mayKill: false },
    ],
  ];
  for (const [name, world] of worlds) {
    it(`${name} keep every promise`, (t) => {
      const { states, violation } = explore({ ...WORLD, ...world });
      assert.equal(violation, null);
      assert.ok(states > 100);
      t.diagnostic(`${states} states`);
    });
  }
});

describe('the model finds what is wrong with', () => {
  const broken: readonly (readonly [string, Partial<Rules>, Violation, Partial<World>?])[] = [
    ['a note after the rename', { notesBeforeRename: false }, 'unnoted'],
    [
      'dropping the note of an entry whose lock is held',
      { judge: ({ found }) => judgeLook({ found, isHeld: false }) },
      'unnoted',
    ],
    ['a list that is truncated instead of taken away', { takes: 'truncate' }, 'unnoted'],
    ['clearing the list after a look at it, as vyre-runtime does', { takes: 'snapshot' }, 'unnoted'],
    ['asking for the lock after the look', { probesBeforeLook: false }, 'unnoted'],
    ['forgetting a list before what stays is noted again', { notesBeforeDrop: false }, 'unnoted'],
    [
      'a clean list in place of a full one while somebody publishes',
      { successor: () => 'clean' },
      'unnoted',
      { list: FULL },
    ],
    [
      'keeping the note of an entry that has vanished, as vyre-runtime does',
      { judge: (look) => (look.found === 'absent' ? 'pending' : judgeLook(look)) },
      'stuck',
    ],
    [
      'success in spite of a failed sync',
      { judge: (look) => (look.found === 'failed' ? 'pending' : judgeLook(look)) },
      'promise',
    ],
  ];
  for (const [name, rules, violation, world] of broken) {
    it(name, () => {
      const exploration = explore({ ...WORLD, ...world }, { ...SOUND, ...rules });
      assert.equal(exploration.violation, violation);
    });
  }
});
