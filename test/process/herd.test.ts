import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { GATE, hasLockOpen, isAlive, ownerPid } from '../support/gate.js';
import { compiledJob, Workbench, type Ended, type Running } from '../support/workbench.js';

const CALLERS = 16;

/** A script has no identity of its own, and each miss would say so. */
const IDENTITY = ['--compiler-version', 'echo 1'] as const;

/** Notes its start, waits for the gate, then turns the input into the output. */
const SLOW = `${GATE}\ntr a-z A-Z < "$1" > "$2"\necho compiled >&2`;

function startOne(bench: Workbench, words: readonly string[]): Running {
  const command = ['--', './slow', '{input}', '{output}'];
  return bench.start(['compile', '--json', '--relocatable', ...IDENTITY, ...words, 'in.txt', ...command]);
}

/** Starts one caller per output, all with the same fingerprint. */
function startCallers(bench: Workbench, extra: readonly string[] = []): readonly Running[] {
  return Array.from({ length: CALLERS }, (_, index) => {
    bench.write(`${index}/.keep`, '');
    return startOne(bench, [...extra, '-o', `${index}/out.txt`]);
  });
}

/** Waits until one compiles and every other one has come as far as the lock. */
async function untilGathered(bench: Workbench, callers: readonly Running[]): Promise<Running> {
  await eventually('one caller compiles', () => bench.lines('started') === 1);
  await eventually('the others have reached the lock', () =>
    callers.every((caller) => hasLockOpen(bench, caller.pid)),
  );
  const pid = await eventually('the owner is known', () => ownerPid(bench));
  const holder = callers.find((caller) => caller.pid === pid);
  assert.ok(holder !== undefined, 'expected one of the callers to own the worker directory');
  return holder;
}

async function all(callers: readonly Running[]): Promise<readonly Ended[]> {
  return Promise.all(callers.map(async (caller) => caller.ended));
}

function prepare(t: Parameters<typeof Workbench.make>[0], script = SLOW): Workbench {
  const bench = Workbench.make(t);
  bench.write('in.txt', 'abc');
  bench.script('slow', script);
  return bench;
}

function assertNothingStays(bench: Workbench): void {
  assert.deepEqual(bench.workers(), []);
  assert.deepEqual(bench.processes(), []);
}

describe('many processes that ask for one absent artifact', () => {
  it('compile it once and all get the same bytes', async (t) => {
    const bench = prepare(t);
    const callers = startCallers(bench);
    await untilGathered(bench, callers);
    bench.write('go', '');
    const jobs = (await all(callers)).map(compiledJob);

    assert.equal(bench.lines('started'), 1);
    const outcomes = jobs.map((job) => String(job.outcome)).toSorted();
    assert.deepEqual(outcomes, ['compiled', ...Array.from({ length: CALLERS - 1 }, () => 'disk')]);
    for (const [index, job] of jobs.entries()) {
      assert.equal(bench.text(`${index}/out.txt`), 'ABC');
      assert.equal(job.exitCode, 0);
      assert.equal(job.stderr, 'compiled\n');
    }
    const { counters } = await bench.stats();
    assert.ok(counters !== null);
    assert.deepEqual(counters.outcomes, { compiled: 1, disk: CALLERS - 1 });
    assert.equal(counters.lookups, CALLERS);
    assert.ok(counters.waits > 0 && counters.waits < CALLERS, `expected waits, got ${counters.waits}`);
    assert.equal(await bench.verified(), 1);
    assertNothingStays(bench);
  });

  it('do not hold up those who ask for another one', async (t) => {
    const bench = prepare(t);
    bench.write('0/.keep', '');
    const [slow] = startCallers(bench);
    await eventually('the slow compilation runs', () => bench.lines('started') === 1);
    const other = await bench.compile(['in.txt', '-o', 'copy.txt', '--', 'cp', '{input}', '{output}']);
    assert.equal(other.outcome, 'compiled');
    assert.equal(bench.lines('started'), 1);
    assert.ok(slow !== undefined && isAlive(slow.pid));
    bench.write('go', '');
  });

  it('all get the status and the words of a compiler that fails', async (t) => {
    const bench = prepare(t, `${GATE}\necho broken >&2\nexit 3`);
    const callers = startCallers(bench);
    await untilGathered(bench, callers);
    bench.write('go', '');
    const jobs = (await all(callers)).map(compiledJob);

    for (const job of jobs) {
      assert.equal(job.exitCode, 3);
      assert.equal(job.outcome, 'failed');
      assert.equal(job.stderr, 'broken\n');
      assert.deepEqual(job.outputs, []);
    }
    assert.deepEqual(bench.entries(), []);
    const { counters } = await bench.stats();
    assert.deepEqual(counters?.outcomes, { failed: CALLERS });
    assertNothingStays(bench);
  });
});

