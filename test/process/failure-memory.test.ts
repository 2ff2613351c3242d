import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { GATE, hasLockOpen } from '../support/gate.js';
import { withScript } from '../support/known-compiler.js';
import { has, type ToolName } from '../support/tools.js';
import { compiledJob, Workbench, type CompiledJob, type Ended, type Running } from '../support/workbench.js';

const ESBUILD = join(import.meta.dirname, '../../node_modules/.bin/esbuild');
const NOTE =
  /^vyre-cache: failure of .+ ago repeated, the compiler was not run \(use --retry-failed to try again\)\n/;

const GCC = ['a.c', '-o', 'a.o', '--', 'gcc', '-c', '{input}', '-o', '{output}'] as const;

const WAT = ['in.wat', '-o', 'out.wasm', '--', './wat2wasm', '{input}', '-o', '{output}'] as const;

function words(job: CompiledJob): readonly unknown[] {
  return [job.outcome, job.reason, job.exitCode];
}

const REPEATED = ['remembered-failure', 'remembered-failure', 1];

/** The records of the store that have no entry. */
function failures(bench: Workbench): readonly string[] {
  const folder = join(bench.root, 'pipelines');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter(
    (name) => name.endsWith('.json') && !existsSync(join(folder, name.replace('.json', '.bin'))),
  );
}

interface Case {
  readonly tools: readonly ToolName[];
  readonly files: Readonly<Record<string, string>>;
  readonly call: readonly string[];
  /** Part of what the compiler says, and on which stream. */
  readonly says: readonly ['stdout' | 'stderr', RegExp];
}

const SHADER =
  '#version 450\n#extension GL_GOOGLE_include_directive : require\n#include "part.glsl"\nvoid main() { x; }\n';
const KERNEL = '__global__ void f(int *a) { *a = undefined_name; }\n';

