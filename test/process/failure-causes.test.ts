import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { CompileResult } from '../../src/index.js';
import type { Failure } from '../../src/model/failure.js';
import { eventually } from '../support/eventually.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { GATE } from '../support/gate.js';
import { withScript } from '../support/known-compiler.js';
import { has } from '../support/tools.js';
import { Workbench } from '../support/workbench.js';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

const COMMAND = ['./wat2wasm', '{input}', '-o', '{output}'] as const;
const CALL = ['in.wat', '-o', 'out.wasm', '--', ...COMMAND] as const;
/** With an argument that is not known, outputs are made at their real places. */
const IN_PLACE = ['in.wat', '-o', 'out.wasm', '--', ...COMMAND, '--strange'] as const;

/** The failures that the store remembers. */
function remembered(bench: Workbench): readonly Failure[] {
  const folder = join(bench.root, 'pipelines');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  return names.flatMap((name) => {
    const { failure } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as {
      readonly failure: Failure | null;
    };
    return failure === null ? [] : [failure];
  });
}

function kinds(bench: Workbench): readonly string[] {
  return remembered(bench).map(({ kind }) => kind);
}

/** A source that keeps the optimiser busy and the preprocessor not. */
function slowSource(functions: number): string {
  const body = Array.from(
    { length: 40 },
    (_, index) => `  x = x * ${index + 3} + (x >> ${(index % 7) + 1});`,
  ).join('\n');
  const one = (index: number): string => `unsigned f${index}(unsigned x) {\n${body}\n  return x;\n}\n`;
  return `#include "h.h"\n${Array.from({ length: functions }, (_, index) => one(index)).join('')}`;
}

const GCC = ['a.c', '-o', 'a.o', '--', 'gcc', '-O2', '-c', '{input}', '-o', '{output}'] as const;

/** The process of this bench that runs a program of this name. */
function processNamed(bench: Workbench, name: string): number | null {
  const found = bench.processes().find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name;
    } catch {
      return false;
    }
  });
  return found ?? null;
}

