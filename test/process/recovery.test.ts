import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { CompileRequest, CompileResult } from '../../src/index.js';
import { eventually } from '../support/eventually.js';
import { findTool, has } from '../support/tools.js';
import { Workbench, type Ended } from '../support/workbench.js';

const KILLS = 50;
const INPUT = 'what is compiled';
/** Prints, writes two outputs, and lists what it read: every part of the home has a file of it afterwards. */
const SCRIPT = 'echo said\necho "one: dep.txt" > "$4"\ncat "$1" dep.txt > "$2"\ncat "$1" > "$3"';
const COMMAND = ['./tool', '{input}', '{output:1}', '{output:2}', '{depfile}'] as const;

function prepare(t: TestContext): Workbench {
  const bench = Workbench.make(t);
  bench.write('in.txt', INPUT);
  bench.write('dep.txt', ' and more');
  bench.script('tool', SCRIPT);
  return bench;
}

/** One compilation by its key; every other one has its outputs at their real places. */
class Victim {
  readonly bench: Workbench;
  readonly key: string;
  readonly relocatable: boolean;

  constructor(bench: Workbench, key: string, relocatable: boolean) {
    this.bench = bench;
    this.key = key;
    this.relocatable = relocatable;
  }

  get words(): readonly string[] {
    const flags = this.relocatable ? ['--relocatable'] : [];
    return [
      'compile',
      '-q',
      '--key',
      this.key,
      ...flags,
      'in.txt',
      '-o',
      'one',
      '-o',
      'two',
      '--',
      ...COMMAND,
    ];
  }

  get #request(): CompileRequest {
    return this.bench.request({
      inputs: ['in.txt'],
      outputs: ['one', 'two'],
      keys: [this.key],
      relocatable: this.relocatable,
      command: COMMAND,
    });
  }

  /** What every crash must leave behind: no damage, and a home in which the next call finds or makes the artifact. */
  async assertRecovers(what: string): Promise<void> {
    const { bench } = this;
    if (existsSync(bench.root)) {
      const cache = bench.open();
      const report = await cache.verify();
      await cache.close();
      assert.deepEqual(report.problems, [], what);
    }
    for (const outcome of [null, 'disk']) {
      for (const name of ['one', 'two']) rmSync(bench.path(name), { force: true });
      const result = await this.#compile();
      assert.deepEqual([result.exitCode, result.notStored, result.error], [0, null, null], what);
      if (outcome !== null) assert.equal(result.outcome, outcome, what);
      assert.equal(Buffer.from(result.stdout).toString('utf8'), 'said\n', what);
      assert.equal(bench.text('one'), `${INPUT} and more`, what);
      assert.equal(bench.text('two'), INPUT, what);
    }
    this.#assertNoLitter(what);
  }

  async #compile(): Promise<CompileResult> {
    const cache = this.bench.open();
    try {
      // A lock that stays would be a failure, not a wait.
      return await cache.compile(this.#request, { lockTimeoutMs: 60_000 });
    } finally {
      assert.deepEqual(cache.troubles(), []);
      await cache.close();
    }
  }

  #assertNoLitter(what: string): void {
    const { bench } = this;
    assert.deepEqual(bench.topLevel().toSorted(), ['.vyre-cache', 'CACHEDIR.TAG', 'pipelines'], what);
    const names = readdirSync(join(bench.root, 'pipelines'));
    const expected = bench.entries().flatMap((entry) => [`${entry}.bin`, `${entry}.json`]);
    assert.deepEqual(names.toSorted(), expected.toSorted(), what);
    assert.deepEqual(bench.processes(), [], what);
  }
}