const COMPILERS: Readonly<Record<string, Case>> = {
  gcc: {
    tools: ['gcc'],
    files: { 'a.c': 'int x = ;\n' },
    call: GCC,
    says: ['stderr', /expected expression/],
  },
  'gcc, #error': {
    tools: ['gcc'],
    files: { 'a.c': '#error stop\n' },
    call: GCC,
    says: ['stderr', /#error stop/],
  },
  'gcc, which ends at the first error': {
    tools: ['gcc'],
    files: { 'a.c': 'int x = ;\n' },
    call: ['a.c', '-o', 'a.o', '--', 'gcc', '-Wfatal-errors', '-c', '{input}', '-o', '{output}'],
    says: ['stderr', /compilation terminated/],
  },
  'gcc that would link': {
    tools: ['gcc'],
    files: { 'a.c': 'int x = ;\n' },
    call: ['a.c', '-o', 'a', '--', 'gcc', '-g', '{input}', '-o', '{output}'],
    says: ['stderr', /expected expression/],
  },
  'g++': {
    tools: ['g++'],
    files: { 'a.cpp': 'int x = ;\n' },
    call: ['a.cpp', '-o', 'a.o', '--', 'g++', '-c', '{input}', '-o', '{output}'],
    says: ['stderr', /expected primary-expression/],
  },
  wat2wasm: {
    tools: ['wat2wasm'],
    files: { 'a.wat': '(module (func' },
    call: ['a.wat', '-o', 'a.wasm', '--', 'wat2wasm', '{input}', '-o', '{output}'],
    says: ['stderr', /unexpected token/],
  },
  glslangValidator: {
    tools: ['glslangValidator'],
    files: { 'a.frag': SHADER, 'part.glsl': 'float y;\n' },
    call: ['a.frag', '-o', 'a.spv', '--', 'glslangValidator', '-V', '{input}', '-o', '{output}'],
    says: ['stdout', /undeclared identifier/],
  },
  esbuild: {
    tools: [],
    files: { 'a.ts': 'let a: number = ;' },
    call: ['a.ts', '-o', 'a.js', '--', ESBUILD, '{input}', '--outfile={output}'],
    says: ['stderr', /Unexpected ";"/],
  },
  nvcc: {
    tools: ['nvcc'],
    files: { 'a.cu': KERNEL },
    call: ['a.cu', '-o', 'a.ptx', '--', 'nvcc', '-ptx', '{input}', '-o', '{output}'],
    says: ['stderr', /is undefined/],
  },
};

describe('a failure is repeated byte by byte', () => {
  for (const [name, { tools, files, call, says }] of Object.entries(COMPILERS)) {
    it(`of ${name}`, async (t) => {
      if (!has(t, ...tools)) return;
      const bench = Workbench.make(t);
      for (const [path, text] of Object.entries(files)) bench.write(path, text);
      const first = await bench.run(['compile', ...call]);
      const second = await bench.run(['compile', ...call]);
      const [stream, pattern] = says;
      assert.match(first[stream].toString('utf8'), pattern);
      assert.notEqual(first.status, 0);
      assert.equal(second.status, first.status);
      assert.deepEqual(second.stdout, first.stdout);
      const noted = second.stderr.toString('latin1');
      assert.match(noted, NOTE);
      assert.equal(noted.replace(NOTE, ''), first.stderr.toString('latin1'));
      const { counters } = await bench.stats();
      assert.deepEqual(counters?.outcomes, { failed: 1, 'remembered-failure': 1 });
      assert.equal(counters?.missReasons['remembered-failure'], 1);
      assert.deepEqual(bench.workers(), []);
      assert.deepEqual(bench.entries(), []);
    });
  }

  it('without starting the compiler', async (t) => {
    if (!has(t, 'gcc', 'strace')) return;
    const bench = Workbench.make(t);
    bench.write('a.c', 'int x = ;\n');
    const startedCompilers = async (): Promise<number> => {
      const log = bench.path('strace.log');
      const call = bench.commandLine(['compile', ...GCC]);
      const ended = await bench.spawn('strace', [
        '-f',
        '-qq',
        '-e',
        'trace=execve',
        '-o',
        log,
        'sh',
        '-c',
        call,
      ]).ended;
      assert.equal(ended.status, 1, ended.stderr.toString('utf8'));
      const rows = readFileSync(log, 'utf8').split('\n');
      return rows.filter((row) => /execve\("[^"]*\/cc1".*"a\.c".*= 0$/.test(row)).length;
    };
    assert.equal(await startedCompilers(), 1);
    assert.equal(await startedCompilers(), 0);
  });

  it('and -q leaves the line about it out', async (t) => {
    const bench = withScript(t, 'echo broken >&2\nexit 1');
    await bench.run(['compile', ...WAT]);
    const quiet = await bench.run(['compile', '-q', ...WAT]);
    assert.equal(quiet.stderr.toString('utf8'), 'broken\n');
    assert.equal(bench.lines('runs'), 1);
  });

  it('to get, as the reason of a miss', async (t) => {
    const bench = withScript(t, 'exit 1');
    await bench.run(['compile', ...WAT]);
    const ended = await bench.run(['get', '--json', ...WAT]);
    assert.equal(ended.status, 1);
    const report = JSON.parse(ended.stdout.toString('utf8')) as { readonly reason: string };
    assert.equal(report.reason, 'remembered-failure');
    assert.equal(existsSync(bench.path('out.wasm')), false);
  });

  it('from a home that may only be read', async (t) => {
    if (!has(t, 'unshare')) return;
    const bench = withScript(t, 'echo broken >&2\nexit 1');
    await bench.run(['compile', ...WAT]);
    const call = bench.commandLine(['compile', '--json', ...WAT]);
    const script = `mount --bind '${bench.cacheHome}' '${bench.cacheHome}' && mount -o remount,bind,ro '${bench.cacheHome}' && ${call}`;
    const ended = await bench.spawn('unshare', ['--mount', '--map-root-user', 'sh', '-c', script]).ended;
    if (ended.stdout.byteLength === 0) {
      t.skip('missing: mount namespaces');
      return;
    }
    assert.deepEqual(words(compiledJob(ended)), REPEATED);
    assert.equal(bench.lines('runs'), 1);
  });
});

describe('a failure is forgotten when what it depends on changes', () => {
  it('a header that is fixed, or broken in another way', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    bench.write('a.c', '#include "h.h"\nint f(void) { return x; }\n');
    bench.write('h.h', 'int x = one;\n');
    assert.equal((await bench.compile(GCC)).outcome, 'failed');
    assert.deepEqual(words(await bench.compile(GCC)), REPEATED);
    bench.write('h.h', 'int x = two;\n');
    const other = await bench.compile(GCC);
    assert.equal(other.outcome, 'failed');
    assert.match(other.stderr, /two/);
    bench.write('h.h', 'int x = 3;\n');
    assert.equal((await bench.compile(GCC)).outcome, 'compiled');
    assert.equal((await bench.compile(GCC)).outcome, 'disk');
    bench.write('h.h', 'int x = one;\n');
    const again = await bench.compile(GCC);
    assert.deepEqual(words(again), REPEATED);
    assert.match(again.stderr, /one/);
    bench.write('h.h', 'int x = 3;\n');
    assert.equal((await bench.compile(GCC)).outcome, 'disk');
  });

  it('a header that appears earlier on the search path', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    bench.write('a.c', '#include <h.h>\nint f(void) { return x; }\n');
    bench.write('late/h.h', 'int x = nonsense;\n');
    bench.write('early/other.h', '');
    const call = ['a.c', '-o', 'a.o', '--', 'gcc', '-Iearly', '-Ilate', '-c', '{input}', '-o', '{output}'];
    assert.equal((await bench.compile(call)).outcome, 'failed');
    assert.deepEqual(words(await bench.compile(call)), REPEATED);
    bench.write('early/h.h', 'int x = 3;\n');
    assert.equal((await bench.compile(call)).outcome, 'compiled');
  });

  it('a header of a compilation that ended at its first error', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    bench.write('a.c', '#include "h.h"\nint f(void) { return x; }\n');
    bench.write('h.h', 'int x = one;\n');
    const call = ['a.c', '-o', 'a.o', '--', 'gcc', '-Wfatal-errors', '-c', '{input}', '-o', '{output}'];
    assert.equal((await bench.compile(call)).outcome, 'failed');
    assert.deepEqual(words(await bench.compile(call)), REPEATED);
    bench.write('h.h', 'int x = 3;\n');
    assert.equal((await bench.compile(call)).outcome, 'compiled');
  });

  it('a file that a shader includes, one that it includes in turn, and one that appears earlier', async (t) => {
    if (!has(t, 'glslangValidator')) return;
    const bench = Workbench.make(t);
    const extension = '#extension GL_GOOGLE_include_directive : require\n';
    bench.write(
      'src/a.frag',
      `#version 450\n${extension}# /* */ include "part.glsl"\nvoid main() { float z = x; }\n`,
    );
    bench.write('lib/part.glsl', '#include "deep.glsl"\n');
    bench.write('lib/deep.glsl', 'vec4 x;\n');
    const call = [
      'src/a.frag',
      '-o',
      'a.spv',
      '--',
      'glslangValidator',
      '-V',
      '-Ilib',
      '{input}',
      '-o',
      '{output}',
    ];
    assert.equal((await bench.compile(call)).outcome, 'failed');
    assert.equal((await bench.compile(call)).outcome, 'remembered-failure');
    bench.write('lib/deep.glsl', 'float x;\n');
    assert.equal((await bench.compile(call)).outcome, 'compiled');
    bench.write('lib/deep.glsl', 'vec4 x;\n');
    assert.equal((await bench.compile(call)).outcome, 'remembered-failure');
    bench.write('src/part.glsl', 'float x;\n');
    assert.equal((await bench.compile(call)).outcome, 'compiled');
  });

  it('a tsconfig.json beside the source that esbuild cannot compile', async (t) => {
    const bench = Workbench.make(t);
    const call = ['a.ts', '-o', 'a.js', '--', ESBUILD, '{input}', '--outfile={output}'];
    bench.write('a.ts', 'class A { @dec() x }; export let y = <B/>;');
    const first = await bench.compile(call);
    assert.equal(first.outcome, 'failed');
    assert.equal((await bench.compile(call)).outcome, 'remembered-failure');
    bench.write('tsconfig.json', '{"compilerOptions":{"experimentalDecorators":true}}');
    assert.equal((await bench.compile(call)).outcome, 'failed');
    assert.equal((await bench.compile(call)).outcome, 'remembered-failure');
  });

  it('a header of a CUDA source', async (t) => {
    if (!has(t, 'nvcc')) return;
    const bench = Workbench.make(t);
    bench.write('a.cu', `#include "h.h"\n__global__ void f(int *a) { *a = VALUE; }\n`);
    bench.write('h.h', '#define VALUE undefined_name\n');
    const call = ['a.cu', '-o', 'a.ptx', '--', 'nvcc', '-ptx', '{input}', '-o', '{output}'];
    assert.equal((await bench.compile(call)).outcome, 'failed');
    assert.equal((await bench.compile(call)).outcome, 'remembered-failure');
    bench.write('h.h', '#define VALUE 3\n');
    assert.equal((await bench.compile(call)).outcome, 'compiled');
  });
});

