import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { has, type ToolName } from '../support/tools.js';
import { Workbench, type CompiledJob } from '../support/workbench.js';

const ESBUILD = join(import.meta.dirname, '../../node_modules/.bin/esbuild');

/** A compilation as a project would have it, and what a second project must get. */
interface Project {
  readonly name: string;
  readonly tools: readonly ToolName[];
  readonly files: Readonly<Record<string, string>>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly flags?: readonly string[];
  /** With placeholders. */
  readonly command: readonly string[];
  /** The same as it is typed without us. */
  readonly bare: readonly string[];
  /** Where the bytes cannot depend on the folder the second project gets a hit. */
  readonly shared: boolean;
}

const C_FILE =
  '#include "config.h"\nint f(void) { return VALUE; }\nconst char *name(void) { return __FILE__; }\n';
const C_FILES = { 'a.c': C_FILE, 'config.h': '#define VALUE 1\n', 'out/.keep': '' };
const SHADER = '#version 450\nlayout(local_size_x = 1) in;\nvoid main() {}\n';
const KERNEL = '__global__ void twice(float *x) { x[threadIdx.x] *= 2; }\n';

function c(name: string, flags: readonly string[], more: Partial<Project> = {}): Project {
  return {
    name,
    tools: ['gcc'],
    files: C_FILES,
    inputs: ['a.c'],
    outputs: ['out/a.o'],
    command: ['gcc', ...flags, '-c', '{input}', '-o', '{output:1}'],
    bare: ['gcc', ...flags, '-c', 'a.c', '-o', 'out/a.o'],
    shared: false,
    ...more,
  };
}

const PROJECTS: readonly Project[] = [
  c('gcc', ['-O2'], { shared: true }),
  c('gcc -g', ['-g']),
  // Without the seed no two runs of gcc give the same notes.
  c('gcc --coverage', ['--coverage', '-frandom-seed=1'], { outputs: ['out/a.o', 'out/a.gcno'] }),
  c('gcc -MD with its list declared', ['-MD'], { outputs: ['out/a.o', 'out/a.d'] }),
  {
    name: 'g++ -g',
    tools: ['g++'],
    files: { 'a.cc': '#include <vector>\nint f() { return std::vector<int>{1, 2}.size(); }\n' },
    inputs: ['a.cc'],
    outputs: ['a.o'],
    command: ['g++', '-g', '-c', '{input}', '-o', '{output}'],
    bare: ['g++', '-g', '-c', 'a.cc', '-o', 'a.o'],
    shared: false,
  },
  {
    name: 'esbuild --sourcemap',
    tools: [],
    files: {
      'src/a.ts': "import { b } from './b.js';\nconsole.log(b);\n",
      'src/b.ts': 'export const b: number = 1;\n',
    },
    inputs: ['src/a.ts'],
    outputs: ['a.js', 'a.js.map'],
    command: [ESBUILD, '{input}', '--bundle', '--sourcemap', '--log-level=warning', '--outfile={output:1}'],
    bare: [ESBUILD, 'src/a.ts', '--bundle', '--sourcemap', '--log-level=warning', '--outfile=a.js'],
    shared: false,
  },
  {
    name: 'nvcc -lineinfo',
    tools: ['nvcc'],
    files: { 'k.cu': KERNEL },
    inputs: ['k.cu'],
    outputs: ['k.ptx'],
    command: ['nvcc', '-lineinfo', '-ptx', '{input}', '-o', '{output}'],
    bare: ['nvcc', '-lineinfo', '-ptx', 'k.cu', '-o', 'k.ptx'],
    shared: false,
  },
  {
    name: 'glslangValidator',
    tools: ['glslangValidator'],
    files: { 'a.comp': SHADER },
    inputs: ['a.comp'],
    outputs: ['a.spv'],
    command: ['glslangValidator', '-V', '{input}', '-o', '{output}'],
    bare: ['glslangValidator', '-V', 'a.comp', '-o', 'a.spv'],
    shared: true,
  },
  {
    name: 'glslangValidator -g',
    tools: ['glslangValidator'],
    files: { 'a.comp': SHADER },
    inputs: ['a.comp'],
    outputs: ['a.spv'],
    command: ['glslangValidator', '-g', '-V', '{input}', '-o', '{output}'],
    bare: ['glslangValidator', '-g', '-V', 'a.comp', '-o', 'a.spv'],
    shared: true,
  },
  {
    name: 'wat2wasm',
    tools: ['wat2wasm'],
    files: { 'm.wat': '(module (func (export "f") (result i32) i32.const 1))\n' },
    inputs: ['m.wat'],
    outputs: ['m.wasm'],
    command: ['wat2wasm', '{input}', '-o', '{output}'],
    bare: ['wat2wasm', 'm.wat', '-o', 'm.wasm'],
    shared: true,
  },
  {
    name: 'a script that writes where it works',
    tools: [],
    files: { 'where.sh': 'pwd > "$2"\necho "$2" >> "$2"\necho "in $PWD"\n', 'in.txt': 'x' },
    inputs: ['in.txt'],
    outputs: ['where.txt'],
    flags: ['--compiler-version', 'echo 1'],
    command: ['sh', 'where.sh', '{input}', '{output}'],
    bare: ['sh', 'where.sh', 'in.txt', 'where.txt'],
    shared: false,
  },
];

