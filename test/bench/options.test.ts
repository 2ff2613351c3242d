import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BenchError } from '../../bench/bench-error.js';
import { readOptions } from '../../bench/options.js';
import { ROW_IDS } from '../../bench/row.js';
import { GROUPS } from '../../bench/catalogue.js';

describe('the options of the bench', () => {
  test('without any: every row, all of the work', () => {
    const options = readOptions([]);
    assert.deepEqual(
      [options?.only, options?.scale, options?.rounds, options?.plot, options?.json],
      [ROW_IDS, 1, 5, null, null],
    );
  });

  test('--quick is a small share, and what is typed beside it holds', () => {
    const quick = readOptions(['--quick']);
    assert.ok(quick !== null && quick.scale < 0.1 && quick.rounds < 5);
    const mixed = readOptions(['--quick', '--rounds', '9', '--only', 'stats,herd']);
    assert.deepEqual([mixed?.scale, mixed?.rounds, mixed?.only], [quick.scale, 9, ['stats', 'herd']]);
  });

  test('--growth measures growth alone, unless rows are named', () => {
    assert.deepEqual(readOptions(['--growth'])?.only, []);
    assert.deepEqual(readOptions(['--growth', '--only', 'stats'])?.only, ['stats']);
    assert.match(readOptions(['--growth'])?.plot ?? '', /\/docs\/growth\.svg$/);
  });

  for (const args of [
    ['--only', 'verify'],
    ['--only', ''],
    ['--rounds', '0'],
    ['--rounds', '1.5'],
    ['--scale', '0'],
    ['--scale', '-1'],
    ['--scale', 'x'],
    ['--scale', '11'],
    ['--scal', '1'],
    ['more'],
  ])
    test(`refuses ${args.join(' ')}`, () => {
      assert.throws(
        () => readOptions(args),
        (error) => error instanceof BenchError && error.exitCode === 2,
      );
    });

  test('every row belongs to exactly one group', () => {
    assert.deepEqual(GROUPS.flatMap(({ rows }) => rows).toSorted(), ROW_IDS.toSorted());
  });
});
