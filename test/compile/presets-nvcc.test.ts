import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import { nvcc } from '../../src/compile/presets/nvcc.js';
import { parseNvccArguments } from '../../src/compile/presets/nvcc-arguments.js';
import type { Facts } from '../../src/compile/presets/preset.js';
import {
  commandLine,
  compileListed,
  filesBelow,
  listOf,
  plant,
  runLine,
  temporaryFolder,
  type Tree,
} from './preset-runs.js';

const NVCC =
  ['/usr/local/bin/nvcc', '/usr/local/cuda/bin/nvcc', '/usr/bin/nvcc'].find((path) => existsSync(path)) ??
  null;

const SOURCES: Tree = {
  'a.cu':
    '#include "inc/h.h"\n#ifdef __CUDA_ARCH__\n#include "inc/device.h"\n#endif\nnamespace { __device__ int own; }\n__global__ void k(float *x) { x[0] = H + own; }\nvoid f(float *x) { k<<<1, 1>>>(x); }\n',
  'm.cpp': 'int main() { return 0; }\n',
  'inc/h.h': '#define H 3.0f\n',
  'inc/device.h': '#define SEEN 1\n',
};

/** The real nvcc, or a skipped test that says how to get it. */
function program(t: TestContext): string | null {
  if (NVCC === null)
    t.skip('nvcc is missing: apt-get install nvidia-cuda-toolkit (Debian, section non-free)');
  return NVCC;
}

function facts(args: string, outputs: readonly string[] = []): Facts {
  return nvcc.facts(commandLine({ program: '/usr/bin/nvcc', args: args.split(' '), cwd: '/x', outputs }));
}

describe('facts', () => {
  test('never relocatable', () => {
    for (const args of ['-ptx a.cu -o a.ptx', '-cubin -arch=sm_90 a.cu -o a.ptx', '-c a.cu -o a.ptx']) {
      assert.equal(facts(args, ['a.ptx']).relocatable, false);
    }
  });

  for (const [args, word] of [
    ['-ptx @args', 'preset:response-file'],
    ['-ptx a.cu -optf args', 'preset:response-file'],
    ['-ptx a.cu --options-file=args', 'preset:response-file'],
    ['-run a.cu', 'preset:runs-program'],
    ['-c a.cu --dryrun', 'embeds-path'],
    ['-c a.cu -v', 'embeds-path'],
    ['-c a.cu --keep', 'undeclared-output'],
    ['-c a.cu -keep-dir=k', 'undeclared-output'],
    ['-c a.cu -save-temps', 'undeclared-output'],
    ['-c a.cu -time t.csv', 'undeclared-output'],
    ['-c a.cu -Xcompiler --coverage', 'undeclared-output'],
    ['-c a.cu -Xcompiler -Wall,-fplugin=x.so', 'preset:runs-program'],
  ] as const) {
    test(`${args}: ${word}`, () => {
      assert.equal(facts(args).uncacheable?.word, word);
    });
  }

  test('the GPU, and the processor of the host compiler', () => {
    const both = ({ gpuModel, machineModel }: Facts): readonly unknown[] => [gpuModel, machineModel];
    assert.deepEqual(both(facts('-c a.cu -arch=native')), [true, false]);
    assert.deepEqual(both(facts('-c a.cu --gpu-architecture native')), [true, false]);
    assert.deepEqual(both(facts('-c a.cu -arch=sm_90 -Xcompiler -O2,-march=native')), [false, true]);
  });

  test('arguments are split however they are written', () => {
    const parsed = parseNvccArguments([
      '--ptx',
      '-o=x.ptx',
      '--include-path=a,b',
      '-Ic',
      '-arch',
      'sm_90',
      '-lineinfo',
      '-lfoo',
      'k.cu',
      'o.o',
    ]);
    assert.deepEqual(
      [parsed.stage, parsed.output, parsed.sources, parsed.linkInputs],
      ['ptx', 'x.ptx', ['k.cu'], ['o.o']],
    );
    assert.deepEqual(
      parsed.options.map(({ name, value }) => [name, value]),
      [
        ['ptx', null],
        ['o', 'x.ptx'],
        ['I', 'a,b'],
        ['I', 'c'],
        ['arch', 'sm_90'],
        ['lineinfo', null],
        ['l', 'foo'],
      ],
    );
  });

  for (const row of [
    '-ptx a.cu',
    '-cubin a.cu',
    '-fatbin a.cu',
    '-c a.cu',
    '-dc a.cu m.cpp',
    '-cuda a.cu',
    'a.cu m.cpp',
    '-ptx a.cu -o x.y -MD',
    '-c a.cu -MD',
    '-ptx a.cu -MD -MF q.d',
    '-lib a.cu',
    '-dlink a.cu',
  ]) {
    test(`further outputs of ${row} are those that the bare command writes`, (t) => {
      const path = program(t);
      if (path === null) return;
      const cwd = temporaryFolder();
      plant(cwd, SOURCES);
      const before = new Set(filesBelow(cwd));
      const line = commandLine({ program: path, args: row.split(' '), cwd });
      const ran = runLine(line, line.args, temporaryFolder());
      assert.equal(ran.status, 0, ran.stderr);
      assert.deepEqual(
        [...nvcc.facts(line).furtherOutputs].toSorted(),
        filesBelow(cwd).filter((name) => !before.has(name)),
      );
    });
  }
});

