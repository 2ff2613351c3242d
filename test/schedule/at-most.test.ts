import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { atMost } from '../../src/schedule/at-most.js';
import { settled } from '../support/yard.js';

interface Running {
  readonly item: number;
  end(): void;
  fail(error: Error): void;
}

/** Work that goes on until the test ends it. */
class Site {
  readonly begun: number[] = [];
  readonly running: Running[] = [];

  readonly work = async (item: number): Promise<void> => {
    this.begun.push(item);
    return new Promise((end, fail) => {
      this.running.push({ item, end, fail });
    });
  };

  async endFirst(): Promise<void> {
    this.running.shift()?.end();
    await settled();
  }
}

describe('bounded work', () => {
  const table: readonly (readonly [limit: number, items: number, atOnce: number])[] = [
    [1, 3, 1],
    [2, 1, 1],
    [2, 2, 2],
    [2, 3, 2],
    [16, 3, 3],
    [4, 0, 0],
  ];
  for (const [limit, count, atOnce] of table) {
    it(`on ${count} items, at most ${limit} at a time, has ${atOnce} going until all are done`, async () => {
      const items = Array.from({ length: count }, (_, index) => index);
      const site = new Site();
      const all = atMost(limit, items, site.work);
      await settled();
      for (let left = count; left > 0; left -= 1) {
        assert.equal(site.running.length, Math.min(atOnce, left));
        await site.endFirst();
      }
      await all;
      assert.deepEqual(site.begun, items);
    });
  }

  it('goes on with the next item while a slow one runs', async () => {
    const site = new Site();
    const all = atMost(2, [0, 1, 2, 3], site.work);
    await settled();
    const slow = site.running.shift();
    while (site.running.length > 0) await site.endFirst();
    assert.deepEqual(site.begun, [0, 1, 2, 3]);
    slow?.end();
    await all;
  });

  it('fails with the first failure', async () => {
    const site = new Site();
    const all = atMost(2, [0, 1], site.work);
    await settled();
    site.running[1]?.fail(new Error('broken'));
    await assert.rejects(all, /^Error: broken$/);
    site.running[0]?.end();
  });
});
