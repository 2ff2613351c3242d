import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseGccArguments } from '../../src/compile/presets/gcc-arguments.js';
import { gcc, gPlusPlus } from '../../src/compile/presets/gcc.js';
import type { Facts, Preset } from '../../src/compile/presets/preset.js';
import { commandLine, filesBelow, plant, runLine, temporaryFolder, type Tree } from './preset-runs.js';

const GCC = '/usr/bin/gcc';

const SOURCES: Tree = {
  'a.c':
    '#include <stdio.h>\n#include "inc/h.h"\nint f(int x) { if (x) printf("%d\\n", x + H); return x * 2; }\nint main(void) { int unused; return f(1); }\n',
  'b.c': 'int g(void) { return 7; }\n',
  'inc/h.h': '#define H 3\n#warning careful\n',
  'v.cpp':
    '#include <vector>\nint sum(const std::vector<int> &v) { int s = 0; for (int x : v) s += x; return s; }\n',
  's.s': '.text\n.globl q\nq: ret\n',
  'S.S': '#define R ret\n.text\n.globl q\nq: R\n',
};

function facts(args: string, outputs: readonly string[], preset: Preset = gcc): Facts {
  return preset.facts(commandLine({ program: GCC, args: args.split(' '), cwd: '/nowhere', outputs }));
}

function hex(path: string): string {
  return readFileSync(path).toString('hex');
}

describe('names', () => {
  for (const [name, preset] of [
    ['gcc', gcc],
    ['gcc-12', gcc],
    ['cc', gcc],
    ['c99', gcc],
    ['x86_64-linux-gnu-gcc', gcc],
    ['x86_64-linux-gnu-gcc-12', gcc],
    ['arm-none-eabi-gcc', gcc],
    ['g++', gPlusPlus],
    ['g++-12', gPlusPlus],
    ['c++', gPlusPlus],
    ['aarch64-linux-gnu-g++-12', gPlusPlus],
  ] as const) {
    test(`"${name}" is ${preset.name}`, () => {
      assert.deepEqual([gcc.matches(name), gPlusPlus.matches(name)], [preset === gcc, preset === gPlusPlus]);
    });
  }
  for (const name of ['gcc-ar', 'gcc-nm-12', 'gccgo', 'clang', 'tcc', 'notgcc', 'gcov', 'x-g++x']) {
    test(`"${name}" is neither`, () => {
      assert.deepEqual([gcc.matches(name), gPlusPlus.matches(name)], [false, false]);
    });
  }
});

describe('what is said to be relocatable is the same from two folders with two output folders', () => {
  const rows = [
    '-c a.c',
    '-c -O2 -Wall -Wextra a.c',
    '-S -O2 a.c',
    '-S -fverbose-asm a.c',
    '-E a.c',
    '-E -P a.c',
    '-E -dM a.c',
    '-c -g0 a.c',
    '-c -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -fno-common a.c',
    '-c -std=c11 -pedantic -DX=1 -UY -I inc -isystem inc -iquote inc -idirafter inc a.c',
    '-c -include inc/h.h a.c',
    '-c -march=native a.c',
    '-c -pipe -pthread -fopenmp -ftree-vectorize -O3 a.c',
    '-c -pg -finstrument-functions a.c',
    '-c -fsanitize=address,undefined a.c',
    '-c -fstack-protector-strong -D_FORTIFY_SOURCE=2 -O2 -fcf-protection a.c',
    '-c -fdiagnostics-color=always -Wall a.c',
    '-c -Wp,-D_FORTIFY_SOURCE=2 -O1 a.c',
    '-c -x c a.c',
    'a.c',
    '-O2 -s a.c b.c',
    '-shared -fPIC -Wl,-soname,libx.so.1 -Wl,-z,now a.c',
    '-static a.c',
    '-Wl,--gc-sections -Wl,--as-needed -Wl,-rpath,/opt/x a.c -lm',
  ];
  for (const row of rows) {
    test(row, () => {
      const root = temporaryFolder();
      const made = ['one', 'another/deeper'].map((name) => {
        const cwd = join(root, name);
        const output = join(root, `out-${name}`, 'result');
        plant(cwd, SOURCES);
        mkdirSync(join(output, '..'), { recursive: true });
        const line = commandLine({
          program: GCC,
          args: [...row.split(' '), '-o', output],
          cwd,
          outputs: [output],
        });
        assert.equal(gcc.facts(line).relocatable, true);
        const ran = runLine(line, line.args, join(root, `home-${name.replace('/', '-')}`));
        assert.equal(ran.status, 0, ran.stderr);
        return { bytes: hex(output), stdout: ran.stdout, stderr: ran.stderr };
      });
      assert.deepEqual(made[0], made[1]);
    });
  }
});

