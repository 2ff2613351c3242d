import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import { parseGccArguments } from '../../src/compile/presets/gcc-arguments.js';
import { gcc, gPlusPlus } from '../../src/compile/presets/gcc.js';
import type { Facts, Preset } from '../../src/compile/presets/preset.js';
import { commandLine, compileListed, filesBelow, listOf, plant, runLine, temporaryFolder, type Tree } from './preset-runs.js';

const GCC = '/usr/bin/gcc';
const GPP = '/usr/bin/g++';

const SOURCES: Tree = {
  'a.c': '#include <stdio.h>\n#include "inc/h.h"\nint f(int x) { if (x) printf("%d\\n", x + H); return x * 2; }\nint main(void) { int unused; return f(1); }\n',
  'b.c': 'int g(void) { return 7; }\n',
  'inc/h.h': '#define H 3\n#warning careful\n',
  'v.cpp': '#include <vector>\nint sum(const std::vector<int> &v) { int s = 0; for (int x : v) s += x; return s; }\n',
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
        const line = commandLine({ program: GCC, args: [...row.split(' '), '-o', output], cwd, outputs: [output] });
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
    '-c -g a.c', '-c -g3 a.c', '-c -ggdb a.c', '-S -g a.c', '-E -g a.c', '-c --coverage a.c', '-c -fprofile-arcs a.c',
    '-c -fprofile-generate a.c', '-c -ftest-coverage a.c', '-c -flto a.c', '-flto a.c', '-c -frecord-gcc-switches a.c',
    '-c -Wa,-a a.c', '-c -Wa,-alh=x a.c', '-c s.s', '-c S.S', '-c -x assembler a.c', '-c a.i', '-c -x c-header a.h', '-c a.h',
    '-c -specs=x a.c', '-c -fstack-usage a.c', '-c -save-temps a.c', '-c -aux-info x a.c', '-c -gsplit-dwarf a.c',
    '-Wl,-Map=x a.c', '-c -fdebug-prefix-map=a=b a.c', '-c -ffile-prefix-map=a=b a.c', '-c -frandom-seed=1 -flto a.c',
    '-c -fdump-tree-all a.c', '-c -fplugin=x a.c', '-c -fmodules-ts a.cc', '-c -B. a.c', '-c -wrapper x a.c', '-M a.c',
    '-c -some-new-option a.c', '-c -fsome-new-option a.c', '-fsyntax-only a.c', '--version', '-c -fopt-info a.c',
    '-c -fdiagnostics-format=json a.c', '-c -Xassembler -a a.c', '-T x.ld a.c', '-c a.f90',
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
    '-c a.c', '-S a.c', 'a.c', '-c a.c b.c', '-c -MD a.c -o a.o', '-c -MMD a.c -o sub/x.y.o', '-c -MD -MF q.d a.c -o a.o',
    '-c -MD a.c', '-c -Wp,-MD,q.d a.c -o a.o', '-c --coverage a.c -o sub/k.o', '--coverage a.c -o prog', '--coverage a.c b.c -o prog',
    '-c -fstack-usage a.c', '-fstack-usage a.c -o prog.bin', '-fstack-usage a.c', '-fstack-usage a.c -o sub/a',
    '-c -gsplit-dwarf a.c -o a.o', '-c -save-temps a.c -o a.o', '-save-temps=obj a.c -o sub/prog', '-c -save-temps=obj v.cpp -o sub/v.o',
    '-c -aux-info x.txt a.c -o a.o', '-Wl,-Map=x.map a.c -o prog', '-Wl,-Map,x.map a.c -o prog', '-Xlinker -Map -Xlinker x.map a.c -o prog',
    '-c -Wa,-alh=x.lst a.c -o a.o', '-c -O2 -fopt-info-all=x.txt a.c -o a.o', '-c -fcallgraph-info a.c -o a.o',
    '-c -O2 -fsave-optimization-record a.c -o a.o', '-c inc/h.h', '-E a.c -o a.i', '-E -MD a.c -o a.i', '-c -x c a.c -o a.o', '-MD a.c -o prog.x',
    '-MM a.c', '-M a.c -MF m.d', '-E a.c', '-fsyntax-only a.c', '-c -fstack-usage a.c -o /dev/null', '-c -MD -MP -MT x a.c',
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

  for (const row of ['-c a.c -dM -E', '-dumpversion', '--version', '-c a.c --param max-inline-insns-single=5', '-c - -x c', '--coverage -c a.c']) {
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
  const parsed = parseGccArguments(['-oa.o', '-Iinc', '-I', 'inc2', '-D', 'A=1', '-xc', 'f', '-x', 'none', 'lib.a', '-lm', '-c'], false);
  assert.equal(parsed.output, 'a.o');
  assert.equal(parsed.stage, 'assemble');
  assert.deepEqual(parsed.sources, [{ path: 'f', language: 'c', header: false }]);
  assert.deepEqual(parsed.linkInputs, ['lib.a']);
  assert.deepEqual(parsed.options.filter((option) => option.name === '-I').map((option) => option.value), ['inc', 'inc2']);
});