describe('--retry-failed', () => {
  it('runs the compiler, and the count goes on', async (t) => {
    const bench = withScript(t, 'echo broken >&2\nexit 1');
    await bench.compile(WAT);
    const again = await bench.compile(['--retry-failed', ...WAT]);
    assert.deepEqual([again.outcome, again.stderr], ['failed', 'broken\n']);
    assert.equal(bench.lines('runs'), 2);
    const [name = ''] = failures(bench);
    const record = JSON.parse(readFileSync(join(bench.root, 'pipelines', name), 'utf8')) as {
      readonly failure: { readonly count: number };
    };
    assert.equal(record.failure.count, 2);
    assert.deepEqual(words(await bench.compile(WAT)), REPEATED);
  });

  it('that succeeds replaces the failure by the artifact', async (t) => {
    const bench = withScript(t, '[ -e broken ] && exit 1\ncp "$1" "$3"');
    bench.write('broken', '');
    await bench.compile(WAT);
    rmSync(bench.path('broken'));
    assert.deepEqual(words(await bench.compile(WAT)), REPEATED);
    assert.equal((await bench.compile(['--retry-failed', ...WAT])).outcome, 'compiled');
    assert.deepEqual(failures(bench), []);
    assert.equal((await bench.compile(WAT)).outcome, 'disk');
    assert.equal(await bench.verified(), 1);
  });
});