describe('a failure is transient', () => {
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    it(`when ${signal} ended cc1 and gcc itself ended with 1`, async (t) => {
      if (!has(t, 'gcc')) return;
      const bench = Workbench.make(t);
      bench.write('h.h', '');
      bench.write('a.c', slowSource(4000));
      const running = bench.start(['compile', ...GCC]);
      process.kill(await eventually('cc1 runs', () => processNamed(bench, 'cc1')), signal);
      assert.equal((await running.ended).status, 1);
      assert.deepEqual(kinds(bench), ['transient']);
      const again = await bench.compile(GCC);
      assert.deepEqual([again.outcome, again.exitCode], ['remembered-failure', 1]);
      assert.match(again.stderr, /signal terminated program cc1/);
      bench.write('h.h', '#error changed\n');
      assert.equal((await bench.compile(GCC)).outcome, 'failed');
    });
  }

  it('when a signal ended a program that nvcc started', async (t) => {
    if (!has(t, 'nvcc')) return;
    const bench = Workbench.make(t);
    bench.write('h.h', '');
    const lines = Array.from(
      { length: 6000 },
      (_, index) => `  x = x * ${index + 3} + (x >> ${(index % 7) + 1});`,
    );
    bench.write(
      'a.cu',
      `#include "h.h"\n__global__ void f(unsigned *a) {\n  unsigned x = *a;\n${lines.join('\n')}\n  *a = x;\n}\n`,
    );
    const call = ['a.cu', '-o', 'a.ptx', '--', 'nvcc', '-ptx', '{input}', '-o', '{output}'];
    const running = bench.start(['compile', ...call]);
    process.kill(await eventually('cicc runs', () => processNamed(bench, 'cicc')), 'SIGKILL');
    assert.equal((await running.ended).status, 137);
    assert.deepEqual(kinds(bench), ['transient']);
    const again = await bench.compile(call);
    assert.deepEqual([again.outcome, again.exitCode], ['remembered-failure', 137]);
  });

  for (const [signal, status] of [
    ['KILL', 137],
    ['SEGV', 139],
  ] as const) {
    it(`when SIG${signal} ended the compiler: ${status}`, async (t) => {
      const bench = withScript(t, `echo last words >&2\nkill -${signal} $$`);
      assert.equal((await bench.compile(CALL)).exitCode, status);
      assert.deepEqual(kinds(bench), ['transient']);
      assert.equal(remembered(bench)[0]?.signal, `SIG${signal}`);
      const again = await bench.compile(CALL);
      assert.deepEqual(
        [again.outcome, again.exitCode, bench.lines('runs')],
        ['remembered-failure', status, 1],
      );
      assert.match(again.stderr, /last words\n$/);
    });
  }

  for (const words of [
    'Killed',
    'No space left on device',
    'virtual memory exhausted',
    'Input/output error',
  ]) {
    it(`when the compiler says "${words}"`, async (t) => {
      const bench = withScript(t, `echo 'wat2wasm: ${words}'\nexit 1`);
      await bench.compile(CALL);
      assert.deepEqual(kinds(bench), ['transient']);
    });
  }

  it('of a time limit, for the same or a smaller one', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    bench.write('h.h', '');
    bench.write('a.c', slowSource(20_000));
    const limited = await bench.compile(['--timeout', '2s', ...GCC]);
    assert.deepEqual([limited.outcome, limited.exitCode], ['failed', 124]);
    assert.deepEqual(remembered(bench)[0]?.limit, { kind: 'timeout', value: 2000 });
    for (const timeout of ['2s', '1s']) {
      const again = await bench.compile(['--timeout', timeout, ...GCC]);
      assert.deepEqual([again.outcome, again.exitCode], ['remembered-failure', 124]);
    }
    const longer = await bench.compile(['--timeout', '3s', ...GCC]);
    assert.deepEqual([longer.outcome, longer.exitCode], ['failed', 124]);
    const [failure] = remembered(bench);
    assert.deepEqual([failure?.limit?.value, failure?.count], [3000, 1]);
    assert.equal((await bench.compile(['--timeout', '2s', ...GCC])).outcome, 'remembered-failure');
    assert.deepEqual(bench.workers(), []);
  });

  it('of a memory limit, and a request with a larger one or none compiles', async (t) => {
    const grow =
      'awk \'BEGIN { s = "x"; while (length(s) < 300000000) s = s s; while (1) system("sleep 0.1") }\'';
    const bench = withScript(t, `if [ -e hungry ]; then ${grow}; fi\ncp "$1" "$3"`);
    bench.write('hungry', '');
    const limited = await bench.compile(['--memory', '100M', ...CALL]);
    assert.deepEqual([limited.outcome, limited.exitCode], ['failed', 137]);
    assert.deepEqual(remembered(bench)[0]?.limit, { kind: 'memory', value: 100_000_000 });
    rmSync(bench.path('hungry'));
    for (const memory of ['100M', '50M']) {
      const again = await bench.compile(['--memory', memory, ...CALL]);
      assert.deepEqual([again.outcome, again.exitCode], ['remembered-failure', 137]);
    }
    assert.equal((await bench.compile(['--memory', '101M', ...CALL])).outcome, 'compiled');
    assert.deepEqual(remembered(bench), []);
  });
});

