import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { GATE, hasLockOpen, ownerPid } from '../support/gate.js';
import { compiledJob, Workbench, type Running } from '../support/workbench.js';

const CALLERS = 6;
const SLOW = `${GATE}\ntr a-z A-Z < "$1" > "$2"`;

function prepare(t: Parameters<typeof Workbench.make>[0]): Workbench {
  const bench = Workbench.make(t);
  bench.write('in.txt', 'abc');
  bench.script('slow', SLOW);
  for (let index = 0; index < CALLERS; index += 1) bench.write(`${index}/.keep`, '');
  return bench;
}

function startOne(bench: Workbench, index: number): Running {
  const flags = ['--json', '--relocatable', '--compiler-version', 'echo 1'];
  const output = ['-o', `${index}/out.txt`];
  return bench.start(['compile', ...flags, 'in.txt', ...output, '--', './slow', '{input}', '{output}']);
}

describe('when the process that compiles is asked to stop', () => {
  it('one of those who wait compiles, and the others get its result', async (t) => {
    const bench = prepare(t);
    const callers = Array.from({ length: CALLERS }, (_, index) => startOne(bench, index));
    await eventually('one caller compiles', () => bench.lines('started') === 1);
    await eventually('the others have reached the lock', () =>
      callers.every((caller) => hasLockOpen(bench, caller.pid)),
    );
    const pid = await eventually('the owner is known', () => ownerPid(bench));
    const holder = callers.find((caller) => caller.pid === pid);
    assert.ok(holder !== undefined);
    holder.kill('SIGINT');
    assert.equal((await holder.ended).signal, 'SIGINT');
    await eventually('another one compiles', () => bench.lines('started') === 2);
    bench.write('go', '');
    const others = callers.filter((caller) => caller !== holder);
    const jobs = (await Promise.all(others.map(async (caller) => caller.ended))).map(compiledJob);
    const outcomes = jobs.map((job) => String(job.outcome)).toSorted();
    assert.deepEqual(outcomes, ['compiled', ...Array.from({ length: CALLERS - 2 }, () => 'disk')]);
    assert.equal(bench.lines('started'), 2);
    assert.deepEqual(bench.workers(), []);
  });
});

describe('calls that join one in the same process', () => {
  const call = (bench: Workbench, index: number) =>
    bench.request({
      inputs: ['in.txt'],
      outputs: [`${index}/out.txt`],
      command: ['./slow', '{input}', '{output}'],
      relocatable: true,
    });

  it('are not stopped with it', async (t) => {
    const bench = prepare(t);
    const cache = bench.open();
    const stop = new AbortController();
    const first = cache.compile(call(bench, 0), { signal: stop.signal });
    await eventually('it compiles', () => bench.lines('started') === 1);
    const second = cache.compile(call(bench, 1));
    stop.abort();
    assert.equal((await first).exitCode, 143);
    await eventually('the other one compiles', () => bench.lines('started') === 2);
    bench.write('go', '');
    const result = await second;
    await cache.close();
    assert.deepEqual([result.outcome, result.exitCode, bench.text('1/out.txt')], ['compiled', 0, 'ABC']);
  });

  it('do not get its time limit', async (t) => {
    const bench = prepare(t);
    const cache = bench.open();
    const limited = cache.compile(call(bench, 0), { timeoutMs: 300 });
    await eventually('it compiles', () => bench.lines('started') === 1);
    const unlimited = cache.compile(call(bench, 1));
    assert.equal((await limited).exitCode, 124);
    bench.write('go', '');
    const result = await unlimited;
    await cache.close();
    assert.deepEqual([result.exitCode, bench.text('1/out.txt')], [0, 'ABC']);
  });
});
