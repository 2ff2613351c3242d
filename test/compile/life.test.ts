import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { compile, compilePlan } from '../../src/compile/compile.js';
import { fingerprintOfRequest } from '../../src/compile/fingerprint-request.js';
import { makePlan } from '../../src/compile/plan.js';
import type { CompileOptions, CompileRequest, CompileResult } from '../../src/compile/request.js';
import type { CacheSession } from '../../src/compile/session.js';
import { systemFiles, type Files } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { noLocks } from '../../src/host/locks.js';
import type { CounterName } from '../../src/model/counters.js';
import { isFingerprint } from '../../src/model/fingerprint.js';
import { ACTIVE_VARIABLE } from '../../src/model/lifecycle.js';
import { activeMark } from '../../src/store/worker-directory.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { COMPILE } from '../support/compile-options.js';
import { eventually } from '../support/eventually.js';
import { errnoError, failingFiles, fakeHost } from '../support/fake-host.js';
import { GATE } from '../support/gate.js';
import { sessionOf } from '../support/homes.js';
import { Workbench } from '../support/workbench.js';
import { ownerOf, placeWorker } from '../support/workers.js';

const COPY = 'cp "$1" "$2"';
const PATIENT_COPY = `${GATE}\n${COPY}`;
/** One more than a session of the tests stores. */
const TOO_LARGE = 'head -c 1000001 /dev/zero > "$2"';
const NEARLY_FULL_BYTES = 16_777_216;

/** A project whose compiler is a script of `$1`, its input, and `$2`, its output. Each run adds a line to `runs`. */
class Life {
  readonly bench: Workbench;
  readonly notes: string[] = [];
  readonly #t: TestContext;

  constructor(t: TestContext, script: string) {
    this.#t = t;
    this.bench = Workbench.make(t);
    this.bench.write('in.txt', 'abc');
    this.script(script);
  }

  script(lines: string): void {
    this.bench.script('tool', `echo run >> runs\n${lines}`);
  }

  get runs(): number {
    return this.bench.lines('runs');
  }

