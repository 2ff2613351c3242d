import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import { gcc, gPlusPlus } from '../../src/compile/presets/gcc.js';
import type { Preset } from '../../src/compile/presets/preset.js';
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

const GCC = '/usr/bin/gcc';
const GPP = '/usr/bin/g++';

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

function hex(path: string): string {
  return readFileSync(path).toString('hex');
}

/** Those that are not there. */
function missing(cwd: string, files: readonly string[]): readonly string[] {
  return files.filter((name) => systemFiles.stat(resolve(cwd, name)) === null);
}

test('every listed file of a source in a subfolder is there', async () => {
  for (const [program, source, preset] of [
    [GCC, 'sub/a.c', gcc],
    [GPP, 'sub/v.cpp', gPlusPlus],
    [GCC, 'sub/s.s', gcc],
  ] as const) {
    for (const stage of [['-c'], ['-g', '-c'], ['-shared', '-fPIC']]) {
      const cwd = temporaryFolder();
      plant(cwd, Object.fromEntries(Object.entries(SOURCES).map(([name, text]) => [`sub/${name}`, text])));
      const line = commandLine({
        program,
        args: [...stage, source, '-o', 'result'],
        cwd,
        inputs: [source],
        outputs: ['result'],
      });
      const { files } = listOf(await compileListed(preset, line));
      assert.deepEqual(
        files.filter((name) => systemFiles.stat(join(name.startsWith('/') ? '/' : cwd, name)) === null),
        [],
        `${program} ${stage.join(' ')} ${source}`,
      );
    }
  }
});

describe('the list changes no byte', () => {
  for (const row of [
    '-c a.c',
    '-c -Wall -O2 a.c',
    '-S -fverbose-asm a.c',
    '-E a.c',
    '-c -g a.c',
    '-c -g3 -grecord-gcc-switches a.c',
    '-c -frecord-gcc-switches a.c',
    '-c -flto -frandom-seed=1 a.c',
    '-c s.s',
    '-c S.S',
    'a.c',
    '-shared -fPIC a.c b.c',
    '-g a.c',
    '-c -fstack-usage a.c',
    '-c --coverage -frandom-seed=1 a.c',
    '-c -MD -MF x.d a.c',
    '-static a.c',
    '-flto -O2 a.c',
  ]) {
    test(row, async () => {
      const cwd = temporaryFolder();
      plant(cwd, SOURCES);
      const line = commandLine({
        program: GCC,
        args: [...row.split(' '), '-o', 'result'],
        cwd,
        outputs: ['result'],
      });
      const bare = runLine(line, line.args, temporaryFolder());
      const before = filesBelow(cwd).map((name) => [name, hex(join(cwd, name))]);
      rmSync(join(cwd, 'result'));
      const listing = await compileListed(gcc, line);
      assert.deepEqual(listing.ran, bare);
      const { files } = listOf(listing);
      assert.deepEqual(
        filesBelow(cwd).map((name) => [name, hex(join(cwd, name))]),
        before,
      );
      const source = row.split(' ').find((word) => /\.[csS]$/.test(word)) ?? '';
      assert.ok(files.includes(source), `${files.join(' ')} holds ${source}`);
    });
  }
});

async function listed(
  tree: Tree,
  args: string,
  preset: Preset = gcc,
  environment: Readonly<Record<string, string>> = {},
) {
  const cwd = temporaryFolder();
  plant(cwd, tree);
  const program = preset === gcc ? GCC : GPP;
  return compileListed(
    preset,
    commandLine({ program, args: args.split(' '), cwd, outputs: ['a.o'], environment }),
  );
}