function makeFolder(bench: Workbench, name: string, files: Readonly<Record<string, string>>): string {
  const folder = join(bench.folder, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** Everything that a run leaves behind, and takes it away. */
function takeOutputs(folder: string, project: Project): ReadonlyMap<string, string> {
  return new Map(
    project.outputs.map((name) => {
      const path = join(folder, name);
      const bytes = readFileSync(path).toString('base64');
      rmSync(path);
      return [name, bytes];
    }),
  );
}

describe('the same sources in another folder get exactly the bytes of the bare compiler there', () => {
  for (const project of PROJECTS) {
    it(project.name, async (t) => {
      if (!has(t, ...project.tools)) return;
      const bench = Workbench.make(t);
      const folders = ['one', 'two'].map((name) => makeFolder(bench, name, project.files));
      const outcomes: (string | null)[] = [];
      for (const cwd of [...folders, ...folders]) {
        const words = [...project.inputs, ...project.outputs.flatMap((name) => ['-o', name])];
        const call = ['compile', '-v', ...(project.flags ?? []), ...words, '--', ...project.command];
        const cached = await bench.run(call, { cwd });
        assert.equal(cached.status, 0, cached.stderr.toString('utf8'));
        const delivered = takeOutputs(cwd, project);
        const [program = '', ...args] = project.bare;
        const bare = await bench.spawn(program, args, { cwd }).ended;
        assert.equal(bare.status, 0, bare.stderr.toString('utf8'));
        assert.deepEqual(delivered, takeOutputs(cwd, project));
        assert.deepEqual(cached.stdout, bare.stdout);
        const [, said = '', line = ''] =
          /^([^]*?)(vyre-cache: .*)\n$/.exec(cached.stderr.toString('utf8')) ?? [];
        assert.equal(said, bare.stderr.toString('utf8'));
        outcomes.push(/^vyre-cache: (\w+)/.exec(line)?.[1] ?? null);
      }
      assert.deepEqual(outcomes, ['compiled', project.shared ? 'hit' : 'compiled', 'hit', 'hit']);
    });
  }
});

describe('two projects with the same source', () => {
  it('and different headers never share, and both stay in the cache', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    const files = { 'a.c': C_FILE };
    const folders = [1, 2].map((value) =>
      makeFolder(bench, `value-${value}`, { ...files, 'config.h': `#define VALUE ${value}\n` }),
    );
    const seen: (readonly [string | null, string])[] = [];
    for (const cwd of [...folders, ...folders, ...folders]) {
      const job = await bench.compile(['a.c', '-o', 'a.o', '--', 'gcc', '-c', '{input}', '-o', '{output}'], {
        cwd,
      });
      seen.push([job.outcome, readFileSync(join(cwd, 'a.o')).toString('base64')]);
    }
    const outcomes = seen.map(([outcome]) => outcome);
    assert.deepEqual(outcomes, ['compiled', 'compiled', 'disk', 'disk', 'disk', 'disk']);
    const bytes = seen.map(([, object]) => object);
    assert.notEqual(bytes[0], bytes[1]);
    for (const [index, object] of bytes.entries()) assert.equal(object, bytes[index % 2]);
  });
});

/** Compiles twice with a change in between; the second one must miss and give what the bare command gives. */
async function missesAfter(
  bench: Workbench,
  call: readonly string[],
  change: () => void,
): Promise<readonly [CompiledJob, CompiledJob]> {
  const first = await bench.compile(call);
  assert.equal(first.outcome, 'compiled');
  assert.equal((await bench.compile(call)).outcome, 'disk');
  change();
  const second = await bench.compile(call);
  assert.equal(second.outcome, 'compiled');
  assert.notEqual(second.fingerprint, first.fingerprint);
  return [first, second];
}

describe('a compilation is repeated', () => {
  it('when a header appears earlier on the include path', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    bench.write('a.c', '#include "config.h"\nint x = VALUE;\n');
    bench.write('late/config.h', '#define VALUE 1\n');
    bench.write('early/.keep', '');
    const call = [
      'a.c',
      '-o',
      'a.s',
      '--',
      'gcc',
      '-Iearly',
      '-Ilate',
      '-Imissing',
      '-S',
      '{input}',
      '-o',
      '{output}',
    ];
    await missesAfter(bench, call, () => {
      bench.write('early/config.h', '#define VALUE 2\n');
    });
    assert.match(bench.text('a.s'), /\.long\t2/);
    rmSync(bench.path('early/config.h'));
    assert.equal((await bench.compile(call)).outcome, 'disk');
    assert.match(bench.text('a.s'), /\.long\t1/);
  });

  it('when a folder of the include path appears with a header', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    bench.write('a.c', '#include "config.h"\nint x = VALUE;\n');
    bench.write('late/config.h', '#define VALUE 1\n');
    const call = ['a.c', '-o', 'a.s', '--', 'gcc', '-Iearly', '-Ilate', '-S', '{input}', '-o', '{output}'];
    await missesAfter(bench, call, () => {
      bench.write('early/config.h', '#define VALUE 2\n');
    });
    assert.match(bench.text('a.s'), /\.long\t2/);
  });

  it('when a header appears for which __has_include asked', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    bench.write('a.c', '#if __has_include("extra.h")\nint x = 2;\n#else\nint x = 1;\n#endif\n');
    const call = ['a.c', '-o', 'a.s', '--', 'gcc', '-S', '{input}', '-o', '{output}'];
    const first = await bench.compile(call);
    assert.match(bench.text('a.s'), /\.long\t1/);
    bench.write('extra.h', '');
    const second = await bench.compile(call);
    assert.equal(second.exitCode, 0);
    assert.match(bench.text('a.s'), /\.long\t2/, `served ${second.outcome} after ${first.outcome}`);
  });

  it('when the script behind an interpreter was edited', async (t) => {
    if (!has(t, 'python3')) return;
    const bench = Workbench.make(t);
    const script = (text: string): string =>
      `import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read() + '${text}')\n`;
    bench.write('in.txt', 'in ');
    bench.write('gen.py', script('one'));
    const call = ['in.txt', '-o', 'out.txt', '--', 'python3', 'gen.py', '{input}', '{output}'];
    const [first] = await missesAfter(bench, call, () => {
      bench.write('gen.py', script('two'));
    });
    assert.equal(bench.text('out.txt'), 'in two');
    assert.match(first.stderr, /not part of the fingerprint.*--deps.*--tool/);
  });

  it('when the compiler itself was replaced', async (t) => {
    const bench = Workbench.make(t);
    bench.write('in.txt', 'abc');
    bench.script('tool', 'tr a-z A-Z < "$1" > "$2"');
    const call = ['in.txt', '-o', 'out.txt', '--', './tool', '{input}', '{output}'];
    const [, second] = await missesAfter(bench, call, () => {
      bench.script('tool', 'tr a-z b-za < "$1" > "$2"');
    });
    assert.equal(second.reason, 'compiler-changed');
    assert.equal(bench.text('out.txt'), 'bcd');
  });

  it('always, when the source asks for the time', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    bench.write('a.c', 'const char *when(void) { return __TIME__; }\n');
    const call = ['a.c', '-o', 'a.o', '--', 'gcc', '-c', '{input}', '-o', '{output}'];
    for (let run = 0; run < 2; run += 1) {
      const job = await bench.compile(call);
      assert.equal(job.exitCode, 0);
      assert.equal(job.notStored, 'preset:time-macro');
    }
    assert.deepEqual(bench.entries(), []);
    assert.ok(bench.read('a.o').byteLength > 0);
  });

  it('always, when it writes a file that was not declared', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    bench.write('a.c', 'int x;\n');
    for (const [flag, file] of [
      ['-MD', 'a.d'],
      ['--coverage', 'a.gcno'],
    ] as const) {
      const call = ['a.c', '-o', 'a.o', '--', 'gcc', flag, '-c', '{input}', '-o', '{output}'];
      for (let run = 0; run < 2; run += 1) {
        const job = await bench.compile(call);
        assert.deepEqual([job.exitCode, job.outcome, job.notStored], [0, null, 'undeclared-output']);
        assert.ok(bench.read(file).byteLength > 0);
        rmSync(bench.path(file));
      }
    }
    const { counters } = await bench.stats();
    assert.deepEqual(counters?.uncacheable, { 'undeclared-output': 4 });
    assert.equal(counters?.lookups, 0);
  });
});