describe('a valid entry', () => {
  it('keeps its record when a refresh fails, and stays a hit', async (t) => {
    const bench = withScript(t, '[ -e broken ] && exit 1\ncp "$1" "$3"');
    assert.equal((await bench.compile(WAT)).outcome, 'compiled');
    bench.write('broken', '');
    assert.equal((await bench.compile(['--refresh', ...WAT])).outcome, 'failed');
    assert.equal((await bench.compile(WAT)).outcome, 'disk');
    assert.equal(await bench.verified(), 1);
  });

  it('that is damaged makes room for a failure', async (t) => {
    const bench = withScript(t, '[ -e broken ] && exit 1\ncp "$1" "$3"');
    const { fingerprint } = await bench.compile(WAT);
    bench.write('broken', '');
    writeFileSync(bench.entryPath(String(fingerprint)), 'short');
    const first = await bench.compile(WAT);
    assert.deepEqual(words(first), ['failed', 'truncated', 1]);
    assert.deepEqual(words(await bench.compile(WAT)), REPEATED);
  });
});

describe('without failure memory', () => {
  it('nothing is remembered, and nothing that is remembered is repeated', async (t) => {
    const bench = withScript(t, 'exit 1');
    const off = { environment: { VYRE_CACHE_FAILURE_MEMORY: '0' } };
    assert.equal((await bench.compile(WAT, off)).outcome, 'failed');
    assert.deepEqual(failures(bench), []);
    await bench.compile(WAT);
    assert.deepEqual(words(await bench.compile(WAT)), REPEATED);
    assert.equal((await bench.compile(WAT, off)).outcome, 'failed');
    assert.equal((await bench.compile(['--refresh', ...WAT])).outcome, 'failed');
    assert.equal((await bench.compile(['--no-cache', ...WAT])).outcome, null);
    assert.equal(bench.lines('runs'), 5);
  });

  it('get does not speak of one', async (t) => {
    const bench = withScript(t, 'exit 1');
    await bench.run(['compile', ...WAT]);
    const off = { environment: { VYRE_CACHE_FAILURE_MEMORY: '0' } };
    const { stdout } = await bench.run(['get', '--json', ...WAT], off);
    const report = JSON.parse(stdout.toString('utf8')) as { readonly reason: string };
    assert.equal(report.reason, 'empty-cache');
  });
});

