import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hashChunks } from '../../src/host/hash.js';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import {
  addCounters,
  counterGroup,
  decodeCounterPage,
  encodeCounterPage,
  followingPage,
  hitRatePpm,
  PAGE_BYTES,
  takenIn,
  Tally,
  type CounterName,
  type Counters,
} from '../../src/model/counters.js';
import { goldenBytes, goldenText } from '../support/golden.js';
import { checkProperty } from '../support/properties.js';

const hash = (bytes: Uint8Array): Uint8Array => hashChunks(portableBlake3, [bytes]);
const SLOTS = new Map(
  Object.entries(JSON.parse(goldenText('counters-slots.json')) as Record<string, number>),
);
const NAMES = [...SLOTS.keys()] as CounterName[];

function counters(values: readonly (readonly [CounterName, number])[], sinceMs = 1000): Counters {
  return { sinceMs, values: new Map(values) };
}

const logs = fc.option(
  fc.record(
    { inode: fc.integer({ min: 1, max: 2 ** 53 - 1 }), mtimeMs: fc.double({ noNaN: true }) },
    { noNullPrototype: true },
  ),
);

describe('a page of counters', () => {
  it('has the golden bytes: no slot ever moves', () => {
    const values = NAMES.map((name): [CounterName, number] => [name, 1000 + (SLOTS.get(name) ?? 0)]);
    const page = { generation: 7n, counters: counters(values, 1_700_000_000_123), taken: null };
    assert.deepEqual(Buffer.from(encodeCounterPage(page, hash)), goldenBytes('counters-page.bin'));
  });

  it('is read from the golden bytes', () => {
    const page = decodeCounterPage(goldenBytes('counters-page.bin'), hash);
    assert.equal(page?.generation, 7n);
    assert.equal(page?.counters.sinceMs, 1_700_000_000_123);
    assert.deepEqual(
      Object.fromEntries(page?.counters.values ?? []),
      Object.fromEntries([...SLOTS].map(([name, slot]) => [name, 1000 + slot])),
    );
  });

  it('is 4096 bytes', () => {
    assert.equal(PAGE_BYTES, 4096);
    assert.equal(
      encodeCounterPage({ generation: 1n, counters: counters([]), taken: null }, hash).byteLength,
      4096,
    );
  });

  it('comes back as it was written', () => {
    const values = fc.uniqueArray(fc.tuple(fc.constantFrom(...NAMES), fc.maxSafeNat()), {
      selector: ([name]) => name,
    });
    const pages = fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), values, fc.maxSafeNat(), logs);
    checkProperty(
      fc.property(pages, ([generation, given, sinceMs, taken]) => {
        const bytes = Buffer.from(
          encodeCounterPage({ generation, counters: counters(given, sinceMs), taken }, hash),
        );
        const page = decodeCounterPage(bytes, hash);
        assert.equal(page?.generation, generation);
        assert.deepEqual(page?.taken, taken);
        assert.deepEqual(takenIn(bytes), taken);
        assert.equal(page?.counters.sinceMs, sinceMs);
        assert.deepEqual(
          Object.fromEntries(page?.counters.values ?? []),
          Object.fromEntries(given.filter(([, value]) => value > 0)),
        );
      }),
    );
  });

  const extremes: readonly (readonly [string, number, number])[] = [
    ['nothing', 0, 0],
    ['below zero', -1, 0],
    ['half a hit', 1.5, 1],
    ['no number', Number.NaN, 0],
    ['2^53 - 1', 2 ** 53 - 1, 2 ** 53 - 1],
    ['2^53', 2 ** 53, 2 ** 53],
    ['2^53 + 2', 2 ** 53 + 2, 2 ** 53 + 2],
    ['the last number below 2^64', 2 ** 64 - 2048, 2 ** 64 - 2048],
    ['2^64', 2 ** 64, 2 ** 64],
    ['above 2^64', 2 ** 70, 2 ** 64],
    ['without end', Number.POSITIVE_INFINITY, 2 ** 64],
  ];
  for (const [name, given, expected] of extremes) {
    it(`holds what it can of a value that is ${name}, again and again, and loses no other`, () => {
      let kept = counters(
        [
          ['evictedBytes', given],
          ['hits', 7],
        ],
        given,
      );
      for (let round = 0; round < 3; round += 1) {
        const decoded = decodeCounterPage(
          Buffer.from(encodeCounterPage({ generation: 1n, counters: kept, taken: null }, hash)),
          hash,
        );
        assert.ok(decoded);
        kept = decoded.counters;
      }
      assert.equal(kept.sinceMs, expected);
      assert.equal(kept.values.get('evictedBytes') ?? 0, expected);
      assert.equal(kept.values.get('hits'), 7);
    });
  }

  it('is followed by one with what was added, without another change', () => {
    const given = fc.uniqueArray(fc.tuple(fc.constantFrom(...NAMES), fc.nat()), {
      selector: ([name]) => name,
    });
    checkProperty(
      fc.property(given, given, fc.tuple(fc.nat(), logs, logs), (before, added, [generation, old, log]) => {
        const page = { generation: BigInt(generation), counters: counters(before), taken: old };
        const bytes = Buffer.from(encodeCounterPage(page, hash));
        const following = followingPage(bytes, { values: new Map(added), taken: log }, hash);
        const sum = addCounters(page.counters, counters(added));
        const expected = { generation: page.generation + 1n, counters: sum, taken: log ?? old };
        assert.deepEqual(following, Buffer.from(encodeCounterPage(expected, hash)));
      }),
    );
  });

  it('is followed by one at the last generation and the largest figures, which stay', () => {
    const full = { generation: 2n ** 64n, counters: counters([['hits', 2 ** 64]]), taken: null };
    const page = Buffer.from(encodeCounterPage(full, hash));
    assert.deepEqual(followingPage(page, { values: new Map([['hits', 1]]), taken: null }, hash), page);
  });

  it('is written at the last generation, too', () => {
    const page = encodeCounterPage({ generation: 2n ** 64n, counters: counters([]), taken: null }, hash);
    assert.equal(decodeCounterPage(Buffer.from(page), hash)?.generation, 2n ** 64n - 1n);
  });

  it('is refused when any byte is damaged', () => {
    const golden = goldenBytes('counters-page.bin');
    for (let at = 0; at < golden.byteLength; at += 1) {
      const damaged = Buffer.from(golden);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      assert.equal(decodeCounterPage(damaged, hash), null, `byte ${at}`);
    }
  });

  for (const length of [0, 1, 24, 2048, 4095, 4097, 8192]) {
    it(`is refused with ${length} bytes`, () => {
      const bytes = Buffer.concat([goldenBytes('counters-page.bin'), Buffer.alloc(4096)]).subarray(0, length);
      assert.equal(decodeCounterPage(bytes, hash), null);
    });
  }

  it('is refused when it was never written', () => {
    assert.equal(decodeCounterPage(Buffer.alloc(4096), hash), null);
  });

  it('is refused under another magic, even with a fitting hash', () => {
    const bytes = goldenBytes('counters-page.bin');
    bytes.write('VYRECNT2', 'latin1');
    bytes.set(hash(bytes.subarray(0, 4064)), 4064);
    assert.equal(decodeCounterPage(bytes, hash), null);
  });
});

