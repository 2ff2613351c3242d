import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { GROUPS } from './experiment.js';

it('every group of the matrix has a test file that runs it bounded', () => {
  const texts = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'));
  const run = GROUPS.filter((group) =>
    texts.some((text) => /testBounded\(.*\)/.exec(text)?.[0].includes(`'${group}'`)),
  );
  assert.deepEqual(run, GROUPS);
});