describe('the list changes no byte', () => {
  for (const row of [
    '-c a.c', '-c -Wall -O2 a.c', '-S -fverbose-asm a.c', '-E a.c', '-c -g a.c', '-c -g3 -grecord-gcc-switches a.c',
    '-c -frecord-gcc-switches a.c', '-c -flto -frandom-seed=1 a.c', '-c s.s', '-c S.S', 'a.c', '-shared -fPIC a.c b.c', '-g a.c',
    '-c -fstack-usage a.c', '-c --coverage -frandom-seed=1 a.c', '-c -MD -MF x.d a.c', '-static a.c', '-flto -O2 a.c',
  ]) {
    test(row, async () => {
      const cwd = temporaryFolder();
      plant(cwd, SOURCES);
      const line = commandLine({ program: GCC, args: [...row.split(' '), '-o', 'result'], cwd, outputs: ['result'] });
      const bare = runLine(line, line.args, temporaryFolder());
      const before = filesBelow(cwd).map((name) => [name, hex(join(cwd, name))]);
      rmSync(join(cwd, 'result'));
      const listing = await compileListed(gcc, line);
      assert.deepEqual(listing.ran, bare);
      const { files } = listOf(listing);
      assert.deepEqual(filesBelow(cwd).map((name) => [name, hex(join(cwd, name))]), before);
      const source = row.split(' ').find((word) => /\.[csS]$/.test(word)) ?? '';
      assert.ok(files.includes(source), `${files.join(' ')} holds ${source}`);
    });
  }
});

async function listed(tree: Tree, args: string, preset: Preset = gcc, environment: Readonly<Record<string, string>> = {}) {
  const cwd = temporaryFolder();
  plant(cwd, tree);
  const program = preset === gcc ? GCC : GPP;
  return compileListed(preset, commandLine({ program, args: args.split(' '), cwd, outputs: ['a.o'], environment }));
}