describe('what may carry a folder is not relocatable', () => {
  for (const row of [
    '-c -g a.c',
    '-c -g3 a.c',
    '-c -ggdb a.c',
    '-S -g a.c',
    '-E -g a.c',
    '-c --coverage a.c',
    '-c -fprofile-arcs a.c',
    '-c -fprofile-generate a.c',
    '-c -ftest-coverage a.c',
    '-c -flto a.c',
    '-flto a.c',
    '-c -frecord-gcc-switches a.c',
    '-c -Wa,-a a.c',
    '-c -Wa,-alh=x a.c',
    '-c s.s',
    '-c S.S',
    '-c -x assembler a.c',
    '-c a.i',
    '-c -x c-header a.h',
    '-c a.h',
    '-c -specs=x a.c',
    '-c -fstack-usage a.c',
    '-c -save-temps a.c',
    '-c -aux-info x a.c',
    '-c -gsplit-dwarf a.c',
    '-Wl,-Map=x a.c',
    '-c -fdebug-prefix-map=a=b a.c',
    '-c -ffile-prefix-map=a=b a.c',
    '-c -frandom-seed=1 -flto a.c',
    '-c -fdump-tree-all a.c',
    '-c -fplugin=x a.c',
    '-c -fmodules-ts a.cc',
    '-c -B. a.c',
    '-c -wrapper x a.c',
    '-M a.c',
    '-c -some-new-option a.c',
    '-c -fsome-new-option a.c',
    '-fsyntax-only a.c',
    '--version',
    '-c -fopt-info a.c',
    '-c -fdiagnostics-format=json a.c',
    '-c -Xassembler -a a.c',
    '-T x.ld a.c',
    '-c a.f90',
  ]) {
    test(row, () => {
      assert.equal(facts(`${row} -o a.o`, ['a.o']).relocatable, false);
    });
  }

  test('a depfile that is an output holds the path of the object', () => {
    assert.equal(facts('-c a.c -MD -MF a.d -o a.o', ['a.o', 'a.d']).relocatable, false);
    assert.equal(facts('-c a.c -MD -MF /dev/null -o a.o', ['a.o']).relocatable, true);
  });
});

describe('further outputs are those that the bare command writes', () => {
  const rows = [
    '-c a.c',
    '-S a.c',
    'a.c',
    '-c a.c b.c',
    '-c -MD a.c -o a.o',
    '-c -MMD a.c -o sub/x.y.o',
    '-c -MD -MF q.d a.c -o a.o',
    '-c -MD a.c',
    '-c -Wp,-MD,q.d a.c -o a.o',
    '-c --coverage a.c -o sub/k.o',
    '--coverage a.c -o prog',
    '--coverage a.c b.c -o prog',
    '-c -fstack-usage a.c',
    '-fstack-usage a.c -o prog.bin',
    '-fstack-usage a.c',
    '-fstack-usage a.c -o sub/a',
    '-c -gsplit-dwarf a.c -o a.o',
    '-c -save-temps a.c -o a.o',
    '-save-temps=obj a.c -o sub/prog',
    '-c -save-temps=obj v.cpp -o sub/v.o',
    '-c -aux-info x.txt a.c -o a.o',
    '-Wl,-Map=x.map a.c -o prog',
    '-Wl,-Map,x.map a.c -o prog',
    '-Xlinker -Map -Xlinker x.map a.c -o prog',
    '-c -Wa,-alh=x.lst a.c -o a.o',
    '-c -O2 -fopt-info-all=x.txt a.c -o a.o',
    '-c -fcallgraph-info a.c -o a.o',
    '-c -O2 -fsave-optimization-record a.c -o a.o',
    '-c inc/h.h',
    '-E a.c -o a.i',
    '-E -MD a.c -o a.i',
    '-c -x c a.c -o a.o',
    '-MD a.c -o prog.x',
    '-MM a.c',
    '-M a.c -MF m.d',
    '-E a.c',
    '-fsyntax-only a.c',
    '-c -fstack-usage a.c -o /dev/null',
    '-c -MD -MP -MT x a.c',
  ];
  for (const row of rows) {
    test(row, () => {
      const cwd = temporaryFolder();
      plant(cwd, { ...SOURCES, 'sub/keep': '' });
      const before = new Set(filesBelow(cwd));
      const line = commandLine({ program: GCC, args: row.split(' '), cwd });
      const { furtherOutputs } = gcc.facts(line);
      const ran = runLine(line, line.args, temporaryFolder());
      assert.equal(ran.status, 0, ran.stderr);
      const written = filesBelow(cwd).filter((name) => !before.has(name));
      assert.deepEqual([...new Set(furtherOutputs)].toSorted(), written);
    });
  }

  test('declared outputs are not further, however they are written', () => {
    assert.deepEqual(facts('-c a.c -MD -o sub/a.o', ['./sub/a.o', 'sub/../sub/a.d']).furtherOutputs, []);
    assert.deepEqual(facts('-c a.c -MD -o sub/a.o', ['sub/a.o']).furtherOutputs, ['sub/a.d']);
  });
});

