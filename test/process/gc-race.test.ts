import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as pause } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { collectGarbage } from '../../src/maintenance/gc.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { eventually } from '../support/eventually.js';
import { isAlive } from '../support/gate.js';
import { sessionOf } from '../support/homes.js';
import { raceOn, seenBy } from '../support/race.js';
import { Workbench } from '../support/workbench.js';

const COMPILERS = 16;
const COMPILATIONS = 25;
const KILLED = 6;

describe('gc beside 16 processes that compile', () => {
  it('removes what the dead left, and nothing that lives', async (t) => {
    const bench = Workbench.make(t);
    const start = await raceOn(bench, COMPILATIONS);
    await bench.compile(['in.txt', '-o', 'first', '--', 'cp', '{input}', '{output}']);
    const compilers = Array.from({ length: COMPILERS }, (_, number) => start('compile', number));
    const over = new AbortController();
    t.after(() => {
      over.abort();
    });
    const reasons = new Map<string, number>();
    const collecting = (async () => {
      while (!over.signal.aborted) {
        const session = sessionOf(t, bench.root);
        const report = await collectGarbage(session, { dryRun: false });
        await session.close();
        assert.deepEqual(report.failures, []);
        // Without a pause this process would see nothing of the others.
        await pause();
        for (const { reason } of report.removed) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      }
    })();
    for (let number = 0; number < KILLED; number += 1) {
      const args = ['--key', String(number), 'in.txt', '-o', 'x', '--relocatable'];
      const victim = bench.start(['compile', ...args, '--', './hang', '{input}', '{output}']);
      await eventually('the compiler hangs', () => bench.lines('hanging') > number || !isAlive(victim.pid));
      writeFileSync(join(bench.root, 'pipelines', `${fingerprintFrom(String(number))}.json`), 'orphan');
      victim.kill('SIGKILL');
      await victim.ended;
    }
    const compiled = await Promise.all(compilers.map(seenBy));
    await eventually('everything of the dead is gone', () => bench.workers().length === 0);
    over.abort();
    await collecting;

    assert.deepEqual(
      compiled.flatMap((seen) => seen.others),
      [],
    );
    assert.ok(compiled.every((seen) => seen.stored === COMPILATIONS));
    assert.equal(reasons.get('orphan-record'), KILLED);
    assert.deepEqual(
      [...reasons.keys()].filter((reason) => !['orphan-record', 'dead-worker'].includes(reason)),
      [],
    );
    assert.deepEqual(bench.processes(), []);
    assert.equal(await bench.verified(), COMPILERS * COMPILATIONS + 1);
    const records = bench.entries().filter((fingerprint) => existsSync(bench.recordPath(fingerprint)));
    assert.equal(records.length, COMPILERS * COMPILATIONS + 1);
  });
});