describe('what a compilation has read', () => {
  test('headers of the project and of the system, as gcc names them', async () => {
    const { files } = listOf(await listed(SOURCES, '-c a.c -o a.o'));
    assert.ok(files.includes('inc/h.h') && files.includes('/usr/include/stdio.h'), files.join(' '));
  });

  test('several sources, or a depfile of the user, are listed by a run of their own', async () => {
    assert.ok(listOf(await listed(SOURCES, '-shared -fPIC a.c b.c -o a.o')).files.includes('inc/h.h'));
    assert.ok(listOf(await listed(SOURCES, '-c a.c -MMD -MF own.d -o a.o')).files.includes('/usr/include/stdio.h'));
  });

  test('what the assembler includes', async () => {
    const blob = { 'blob.bin': 'x', 'inc/t.inc': 'nop\n' };
    const asm = { ...blob, 's.s': '.incbin "blob.bin"\n.include "inc/t.inc"\n' };
    const { files } = listOf(await listed(asm, '-c s.s -o a.o'));
    assert.deepEqual([...files].toSorted(), ['blob.bin', 'inc/t.inc', 's.s']);
    const inline = { ...blob, 'a.c': 'asm(".section .rodata\\n.incbin \\"blob.bin\\"\\n.text");\n' };
    assert.ok(listOf(await listed(inline, '-c a.c -o a.o')).files.includes('blob.bin'));
    const lto = (await listed(inline, '-c -flto a.c -o a.o')).listed;
    assert.equal(lto?.ok === false && lto.word, 'preset:unlisted-read');
  });

  test('libraries, start files and linker scripts', async () => {
    const tree = { ...SOURCES, 'v.map': '{ global: *; };\n' };
    const { files, absent } = listOf(await listed(tree, '-Llib -shared -fPIC a.c -Wl,--version-script=v.map -lm -o a.o'));
    assert.ok(files.some((file) => file.endsWith('/crti.o')) && files.some((file) => /libm\.so/.test(file)));
    assert.ok(files.includes('v.map'));
    assert.ok(!files.some((file) => /\/cc[A-Za-z0-9]+\.o$/.test(file)), 'temporary objects are not dependencies');
    assert.ok(absent.includes('lib'), 'a library folder that appears comes first');
  });

  test('other linkers do not list what they read', async () => {
    const { listed: list } = await listed(SOURCES, '-fuse-ld=gold a.c -o a.o');
    assert.equal(list?.ok === false && list.word, 'preset:unlisted-read');
  });
});

describe('files that would be read if they were there', () => {
  const tree: Tree = {
    'src/a.c': '#include "x.h"\n#include <y.h>\n#include <stdio.h>\nint a = X + Y;\n',
    'late/x.h': '#define X 1\n',
    'late/y.h': '#define Y 1\n',
    'early/other.h': '',
  };

  test('beside the source, in earlier folders, in folders that do not exist', async () => {
    const { absent } = listOf(await listed(tree, '-c src/a.c -iquote quote -I early -I nowhere/deep -I late -o a.o'));
    for (const path of ['src/x.h', 'early/x.h', 'early/y.h', 'early/stdio.h', 'nowhere', 'quote']) {
      assert.ok(absent.includes(path), `${path} in ${absent.join(' ')}`);
    }
    assert.ok(!absent.includes('late/x.h') && !absent.includes('src/y.h'), absent.join(' '));
  });

  test('every one of them changes the result of the next compilation, and nothing that is absent exists', async () => {
    const cwd = temporaryFolder();
    plant(cwd, tree);
    const line = commandLine({ program: GCC, args: '-c src/a.c -I early -I late -o a.o'.split(' '), cwd });
    const { absent } = listOf(await compileListed(gcc, line));
    for (const path of absent) assert.equal(systemFiles.lstat(path.startsWith('/') ? path : join(cwd, path)), null, path);
    const before = hex(join(cwd, 'a.o'));
    plant(cwd, { 'src/x.h': '#define X 40\n' });
    runLine(line, line.args, temporaryFolder());
    assert.notEqual(hex(join(cwd, 'a.o')), before);
  });

  test('a precompiled header beside or before the first include', async () => {
    const { absent } = listOf(await listed(tree, '-c src/a.c -I early -I late -o a.o'));
    assert.ok(absent.includes('late/x.h.gch') && absent.includes('early/x.h.gch') && absent.includes('src/x.h.gch'));
  });

  test('the operands of __has_include', async () => {
    const source = '#ifdef __has_include\n#if __has_include("o.h")\n#endif\n#if __has_include(<early/there.h>)\n#endif\n#endif\n';
    const { files, absent } = listOf(
      await listed({ 'a.c': source, 'early/there.h': '#error no' }, '-c a.c -I first -I . -o a.o'),
    );
    assert.ok(absent.includes('o.h') && absent.includes('first'), absent.join(' '));
    assert.ok(files.includes('early/there.h'), files.join(' '));
    const computed = (await listed({ 'a.c': '#define N <x.h>\n#if __has_include(N)\n#endif\n' }, '-c a.c -o a.o')).listed;
    assert.equal(computed?.ok === false && computed.word, 'preset:unlisted-read');
  });

  test('a computed include', async () => {
    const { absent } = listOf(
      await listed({ 'a.c': '#define N "x.h"\n#include N\n', 'inc/x.h': '' }, '-c a.c -I first -I inc -o a.o'),
    );
    assert.ok(absent.includes('x.h') && absent.includes('first'), absent.join(' '));
  });

  test('C++ and its own folders', async () => {
    const { files, absent } = listOf(await listed({ 'v.cpp': SOURCES['v.cpp'] ?? '', 'inc/e.h': '' }, '-c v.cpp -I inc -o a.o', gPlusPlus));
    assert.ok(files.some((file) => file.endsWith('/c++/12/vector') || file.endsWith('/vector')));
    assert.ok(absent.includes('inc/vector') && absent.includes('inc/bits'), absent.slice(0, 20).join(' '));
  });
});

