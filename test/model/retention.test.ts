import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  judgeCandidates,
  NO_RULES,
  type Candidates,
  type RetentionRules,
} from '../../src/model/retention.js';
import { checkProperty } from '../support/properties.js';

const NOW_MS = 1_800_000_000_000;
const DAY_SECONDS = 86_400;

/** Ages in seconds, negative ones in the future, with sizes in bytes. */
type Row = readonly [age: number, bytes: number];

function candidatesOf(rows: readonly Row[]): Candidates {
  return {
    count: rows.length,
    usedAtMs: Float64Array.from(rows, ([age]) => NOW_MS - age * 1000),
    bytes: Float64Array.from(rows, ([, bytes]) => bytes),
    compareNames: (a, b) => a - b,
  };
}

interface Removed {
  readonly index: number;
  readonly reason: string;
}

/** Every row that goes, when all but `stuck` can be removed. */
function removed(
  rows: readonly Row[],
  rules: Partial<RetentionRules>,
  {
    stuck = [],
    missingBytes = 0,
  }: { readonly stuck?: readonly number[]; readonly missingBytes?: number } = {},
): readonly Removed[] {
  const moment = { nowMs: NOW_MS, missingBytes };
  const verdicts = judgeCandidates(candidatesOf(rows), { ...NO_RULES, ...rules }, moment);
  const gone: Removed[] = [];
  for (let next = verdicts.next(); next.done !== true;) {
    const isGone = !stuck.includes(next.value.index);
    if (isGone) gone.push(next.value);
    next = verdicts.next(isGone);
  }
  return gone;
}

function indexes(rows: readonly Row[], rules: Partial<RetentionRules>): readonly number[] {
  return removed(rows, rules).map(({ index }) => index);
}

function left(rows: readonly Row[], rules: Partial<RetentionRules>): readonly number[] {
  const gone = new Set(indexes(rows, rules));
  return rows.flatMap((_, index) => (gone.has(index) ? [] : [index]));
}

describe('the age rule', () => {
  const ages: readonly (readonly [age: number, goes: boolean])[] = [
    [59.999, false],
    [60, false],
    [60.001, true],
    [0, false],
    [-1, false],
    [-10 * 365 * DAY_SECONDS, false],
    [10 * 365 * DAY_SECONDS, true],
  ];
  for (const [age, goes] of ages) {
    it(`of one minute ${goes ? 'removes' : 'keeps'} what was last used ${age} s ago`, () => {
      assert.deepEqual(removed([[age, 1]], { ttlMs: 60_000 }), goes ? [{ index: 0, reason: 'ttl' }] : []);
    });
  }

  it('goes through all of them, the oldest first, and ignores the minimum age', () => {
    const rows: Row[] = [
      [70, 1],
      [10, 1],
      [90, 1],
    ];
    assert.deepEqual(indexes(rows, { ttlMs: 60_000, minAgeMs: 3_600_000 }), [2, 0]);
  });

  it('comes first: what it removes counts for the limits', () => {
    const rows: Row[] = [
      [90, 1000],
      [50, 1000],
      [10, 1000],
    ];
    assert.deepEqual(removed(rows, { ttlMs: 60_000, maxBytes: 2000 }), [{ index: 0, reason: 'ttl' }]);
    assert.deepEqual(removed(rows, { ttlMs: 60_000, maxBytes: 1999 }), [
      { index: 0, reason: 'ttl' },
      { index: 1, reason: 'max-size' },
    ]);
  });
});

describe('the size rule of PVF: three entries of 1024 bytes, 5, 10 and 15 s old', () => {
  const rows: Row[] = [
    [5, 1024],
    [10, 1024],
    [15, 1024],
  ];
  const vectors: readonly (readonly [maxBytes: number, minAge: number | null, gone: readonly number[]])[] = [
    [1500, 0, [2, 1]],
    [1500, null, [2, 1]],
    [1500, 12, [2]],
    [1500, 15, [2]],
    [1500, 15.001, []],
    [3072, 0, []],
    [3071, 0, [2]],
    [0, 0, [2, 1, 0]],
  ];
  for (const [maxBytes, minAge, gone] of vectors) {
    it(`with ${maxBytes} bytes and ${minAge ?? 'no'} s loses ${gone.length}`, () => {
      const minAgeMs = minAge === null ? null : minAge * 1000;
      assert.deepEqual(indexes(rows, { maxBytes, minAgeMs }), gone);
    });
  }

  it('never removes by age alone', () => {
    assert.deepEqual(indexes([[10 * 365 * DAY_SECONDS, 1024]], { maxBytes: 1024, minAgeMs: 0 }), []);
  });

  it('ends at the first that is too young: smaller or older ones behind it are not looked for', () => {
    const ahead: Row[] = [
      [-3600, 1024],
      [5, 1024],
    ];
    assert.deepEqual(indexes(ahead, { maxBytes: 1, minAgeMs: 6000 }), []);
    assert.deepEqual(indexes(ahead, { maxBytes: 1, minAgeMs: 0 }), [1]);
    assert.deepEqual(indexes(ahead, { maxBytes: 1 }), [1, 0]);
  });
});