describe('when the process that compiles is killed', () => {
  it('exactly one other takes over, and nobody waits for a time limit', async (t) => {
    const bench = prepare(t);
    const callers = startCallers(bench, ['--lock-timeout', '1h']);
    const holder = await untilGathered(bench, callers);
    const orphan = Number(bench.text('started').trim());
    holder.kill('SIGKILL');
    await eventually('another one compiles', () => bench.lines('started') === 2);
    assert.equal(
      isAlive(orphan),
      false,
      'expected the orphaned compiler to be ended before the next one starts',
    );
    bench.write('go', '');
    const ended = await all(callers);

    assert.equal((await holder.ended).signal, 'SIGKILL');
    const jobs = ended.filter((each) => each.signal === null).map(compiledJob);
    assert.equal(jobs.length, CALLERS - 1);
    assert.equal(jobs.filter((job) => job.outcome === 'compiled').length, 1);
    assert.equal(jobs.filter((job) => job.outcome === 'disk').length, CALLERS - 2);
    assert.equal(bench.lines('started'), 2);
    assert.equal(await bench.verified(), 1);
    assertNothingStays(bench);
  });

  it('grandchildren that left the process group end as well', async (t) => {
    const escape = `setsid sh -c 'echo $$ > escaped; while [ ! -e go ]; do sleep 0.02; done' </dev/null >/dev/null 2>&1 &`;
    const bench = prepare(t, `${escape}\nwhile [ ! -s escaped ]; do sleep 0.02; done\n${SLOW}`);
    const callers = startCallers(bench);
    const holder = await untilGathered(bench, callers);
    const escaped = Number(bench.text('escaped').trim());
    assert.ok(isAlive(escaped));
    holder.kill('SIGKILL');
    await eventually('another one compiles', () => bench.lines('started') === 2);
    assert.equal(isAlive(escaped), false);
    bench.write('go', '');
    await all(callers);
    assert.equal(bench.lines('started'), 2);
    assert.deepEqual(bench.workers(), []);
  });

  it('a refresh that waited takes over, too', async (t) => {
    const bench = prepare(t);
    const [first, ...rest] = [
      startOne(bench, ['-o', 'out.txt']),
      startOne(bench, ['-o', 'out.txt', '--refresh']),
    ];
    assert.ok(first !== undefined);
    const holder = await untilGathered(bench, [first, ...rest]);
    const waiter = [first, ...rest].find((caller) => caller !== holder);
    assert.ok(waiter !== undefined);
    const orphan = Number(bench.text('started').trim());
    holder.kill('SIGKILL');
    await eventually('the other one compiles', () => bench.lines('started') === 2);
    assert.equal(isAlive(orphan), false);
    bench.write('go', '');
    assert.equal(compiledJob(await waiter.ended).exitCode, 0);
    assert.equal(bench.text('out.txt'), 'ABC');
    assertNothingStays(bench);
  });

  it('the next process cleans up after it when nobody waited', async (t) => {
    const bench = prepare(t);
    const holder = startOne(bench, ['-o', 'out.txt']);
    await eventually('it compiles', () => bench.lines('started') === 1);
    const orphan = Number(bench.text('started').trim());
    holder.kill('SIGKILL');
    await holder.ended;
    assert.ok(isAlive(orphan));
    assert.equal(bench.workers().length, 1);
    const other = await bench.compile(['in.txt', '-o', 'copy.txt', '--', 'cp', '{input}', '{output}']);
    assert.equal(other.outcome, 'compiled');
    assert.equal(isAlive(orphan), false);
    assertNothingStays(bench);
  });
});

