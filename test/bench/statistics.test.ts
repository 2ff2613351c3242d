import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compare, spreadOf, summarise } from '../../bench/statistics.js';

describe('what the bench makes of its samples', () => {
  const cases: readonly [samples: number[], median: number, low: number, high: number][] = [
    [[7], 7, 7, 7],
    [[4, 2], 3, 2.5, 3.5],
    [[9, 1, 5], 5, 3, 7],
    [[5, 4, 3, 2, 1], 3, 2, 4],
    [[10, 2, 30, 1], 6, 1.75, 15],
  ];
  for (const [samples, median, low, high] of cases) {
    test(`median and quartiles of ${samples.join(', ')}`, () => {
      assert.deepEqual(summarise(samples), { samples, median, low, high });
    });
  }

  test('one slow sample does not move the median', () => {
    assert.equal(summarise([2, 2, 2, 2, 900]).median, 2);
  });

  test('nothing comes of no samples', () => {
    assert.throws(() => summarise([]), /expected samples/);
  });

  test('the spread is the distance of the quartiles, as a share of the median', () => {
    assert.equal(spreadOf(summarise([5, 4, 3, 2, 1])), 2 / 3);
    assert.equal(spreadOf(summarise([0, 0])), 0);
  });

  test('a ratio is that of the medians, with the extremes of the rounds', () => {
    assert.deepEqual(compare(summarise([2, 3, 4]), summarise([4, 12, 4])), {
      ratio: 0.75,
      least: 0.25,
      most: 1,
    });
  });
});