describe('a compiler that shows the worker directory in its result', () => {
  const embedding: readonly (readonly [string, readonly string[], string])[] = [
    ['TMPDIR in an output', ['--relocatable'], 'echo "$TMPDIR" > "$2"'],
    ['HOME in an output', ['--relocatable'], 'echo "$HOME" > "$2"'],
    ['TMPDIR in an output at its real place', [], 'echo "$TMPDIR" > "$2"'],
    ['the path of an output', ['--relocatable'], 'readlink -f "$2"; echo done > "$2"; echo "$2" >> "$2"'],
    ['TMPDIR on stdout', ['--relocatable'], 'echo done > "$2"; echo "$TMPDIR"'],
    ['TMPDIR on stderr', ['--relocatable'], 'echo done > "$2"; echo "$TMPDIR" >&2'],
    ['a second file beside its output', ['--relocatable'], 'echo done > "$2"; echo more > "$2.more"'],
  ];
  for (const [name, flags, script] of embedding) {
    it(`gives what the bare command gives: ${name}`, async (t) => {
      const bench = Workbench.make(t);
      const bareFolder = join(bench.folder, 'bare');
      bench.write('in.txt', 'abc');
      bench.script('embed', `echo run >> "${bench.path('runs')}"\n${script}`);
      cpSync(bench.project, bareFolder, { recursive: true });
      const environment = { TMPDIR: bench.home };
      const bare = await bench.spawn('./embed', ['in.txt', 'out.txt'], { environment }).ended;
      const expected = bench.read('out.txt');
      rmSync(bench.path('runs'));

      const call = [
        'compile',
        '-q',
        ...flags,
        'in.txt',
        '-o',
        'out.txt',
        '--',
        './embed',
        '{input}',
        '{output}',
      ];
      for (const runs of [2, 3]) {
        rmSync(bench.path('out.txt'));
        const ended = await bench.run(call, { environment });
        assert.equal(ended.status, 0);
        assert.deepEqual(bench.read('out.txt'), expected);
        assert.deepEqual(ended.stdout, bare.stdout);
        assert.deepEqual(ended.stderr, bare.stderr);
        assert.equal(bench.lines('runs'), runs);
      }
      const job = await bench.compile(call.slice(1), { environment });
      assert.equal(job.notStored, 'embeds-path');
      assert.deepEqual(bench.entries(), []);
      assert.deepEqual(bench.workers(), []);
    });
  }
});
