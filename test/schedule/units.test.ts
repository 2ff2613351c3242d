import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { forEachUnit, partition, UnitCursor, Units, type Unit } from '../../src/schedule/units.js';
import { checkProperty } from '../support/properties.js';
import { settled } from '../support/yard.js';

const MAX = Number.MAX_SAFE_INTEGER;

describe('units', () => {
  const table: readonly {
    readonly total: number;
    readonly lanes: number;
    readonly size: number;
    readonly count: number;
  }[] = [
    { total: 0, lanes: 4, size: 0, count: 0 },
    { total: 100, lanes: 0, size: 0, count: 0 },
    { total: 0, lanes: 0, size: 0, count: 0 },
    { total: 1, lanes: 1, size: 1, count: 1 },
    { total: 3, lanes: 1, size: 1, count: 3 },
    { total: 4, lanes: 1, size: 1, count: 4 },
    { total: 7, lanes: 1, size: 1, count: 7 },
    { total: 8, lanes: 1, size: 2, count: 4 },
    { total: 9, lanes: 1, size: 2, count: 5 },
    { total: 100, lanes: 2, size: 12, count: 9 },
    { total: 5, lanes: 1000, size: 1, count: 5 },
    { total: 5, lanes: MAX, size: 1, count: 5 },
    { total: 10_000, lanes: 8, size: 312, count: 33 },
    { total: MAX, lanes: 1, size: 2_251_799_813_685_247, count: 5 },
    { total: MAX - 3, lanes: 1, size: 2_251_799_813_685_247, count: 4 },
    { total: MAX, lanes: MAX, size: 1, count: MAX },
    { total: MAX, lanes: 2 ** 50, size: 1, count: MAX },
    { total: MAX, lanes: 2 ** 49, size: 3, count: 3_002_399_751_580_331 },
  ];
  for (const { total, lanes, size, count } of table) {
    it(`of ${total} items over ${lanes} lanes are ${count}, of ${size}`, () => {
      const units = new Units(total, lanes);
      assert.equal(units.count, count);
      if (count === 0) return;
      assert.deepEqual(units.at(0), { start: 0, end: size });
      assert.equal(units.at(count - 1).end, total);
      assert.ok(units.at(count - 1).start < total);
    });
  }

  it('are fine-grained: four or more for each lane when there is work for them', () => {
    checkProperty(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.maxSafeNat(), (lanes, items) => {
        const { count } = new Units(items, lanes);
        assert.ok(count >= Math.min(items, 4 * lanes));
        assert.ok(count < 8 * lanes);
      }),
    );
  });

  it('are never empty, and together hold every item once, in order', () => {
    checkProperty(
      fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 100 }), (total, lanes) => {
        let next = 0;
        for (const { start, end } of partition(total, lanes)) {
          assert.equal(start, next);
          assert.ok(end > start);
          next = end;
        }
        assert.equal(next, lanes === 0 ? 0 : total);
      }),
    );
  });

  it('have the size that exact arithmetic gives', () => {
    checkProperty(
      fc.property(fc.integer({ min: 1, max: MAX }), fc.integer({ min: 1, max: MAX }), (total, lanes) => {
        const exact = BigInt(total) / (4n * BigInt(lanes));
        const size = exact === 0n ? 1n : exact;
        const units = new Units(total, lanes);
        assert.equal(BigInt(units.at(0).end), size);
        assert.equal(BigInt(units.count), (BigInt(total) + size - 1n) / size);
        const last = units.at(units.count - 1);
        assert.equal(BigInt(last.start), (BigInt(units.count) - 1n) * size);
        assert.equal(last.end, total);
      }),
    );
  });

  for (const index of [-1, 4, 0.5, Number.NaN, MAX]) {
    it(`have none at ${index} when there are four`, () => {
      assert.throws(() => new Units(4, 1).at(index), /expected a unit below 4/);
    });
  }

  for (const count of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, MAX + 1]) {
    it(`refuse ${count} items or lanes`, () => {
      assert.throws(() => new Units(count, 1), /expected a whole number of items/);
      assert.throws(() => new Units(1, count), /expected a whole number of lanes/);
    });
  }
});

/** Everything that can be claimed. */
function claimAll(cursor: UnitCursor): number[] {
  const claimed: number[] = [];
  for (let index = cursor.claim(); index !== null; index = cursor.claim()) claimed.push(index);
  return claimed;
}

