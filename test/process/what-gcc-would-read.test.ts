import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { describe, it } from 'node:test';
import { has } from '../support/tools.js';
import { Workbench } from '../support/workbench.js';

const OBJECT = ['a.c', '-o', 'a.o', '--', 'gcc', '-c', '{input}', '-o', '{output}'] as const;
const SEARCHING = [...OBJECT, '-Iearly', '-Ilate'] as const;
const PROGRAM = ['a.c', 'b.c', '-o', 'a.o', '--', 'gcc', '{input}', '-o', '{output}'] as const;
const BROKEN = 'int x = ;\n';

/** Puts a header with this text, precompiled, beside one that says something else. */
async function precompile(bench: Workbench, text: string): Promise<void> {
  bench.write('precompiled.h', text);
  const { status } = await bench.spawn('gcc', ['precompiled.h', '-o', 'x.h.gch']).ended;
  assert.equal(status, 0);
  rmSync(bench.path('precompiled.h'));
}

const TARGET = '#pragma GCC target("avx2")\n#ifdef __AVX2__\n#include "x.h"\n#endif\n';

interface Case {
  readonly files: Readonly<Record<string, string>>;
  readonly call: readonly string[];
  readonly before?: (bench: Workbench) => Promise<void> | void;
  readonly change: (bench: Workbench) => Promise<void> | void;
}