describe('a failure is not remembered', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['that says No such file', 'echo "x: No such file or directory" >&2\nexit 1'],
    ['that says not found, on stdout', 'echo "x not found"\nexit 1'],
    ['that says Permission denied', 'echo "x: Permission denied" >&2\nexit 1'],
    ['that says connect', 'echo "could not connect" >&2\nexit 1'],
    ['of status 126', 'exit 126'],
    ['of status 127', 'exit 127'],
    ['of more words than are kept', 'head -c 262145 /dev/zero >&2\nexit 1'],
    ['that left its output behind', 'printf half > "$3"\nexit 1'],
    ['that left another file behind', 'echo x > "$TMPDIR/core"\nexit 1'],
    ['that left another file behind and says Killed', 'echo x > "$HOME/core"; echo Killed\nexit 1'],
    [
      'that left a child behind',
      'setsid sleep 100 > /dev/null 2>&1 < /dev/null & sleep 200 > /dev/null 2>&1 < /dev/null &\nexit 1',
    ],
    ['whose words tell of the worker directory', 'echo "$TMPDIR" >&2\nexit 1'],
    ['that changed its input', 'echo ";;" >> "$1"\nexit 1'],
    ['that changed its compiler', 'echo "#" >> "$0"\nexit 1'],
  ];
  for (const [name, script] of rows) {
    it(name, async (t) => {
      const bench = withScript(t, script);
      const first = await bench.compile(CALL);
      assert.equal(first.outcome, 'failed');
      assert.deepEqual(remembered(bench), []);
      const runs = bench.lines('runs');
      const second = await bench.compile(CALL);
      assert.deepEqual([second.outcome, second.exitCode], ['failed', first.exitCode]);
      assert.ok(bench.lines('runs') > runs);
    });
  }

  it('of a program that no preset knows', async (t) => {
    const bench = withScript(t, 'exit 1');
    bench.script('tool', 'echo run >> runs\nexit 1');
    const call = [
      '--compiler-version',
      'echo 1',
      'in.wat',
      '-o',
      'out',
      '--',
      './tool',
      '{input}',
      '{output}',
    ];
    await bench.compile(call);
    assert.equal((await bench.compile(call)).outcome, 'failed');
    assert.deepEqual([remembered(bench), bench.lines('runs')], [[], 2]);
  });

  it('of a compiler whose identity is incomplete', async (t) => {
    const bench = Workbench.make(t);
    bench.write('in.wat', '(module)');
    bench.script('wat2wasm', 'echo run >> runs\nexit 1');
    await bench.compile(CALL);
    assert.equal((await bench.compile(CALL)).outcome, 'failed');
    assert.deepEqual(remembered(bench), []);
  });

  it('of a compiler that speaks another language', async (t) => {
    const bench = withScript(t, 'echo kaputt >&2\nexit 1');
    for (const variable of ['LC_ALL=de_DE.UTF-8', 'LANGUAGE=de:en']) {
      await bench.compile(['--env', variable, ...CALL]);
      assert.equal((await bench.compile(['--env', variable, ...CALL])).outcome, 'failed');
    }
    assert.deepEqual(remembered(bench), []);
    await bench.compile(['--env', 'LC_ALL=en_US.UTF-8', ...CALL]);
    assert.deepEqual(kinds(bench), ['deterministic']);
  });

  it('of a call that is not cached', async (t) => {
    const bench = withScript(t, 'exit 1');
    await bench.compile(['--no-cache', ...CALL]);
    assert.deepEqual(remembered(bench), []);
  });

  it('of what we were asked to stop', async (t) => {
    const bench = withScript(t, `${GATE}\nexit 1`);
    const running = bench.start(['compile', ...CALL]);
    await eventually('the compiler runs', () => bench.lines('started') === 1);
    running.kill('SIGTERM');
    assert.equal((await running.ended).signal, 'SIGTERM');
    assert.deepEqual(remembered(bench), []);
  });

  it('of a compilation that shares its output with another one', async (t) => {
    const bench = withScript(t, `${GATE}\nexit 1`);
    bench.write('other.wat', '(module)');
    const one = bench.start(['compile', ...IN_PLACE]);
    await eventually('the first one runs', () => bench.lines('started') === 1);
    const two = bench.start(['compile', 'other.wat', ...IN_PLACE.slice(1)]);
    await eventually('the second one runs', () => bench.lines('started') === 2);
    bench.write('go', '');
    assert.deepEqual([(await one.ended).status, (await two.ended).status], [1, 1]);
    assert.deepEqual(remembered(bench), []);
  });

  it('of gcc, when a header is missing', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    bench.write('a.c', '#include "h.h"\n');
    assert.equal((await bench.compile(GCC)).outcome, 'failed');
    assert.deepEqual(remembered(bench), []);
  });

  for (const [name, source] of [
    ['fails in a file', 'asm(".include \\"part.s\\"");\n'],
    ['may have read a file', 'asm(".incl" "ude \\"part.s\\"");\nint x = ;\n'],
  ] as const) {
    it(`of gcc, when the assembler ${name}`, async (t) => {
      if (!has(t, 'gcc')) return;
      const bench = Workbench.make(t);
      bench.write('a.c', source);
      bench.write('part.s', 'nonsense operand\n');
      assert.equal((await bench.compile(GCC)).outcome, 'failed');
      assert.deepEqual(remembered(bench), []);
    });
  }

  it('of gcc at its first error, when a pragma may change what is included', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    const call = ['a.c', '-o', 'a.o', '--', 'gcc', '-Wfatal-errors', '-c', '{input}', '-o', '{output}'];
    bench.write(
      'a.c',
      '#pragma GCC \\\n target("avx2")\n#ifdef __AVX2__\n#include "h.h"\n#endif\nint x = y;\n',
    );
    bench.write('h.h', '');
    assert.equal((await bench.compile(call)).outcome, 'failed');
    assert.deepEqual(remembered(bench), []);
  });

  it('of a compiler whose stdout is an output', async (t) => {
    const bench = withScript(t, 'echo half\nexit 1');
    const call = [
      'in.wat',
      '-o',
      'out.wasm',
      '--stdout',
      'out.txt',
      '--',
      './wat2wasm',
      '{input}',
      '-o',
      '{output:1}',
    ];
    assert.equal((await bench.compile(call)).outcome, 'failed');
    assert.deepEqual([remembered(bench), bench.text('out.txt')], [[], 'half\n']);
  });

  it('of glslangValidator, when an argument holds a directive', async (t) => {
    if (!has(t, 'glslangValidator')) return;
    const bench = Workbench.make(t);
    bench.write('a.frag', '#version 450\nvoid main() { float z = x; }\n');
    for (const [macro, expected] of [
      ['-DA=1\n#include "part.glsl"', []],
      ['-DA=1', ['deterministic']],
    ] as const) {
      const call = [
        'a.frag',
        '-o',
        'a.spv',
        '--',
        'glslangValidator',
        '-V',
        macro,
        '{input}',
        '-o',
        '{output}',
      ];
      assert.equal((await bench.compile(call)).outcome, 'failed');
      assert.deepEqual(kinds(bench), expected);
    }
  });

  it('of esbuild, when a bundle has followed imports', async (t) => {
    const bench = Workbench.make(t);
    const esbuild = join(import.meta.dirname, '../../node_modules/.bin/esbuild');
    bench.write('a.ts', 'import "./b";');
    bench.write('b.ts', 'let x = ;');
    const call = ['a.ts', '-o', 'a.js', '--', esbuild, '--bundle', '{input}', '--outfile={output}'];
    assert.equal((await bench.compile(call)).outcome, 'failed');
    assert.deepEqual(remembered(bench), []);
  });
});