describe('a compiler that calls vyre-cache', () => {
  it('for the same artifact does not wait for itself', async (t) => {
    const bench = Workbench.make(t);
    bench.write('in.txt', 'abc');
    bench.write('arguments', `${bench.root}\n`);
    const words = [
      'compile',
      '--cache-dir',
      bench.root,
      ...IDENTITY,
      'in.txt',
      '-o',
      'out.txt',
      '--',
      './outer',
      '{input}',
      '{output}',
    ];
    bench.script(
      'outer',
      [
        'echo run >> runs',
        'if [ -e inner ]; then tr a-z A-Z < "$1" > "$2"; exit; fi',
        'touch inner',
        bench.commandLine(words),
      ].join('\n'),
    );
    const ended = await bench.run(words);
    assert.equal(ended.stderr.toString('utf8'), '');
    assert.equal(ended.status, 0);
    assert.equal(bench.text('out.txt'), 'ABC');
    assert.equal(bench.lines('runs'), 2);
    assertNothingStays(bench);
  });
});

describe('many calls in one process', () => {
  it('for one artifact run the compiler once and join', async (t) => {
    const bench = prepare(t);
    const cache = bench.open();
    const calls = Array.from({ length: CALLERS }, async (_, index) => {
      bench.write(`${index}/.keep`, '');
      return cache.compile(
        bench.request({
          inputs: ['in.txt'],
          outputs: [`${index}/out.txt`],
          command: ['./slow', '{input}', '{output}'],
          relocatable: true,
        }),
      );
    });
    await eventually('it compiles', () => bench.lines('started') === 1);
    bench.write('go', '');
    const results = await Promise.all(calls);
    await cache.close();

    assert.equal(bench.lines('started'), 1);
    const outcomes = results.map((result) => String(result.outcome)).toSorted();
    assert.deepEqual(outcomes, ['compiled', ...Array.from({ length: CALLERS - 1 }, () => 'joined')]);
    for (const [index, result] of results.entries()) {
      assert.equal(bench.text(`${index}/out.txt`), 'ABC');
      assert.equal(Buffer.from(result.stderr).toString('utf8'), 'compiled\n');
    }
    const { counters } = await bench.stats();
    assert.deepEqual(counters?.outcomes, { compiled: 1, joined: CALLERS - 1 });
  });

  it('in two sessions on one home run the compiler once', async (t) => {
    const bench = prepare(t);
    const caches = [bench.open(), bench.open()];
    const calls = caches.map(async (cache, index) => {
      bench.write(`${index}/.keep`, '');
      return cache.compile(
        bench.request({
          inputs: ['in.txt'],
          outputs: [`${index}/out.txt`],
          command: ['./slow', '{input}', '{output}'],
          relocatable: true,
        }),
      );
    });
    await eventually('one compiles', () => bench.lines('started') === 1);
    bench.write('go', '');
    const outcomes = (await Promise.all(calls)).map((result) => String(result.outcome));
    await Promise.all(caches.map(async (cache) => cache.close()));
    assert.deepEqual(outcomes.toSorted(), ['compiled', 'disk']);
    assert.equal(bench.lines('started'), 1);
  });

  it('get what the compiler printed even where it is too much to be kept', async (t) => {
    const bench = prepare(t, `${GATE}\nhead -c 400000 /dev/zero | tr '\\0' x\ncp "$1" "$2"`);
    const cache = bench.open();
    const received = [0, 0];
    const calls = received.map(async (_, index) => {
      bench.write(`${index}/.keep`, '');
      const result = await cache.compile(
        bench.request({
          inputs: ['in.txt'],
          outputs: [`${index}/out.txt`],
          command: ['./slow', '{input}', '{output}'],
          relocatable: true,
        }),
        {
          onOverflow: (_stream, chunk) => {
            received[index] = (received[index] ?? 0) + chunk.byteLength;
          },
        },
      );
      received[index] = (received[index] ?? 0) + result.stdout.byteLength;
      assert.equal(bench.text(`${index}/out.txt`), 'abc');
    });
    await eventually('it compiles', () => bench.lines('started') === 1);
    bench.write('go', '');
    await Promise.all(calls);
    await cache.close();
    assert.deepEqual(received, [400_000, 400_000]);
  });
});
