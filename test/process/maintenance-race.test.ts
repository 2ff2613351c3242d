import assert from 'node:assert/strict';
import { utimesSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { childProgram } from '../support/child-program.js';
import { Workbench } from '../support/workbench.js';

const CHILD = fileURLToPath(new URL('../support/children/compile-and-compare.ts', import.meta.url));
const COMPILERS = 8;
const KINDS = 60;
/** Rounds of each of the others; more of them by hand: `VYRE_TEST_ROUNDS=200`. */
const ROUNDS = Number(process.env['VYRE_TEST_ROUNDS'] ?? 12);

interface Compared {
  readonly stored: number;
  readonly hits: number;
  readonly others: readonly string[];
}

interface VerifyDocument {
  readonly damaged: number;
  readonly aliens: number;
  readonly problems: readonly unknown[];
}

interface RemovalDocument {
  readonly removedCount: number;
  readonly failures: readonly unknown[];
}

describe('8 processes that compile beside verify, prune and gc', () => {
  it('get the right bytes, and nothing is damaged or said to be', async (t) => {
    const bench = Workbench.make(t);
    const program = await childProgram(CHILD, bench.folder);
    const compilers = Array.from({ length: COMPILERS }, (_, number) =>
      bench.spawn(process.execPath, [program, bench.root, bench.project, String(number), String(KINDS)]),
    );
    const removed = { prune: 0, gc: 0 };
    const others = [
      repeat(async () => {
        const { problems, damaged, aliens } = (await bench.document(['verify', '--json'])) as VerifyDocument;
        assert.deepEqual({ problems, damaged, aliens }, { problems: [], damaged: 0, aliens: 0 });
      }),
      repeat(async (round) => {
        // Now and then everything is old at once.
        if (round % 3 === 0) age(bench);
        const rule = round % 2 === 0 ? ['--max-entries', String(KINDS / 3)] : ['--ttl', '1h'];
        removed.prune += await removals(bench, ['prune', ...rule, '--json']);
      }),
      repeat(async () => {
        removed.gc += await removals(bench, ['gc', '--json']);
      }),
    ];
    try {
      await Promise.all(others);
    } finally {
      bench.write('stop', '');
    }
    let stored = 0;
    let hits = 0;
    for (const running of compilers) {
      const { status, stdout, stderr } = await running.ended;
      assert.equal(status, 0, stderr.toString('utf8'));
      const compared = JSON.parse(stdout.toString('utf8')) as Compared;
      assert.deepEqual(compared.others, []);
      stored += compared.stored;
      hits += compared.hits;
    }
    t.diagnostic(`${stored} stored, ${hits} hits, ${removed.prune} pruned, ${removed.gc} collected`);
    assert.ok(stored > KINDS && removed.prune > 0 && hits > 0, 'expected entries to go and to come back');
    assert.deepEqual(bench.processes(), []);
    await bench.verified();
  });
});

async function repeat(work: (round: number) => Promise<void>): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) await work(round);
}

async function removals(bench: Workbench, args: readonly string[]): Promise<number> {
  const { removedCount, failures } = (await bench.document(args)) as RemovalDocument;
  assert.deepEqual(failures, []);
  return removedCount;
}

function age(bench: Workbench): void {
  for (const fingerprint of bench.entries()) {
    try {
      utimesSync(bench.entryPath(fingerprint), 1_000_000, 1_000_000);
    } catch {
      // Another one has just removed it.
    }
  }
}