describe('clocks', () => {
  const epoch = { SOURCE_DATE_EPOCH: '1' };
  for (const [text, environment, word] of [
    ['const char *t = __TIME__;', {}, 'preset:time-macro'],
    ['const char *t = __DATE__;', {}, 'preset:time-macro'],
    ['const char *t = __DATE__;', epoch, null],
    ['const char *t = __TIMESTAMP__;', epoch, 'preset:time-macro'],
    ['/* __TIME__ */ // __DATE__\nconst char *t = "//"; // __TIMESTAMP__', {}, null],
    ['const char *t = "a\\"/*"; const char *u = __TIME__; /* */', {}, 'preset:time-macro'],
  ] as const) {
    test(`${text} ${JSON.stringify(environment)}`, async () => {
      const { listed: list } = await listed({ 'a.c': `${text}\n` }, '-c a.c -o a.o', gcc, environment);
      assert.equal(list?.ok === false ? list.word : null, word);
    });
  }

  test('in a header, and in an argument', async () => {
    const tree = { 'a.c': '#include "t.h"\nconst char *t = T;\n', 't.h': '#define T __TIME__\n', 'b.c': 'const char *t = T;\n' };
    const header = (await listed(tree, '-c a.c -o a.o')).listed;
    const argument = (await listed(tree, '-c b.c -DT=__TIME__ -o a.o')).listed;
    assert.deepEqual([header?.ok, argument?.ok], [false, false]);
  });
});

test('assembler directives that carry the folder without -g make a relocatable compilation uncacheable', async () => {
  const { listed: list, facts: known } = await listed({ 'a.c': 'asm(".file 1 \\"x.c\\"\\n.loc 1 1\\nnop");\n' }, '-c a.c -o a.o');
  assert.equal(known.relocatable, true);
  assert.equal(list?.ok === false && list.word, 'embeds-path');
});

test('the programs that gcc starts', async () => {
  const ask = (preset: Preset, args: string): Promise<readonly string[]> => {
    const line = commandLine({ program: preset === gcc ? GCC : GPP, args: args.split(' '), cwd: '/' });
    const memoised = async (argv: readonly string[]) => {
      const [program = '', ...rest] = argv;
      const ran = runLine({ ...line, program }, rest, temporaryFolder());
      return { status: ran.status, signal: null, stdout: Buffer.from(ran.stdout), stderr: Buffer.from(ran.stderr) };
    };
    return preset.delegates({ line, files: systemFiles, memoised }).then((found) => {
      for (const { path } of found) assert.equal(systemFiles.stat(path)?.type, 'file', path);
      return found.map(({ name }) => name).toSorted();
    });
  };
  assert.deepEqual(await ask(gcc, '-c a.c'), ['as', 'cc1']);
  assert.deepEqual(await ask(gcc, '-S a.c'), ['cc1']);
  assert.deepEqual(await ask(gPlusPlus, '-c a.c'), ['as', 'cc1plus']);
  assert.deepEqual(await ask(gcc, '-c a.cc'), ['as', 'cc1plus']);
  assert.deepEqual(await ask(gcc, 'a.o -o a'), ['as', 'collect2', 'ld', 'liblto_plugin.so', 'lto-wrapper', 'lto1']);
  assert.deepEqual(await ask(gcc, '--version'), []);
});