describe('what is never cached', () => {
  for (const [row, word] of [
    ['@args -c a.c', 'preset:response-file'],
    ['-c a.c -Wl,@args', 'preset:response-file'],
    ['-c a.c -wrapper gdb,--args', 'preset:runs-program'],
    ['-c a.c -fplugin=./x.so', 'preset:runs-program'],
    ['-c a.cc -fmodules-ts', 'preset:unlisted-read'],
    ['-c a.c -fprofile-use', 'preset:unlisted-read'],
    ['-c a.c -fbranch-probabilities', 'preset:unlisted-read'],
    ['-c a.c -v', 'embeds-path'],
    ['-c a.c -###', 'embeds-path'],
    ['-c a.c -fdump-tree-all', 'undeclared-output'],
    ['-c a.c -da', 'undeclared-output'],
    ['-c a.c -dumpbase x', 'undeclared-output'],
    ['-c a.c -fdiagnostics-format=sarif-file', 'undeclared-output'],
    ['-c a.c --output=x.o', 'preset:unlisted-read'],
    ['-c a.f90', 'preset:unlisted-read'],
    ['a.c -Wl,-plugin=x.so', 'preset:runs-program'],
  ] as const) {
    test(row, () => {
      assert.equal(facts(row, []).uncacheable?.word, word);
    });
  }

  for (const row of [
    '-c a.c -dM -E',
    '-dumpversion',
    '--version',
    '-c a.c --param max-inline-insns-single=5',
    '--coverage -c a.c',
  ]) {
    test(`${row} may be`, () => {
      assert.equal(facts(row, []).uncacheable, null);
    });
  }
});

test('-march=native depends on the processor, and other machines do not', () => {
  assert.equal(facts('-c a.c -march=native', []).machineModel, true);
  assert.equal(facts('-c a.c -mtune=native', []).machineModel, true);
  assert.equal(facts('-c a.c -march=x86-64-v3', []).machineModel, false);
});

test('arguments are split however they are written', () => {
  const parsed = parseGccArguments(
    ['-oa.o', '-Iinc', '-I', 'inc2', '-D', 'A=1', '-xc', 'f', '-x', 'none', 'lib.a', '-lm', '-c'],
    false,
  );
  assert.equal(parsed.output, 'a.o');
  assert.equal(parsed.stage, 'assemble');
  assert.deepEqual(parsed.sources, [{ path: 'f', language: 'c', header: false }]);
  assert.deepEqual(parsed.linkInputs, ['lib.a']);
  assert.deepEqual(
    parsed.options.filter((option) => option.name === '-I').map((option) => option.value),
    ['inc', 'inc2'],
  );
});

test('a source on stdin is refused: the compiler would get an empty one', () => {
  for (const args of [
    ['-c', '-', '-x', 'c'],
    ['-x', 'c', '-c', '-', '-o', 'a.o'],
  ]) {
    assert.throws(
      () => gcc.facts(commandLine({ program: '/usr/bin/gcc', args, cwd: '/' })),
      /expected a source file, got "-"/,
    );
  }
});