describe('old outputs', () => {
  it('at their real places are left to a compiler that may remove them', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    bench.write('a.c', 'int x = ;\n');
    const call = ['a.c', '-o', 'a', '--', 'gcc', '-g', '-S', '{input}', '-o', '{output}'];
    await bench.compile(call);
    assert.equal((await bench.compile(call)).outcome, 'remembered-failure');
    bench.write('a', 'old');
    assert.equal((await bench.compile(call)).outcome, 'failed');
    assert.equal(existsSync(bench.path('a')), false);
    assert.equal((await bench.compile(call)).outcome, 'remembered-failure');
  });

  for (const [name, source, command] of [
    [
      'esbuild',
      'a.ts',
      [join(import.meta.dirname, '../../node_modules/.bin/esbuild'), '{input}', '--outfile={output}'],
    ],
    ['nvcc', 'a.cu', ['nvcc', '-ptx', '{input}', '-o', '{output}']],
  ] as const) {
    it(`at their real places stay when ${name} fails`, async (t) => {
      if (name === 'nvcc' && !has(t, name)) return;
      const bench = Workbench.make(t);
      bench.write(source, 'int x = ;\n');
      bench.write('out', 'old');
      const call = [source, '-o', 'out', '--', ...command];
      for (const outcome of ['failed', 'remembered-failure']) {
        assert.equal((await bench.compile(call)).outcome, outcome);
        assert.equal(bench.text('out'), 'old');
      }
    });
  }

  it('stay where the compiler leaves them alone', async (t) => {
    const bench = withScript(t, 'exit 1');
    bench.write('out.wasm', 'old');
    for (const call of [CALL, IN_PLACE]) {
      assert.equal((await bench.compile(call)).outcome, 'failed');
      assert.equal((await bench.compile(call)).outcome, 'remembered-failure');
      assert.equal(bench.text('out.wasm'), 'old');
    }
  });
});

