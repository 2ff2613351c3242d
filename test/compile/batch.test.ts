import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  compileBatch,
  type BatchJob,
  type BatchOptions,
  type BatchResult,
  errorOfJob,
} from '../../src/compile/batch.js';
import { fingerprintOfRequest } from '../../src/compile/fingerprint-request.js';
import { makePlan } from '../../src/compile/plan.js';
import type { CompileOptions, CompileRequest } from '../../src/compile/request.js';
import type { CacheSession } from '../../src/compile/session.js';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { isFingerprint } from '../../src/model/fingerprint.js';
import { fingerprintByte } from '../../src/store/lock-file.js';
import { startChild } from '../support/child.js';
import { COMPILE } from '../support/compile-options.js';
import { eventually } from '../support/eventually.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf } from '../support/homes.js';
import { Workbench } from '../support/workbench.js';

/** A bench whose compiler appends the name of its input to `order`. */
class BatchBench {
  readonly bench: Workbench;
  readonly #t: TestContext;

  constructor(t: TestContext, script = 'echo "$1" >> order\ncp "$1" "$2"') {
    this.bench = Workbench.make(t);
    this.bench.script('tool', script);
    this.#t = t;
  }

  request(name: string): CompileRequest {
    if (!existsSync(this.bench.path(name))) this.bench.write(name, name);
    return this.bench.request({
      inputs: [name],
      outputs: [`${name}.out`],
      command: ['./tool', '{input}', '{output}'],
      compilerVersion: 'echo 1',
      relocatable: true,
    });
  }