describe('counters', () => {
  it('add up, since the earlier start', () => {
    const sum = addCounters(
      counters(
        [
          ['hits', 2],
          ['lookups', 5],
        ],
        2000,
      ),
      counters(
        [
          ['hits', 3],
          ['misses', 1],
        ],
        1000,
      ),
    );
    assert.equal(sum.sinceMs, 1000);
    assert.deepEqual(Object.fromEntries(sum.values), { hits: 5, lookups: 5, misses: 1 });
  });

  it('are not changed by what is added to them', () => {
    const a = counters([['hits', 2]]);
    addCounters(a, counters([['hits', 3]]));
    assert.equal(a.values.get('hits'), 2);
  });

  it('of a group go by their bare names, without zeros', () => {
    const all = counters([
      ['outcome:disk', 3],
      ['outcome:memory', 0],
      ['missReason:absent', 2],
      ['misses', 9],
    ]);
    assert.deepEqual(counterGroup(all, 'outcome'), { disk: 3 });
    assert.deepEqual(counterGroup(all, 'missReason'), { absent: 2 });
    assert.deepEqual(counterGroup(all, 'uncacheable'), {});
  });

  it('are tallied one by one or by amounts', () => {
    const tally = new Tally();
    assert.equal(tally.isEmpty, true);
    tally.add('hits', 0);
    assert.equal(tally.isEmpty, true);
    tally.add('hits');
    tally.add('hits', 4);
    tally.add('evictedBytes', 5_000_000_000);
    assert.deepEqual(Object.fromEntries(tally.values), { hits: 5, evictedBytes: 5_000_000_000 });
    assert.equal(tally.isEmpty, false);
  });
});

describe('the hit rate', () => {
  const vectors: readonly (readonly [number, number, number | null])[] = [
    [0, 0, null],
    [0, 1, 0],
    [1, 1, 1_000_000],
    [1, 3, 333_333],
    [2, 3, 666_666],
    [1, 1_000_000, 1],
    [1, 1_000_001, 0],
    [999_999, 1_000_000, 999_999],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 1_000_000],
    [Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER, 999_999],
    [9_007_199_254_740, 9_007_199_254_740_991, 999],
  ];
  for (const [hits, lookups, ppm] of vectors) {
    it(`of ${hits} hits in ${lookups} lookups is ${ppm ?? 'no value'}`, () => {
      assert.equal(hitRatePpm(hits, lookups), ppm);
    });
  }
});