describe('with time', () => {
  /** Compiles with a clock that the test moves, everything else real. */
  function timed(
    t: TestContext,
    script: string,
  ): {
    readonly bench: Workbench;
    readonly clock: FakeClock;
    readonly ask: (flags?: { readonly retryFailed?: boolean }) => Promise<string>;
  } {
    const bench = withScript(t, script);
    const clock = new FakeClock();
    const cache = bench.open({ host: fakeHost({ clock }) });
    t.after(async () => cache.close());
    const request = bench.request({ inputs: ['in.wat'], outputs: ['out.wasm'], command: COMMAND });
    return {
      bench,
      clock,
      ask: async (flags = {}) => {
        const result: CompileResult = await cache.compile(request, flags);
        return `${result.outcome} ${bench.lines('runs')}`;
      },
    };
  }

  it('a transient failure is tried again at 15 minutes, five times, and then not for 7 days', async (t) => {
    const { clock, ask } = timed(t, 'echo Killed >&2\nexit 1');
    for (let attempt = 1; attempt <= 6; attempt += 1) {
      assert.equal(await ask(), `failed ${attempt}`);
      const failedAtMs = clock.nowMs();
      if (attempt === 6) break;
      clock.advance(15 * MINUTE - 1);
      assert.equal(await ask(), `remembered-failure ${attempt}`);
      clock.advance(failedAtMs + 15 * MINUTE - clock.nowMs());
    }
    clock.advance(15 * MINUTE);
    assert.equal(await ask(), 'remembered-failure 6');
    clock.advance(7 * DAY - 15 * MINUTE - 1);
    assert.equal(await ask(), 'remembered-failure 6');
    clock.advance(1);
    assert.equal(await ask(), 'failed 7');
    clock.advance(15 * MINUTE);
    assert.equal(await ask(), 'failed 8');
  });

  it('a deterministic failure is tried again at 24 hours', async (t) => {
    const { clock, ask } = timed(t, 'exit 1');
    assert.equal(await ask(), 'failed 1');
    clock.advance(DAY - 1);
    assert.equal(await ask(), 'remembered-failure 1');
    clock.advance(1);
    assert.equal(await ask(), 'failed 2');
    assert.equal(await ask(), 'remembered-failure 2');
  });

  it('a retry that is asked for counts as an attempt', async (t) => {
    const { clock, ask } = timed(t, 'echo Killed >&2\nexit 1');
    assert.equal(await ask(), 'failed 1');
    for (let attempt = 2; attempt <= 6; attempt += 1) {
      assert.equal(await ask({ retryFailed: true }), `failed ${attempt}`);
    }
    clock.advance(15 * MINUTE);
    assert.equal(await ask(), 'remembered-failure 6');
    assert.equal(await ask({ retryFailed: true }), 'failed 7');
  });

  it('a clock that was ten years ahead holds nobody up', async (t) => {
    const { clock, ask } = timed(t, 'exit 1');
    clock.advance(3650 * DAY);
    assert.equal(await ask(), 'failed 1');
    clock.advance(-3650 * DAY);
    assert.equal(await ask(), 'failed 2');
    assert.equal(await ask(), 'remembered-failure 2');
  });
});

describe('a failure that cannot be written', () => {
  for (const code of ['ENOSPC', 'EIO', 'EROFS', 'EACCES'] as const) {
    it(`(${code}) is the user's all the same, and is counted`, async (t) => {
      const bench = withScript(t, 'echo broken >&2\nexit 4');
      const { rename } = failingFiles({});
      const files = failingFiles({
        rename: (from, to) => {
          if (to.includes('/pipelines/')) throw errnoError(code);
          rename(from, to);
        },
      });
      const cache = bench.open({ host: fakeHost({ files }) });
      const request = bench.request({ inputs: ['in.wat'], outputs: ['out.wasm'], command: COMMAND });
      for (let runs = 1; runs <= 2; runs += 1) {
        const result = await cache.compile(request);
        assert.deepEqual([result.outcome, result.exitCode, bench.lines('runs')], ['failed', 4, runs]);
        assert.equal(Buffer.from(result.stderr).toString('utf8'), 'broken\n');
      }
      assert.equal(cache.troubles().length, 1);
      await cache.close();
      assert.equal((await bench.stats()).counters?.rejectedPuts, 2);
      assert.deepEqual([bench.workers(), remembered(bench)], [[], []]);
    });
  }
});

describe('requests inside one process', () => {
  it('that join a failure get it, and the next one repeats it', async (t) => {
    const bench = withScript(t, `${GATE}\necho broken >&2\nexit 1`);
    const cache = bench.open();
    const request = bench.request({ inputs: ['in.wat'], outputs: ['out.wasm'], command: COMMAND });
    const asked = [cache.compile(request), cache.compile(request), cache.compile(request)];
    await eventually('the compiler runs', () => bench.lines('started') === 1);
    bench.write('go', '');
    const results = await Promise.all(asked);
    for (const { exitCode, stderr } of results) {
      assert.deepEqual([exitCode, Buffer.from(stderr).toString('utf8')], [1, 'broken\n']);
    }
    assert.equal(bench.lines('started'), 1);
    const together = await Promise.all([cache.compile(request), cache.compile(request)]);
    assert.deepEqual(
      together.map(({ outcome, reason }) => [outcome, reason]),
      [
        ['remembered-failure', 'remembered-failure'],
        ['remembered-failure', 'remembered-failure'],
      ],
    );
    await cache.close();
    assert.equal(bench.lines('started'), 1);
    const { counters } = await bench.stats();
    assert.deepEqual([counters?.lookups, counters?.misses], [5, 5]);
  });
});