  session(host: Partial<Host> = {}): CacheSession {
    const session = sessionOf(this.#t, this.bench.root, { host: fakeHost(host) });
    session.onNote = (line) => this.notes.push(line);
    return session;
  }

  request(changed: Partial<CompileRequest> = {}): CompileRequest {
    return this.bench.request({
      inputs: ['in.txt'],
      outputs: ['out.txt'],
      command: ['./tool', '{input}', '{output}'],
      compilerVersion: 'echo 1',
      relocatable: true,
      ...changed,
    });
  }

  async compile(
    options: Partial<CompileOptions> = {},
    { session = this.session(), request = this.request() } = {},
  ): Promise<CompileResult> {
    return compile(session, request, { ...COMPILE, ...options });
  }

  async fingerprint(): Promise<string> {
    const { fingerprint } = await fingerprintOfRequest(this.session(), this.request(), COMPILE);
    return fingerprint;
  }

  /**
   * Starts one caller, then, once its compiler runs, another one in a session of its own; opens the gate for both once the
   * second one waits, or has given that up with a compiler of its own.
   */
  async two(
    first: Partial<CompileOptions>,
    second: Partial<CompileOptions> & { readonly session?: CacheSession },
  ): Promise<readonly [CompileResult, CompileResult]> {
    const one = this.compile(first);
    await eventually('the first one compiles', () => this.bench.lines('started') === 1);
    const { session = this.session(), ...options } = second;
    let isWaiting = false;
    const onWaiting: CompileOptions['onWaiting'] = (waiting) => {
      isWaiting = true;
      options.onWaiting?.(waiting);
    };
    const other = this.compile({ ...options, onWaiting }, { session });
    const compilers = options.lockTimeoutMs === undefined ? 1 : 2;
    await eventually(
      'the second one waits, or compiles',
      () => isWaiting && this.bench.lines('started') === compilers,
    );
    this.bench.write('go', '');
    return Promise.all([one, other]);
  }
}

function whatOf({ outcome, reason, notStored, exitCode }: CompileResult): readonly unknown[] {
  return [outcome, reason, notStored, exitCode];
}

function counted(session: CacheSession, name: CounterName): number {
  return session.tally.values.get(name) ?? 0;
}

describe('an artifact that was not served', () => {
  it('is compiled where there was none, and is a hit from then on', async (t) => {
    const life = new Life(t, COPY);
    assert.deepEqual(whatOf(await life.compile()), ['compiled', 'empty-cache', null, 0]);
    assert.deepEqual(whatOf(await life.compile()), ['disk', null, null, 0]);
    assert.deepEqual([life.runs, life.bench.workers()], [1, []]);
  });

  for (const [reason, damage] of [
    ['truncated', (entry: string) => truncateSync(entry, 5)],
    ['bad-checksum', (entry: string) => writeFileSync(entry, Buffer.alloc(64, 1))],
    ['no-record', (_: string, record: string) => rmSync(record)],
  ] as const) {
    it(`is compiled again where it was ${reason}, and is a hit from then on`, async (t) => {
      const life = new Life(t, COPY);
      const { fingerprint } = await life.compile();
      damage(life.bench.entryPath(fingerprint ?? ''), life.bench.recordPath(fingerprint ?? ''));
      assert.deepEqual(whatOf(await life.compile()), ['recompiled', reason, null, 0]);
      assert.equal((await life.compile()).outcome, 'disk');
      assert.equal(life.runs, 2);
    });
  }

  it('is compiled again beside the record of a newer version, which stays', async (t) => {
    const life = new Life(t, COPY);
    const { fingerprint } = await life.compile();
    const record = life.bench.recordPath(fingerprint ?? '');
    writeFileSync(record, '{"schema":"vyre-cache.record/2"}');
    assert.deepEqual(whatOf(await life.compile()), ['recompiled', 'newer-format', 'store-failed', 0]);
    assert.equal(readFileSync(record, 'utf8'), '{"schema":"vyre-cache.record/2"}');
  });

  it('is compiled again where the caller asks for it, and replaced', async (t) => {
    const life = new Life(t, COPY);
    await life.compile();
    life.script('echo other > "$2"');
    const request = life.request({ compilerVersion: 'echo 1' });
    const refreshed = await life.compile({ refresh: true }, { session: life.session(), request });
    assert.deepEqual(
      [refreshed.outcome, refreshed.reason, refreshed.notStored],
      ['recompiled', 'refresh', null],
    );
    rmSync(life.bench.path('out.txt'));
    assert.equal((await life.compile()).outcome, 'disk');
    assert.equal(life.bench.text('out.txt'), 'other\n');
  });
});

describe('who waits for a compilation', () => {
  it('is told who compiles and since when, and takes the result', async (t) => {
    const life = new Life(t, PATIENT_COPY);
    const told: unknown[] = [];
    const session = life.session();
    const beforeMs = Date.now();
    const results = await life.two({}, { session, onWaiting: (waiting) => told.push(waiting) });
    const [{ pid, sinceMs }] = told as [{ pid: number; sinceMs: number }];
    assert.equal(pid, process.pid);
    assert.ok(sinceMs >= beforeMs && sinceMs <= Date.now());
    assert.deepEqual(
      results.map(({ outcome }) => outcome),
      ['compiled', 'disk'],
    );
    assert.deepEqual([told.length, life.runs, counted(session, 'waits')], [1, 1, 1]);
  });

  it('compiles for itself when it may wait no longer, and nothing of that is stored', async (t) => {
    const life = new Life(t, PATIENT_COPY);
    const [one, other] = await life.two({}, { lockTimeoutMs: 1 });
    assert.deepEqual(whatOf(one), ['compiled', 'empty-cache', null, 0]);
    assert.deepEqual(whatOf(other), ['compiled', 'empty-cache', 'lock-timeout', 0]);
    assert.equal(life.runs, 2);
  });

  it('ends without a compiler when it is stopped', async (t) => {
    const life = new Life(t, PATIENT_COPY);
    const stop = new AbortController();
    const session = life.session();
    const one = life.compile();
    await eventually('the first one compiles', () => life.bench.lines('started') === 1);
    const other = await life.compile({ signal: stop.signal, onWaiting: () => stop.abort() }, { session });
    assert.deepEqual(whatOf(other), [null, null, null, 143]);
    life.bench.write('go', '');
    assert.equal((await one).outcome, 'compiled');
    assert.deepEqual([other.stdout.byteLength, other.stderr.byteLength, other.fingerprint], [0, 0, null]);
    assert.deepEqual([life.runs, counted(session, 'lookups')], [1, 0]);
  });

  it('compiles for itself where the result cannot be stored, and does not queue up for that', async (t) => {
    const life = new Life(t, `${GATE}\n${TOO_LARGE}`);
    const [one, other] = await life.two({}, {});
    assert.deepEqual(whatOf(one), ['compiled', 'empty-cache', 'payload-too-large', 0]);
    assert.deepEqual(whatOf(other), ['compiled', 'empty-cache', 'store-failed', 0]);
    assert.equal(life.runs, 2);
    // Who comes later does not know better.
    assert.equal((await life.compile()).notStored, 'payload-too-large');
  });

  it('and asks for a refresh compiles under the lock whatever became of the other one', async (t) => {
    const life = new Life(t, `${GATE}\n${TOO_LARGE}`);
    const [, other] = await life.two({}, { refresh: true });
    assert.equal(other.notStored, 'payload-too-large');
    life.script(COPY);
    rmSync(life.bench.path('started'));
    assert.equal((await life.compile({ refresh: true })).notStored, null);
  });

  it('compiles for itself where the compiler has failed, and tells that it failed', async (t) => {
    const life = new Life(t, `${GATE}\nexit 7`);
    const [one, other] = await life.two({}, {});
    assert.deepEqual(whatOf(one), ['failed', 'empty-cache', null, 7]);
    assert.deepEqual(whatOf(other), ['failed', 'empty-cache', 'store-failed', 7]);
    assert.equal(life.runs, 2);
  });

  for (const [name, first] of [
    ['a limit of the other one ended it', () => ({ timeoutMs: 500 })],
    ['the other one was stopped', () => ({ signal: AbortSignal.timeout(500) })],
  ] as const) {
    it(`compiles and stores where ${name}`, async (t) => {
      const life = new Life(t, `echo $$ >> started\n[ -e first ] && ${COPY} && exit\ntouch first\nsleep 600`);
      const one = life.compile(first());
      await eventually('the first one compiles', () => life.bench.lines('started') === 1);
      assert.deepEqual(whatOf(await life.compile()), ['compiled', 'empty-cache', null, 0]);
      assert.notEqual((await one).exitCode, 0);
      assert.deepEqual([life.runs, (await life.compile()).outcome], [2, 'disk']);
    });
  }

  it('tries for itself where an input changed while the other one compiled', async (t) => {
    const life = new Life(t, `${GATE}\necho more >> "$1"\n${COPY}`);
    const results = await life.two({}, {});
    assert.deepEqual(
      results.map(({ notStored }) => notStored),
      ['input-changed', 'input-changed'],
    );
  });

  it('gets the failure that the other one has remembered', async (t) => {
    const life = new Life(t, '');
    life.bench.script(
      'wat2wasm',
      `[ "$1" = --version ] && echo 1.0 && exit\n${GATE}\necho nonsense >&2\nexit 1`,
    );
    const request = life.request({
      command: ['./wat2wasm', '{input}', '-o', '{output}'],
      compilerVersion: null,
    });
    const one = life.compile({}, { request });
    await eventually('the first one compiles', () => life.bench.lines('started') === 1);
    let isWaiting = false;
    const session = life.session();
    const other = life.compile({ onWaiting: () => (isWaiting = true) }, { session, request });
    await eventually('the second one waits', () => isWaiting);
    life.bench.write('go', '');
    assert.deepEqual(whatOf(await one), ['failed', 'empty-cache', null, 1]);
    assert.deepEqual(whatOf(await other), ['remembered-failure', 'remembered-failure', null, 1]);
    assert.deepEqual([life.bench.lines('started'), counted(session, 'waits')], [1, 1]);
  });
});

describe('how far a caller goes', () => {
  const effortOf = async (life: Life, effort: 'look' | 'try', changed: Partial<CompileOptions> = {}) => {
    const session = life.session();
    const produced = await compilePlan(session, makePlan(session.host, life.request()), {
      ...COMPILE,
      ...changed,
      effort,
    });
    return 'deferred' in produced ? 'deferred' : produced.outcome;
  };

  it('who only looks takes what is there and runs nothing', async (t) => {
    const life = new Life(t, COPY);
    assert.equal(await effortOf(life, 'look'), 'deferred');
    assert.equal(life.runs, 0);
    await life.compile();
    assert.equal(await effortOf(life, 'look'), 'disk');
    assert.equal(await effortOf(life, 'look', { refresh: true }), 'deferred');
    assert.equal(life.runs, 1);
  });

  it('who tries compiles unless somebody else does', async (t) => {
    const life = new Life(t, PATIENT_COPY);
    const one = life.compile();
    await eventually('it compiles', () => life.bench.lines('started') === 1);
    assert.equal(await effortOf(life, 'try'), 'deferred');
    life.bench.write('go', '');
    await one;
    assert.equal(await effortOf(life, 'try'), 'disk');
    rmSync(join(life.bench.root, 'pipelines'), { recursive: true });
    assert.equal(await effortOf(life, 'try'), 'compiled');
    assert.equal(life.runs, 2);
  });
});

describe('what a dead process has left', () => {
  /** A worker directory that nobody owns any more, with a process that was started for it. */
  function leaveBehind(life: Life, fingerprint: string, random: string): ReturnType<typeof spawn> {
    assert.ok(isFingerprint(fingerprint));
    const { host, paths } = life.session();
    placeWorker(paths, random, `${JSON.stringify({ ...ownerOf(host), fingerprint })}\n`);
    const mark = activeMark(fingerprint, random);
    return spawn('sleep', ['600'], { env: { ...life.bench.environment, [ACTIVE_VARIABLE]: mark } });
  }

  it('of the same artifact is ended and removed before the compiler runs', async (t) => {
    const life = new Life(t, 'ls -d "$3"/worker-dir-* > seen\ncp "$1" "$2"');
    const { root } = life.bench;
    const request = life.request({ command: ['./tool', '{input}', '{output}', root] });
    await life.compile({ refresh: true }, { request });
    const [own] = life.bench.entries();
    const child = leaveBehind(life, own ?? '', 'dead');
    const other = leaveBehind(life, fingerprintFrom('b'), 'other');
    const ended = once(child, 'exit');
    await life.compile({ refresh: true }, { session: life.session(), request });
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.equal(life.bench.text('seen').includes('dead'), false);
    // Nothing of another artifact reaches the worker directory of this one.
    assert.deepEqual(life.bench.workers(), ['worker-dir-prepare-other']);
    assert.equal(other.exitCode ?? other.signalCode, null);
  });

  it('is ended and removed, whatever it made, where outputs are written at their real places', async (t) => {
    const life = new Life(t, COPY);
    const request = life.request({ relocatable: false });
    await life.compile({}, { request });
    const child = leaveBehind(life, fingerprintFrom('b'), 'other');
    const ended = once(child, 'exit');
    const compiled = await life.compile({ refresh: true }, { session: life.session(), request });
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.deepEqual([compiled.notStored, life.bench.workers()], [null, []]);
  });

  for (const [name, released, sleeps, left] of [
    ['is looked at again while somebody else holds it', 2, 2, []],
    ['stays where somebody holds it all the time', null, 4, ['worker-dir-prepare-dead']],
  ] as const) {
    it(name, async (t) => {
      const life = new Life(t, COPY);
      await life.compile();
      const child = leaveBehind(life, life.bench.entries()[0] ?? '', 'dead');
      const { host, paths } = life.session();
      const fd = systemFiles.open(join(paths.workerDirectory('dead'), 'owner'), 'readWrite');
      assert.ok(host.locks.tryLock(fd, { offset: 0, length: 1 }));
      let looks = 0;
      const sleep = async (ms: number): Promise<void> => {
        if (ms === 10 && life.runs === 1 && (looks += 1) === released) systemFiles.close(fd);
        await host.clock.sleep(ms);
      };
      const clock: Host['clock'] = {
        nowMs: () => host.clock.nowMs(),
        monotonicMs: () => host.clock.monotonicMs(),
        breathe: async () => host.clock.breathe(),
        sleep,
      };
      const compiled = await life.compile(
        { refresh: true },
        { session: life.session({ clock }), request: life.request() },
      );
      assert.deepEqual(whatOf(compiled), ['recompiled', 'refresh', null, 0]);
      assert.deepEqual([looks, life.bench.workers()], [sleeps, left]);
      if (released === null) systemFiles.close(fd);
      child.kill('SIGKILL');
    });
  }
});

describe('a home that fails underway', () => {
  const failing = async (life: Life, files: Partial<Files>, options: Partial<CompileOptions> = {}) => {
    const session = life.session({ files: failingFiles(files) });
    const result = await life.compile(options, { session, request: life.request() });
    return { result, session, troubles: session.troubles.map(({ kind }) => kind) };
  };

  it('has the compiler run without it, counted and told', async (t) => {
    const life = new Life(t, COPY);
    const { result, session } = await failing(life, {
      makeDirectory: (path) => {
        if (path.includes('/new/')) throw errnoError('ENOSPC');
        systemFiles.makeDirectory(path);
      },
    });
    assert.deepEqual(whatOf(result), [null, null, null, 0]);
    assert.deepEqual([life.bench.text('out.txt'), life.runs], ['abc', 1]);
    assert.deepEqual(session.troubles, [
      {
        kind: 'no-space',
        message: `the cache at "${life.bench.root}" cannot be used (ENOSPC); compiled without the cache`,
      },
    ]);
    assert.deepEqual([counted(session, 'degraded'), counted(session, 'lookups')], [1, 0]);
  });

  it('by a bug of ours is no trouble of the home', async (t) => {
    const life = new Life(t, COPY);
    const makeDirectory = (path: string): void => {
      if (path.includes('/new/')) throw new Error('a bug');
      systemFiles.makeDirectory(path);
    };
    await assert.rejects(failing(life, { makeDirectory }), { message: 'a bug' });
    assert.equal(life.runs, 0);
  });

  it('because the compiler removed it has the compiler run again without it, and said once', async (t) => {
    const life = new Life(t, '');
    life.script(
      `head -c 300000 /dev/zero\nrm -rf '${life.bench.root}'\n[ -e "$2" ] || ${COPY} 2> /dev/null || exit 0`,
    );
    let heard = 0;
    const { result, troubles } = await failing(
      life,
      {},
      { onOverflow: (_, { byteLength }) => void (heard += byteLength) },
    );
    assert.deepEqual([result.exitCode, result.outcome, troubles], [0, null, ['io-error']]);
    assert.deepEqual([life.bench.text('out.txt'), life.runs, heard], ['abc', 2, 300_000]);
  });

  const full = (freeBytes: number): Partial<Files> => ({
    space: (path) => ({ ...systemFiles.space(path), freeBytes }),
  });
  for (const [name, script, files, runs, exitCode, troubles] of [
    [
      'a failure just below 16 MiB of space is tried without the cache',
      'exit 7',
      full(NEARLY_FULL_BYTES - 1),
      2,
      7,
      ['no-space'],
    ],
    ['a failure with 16 MiB of space is the user’s', 'exit 7', full(NEARLY_FULL_BYTES), 1, 7, []],
    ['success with no space at all is success', COPY, full(0), 1, 0, []],
    ['an end by a limit needs no space', 'sleep 600', full(0), 1, 124, []],
    [
      'a failure where the space is not known is the user’s',
      'exit 7',
      {
        space: () => {
          throw errnoError('ENOSYS');
        },
      },
      1,
      7,
      [],
    ],
  ] as const) {
    it(name, async (t) => {
      const life = new Life(t, script);
      const timeoutMs = exitCode === 124 ? 300 : null;
      const { result, troubles: kinds } = await failing(life, files, { timeoutMs });
      assert.deepEqual([result.exitCode, life.runs, kinds], [exitCode, runs, troubles]);
    });
  }

  it('does not hide a bug behind the space that is left', async (t) => {
    const space = (): never => {
      throw new Error('a bug');
    };
    await assert.rejects(failing(new Life(t, 'exit 7'), { space }), { message: 'a bug' });
  });
});

describe('a result that is not for others', () => {
  it('because it tells where it was made is made again at its place, there at once the next time', async (t) => {
    const life = new Life(t, 'printf %s "$2" > "$2"');
    assert.deepEqual(whatOf(await life.compile()), ['compiled', 'empty-cache', 'embeds-path', 0]);
    assert.deepEqual([life.bench.text('out.txt'), life.runs, life.bench.entries()], ['out.txt', 2, []]);
    assert.deepEqual(whatOf(await life.compile()), [null, null, 'embeds-path', 0]);
    assert.equal(life.runs, 3);
  });

  it('and failed, with words that tell where, is the bare command’s failure', async (t) => {
    const life = new Life(t, 'echo "$2" >&2\nexit 7');
    const failed = await life.compile();
    assert.deepEqual(whatOf(failed), ['failed', 'empty-cache', 'embeds-path', 7]);
    assert.deepEqual([Buffer.from(failed.stderr).toString('utf8'), life.runs], ['out.txt\n', 2]);
    // The failure may have another cause the next time.
    assert.equal((await life.compile()).outcome, 'failed');
  });

  it('but was ended by a limit is not made again, whatever it tells', async (t) => {
    const life = new Life(t, 'echo "$2" >&2\nsleep 600');
    assert.deepEqual(whatOf(await life.compile({ timeoutMs: 300 })), ['failed', 'empty-cache', null, 124]);
    assert.equal(life.runs, 1);
  });

  it('because it is no regular file is made again at its place', async (t) => {
    const life = new Life(t, 'ln -s "$1" "$2"');
    assert.deepEqual(whatOf(await life.compile()), ['compiled', 'empty-cache', 'irregular-output', 0]);
    assert.deepEqual([readlinkSync(life.bench.path('out.txt')), life.runs], ['in.txt', 2]);
  });

  it('because it was made at its place already and is no regular file stays as it is', async (t) => {
    const life = new Life(t, 'ln -s "$1" "$2"');
    const made = await life.compile(
      {},
      { session: life.session(), request: life.request({ relocatable: false }) },
    );
    assert.deepEqual(whatOf(made), ['compiled', 'empty-cache', 'irregular-output', 0]);
    assert.equal(life.runs, 1);
  });

  it('because there is none is not made again', async (t) => {
    const life = new Life(t, 'true');
    assert.deepEqual(whatOf(await life.compile()), ['compiled', 'empty-cache', 'irregular-output', 0]);
    assert.deepEqual([life.runs, existsSync(life.bench.path('out.txt'))], [1, false]);
  });

  for (const listens of [true, false]) {
    it(`is heard once by who ${listens ? 'listens' : 'reads it at the end'}`, async (t) => {
      const life = new Life(t, 'head -c 300000 /dev/zero\nprintf %s "$2" > "$2"');
      let heard = 0;
      const onOverflow = (_: string, { byteLength }: Uint8Array): void => void (heard += byteLength);
      const result = await life.compile(listens ? { onOverflow } : {});
      assert.deepEqual(
        [result.notStored, life.runs, heard + result.stdout.byteLength],
        ['embeds-path', 2, 300_000],
      );
    });
  }
});

describe('an output that we cannot put into its place', () => {
  const isOutput = (path: string): boolean => path.endsWith('/out.txt');
  const refusing = (): Files =>
    failingFiles({
      rename: (from, to) => {
        if (isOutput(to)) throw errnoError('EIO');
        systemFiles.rename(from, to);
      },
    });

  it('of a hit is written by the compiler, with its words and status', async (t) => {
    const life = new Life(t, `${COPY}; echo heard`);
    await life.compile();
    rmSync(life.bench.path('out.txt'));
    const session = life.session({ files: refusing() });
    const result = await life.compile({}, { session });
    assert.deepEqual(whatOf(result), [null, null, null, 0]);
    assert.equal(Buffer.from(result.stdout).toString(), 'heard\n');
    assert.deepEqual([life.runs, life.bench.read('out.txt').toString()], [2, 'abc']);
    assert.deepEqual([counted(session, 'lookups'), counted(session, 'hits')], [1, 1]);
    assert.match(
      life.notes.join('\n'),
      /out\.txt" cannot be written \(EIO\); the compiler runs and writes it itself/,
    );
    assert.deepEqual(whatOf(await life.compile()), ['disk', null, null, 0]);
  });

  it('of a miss is written by the compiler as well, and is a hit from then on', async (t) => {
    const life = new Life(t, COPY);
    const result = await life.compile({}, { session: life.session({ files: refusing() }) });
    assert.deepEqual([result.exitCode, result.error, life.runs], [0, null, 2]);
    assert.equal(life.bench.read('out.txt').toString(), 'abc');
    assert.equal((await life.compile()).outcome, 'disk');
  });

  it('and is too large to be kept is written by the compiler, which is heard once', async (t) => {
    const life = new Life(t, `${TOO_LARGE}; echo heard`);
    const result = await life.compile({}, { session: life.session({ files: refusing() }) });
    assert.deepEqual([result.exitCode, result.error, life.runs], [0, null, 2]);
    assert.equal(Buffer.from(result.stdout).toString(), 'heard\n');
    assert.equal(statSync(life.bench.path('out.txt')).size, 1_000_001);
  });

  it('is told by who only looks to nobody: who compiles sees it', async (t) => {
    const life = new Life(t, COPY);
    await life.compile();
    rmSync(life.bench.path('out.txt'));
    const session = life.session({ files: refusing() });
    const plan = makePlan(session.host, life.request());
    assert.ok('deferred' in (await compilePlan(session, plan, { ...COMPILE, effort: 'look' })));
    assert.equal(life.runs, 1);
  });

  it('is an error where the caller has stopped', async (t) => {
    const life = new Life(t, COPY);
    await life.compile();
    rmSync(life.bench.path('out.txt'));
    const stop = new AbortController();
    const files = refusing();
    const rename: Files['rename'] = (from, to) => {
      if (isOutput(to)) stop.abort();
      files.rename(from, to);
    };
    const session = life.session({ files: { ...files, rename } });
    await assert.rejects(
      life.compile({ signal: stop.signal }, { session }),
      /out\.txt" cannot be written \(EIO\)/,
    );
    assert.equal(life.runs, 1);
  });

  it('and is a pipe is an error, for a part of it may have been read', async (t) => {
    const life = new Life(t, COPY);
    await life.compile();
    rmSync(life.bench.path('out.txt'));
    spawnSync('mkfifo', [life.bench.path('out.txt')]);
    const open: Files['open'] = (path, ...more) => {
      if (isOutput(path)) throw errnoError('EIO');
      return systemFiles.open(path, ...more);
    };
    const session = life.session({ files: failingFiles({ open }) });
    await assert.rejects(life.compile({}, { session }), /out\.txt" cannot be written \(EIO\)/);
    assert.equal(life.runs, 1);
  });
});

describe('a note', () => {
  it('tells once that processes cannot wait for each other', async (t) => {
    const life = new Life(t, COPY);
    const session = life.session({ locks: noLocks });
    for (const key of ['1', '2']) await life.compile({}, { session, request: life.request({ keys: [key] }) });
    assert.deepEqual(life.notes, [
      'processes that ask for the same artifact at once all compile it: the optional package "fs-native-extensions" is not installed',
    ]);
  });

  it('tells what is not known of a compiler, unless its files are named', async (t) => {
    const life = new Life(t, COPY);
    const unknown = { compilerVersion: null };
    life.bench.write('dep.txt', '');
    await life.compile(
      {},
      { session: life.session(), request: life.request({ ...unknown, deps: ['dep.txt'] }) },
    );
    assert.deepEqual(life.notes, []);
    await life.compile({}, { session: life.session(), request: life.request(unknown) });
    assert.equal(life.notes.length, 1);
  });
});

it('a hit leaves a sign of its use', async (t) => {
  const life = new Life(t, COPY);
  const { fingerprint } = await life.compile();
  const { host } = life.session();
  const laterMs = Date.now() + 3_600_000;
  const clock: Host['clock'] = { ...host.clock, nowMs: () => laterMs, monotonicMs: () => 0 };
  const session = life.session({ clock: Object.setPrototypeOf(clock, host.clock) as Host['clock'] });
  assert.equal((await life.compile({}, { session, request: life.request() })).outcome, 'disk');
  const { mtimeMs } = statSync(life.bench.entryPath(fingerprint ?? ''));
  assert.ok(mtimeMs > Date.now());
});