describe('the cut of wasmtime: 5 files, 30,000 bytes, 70%', () => {
  const rules = { maxEntries: 5, maxBytes: 30_000, lowWaterPercent: 70 };
  const many = (count: number, bytes: number): readonly number[] =>
    Array.from({ length: count }, () => bytes);
  /** From the oldest to the youngest; the last two are the second and the fourth the other way round. */
  const vectors: readonly (readonly [sizes: readonly number[], left: number])[] = [
    [[...many(2, 10_000), ...many(2, 1000)], 4],
    [[...many(1, 10_000), ...many(10, 1000)], 3],
    [many(4, 10_000), 2],
    [[...many(3, 10_000), ...many(5, 1000)], 3],
    [[...many(10, 1000), ...many(1, 10_000)], 3],
    [[...many(5, 1000), ...many(3, 10_000)], 2],
  ];
  for (const [sizes, count] of vectors) {
    it(`leaves the youngest ${count} of ${sizes.join(', ')}`, () => {
      const rows = sizes.map((bytes, index): Row => [1000 - index, bytes]);
      const youngest = rows.map((_, index) => index).slice(-count);
      assert.deepEqual(left(rows, rules), youngest);
    });
  }

  it('takes the whole number below the share', () => {
    const rows = many(6, 1).map((bytes, index): Row => [index, bytes]);
    assert.equal(left(rows, { maxEntries: 5, lowWaterPercent: 70 }).length, 3);
    assert.equal(left(rows, { maxEntries: 5, lowWaterPercent: 100 }).length, 5);
    assert.equal(left(rows, { maxEntries: 5, lowWaterPercent: 0 }).length, 0);
    assert.equal(left(rows, { maxEntries: 6, lowWaterPercent: 0 }).length, 6);
  });

  it('reaches the share of a limit near 2^53 exactly', () => {
    const limit = Number.MAX_SAFE_INTEGER - 1;
    const share = Number((BigInt(limit) * 70n) / 100n);
    const rows: Row[] = [
      [3, 2],
      [2, limit - share],
      [1, share],
    ];
    assert.deepEqual(left(rows, { maxBytes: limit, lowWaterPercent: 70 }), [2]);
  });
});

describe('a last use in the future', () => {
  /** wasmtime's vectors: 3 files, 70%: two are left. Seconds ahead of now. */
  const vectors: readonly (readonly [ahead: readonly number[], left: readonly number[]])[] = [
    [
      [0, 86_400],
      [0, 1],
    ],
    [
      [0, 86_401],
      [0, 1],
    ],
    [
      [0, 86_400, 1, 2],
      [1, 3],
    ],
    [
      [0, 1, 86_401, 2],
      [1, 3],
    ],
    [
      [0, 1, 3, 2],
      [2, 3],
    ],
  ];
  for (const [ahead, live] of vectors) {
    it(`is ordered as wasmtime orders it: ${ahead.join(', ')} s`, () => {
      const rows = ahead.map((seconds): Row => [-seconds, 1]);
      assert.deepEqual(left(rows, { maxEntries: 3, lowWaterPercent: 70 }), live);
    });
  }

  it('further than a day is no reason to end at the minimum age: the clock that wrote it was wrong', () => {
    const rows: Row[] = [
      [-DAY_SECONDS - 0.001, 1],
      [-DAY_SECONDS, 1],
      [100, 1],
    ];
    assert.deepEqual(indexes(rows, { maxEntries: 0, minAgeMs: 100_000 }), [0, 2]);
  });
});