test('names with internal linkage carry a hash of the path: the reason for the above', (t) => {
  const path = program(t);
  if (path === null) return;
  const [one, two] = ['one', 'two'].map(() => {
    const cwd = temporaryFolder();
    plant(cwd, SOURCES);
    const line = commandLine({ program: path, args: ['-ptx', 'a.cu', '-o', 'a.ptx'], cwd });
    assert.equal(runLine(line, line.args, temporaryFolder()).status, 0);
    return readFileSync(join(cwd, 'a.ptx'), 'utf8');
  });
  assert.notEqual(one, two);
});

describe('what nvcc has read', () => {
  for (const row of [
    '-ptx a.cu -o r',
    '-cubin -arch=sm_90 a.cu -o r',
    '-ptx a.cu -o r -MD -MF own.d',
    '-fatbin -lineinfo a.cu -o r',
    '-E a.cu -o r',
  ]) {
    test(`${row}: listing it changes no byte, and names what every pass has read`, async (t) => {
      const path = program(t);
      if (path === null) return;
      const cwd = temporaryFolder();
      plant(cwd, SOURCES);
      const line = commandLine({ program: path, args: row.split(' '), cwd, outputs: ['r', 'own.d'] });
      const bare = runLine(line, line.args, temporaryFolder());
      const before = readFileSync(join(cwd, 'r'));
      rmSync(join(cwd, 'r'));
      const listing = await compileListed(nvcc, line);
      assert.deepEqual(listing.ran, bare);
      assert.ok(readFileSync(join(cwd, 'r')).equals(before));
      const { files, absent } = listOf(listing);
      for (const name of ['a.cu', 'inc/h.h', 'inc/device.h'])
        assert.ok(files.includes(name), files.join(' '));
      assert.ok(files.some((file) => file.endsWith('/cuda_runtime.h')));
      for (const name of absent)
        assert.equal(systemFiles.lstat(name.startsWith('/') ? name : join(cwd, name)), null, name);
    });
  }

  test('objects and programs, with the libraries of CUDA', async (t) => {
    const path = program(t);
    if (path === null) return;
    const cwd = temporaryFolder();
    plant(cwd, SOURCES);
    const object = listOf(
      await compileListed(
        nvcc,
        commandLine({ program: path, args: ['-c', 'a.cu', '-o', 'a.o'], cwd, outputs: ['a.o'] }),
      ),
    );
    assert.ok(object.files.includes('inc/device.h'));
    const linked = listOf(
      await compileListed(
        nvcc,
        commandLine({ program: path, args: ['a.o', 'm.cpp', '-Llib', '-o', 'p'], cwd, outputs: ['p'] }),
      ),
    );
    assert.ok(
      linked.files.includes('a.o') && linked.files.some((file) => file.endsWith('/libcudart_static.a')),
    );
    assert.ok(linked.absent.includes('lib'), linked.absent.join(' '));
  });

  test('a header that appears in an earlier folder', async (t) => {
    const path = program(t);
    if (path === null) return;
    const cwd = temporaryFolder();
    plant(cwd, {
      'a.cu': '#include "x.h"\n__global__ void k(float *x) { x[0] = X; }\n',
      'late/x.h': '#define X 1\n',
      'early/y.h': '',
    });
    const args = '-ptx -I early -Inowhere -I late a.cu -o r'.split(' ');
    const { absent } = listOf(
      await compileListed(nvcc, commandLine({ program: path, args, cwd, outputs: ['r'] })),
    );
    for (const name of ['x.h', 'early/x.h', 'nowhere'])
      assert.ok(absent.includes(name), absent.slice(0, 30).join(' '));
  });
});

test('the parts of the toolkit and of the host compiler', async (t) => {
  const path = program(t);
  if (path === null) return;
  const line = commandLine({ program: path, args: ['-c', 'a.cu'], cwd: '/' });
  const memoised = async (argv: readonly string[]) => {
    const [asked = '', ...rest] = argv;
    const ran = runLine({ ...line, program: asked }, rest, temporaryFolder());
    return {
      status: ran.status,
      signal: null,
      stdout: Buffer.from(ran.stdout),
      stderr: Buffer.from(ran.stderr),
    };
  };
  const delegates = await nvcc.delegates({ line, files: systemFiles, memoised });
  const names = delegates.map(({ name }) => name);
  for (const name of [
    'cicc',
    'ptxas',
    'cudafe++',
    'fatbinary',
    'nvlink',
    'libdevice.10.bc',
    'nvcc',
    'host-compiler',
    'cc1plus',
    'as',
  ]) {
    assert.ok(names.includes(name), names.join(' '));
  }
  for (const delegate of delegates)
    assert.equal(systemFiles.stat(delegate.path)?.type, 'file', delegate.path);
});