/** After each change gcc gives another result than before. */
const CASES: Readonly<Record<string, Case>> = {
  'a precompiled header that appears for -include': {
    files: { 'a.c': 'int f(void) { return N; }\n', 'x.h': '#define N 1\n' },
    call: [...OBJECT, '-include', 'x.h'],
    change: async (bench) => precompile(bench, '#define N 2\n'),
  },
  'the same where the header is wrong': {
    files: { 'a.c': 'int f(void) { return 1; }\n', 'x.h': BROKEN },
    call: [...OBJECT, '-include', 'x.h'],
    change: async (bench) => precompile(bench, '#define N 2\n'),
  },
  'a precompiled header that changes': {
    files: { 'a.c': '#include "x.h"\nint f(void) { return N; }\n', 'x.h': '#define N 1\n' },
    call: OBJECT,
    before: async (bench) => precompile(bench, '#define N 2\n'),
    change: async (bench) => precompile(bench, '#define N 3\n'),
  },
  'a precompiled header that disappears': {
    files: { 'a.c': '#include "x.h"\nint f(void) { return N; }\n', 'x.h': '#define N 1\n' },
    call: OBJECT,
    before: async (bench) => precompile(bench, '#define N 2\n'),
    change: (bench) => {
      rmSync(bench.path('x.h.gch'));
    },
  },
  'a precompiled header that appears for a computed include': {
    files: { 'a.c': '#define H "x.h"\n#include H\nint f(void) { return N; }\n', 'x.h': '#define N 1\n' },
    call: OBJECT,
    change: async (bench) => precompile(bench, '#define N 2\n'),
  },
  'the target of a link that led nowhere': {
    files: { 'a.c': '#include <x.h>\n', 'late/x.h': BROKEN },
    call: SEARCHING,
    before: (bench) => {
      mkdirSync(bench.path('early'));
      symlinkSync('../real.h', bench.path('early/x.h'));
    },
    change: (bench) => {
      bench.write('real.h', 'int x;\n');
    },
  },
  'the second of two probes in one line': {
    files: { 'a.c': '#if __has_include("p.h") || __has_include("q.h")\nint x;\n#else\nint x = ;\n#endif\n' },
    call: OBJECT,
    change: (bench) => {
      bench.write('q.h', '');
    },
  },
  'what __has_include_next asks for': {
    files: {
      'a.c': '#include <x.h>\n',
      'early/x.h': '#if __has_include_next(<x.h>)\nint x;\n#else\nint x = ;\n#endif\n',
    },
    call: SEARCHING,
    before: (bench) => {
      mkdirSync(bench.path('late'));
    },
    change: (bench) => {
      bench.write('late/x.h', '');
    },
  },
  'what a macro asks for that stands for __has_include': {
    files: { 'a.c': '#define HAS __has_include\n#if HAS("p.h")\nint x;\n#else\nint x = ;\n#endif\n' },
    call: OBJECT,
    change: (bench) => {
      bench.write('p.h', '');
    },
  },
  'a header in an earlier folder, included behind a byte order mark': {
    files: { 'a.c': '\uFEFF#include <x.h>\n', 'early/y.h': '', 'late/x.h': BROKEN },
    call: SEARCHING,
    change: (bench) => {
      bench.write('early/x.h', 'int x;\n');
    },
  },
  'a header in an earlier folder, included by a trigraph': {
    files: { 'a.c': '??=include <x.h>\n', 'early/y.h': '', 'late/x.h': BROKEN },
    call: [...SEARCHING, '-trigraphs'],
    change: (bench) => {
      bench.write('early/x.h', 'int x;\n');
    },
  },
  'a header in an earlier folder below the system root': {
    files: { 'a.c': '#include <x.h>\n', 'root/early/y.h': '', 'late/x.h': BROKEN },
    call: [...OBJECT, '--sysroot=root', '-I=/early', '-Ilate'],
    change: (bench) => {
      bench.write('root/early/x.h', 'int x;\n');
    },
  },
  'a header beside the parts of -B': {
    files: { 'a.c': '#include <x.h>\n', 'parts/y': '', 'late/x.h': BROKEN },
    call: [...OBJECT, '-Bparts/', '-idirafter', 'late'],
    change: (bench) => {
      bench.write('parts/include/x.h', 'int x;\n');
    },
  },
  'a compiler among the parts of -B': {
    files: { 'a.c': BROKEN, 'parts/y': '' },
    call: [...OBJECT, '-Bparts/'],
    change: (bench) => {
      bench.write('parts/cc1', '#!/bin/sh\nexit 0\n');
      chmodSync(bench.path('parts/cc1'), 0o755);
    },
  },
  'what a pragma includes in one of two sources': {
    files: {
      'a.c': `${TARGET}int g(void);\nint main(void) { return f() + g(); }\n`,
      'b.c': 'int g(void) { return 1; }\n',
      'x.h': 'int f(void) { return 1; }\n',
    },
    call: PROGRAM,
    change: (bench) => {
      bench.write('x.h', 'int f(void) { return 2; }\n');
    },
  },
  'what a pragma includes that goes on behind a backslash and a blank': {
    files: {
      'a.c': `${TARGET.replace('GCC ', 'GCC \\ \n')}int g(void);\nint main(void) { return f() + g(); }\n`,
      'b.c': 'int g(void) { return 1; }\n',
      'x.h': 'int f(void) { return 1; }\n',
    },
    call: PROGRAM,
    change: (bench) => {
      bench.write('x.h', 'int f(void) { return 2; }\n');
    },
  },
  'what a pragma includes beside a list of the user’s own': {
    files: { 'a.c': `${TARGET}int g(void) { return f(); }\n`, 'x.h': 'int f(void) { return 1; }\n' },
    call: ['a.c', '-o', 'a.o', '-o', 'a.d', ...'-- gcc -c a.c -o {output:1} -MD -MF {output:2}'.split(' ')],
    change: (bench) => {
      bench.write('x.h', 'int f(void) { return 2; }\n');
    },
  },
};

describe('gcc is asked again after a change of', () => {
  for (const [name, { files, call, before, change }] of Object.entries(CASES)) {
    it(name, async (t) => {
      if (!has(t, 'gcc')) return;
      const bench = Workbench.make(t);
      for (const [path, text] of Object.entries(files)) bench.write(path, text);
      await before?.(bench);
      const compile = async (...options: readonly string[]): Promise<readonly unknown[]> => {
        rmSync(bench.path('a.o'), { force: true });
        const { exitCode } = await bench.compile([...options, ...call]);
        return exitCode === 0 ? [exitCode, bench.read('a.o')] : [exitCode];
      };
      const first = await compile();
      assert.deepEqual(await compile(), first);
      await change(bench);
      const changed = await compile();
      assert.notDeepEqual(changed, first);
      assert.deepEqual(await compile('--no-cache'), changed);
    });
  }
});