describe('what a compilation has read', () => {
  test('headers of the project and of the system, as gcc names them', async () => {
    const { files } = listOf(await listed(SOURCES, '-c a.c -o a.o'));
    assert.ok(files.includes('inc/h.h') && files.includes('/usr/include/stdio.h'), files.join(' '));
  });

  test('several sources, or a depfile of the user, are listed by a run of their own', async () => {
    assert.ok(listOf(await listed(SOURCES, '-shared -fPIC a.c b.c -o a.o')).files.includes('inc/h.h'));
    assert.ok(
      listOf(await listed(SOURCES, '-c a.c -MMD -MF own.d -o a.o')).files.includes('/usr/include/stdio.h'),
    );
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
    const { files, absent } = listOf(
      await listed(tree, '-Llib -shared -fPIC a.c -Wl,--version-script=v.map -lm -o a.o'),
    );
    assert.ok(files.some((file) => file.endsWith('/crti.o')) && files.some((file) => /libm\.so/.test(file)));
    assert.ok(files.includes('v.map'));
    assert.ok(
      !files.some((file) => /\/cc[A-Za-z0-9]+\.o$/.test(file)),
      'temporary objects are not dependencies',
    );
    assert.ok(absent.includes('lib'), 'a library folder that appears comes first');
  });

  for (const name of ['a b', 'a#b', 'a$b c', 'a,b', "it's a:b"]) {
    test(`when the worker directory is called "${name}"`, async () => {
      for (const args of ['a.c -o a.o', '-c a.c -o a.o', '-g -shared -fPIC a.c b.c -o a.o']) {
        const cwd = temporaryFolder();
        plant(cwd, SOURCES);
        const worker = join(temporaryFolder(), name);
        const line = commandLine({ program: GCC, args: args.split(' '), cwd, outputs: ['a.o'] });
        const { files } = listOf(await compileListed(gcc, line, worker));
        assert.ok(files.includes('a.c') && files.includes('inc/h.h'), files.join('\n'));
        assert.ok(args.startsWith('-c') || files.some((file) => file.endsWith('/crti.o')), files.join('\n'));
        assert.deepEqual(missing(cwd, files), [], args);
      }
    });
  }

  for (const name of ['h#x', 'h x', 'h$x']) {
    test(`of files called "${name}"`, async () => {
      const cwd = temporaryFolder();
      plant(cwd, {
        [`${name}.c`]: `#include "${name}.h"\nint main(void) { return H; }\nasm(".incbin \\"${name}.bin\\"");\n`,
        [`${name}.h`]: '#define H 0\n',
        [`${name}.bin`]: '',
        'b.c': 'int b(void) { return 1; }\n',
      });
      const build = async (...args: string[]) => {
        const line = commandLine({ program: GCC, args, cwd, outputs: ['a.out'] });
        const { files } = listOf(await compileListed(gcc, line));
        assert.deepEqual(missing(cwd, files), [], args.join(' '));
        return files;
      };
      for (const stage of [['-c'], ['-g', '-c'], []]) {
        const files = await build(...stage, `${name}.c`, '-o', 'a.out');
        for (const end of ['c', 'h', 'bin']) assert.ok(files.includes(`${name}.${end}`), files.join('\n'));
      }
      await build('-c', 'b.c', '-o', `${name}.o`);
      const linked = await build('-shared', `${name}.o`, '-o', 'a.out');
      assert.ok(linked.includes(`${name}.o`), linked.join('\n'));
    });
  }

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
    const { absent } = listOf(
      await listed(tree, '-c src/a.c -iquote quote -I early -I nowhere/deep -I late -o a.o'),
    );
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
    for (const path of absent)
      assert.equal(systemFiles.lstat(path.startsWith('/') ? path : join(cwd, path)), null, path);
    const before = hex(join(cwd, 'a.o'));
    plant(cwd, { 'src/x.h': '#define X 40\n' });
    runLine(line, line.args, temporaryFolder());
    assert.notEqual(hex(join(cwd, 'a.o')), before);
  });

  test('a precompiled header beside or before the first include', async () => {
    const { absent } = listOf(await listed(tree, '-c src/a.c -I early -I late -o a.o'));
    assert.ok(
      absent.includes('late/x.h.gch') && absent.includes('early/x.h.gch') && absent.includes('src/x.h.gch'),
    );
  });

  test('the operands of __has_include', async () => {
    const source =
      '#ifdef __has_include\n#if __has_include("o.h")\n#endif\n#if __has_include(<early/there.h>)\n#endif\n#endif\n';
    const { files, absent } = listOf(
      await listed({ 'a.c': source, 'early/there.h': '#error no' }, '-c a.c -I first -I . -o a.o'),
    );
    assert.ok(absent.includes('o.h') && absent.includes('first'), absent.join(' '));
    assert.ok(files.includes('early/there.h'), files.join(' '));
    const computed = (
      await listed({ 'a.c': '#define N <x.h>\n#if __has_include(N)\n#endif\n' }, '-c a.c -o a.o')
    ).listed;
    assert.equal(computed?.ok === false && computed.word, 'preset:unlisted-read');
  });

  test('a computed include', async () => {
    const { absent } = listOf(
      await listed(
        { 'a.c': '#define N "x.h"\n#include N\n', 'inc/x.h': '' },
        '-c a.c -I first -I inc -o a.o',
      ),
    );
    assert.ok(absent.includes('x.h') && absent.includes('first'), absent.join(' '));
  });

  test('C++ and its own folders', async () => {
    const { files, absent } = listOf(
      await listed({ 'v.cpp': SOURCES['v.cpp'] ?? '', 'inc/e.h': '' }, '-c v.cpp -I inc -o a.o', gPlusPlus),
    );
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
    const tree = {
      'a.c': '#include "t.h"\nconst char *t = T;\n',
      't.h': '#define T __TIME__\n',
      'b.c': 'const char *t = T;\n',
    };
    const header = (await listed(tree, '-c a.c -o a.o')).listed;
    const argument = (await listed(tree, '-c b.c -DT=__TIME__ -o a.o')).listed;
    assert.deepEqual([header?.ok, argument?.ok], [false, false]);
  });
});

test('assembler directives that carry the folder without -g make a relocatable compilation uncacheable', async () => {
  const { listed: list, facts: known } = await listed(
    { 'a.c': 'asm(".file 1 \\"x.c\\"\\n.loc 1 1\\nnop");\n' },
    '-c a.c -o a.o',
  );
  assert.equal(known.relocatable, true);
  assert.equal(list?.ok === false && list.word, 'embeds-path');
});

test('the programs that gcc starts', async () => {
  const ask = (preset: Preset, args: string): Promise<readonly string[]> => {
    const line = commandLine({ program: preset === gcc ? GCC : GPP, args: args.split(' '), cwd: '/' });
    const memoised = async (argv: readonly string[]) => {
      const [program = '', ...rest] = argv;
      const ran = runLine({ ...line, program }, rest, temporaryFolder());
      return {
        status: ran.status,
        signal: null,
        stdout: Buffer.from(ran.stdout),
        stderr: Buffer.from(ran.stderr),
      };
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
  assert.deepEqual(await ask(gcc, 'a.o -o a'), [
    'as',
    'collect2',
    'ld',
    'liblto_plugin.so',
    'lto-wrapper',
    'lto1',
  ]);
  assert.deepEqual(await ask(gcc, '--version'), []);
});