function numbersBelow(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

describe('a cursor', () => {
  it('gives each unit once, in order, and then none, however often it is asked', () => {
    const cursor = new UnitCursor(5);
    assert.deepEqual(claimAll(cursor), [0, 1, 2, 3, 4]);
    assert.equal(cursor.claim(), null);
    assert.equal(cursor.claim(), null);
  });

  it('tells how many were claimed, and claims none by that', () => {
    const cursor = new UnitCursor(2);
    const told: number[] = [];
    for (let times = 0; times < 4; times += 1) {
      told.push(cursor.claimed, cursor.claimed);
      cursor.claim();
    }
    assert.deepEqual(told, [0, 0, 1, 1, 2, 2, 2, 2]);
    cursor.end();
    assert.equal(cursor.claimed, 2);
  });

  it('gives none of none', () => {
    assert.equal(new UnitCursor(0).claim(), null);
  });

  it('gives all units again from the same memory after a reset', () => {
    const cursor = new UnitCursor(3);
    const { memory } = cursor;
    claimAll(cursor);
    cursor.reset();
    assert.deepEqual(claimAll(cursor), [0, 1, 2]);
    assert.equal(cursor.memory, memory);
  });

  it('shares its memory with another cursor', () => {
    const first = new UnitCursor(4);
    const second = new UnitCursor(4, first.memory);
    assert.deepEqual(
      [first.claim(), second.claim(), second.claim(), first.claim(), second.claim(), first.claim()],
      [0, 1, 2, 3, null, null],
    );
  });

  it('gives each unit once across threads', async () => {
    const count = 1_000_000;
    const cursor = new UnitCursor(count);
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const units = new URL('../../src/schedule/units.ts', import.meta.url).href;
    const workerData = { tsx: import.meta.resolve('tsx/esm/api'), units, count, memory: cursor.memory, gate };
    const workers = [0, 1, 2].map(() => new Worker(CLAIMER, { eval: true, workerData }));
    await Promise.all(workers.map(async (worker) => once(worker, 'message')));
    const answers = workers.map(async (worker) => once(worker, 'message'));
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    const own = claimAll(cursor);
    const others = (await Promise.all(answers)).flatMap(([claimed]: number[][]) => claimed ?? []);
    await Promise.all(workers.map(async (worker) => worker.terminate()));
    const all = [...own, ...others].toSorted((a, b) => a - b);
    assert.deepEqual(all, numbersBelow(count));
  });
});

/** The program of a thread: says that it is ready, waits for the gate, then claims what it can. */
const CLAIMER = `
  const { parentPort, workerData } = require('node:worker_threads');
  (async () => {
    (await import(workerData.tsx)).register();
    const { UnitCursor } = await import(workerData.units);
    const cursor = new UnitCursor(workerData.count, workerData.memory);
    parentPort.postMessage('ready');
    Atomics.wait(workerData.gate, 0, 0);
    const claimed = [];
    for (let index = cursor.claim(); index !== null; index = cursor.claim()) claimed.push(index);
    parentPort.postMessage(claimed);
  })();
`;

/** Work whose units end when the test says so. */
class Workshop {
  readonly begun: { readonly unit: Unit; readonly lane: number }[] = [];
  readonly #ends: { resolve(): void; reject(error: Error): void }[] = [];

  readonly work = async (unit: Unit, lane: number): Promise<void> => {
    this.begun.push({ unit, lane });
    await new Promise<void>((resolve, reject) => {
      this.#ends.push({ resolve, reject });
    });
  };

  /** Of the unit that was begun as this one, from 0. */
  async end(index: number, error?: Error): Promise<void> {
    const end = this.#ends[index];
    assert.ok(end !== undefined, `expected a unit ${index} that was begun`);
    if (error === undefined) end.resolve();
    else end.reject(error);
    await settled();
  }

  get lanes(): number[] {
    return this.begun.map(({ lane }) => lane);
  }
}

describe('the work on units', () => {
  it('is done once for every item', async () => {
    const done: number[] = [];
    await forEachUnit(1000, 3, async ({ start, end }) => {
      for (let index = start; index < end; index += 1) done.push(index);
      await settled();
    });
    assert.deepEqual(
      done.toSorted((a, b) => a - b),
      numbersBelow(1000),
    );
  });

  it('is dealt in turns to lanes of one speed', async () => {
    const lanes: number[] = [];
    await forEachUnit(8, 2, async (_, lane) => {
      lanes.push(lane);
      await settled();
    });
    assert.deepEqual(lanes, [0, 1, 0, 1, 0, 1, 0, 1]);
  });

  it('goes to the lane that is idle while another one is slow', async () => {
    const shop = new Workshop();
    const all = forEachUnit(4, 2, shop.work);
    await shop.end(1);
    await shop.end(2);
    await shop.end(3);
    assert.deepEqual(shop.lanes, [0, 1, 1, 1]);
    await shop.end(0);
    await all;
  });

  it('needs no more lanes than there are units', async () => {
    const shop = new Workshop();
    const all = forEachUnit(2, MAX, shop.work);
    assert.deepEqual(shop.lanes, [0, 1]);
    await shop.end(0);
    await shop.end(1);
    await all;
    assert.equal(shop.begun.length, 2);
  });

  for (const [total, lanes] of [
    [0, 2],
    [2, 0],
  ] as const) {
    it(`is none for ${total} items over ${lanes} lanes`, async () => {
      const shop = new Workshop();
      await forEachUnit(total, lanes, shop.work);
      assert.equal(shop.begun.length, 0);
    });
  }

  it('stops at the first error, which is thrown when the other lanes have ended', async () => {
    const shop = new Workshop();
    let hasEnded = false;
    const all = forEachUnit(100, 3, shop.work).finally(() => {
      hasEnded = true;
    });
    all.catch(() => undefined);
    await shop.end(1, new Error('first'));
    await shop.end(0, new Error('second'));
    assert.equal(hasEnded, false);
    await shop.end(2);
    await assert.rejects(all, /first/);
    assert.equal(shop.begun.length, 3);
  });

  it('stops at an error that comes before anything is awaited', async () => {
    let begun = 0;
    const broken = (): Promise<void> => {
      begun += 1;
      throw new Error('broken');
    };
    await assert.rejects(forEachUnit(100, 3, broken), /broken/);
    assert.equal(begun, 1);
  });
});