describe('a failure that is removed', () => {
  it('by the beginning of its fingerprint is forgotten', async (t) => {
    const bench = withScript(t, 'exit 1');
    const { fingerprint } = await bench.compile(WAT);
    const removed = await bench.run(['rm', fingerprint?.slice(0, 8) ?? '']);
    assert.equal(removed.status, 0);
    assert.deepEqual(failures(bench), []);
    assert.equal((await bench.compile(WAT)).outcome, 'failed');
  });
});

describe('a failure that is damaged on disk', () => {
  for (const [name, damage] of [
    ['cut', (bytes: Buffer) => bytes.subarray(0, 100)],
    [
      'changed',
      (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replace('"status":1', '"status":2'), 'latin1'),
    ],
    ['emptied', () => Buffer.alloc(0)],
  ] as const) {
    it(`${name}, is a run of the compiler that repairs it`, async (t) => {
      const bench = withScript(t, 'exit 1');
      await bench.compile(WAT);
      const [file = ''] = failures(bench);
      const path = `../cache/vyre/pipelines/${file}`;
      bench.write(path, damage(bench.read(path)));
      assert.equal((await bench.compile(WAT)).outcome, 'failed');
      assert.deepEqual(words(await bench.compile(WAT)), REPEATED);
      assert.equal(bench.lines('runs'), 2);
    });
  }
});

const CALLERS = 16;

async function gathered(
  bench: Workbench,
  callers: readonly Running[],
  starts: number,
): Promise<readonly Ended[]> {
  await eventually('one caller compiles', () => bench.lines('started') === starts);
  await eventually('the others have reached the lock', () =>
    callers.every(({ pid }) => hasLockOpen(bench, pid)),
  );
  bench.write('go', '');
  return Promise.all(callers.map(async (caller) => caller.ended));
}

describe('many processes that ask for what fails', () => {
  it('run the compiler once, and once more when all of them retry', async (t) => {
    const bench = withScript(t, `${GATE}\necho broken >&2\nexit 3`);
    const start = (flags: readonly string[]): readonly Running[] =>
      Array.from({ length: CALLERS }, () => bench.start(['compile', '--json', ...flags, ...WAT]));
    for (const [starts, flags] of [
      [1, []],
      [2, ['--retry-failed']],
    ] as const) {
      rmSync(bench.path('go'), { force: true });
      const jobs = (await gathered(bench, start(flags), starts)).map(compiledJob);
      const outcomes = jobs.map((job) => String(job.outcome)).toSorted();
      assert.deepEqual(outcomes, [
        'failed',
        ...Array.from({ length: CALLERS - 1 }, () => 'remembered-failure'),
      ]);
      for (const job of jobs) {
        assert.equal(job.exitCode, 3);
        assert.equal(job.stderr.replace(NOTE, ''), 'broken\n');
      }
      assert.equal(bench.lines('started'), starts);
    }
    assert.deepEqual(bench.workers(), []);
  });
});