  session(host: Host = fakeHost()): CacheSession {
    return sessionOf(this.#t, this.bench.root, { host });
  }

  /** Results in the order in which they were told. */
  async run(
    names: readonly string[],
    options: Partial<Omit<BatchOptions, 'compile'>> & {
      readonly session?: CacheSession;
      readonly compile?: Partial<CompileOptions>;
      readonly critical?: readonly string[];
      readonly compilerVersion?: string;
    } = {},
  ): Promise<readonly BatchResult[]> {
    const session = options.session ?? this.session();
    const told: BatchResult[] = [];
    const { compilerVersion = 'echo 1' } = options;
    const jobs = names.map((name): BatchJob => ({
      plan: makePlan(session.host, { ...this.request(name), compilerVersion }),
      priority: options.critical?.includes(name) === true ? 'critical' : 'normal',
      timeoutMs: null,
      memoryBytes: null,
    }));
    await compileBatch(session, jobs, {
      jobs: options.jobs ?? 2,
      hardJobs: options.hardJobs ?? options.jobs ?? 2,
      compile: { ...COMPILE, ...options.compile },
      onResult: (result) => {
        told.push(result);
        options.onResult?.(result);
      },
    });
    await session.close();
    return told;
  }

  get order(): readonly string[] {
    return this.bench.text('order').trim().split('\n');
  }
}

function outcomes(results: readonly BatchResult[]): readonly (string | null)[] {
  return results
    .toSorted((a, b) => a.index - b.index)
    .map(({ result, error }) => result?.outcome ?? error?.code ?? null);
}

describe('a batch', () => {
  it('compiles what is not there, serves the rest, and tells of every job once', async (t) => {
    const batch = new BatchBench(t);
    assert.deepEqual(outcomes(await batch.run(['a', 'b'])), ['compiled', 'compiled']);
    const results = await batch.run(['a', 'b', 'c']);
    assert.deepEqual(outcomes(results), ['disk', 'disk', 'compiled']);
    assert.equal(batch.bench.text('c.out'), 'c');
    const { counters } = await batch.bench.stats();
    assert.deepEqual([counters?.lookups, counters?.hits, counters?.misses], [5, 2, 3]);
  });

  it('of nothing ends at once', async (t) => {
    assert.deepEqual(await new BatchBench(t).run([]), []);
  });

  it('starts with what is critical, among what waits', async (t) => {
    const batch = new BatchBench(t);
    await batch.run(['a', 'b', 'c', 'd'], { jobs: 1, critical: ['d'] });
    assert.deepEqual(batch.order, ['d', 'a', 'b', 'c']);
  });

  it('goes on when a job cannot be run, and says why', async (t) => {
    const batch = new BatchBench(t);
    const session = batch.session();
    const results = await batch.run(['a', 'b', 'c'], {
      session,
      jobs: 1,
      onResult: ({ index }) => {
        // Between the check and its turn the second job loses its compiler's input.
        if (index === 0) rmSync(batch.bench.path('b'));
      },
    });
    const [first, second, third] = results.toSorted((x, y) => x.index - y.index);
    assert.deepEqual([first?.result?.exitCode, third?.result?.exitCode], [0, 0]);
    assert.deepEqual([second?.result?.exitCode, second?.error], [1, null]);
    assert.match(Buffer.from(second?.result?.stderr ?? []).toString('utf8'), /'?b'?: No such file/);
  });

  it('compiles where an output cannot be looked at, which is no trouble of any job', async (t) => {
    const batch = new BatchBench(t);
    const files = failingFiles({
      stat: (path) => {
        if (path === batch.bench.path('b.out')) throw errnoError('EIO');
        return systemFiles.stat(path);
      },
    });
    const results = await batch.run(['a', 'b', 'c'], { session: batch.session(fakeHost({ files })) });
    assert.deepEqual(outcomes(results), ['compiled', 'compiled', 'compiled']);
    assert.equal(batch.bench.text('b.out'), 'b');
  });

  it('takes a failed system call that nobody has words for as the trouble of its job, and a bug as a bug', () => {
    assert.deepEqual(errorOfJob(errnoError('EIO')), { code: 'environment', message: 'EIO: made by a test' });
    assert.equal(errorOfJob(new TypeError('x')), null);
  });

  it('delivers to all places but the one whose folder became a file', async (t) => {
    const batch = new BatchBench(t);
    batch.bench.write('sub/b', 'b');
    const results = await batch.run(['a', 'sub/b', 'c'], {
      jobs: 1,
      critical: ['a'],
      onResult: ({ index }) => {
        if (index !== 0) return;
        rmSync(batch.bench.path('sub'), { recursive: true });
        batch.bench.write('sub', '');
      },
    });
    const [first, second, third] = results.toSorted((x, y) => x.index - y.index);
    assert.deepEqual([first?.result?.error, third?.result?.error], [null, null]);
    assert.ok(second?.error !== null || second.result?.exitCode !== 0);
  });

  it('begins nothing more after a bug', async (t) => {
    const wait = '[ "$1" = warm ] || while [ ! -e go ]; do sleep 0.01; done';
    const batch = new BatchBench(t, `echo "$1" >> order\n${wait}\ncp "$1" "$2"`);
    await batch.run(['warm']);
    const running = batch.run(['a', 'b', 'c', 'warm'], {
      jobs: 1,
      onResult: ({ index }) => {
        if (index === 3) batch.bench.write('go', '');
        if (index === 3) throw new Error('a bug');
      },
    });
    await assert.rejects(running, { message: 'a bug' });
    assert.deepEqual(batch.order, ['warm', 'a']);
  });

  it('tells a failing compiler’s status and words, and goes on', async (t) => {
    const batch = new BatchBench(t, '[ "$1" != b ] || { echo broken >&2; exit 7; }\ncp "$1" "$2"');
    const results = await batch.run(['a', 'b', 'c']);
    assert.deepEqual(outcomes(results), ['compiled', 'failed', 'compiled']);
    const failed = results.find(({ index }) => index === 1)?.result;
    assert.equal(failed?.exitCode, 7);
    assert.equal(Buffer.from(failed.stderr).toString('utf8'), 'broken\n');
  });

  it('takes other work while another process makes the same thing', async (t) => {
    const batch = new BatchBench(t);
    const session = batch.session();
    await batch.run(['warm']);
    const { fingerprint } = await fingerprintOfRequest(session, batch.request('a'), COMPILE);
    assert.ok(isFingerprint(fingerprint));
    const lock = join(batch.bench.root, '.vyre-cache', 'lock');
    const child = startChild(t, 'hold', lock, String(fingerprintByte(fingerprint)));
    assert.equal(await child.line(), 'held');
    const order: number[] = [];
    const results = await batch.run(['a', 'b', 'c'], {
      jobs: 1,
      onResult: ({ index }) => {
        order.push(index);
        if (order.length === 2) void child.kill();
      },
    });
    assert.deepEqual(order, [1, 2, 0]);
    assert.deepEqual(outcomes(results), ['compiled', 'compiled', 'compiled']);
  });

  it('two jobs of one artifact compile it once', async (t) => {
    const batch = new BatchBench(t);
    const request = batch.request('a');
    batch.bench.write('sub/keep', '');
    const session = batch.session();
    const plans = [request, { ...request, outputs: ['sub/a.out'] }].map((each) =>
      makePlan(session.host, each),
    );
    const results: BatchResult[] = [];
    await compileBatch(
      session,
      plans.map((plan) => ({ plan, priority: 'normal', timeoutMs: null, memoryBytes: null })),
      { jobs: 2, hardJobs: 2, compile: COMPILE, onResult: (result) => results.push(result) },
    );
    assert.deepEqual(batch.order, ['a']);
    assert.equal(batch.bench.text('sub/a.out'), 'a');
    assert.deepEqual(new Set(outcomes(results)), new Set(['compiled', 'joined']));
  });
});

describe('a batch that is interrupted', () => {
  it('ends its compilers, starts no further one, and tells which never ran', async (t) => {
    const batch = new BatchBench(t, 'echo "$1" >> order\nwhile :; do sleep 0.05; done');
    const controller = new AbortController();
    const ended = batch.run(['a', 'b', 'c', 'd'], { compile: { signal: controller.signal } });
    await eventually('two compilers run', () => batch.bench.lines('order') === 2);
    controller.abort();
    const results = await ended;
    assert.equal(results.length, 4);
    assert.equal(results.filter(({ result, error }) => result === null && error === null).length, 2);
    assert.deepEqual(batch.bench.workers(), []);
    await eventually('the compilers are gone', () => batch.bench.processes().length === 0);
    assert.equal((await batch.bench.stats()).counters?.lookups ?? 0, 0);
  });
});

describe('a batch that is interrupted while a compiler is asked for its version', () => {
  it('tells of every job', async (t) => {
    const batch = new BatchBench(t);
    const controller = new AbortController();
    const ended = batch.run(['a', 'b', 'c'], {
      compile: { signal: controller.signal },
      compilerVersion: 'echo >> asked; sleep 600',
    });
    await eventually('the compiler is asked', () => batch.bench.lines('asked') > 0);
    controller.abort();
    assert.deepEqual(outcomes(await ended), [null, null, null]);
  });
});

describe('a machine that has no room for a process', () => {
  /** A host on which the compiler cannot be started so often. */
  function shortHost(times: number): { readonly host: Host; readonly pauses: number[] } {
    let left = times;
    const clock = new FakeClock();
    const pauses: number[] = [];
    clock.onSleep = (ms) => pauses.push(ms);
    const { processes } = fakeHost();
    const start: Host['processes']['start'] = async (options, sinks) => {
      if (options.argv0 === './tool' && left > 0) {
        left -= 1;
        throw errnoError('EAGAIN');
      }
      return processes.start(options, sinks);
    };
    // Getters and methods of the real object stay behind the replaced one.
    return { host: fakeHost({ clock, processes: { ...processes, start } }), pauses };
  }

  it('is tried again after a pause', async (t) => {
    const batch = new BatchBench(t);
    const { host, pauses } = shortHost(2);
    const results = await batch.run(['a', 'b'], { session: batch.session(host), jobs: 1 });
    assert.deepEqual(outcomes(results), ['compiled', 'compiled']);
    assert.deepEqual(batch.order, ['a', 'b']);
    assert.deepEqual(
      pauses.filter((ms) => ms === 3000),
      [3000, 3000],
    );
  });

  it('gives a job up after five times, and remembers no failure', async (t) => {
    const batch = new BatchBench(t);
    const { host } = shortHost(5);
    const results = await batch.run(['a', 'b'], { session: batch.session(host), jobs: 1 });
    assert.deepEqual(outcomes(results), ['environment', 'compiled']);
    assert.deepEqual(outcomes(await batch.run(['a'])), ['compiled']);
  });
});

describe('counters of a batch', () => {
  it('are written every ten seconds', async (t) => {
    const clock = new FakeClock();
    const batch = new BatchBench(t);
    const session = batch.session(fakeHost({ clock }));
    const seen: (number | undefined)[] = [];
    await batch.run(['a', 'b', 'c'], {
      session,
      jobs: 1,
      onResult: () => {
        clock.advance(10_000);
        seen.push(session.states()[0]?.readCounters()?.values.get('lookups'));
      },
    });
    assert.deepEqual(seen, [undefined, 1, 2]);
    assert.equal(session.states()[0]?.readCounters()?.values.get('lookups'), 3);
  });
});
