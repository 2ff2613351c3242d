import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { childProgram } from '../support/child-program.js';
import { Workbench } from '../support/workbench.js';

const CHILD = fileURLToPath(new URL('../support/children/read-or-write.ts', import.meta.url));

const WRITERS = 100;
const READERS = 100;
const KEYS = 10;
const OPERATIONS = 50;
/** So many processes run at once that a small machine still has the memory for them. */
const AT_ONCE = 40;

interface Seen {
  readonly whole: number;
  readonly torn: number;
  readonly missed: number;
  readonly stored: number;
  readonly troubles: readonly string[];
}

/** Runs the tasks, `AT_ONCE` of them at a time, in order. */
async function inWaves(tasks: readonly (() => Promise<Seen>)[]): Promise<readonly Seen[]> {
  const results: Seen[] = [];
  const queue = tasks.values();
  const lane = async (): Promise<void> => {
    for (const task of queue) results.push(await task());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
}

describe('100 writers and 100 readers of 10 artifacts', () => {
  it('never read bytes that were not written whole', async (t) => {
    const bench = Workbench.make(t);
    const program = await childProgram(CHILD, bench.folder);
    const child = (mode: 'read' | 'write', number: number, operations: number) => async (): Promise<Seen> => {
      const words = [mode, bench.root, bench.project, String(number), String(KEYS), String(operations)];
      const ended = await bench.spawn(process.execPath, [program, ...words]).ended;
      assert.equal(ended.status, 0, ended.stderr.toString('utf8'));
      return JSON.parse(ended.stdout.toString('utf8')) as Seen;
    };
    await child('write', WRITERS, KEYS)();
    // Readers and writers in turn, so that each wave has both.
    const tasks = Array.from({ length: WRITERS }, (_, number) => [
      child('write', number, OPERATIONS),
      child('read', number, OPERATIONS),
    ]).flat();
    const results = await inWaves(tasks);

    const sum = (count: (seen: Seen) => number): number =>
      results.reduce((total, seen) => total + count(seen), 0);
    assert.deepEqual([...new Set(results.flatMap((seen) => seen.troubles))], []);
    assert.equal(
      sum((seen) => seen.torn),
      0,
    );
    assert.equal(
      sum((seen) => seen.missed),
      0,
    );
    assert.equal(
      sum((seen) => seen.whole),
      READERS * OPERATIONS,
    );
    assert.equal(
      sum((seen) => seen.stored),
      WRITERS * OPERATIONS,
    );
    assert.equal(await bench.verified(), KEYS);
    assert.deepEqual(bench.workers(), []);
    const { counters } = await bench.stats();
    assert.ok(counters !== null);
    assert.equal(counters.lookups, (WRITERS + READERS) * OPERATIONS + KEYS);
    assert.equal(counters.hits, READERS * OPERATIONS);
    assert.equal(counters.puts, WRITERS * OPERATIONS + KEYS);
  });
});