describe('after SIGKILL of vyre-cache', () => {
  it(`at ${KILLS} random moments the next call works, and nothing stays behind`, async (t) => {
    const bench = prepare(t);
    const startMs = performance.now();
    const whole = await bench.run(new Victim(bench, 'whole', true).words);
    const spanMs = performance.now() - startMs;
    assert.equal(whole.status, 0, whole.stderr.toString('utf8'));
    let killed = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const victim = new Victim(bench, String(kill), kill % 2 === 0);
      const delayMs = Math.random() * spanMs;
      const running = bench.start(victim.words);
      const timer = setTimeout(() => running.kill('SIGKILL'), delayMs);
      const ended = await running.ended;
      clearTimeout(timer);
      if (ended.signal === 'SIGKILL') killed += 1;
      await victim.assertRecovers(`killed after ${delayMs.toFixed(1)} of ${spanMs.toFixed(0)} ms`);
    }
    assert.ok(killed > 0);
    t.diagnostic(`${killed} of ${KILLS} were killed before they ended`);
  });

  it('while its compiler works at the real places, the orphan writes nothing afterwards', async (t) => {
    const bench = Workbench.make(t);
    bench.write('in.txt', INPUT);
    bench.script(
      'tool',
      '[ -e second ] && exec cp "$1" "$2"\necho $$ > started\nwhile [ ! -e go ]; do sleep 0.02; done\necho late > "$2"',
    );
    const words = ['compile', '-q', 'in.txt', '-o', 'out.txt', '--', './tool', '{input}', '{output}'];
    const running = bench.start(words);
    await eventually('the compiler runs', () => bench.lines('started') === 1);
    running.kill('SIGKILL');
    await running.ended;
    bench.write('second', '');
    assert.equal((await bench.run(words)).status, 0);
    bench.write('go', '');
    assert.deepEqual(bench.processes(), []);
    assert.equal(bench.text('out.txt'), INPUT);
    assert.deepEqual(bench.workers(), []);
  });
});

/** The system calls that change what others see. */
const STEPS = ['rename', 'mkdir', 'unlink', 'rmdir', 'pwrite64', 'write'];

/** Runs a call that is killed when it makes its Nth call of `step`. */
async function runKilled(
  bench: Workbench,
  words: readonly string[],
  step: string,
  number: number,
): Promise<Ended> {
  const inject = ['-e', `trace=${step}`, '-e', `inject=${step}:signal=KILL:when=${number}`];
  const strace = [findTool('strace') ?? '', '-qq', '-o', '/dev/null', ...inject];
  return bench.spawn('sh', ['-c', `exec ${strace.join(' ')} ${bench.commandLine(words)}`]).ended;
}

function mayTrace(t: TestContext): boolean {
  if (!has(t, 'strace')) return false;
  if (spawnSync(findTool('strace') ?? '', ['-qq', '-o', '/dev/null', 'true']).status === 0) return true;
  t.skip('strace may not trace here (ptrace is not permitted)');
  return false;
}

describe('after a SIGKILL at the Nth system call', () => {
  for (const step of STEPS) {
    it(`${step}, for every N, the next call works, and nothing stays behind`, async (t) => {
      if (!mayTrace(t)) return;
      let number = 1;
      for (; ; number += 1) {
        const bench = prepare(t);
        const victim = new Victim(bench, 'victim', number % 2 === 0);
        const ended = await runKilled(bench, victim.words, step, number);
        if (ended.signal === null) {
          assert.equal(ended.status, 0, ended.stderr.toString('utf8'));
          break;
        }
        assert.equal(ended.signal, 'SIGKILL');
        await victim.assertRecovers(`killed at ${step} number ${number}`);
      }
      assert.ok(number > 1, `expected calls of ${step}`);
    });
  }

  it('rename of a refresh that brings other bytes, what is delivered belongs together', async (t) => {
    if (!mayTrace(t)) return;
    const words = [
      'compile',
      '-q',
      '--relocatable',
      'in.txt',
      '-o',
      'one',
      '-o',
      'two',
      '--',
      ...COMMAND.slice(0, 4),
    ];
    for (let number = 1; ; number += 1) {
      const bench = prepare(t);
      bench.script('tool', 'echo run >> runs\nwc -l < runs > "$2"\nwc -l < runs > "$3"\nwc -l < runs');
      assert.equal((await bench.run(words)).status, 0);
      const killed = await runKilled(
        bench,
        [...words.slice(0, 1), '--refresh', ...words.slice(1)],
        'rename',
        number,
      );
      if (killed.signal === null) break;
      for (const runs of [3, 3]) {
        const ended = await bench.run(words);
        assert.equal(ended.status, 0);
        const said = ended.stdout.toString('utf8');
        assert.deepEqual(
          [bench.text('one'), bench.text('two')],
          [said, said],
          `killed at rename number ${number}`,
        );
        assert.ok(Number(said) <= runs);
      }
      assert.ok(bench.lines('runs') <= 3, 'expected at most one compilation after the crash');
      assert.equal(await bench.verified(), 1);
      assert.deepEqual(bench.workers(), []);
    }
  });
});