describe('several rules', () => {
  const rows: Row[] = [
    [4, 100],
    [3, 100],
    [2, 100],
    [1, 100],
  ];

  it('are kept by one walk, and each removal has one reason', () => {
    assert.deepEqual(removed(rows, { maxBytes: 300, maxEntries: 2 }, { missingBytes: 250 }), [
      { index: 0, reason: 'max-size' },
      { index: 1, reason: 'max-entries' },
      { index: 2, reason: 'min-free' },
    ]);
  });

  it('keep both limits at their share once one is exceeded', () => {
    const rules = { maxBytes: 1000, maxEntries: 3, lowWaterPercent: 50 };
    assert.deepEqual(
      removed(rows, rules).map(({ reason }) => reason),
      ['max-entries', 'max-entries', 'max-entries'],
    );
    assert.deepEqual(indexes(rows, { ...rules, maxEntries: 4 }), []);
  });

  it('do not go to a share because the file system is full', () => {
    const rules = { maxBytes: 400, lowWaterPercent: 10 };
    assert.deepEqual(removed(rows, rules, { missingBytes: 1 }), [{ index: 0, reason: 'min-free' }]);
  });

  it('order equal times by name', () => {
    const same = rows.map(([, bytes]): Row => [7, bytes]);
    assert.deepEqual(indexes(same, { maxEntries: 2 }), [0, 1]);
  });

  it('take another one for what could not be removed', () => {
    assert.deepEqual(
      removed(rows, { maxEntries: 3 }, { stuck: [0] }).map(({ index }) => index),
      [1],
    );
    assert.deepEqual(
      removed(rows, { ttlMs: 3500, maxEntries: 3 }, { stuck: [0] }).map(({ index }) => index),
      [1],
    );
    assert.deepEqual(removed(rows, { maxEntries: 0 }, { stuck: [0, 1, 2, 3] }), []);
  });

  it('offer each one once, also what could not be removed', () => {
    const offered: number[] = [];
    const rules = { ...NO_RULES, ttlMs: 2500, maxEntries: 0 };
    const verdicts = judgeCandidates(candidatesOf(rows), rules, { nowMs: NOW_MS, missingBytes: 0 });
    for (let next = verdicts.next(); next.done !== true; next = verdicts.next(false))
      offered.push(next.value.index);
    assert.deepEqual(offered, [0, 1, 2, 3]);
  });

  it('put nothing in order while the limits hold', () => {
    const candidates: Candidates = {
      ...candidatesOf(rows.map(([, bytes]): Row => [7, bytes])),
      compareNames: () => assert.fail('expected no comparison'),
    };
    const rules = { ...NO_RULES, maxBytes: 400, maxEntries: 4 };
    const verdicts = judgeCandidates(candidates, rules, { nowMs: NOW_MS, missingBytes: 0 });
    assert.equal(verdicts.next().done, true);
  });

  it('are overruled by all', () => {
    assert.deepEqual(
      removed(rows, { all: true, minAgeMs: 1e9, maxEntries: 100 }),
      rows.map((_, index) => ({ index, reason: 'all' })),
    );
  });

  it('remove nothing when there is none', () => {
    assert.deepEqual(removed(rows, {}), []);
    assert.deepEqual(
      removed([], { all: true, ttlMs: 1, maxBytes: 0, maxEntries: 0 }, { missingBytes: 9 }),
      [],
    );
  });
});

const anyRows = fc.array(
  fc.tuple(fc.integer({ min: -200_000, max: 200_000 }), fc.integer({ min: 0, max: 50 })),
  { maxLength: 12 },
);

it('the limits hold afterwards, nothing younger goes before something older, nothing goes without need', () => {
  checkProperty(
    fc.property(anyRows, fc.nat(200), fc.nat(12), (rows, maxBytes, maxEntries) => {
      const rules = { maxBytes, maxEntries };
      const order = indexes(rows, rules);
      const stays = left(rows, rules);
      const sum = (those: readonly number[]): number =>
        those.reduce((total, index) => total + (rows[index]?.[1] ?? 0), 0);
      assert.ok(sum(stays) <= maxBytes && stays.length <= maxEntries);
      const age = (index: number): number => {
        const seconds = rows[index]?.[0] ?? 0;
        return seconds < -DAY_SECONDS ? Infinity : seconds;
      };
      for (const gone of order) assert.ok(stays.every((index) => age(index) <= age(gone)));
      const last = order.at(-1);
      if (last === undefined) return;
      const before = [...stays, last];
      assert.ok(sum(before) > maxBytes || before.length > maxEntries);
    }),
  );
});
