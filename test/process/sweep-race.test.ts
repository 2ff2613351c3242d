import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { isAlive } from '../support/gate.js';
import { raceOn, seenBy } from '../support/race.js';
import { Workbench } from '../support/workbench.js';

const COMPILERS = 4;
const COMPILATIONS = 250;
const SWEEPERS = 2;
const KILLED = 8;

describe('sweeping beside 1000 short compilations', () => {
  it('removes the worker directories of the dead and none of the living', async (t) => {
    const bench = Workbench.make(t);
    const start = await raceOn(bench, COMPILATIONS);
    const compilers = Array.from({ length: COMPILERS }, (_, number) => start('compile', number));
    const sweepers = Array.from({ length: SWEEPERS }, (_, number) => start('sweep', COMPILERS + number));

    // Meanwhile others die and leave their worker directories behind.
    for (let number = 0; number < KILLED; number += 1) {
      const victim = bench.start([
        'compile',
        '--key',
        String(number),
        'in.txt',
        '-o',
        'x',
        '--relocatable',
        '--',
        './hang',
        '{input}',
        '{output}',
      ]);
      await eventually('the compiler hangs', () => bench.lines('hanging') > number || !isAlive(victim.pid));
      if (!isAlive(victim.pid)) assert.fail((await victim.ended).stderr.toString('utf8'));
      assert.equal(bench.lines('hanging'), number + 1);
      victim.kill('SIGKILL');
      await victim.ended;
    }
    const compiled = await Promise.all(compilers.map(seenBy));
    bench.write('stop', '');
    const swept = await Promise.all(sweepers.map(seenBy));

    assert.deepEqual(
      [...compiled, ...swept].flatMap((seen) => seen.others),
      [],
    );
    assert.equal(
      compiled.reduce((sum, seen) => sum + seen.stored, 0),
      COMPILERS * COMPILATIONS,
    );
    assert.ok(swept.every((seen) => seen.stored > 0));
    await bench.compile(['in.txt', '-o', 'last', '--', 'cp', '{input}', '{output}']);
    assert.deepEqual(bench.workers(), []);
    assert.deepEqual(bench.processes(), []);
    assert.equal(await bench.verified(), COMPILERS * COMPILATIONS + 2);
  });
});
