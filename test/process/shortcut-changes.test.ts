import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  answer,
  CALL,
  CallYard,
  COVERED,
  GCC,
  NOTHING,
  replace,
  rewrite,
  SCRIPT,
  TOOL,
  withHeaders,
  type Row,
} from '../support/call-yard.js';
import type { RepeatedCall, Way } from '../support/repeated-call.js';
import { SEARCH_PATH } from '../support/tools.js';
import type { RunOptions, Workbench } from '../support/workbench.js';

const yard = new CallYard();

interface Changed extends Row {
  readonly change: (bench: Workbench) => void;
  /** Of the next call. */
  readonly changed?: (bench: Workbench) => RunOptions;
  readonly way: Way;
  /** Of the output afterwards; the same as before unless set. `other`: anything else. */
  readonly text?: string;
}

const FIRST = '#!/bin/sh\necho first >> runs\ncat "$1" > "$2"\nprintf first >> "$2"\n';
const cp = (...words: readonly string[]): readonly string[] => [
  ...COVERED,
  'in.txt',
  '-o',
  'out.txt',
  '--',
  ...words,
  '{input}',
  '{output}',
];
const withTools = (...folders: readonly string[]) => {
  return (bench: Workbench): RunOptions => ({
    environment: { PATH: [...folders.map((folder) => bench.path(folder)), SEARCH_PATH].join(':') },
  });
};
/** A program of one's own identity that does what another one of the system does. */
function copyProgram(name: 'cp' | 'dash', path: string): void {
  copyFileSync(realpathSync(`/bin/${name}`), path);
  chmodSync(path, 0o755);
}

/** Two folders of a compiler behind a link, the files of one being hard links of those of the other. */
function twins(bench: Workbench, neighbours: (folder: string, name: 'one' | 'two') => void): void {
  for (const name of ['one', 'two'] as const) {
    mkdirSync(bench.path(name));
    neighbours(bench.path(name), name);
  }
  symlinkSync('one', bench.path('link'));
}
function repoint(bench: Workbench): void {
  rmSync(bench.path('link'));
  symlinkSync('two', bench.path('link'));
}

/** Writes what its library says. */
const PRINTS_V = `int v(void);
int main(int n, char **a) { FILE *f = fopen(a[n - 1], "w"); return fprintf(f, "%d", v()) < 0; }
`;

const CHANGES: readonly Changed[] = [
  { name: 'nothing', change: NOTHING, way: 'shortcut' },
  {
    name: 'an input by as many bytes, its time given back',
    change: (b) => {
      rewrite(b.path('in.txt'), 'xyz');
    },
    way: 'compiled',
    text: 'xyz',
  },
  {
    name: 'an input by a rename',
    change: (b) => {
      replace(b.path('in.txt'), 'xyz');
    },
    way: 'compiled',
    text: 'xyz',
  },
  {
    name: 'an input, its old file beside it',
    change: (b) => {
      renameSync(b.path('in.txt'), b.path('old'));
      b.write('in.txt', 'xyz');
    },
    way: 'compiled',
    text: 'xyz',
  },
  {
    name: 'the mode of an input',
    change: (b) => {
      chmodSync(b.path('in.txt'), 0o755);
    },
    way: 'compiled',
  },
  {
    name: 'a link to an input',
    prepare: (b) => {
      b.write('one', 'ONE');
      b.write('two', 'TWO');
      rmSync(b.path('in.txt'));
      symlinkSync('one', b.path('in.txt'));
    },
    change: (b) => {
      rmSync(b.path('in.txt'));
      symlinkSync('two', b.path('in.txt'));
    },
    way: 'compiled',
    text: 'TWO',
  },
  {
    name: 'the compiler in place',
    change: (b) => {
      rewrite(b.path('tool'), `#!/bin/sh\n${SCRIPT.replace('said', 'SAID')}\n`);
    },
    way: 'compiled',
  },
  {
    name: 'the compiler by a rename',
    change: (b) => {
      replace(b.path('tool'), FIRST, 0o755);
    },
    way: 'compiled',
    text: 'abcfirst',
  },
  {
    name: 'a package.json beside the compiler that appears',
    change: (b) => {
      b.write('package.json', '{"version":"2"}');
    },
    way: 'compiled',
  },
  {
    name: 'a compiler of the same name earlier on PATH',
    prepare: (b) => {
      mkdirSync(b.path('bin'));
    },
    args: cp('tool'),
    options: (b) => ({ environment: { PATH: `${b.path('bin')}:${b.project}:${SEARCH_PATH}` } }),
    change: (b) => {
      b.write('bin/tool', FIRST);
      chmodSync(b.path('bin/tool'), 0o755);
    },
    way: 'compiled',
    text: 'abcfirst',
  },
  {
    name: 'PATH, to another compiler',
    prepare: (b) => {
      b.script('bin/tool', FIRST);
      copyProgram('cp', b.path('cp'));
    },
    args: cp('tool'),
    options: (b) => ({ environment: { PATH: `${b.project}:${SEARCH_PATH}` } }),
    changed: withTools('bin'),
    change: NOTHING,
    way: 'compiled',
    text: 'abcfirst',
  },
  {
    name: 'an ELF compiler on PATH',
    needs: 'gcc',
    prepare: (b) => {
      copyProgram('cp', b.script('bin/copy', ''));
    },
    args: cp('copy'),
    options: withTools('bin'),
    change: (b) => {
      copyProgram('cp', b.path('bin/new'));
      appendFileSync(b.path('bin/new'), 'x');
      renameSync(b.path('bin/new'), b.path('bin/copy'));
    },
    way: 'compiled',
  },
  {
    name: 'the interpreter of a script behind env',
    prepare: (b) => {
      b.write('tool', '#!/usr/bin/env shell\ncat "$1" > "$2"\n');
      copyProgram('dash', b.script('bin/shell', ''));
    },
    options: withTools('first', 'bin'),
    change: (b) => {
      mkdirSync(b.path('first'));
      copyProgram('dash', b.path('first/shell'));
      appendFileSync(b.path('first/shell'), 'x');
    },
    way: 'compiled',
  },
  {
    name: 'a --tool',
    prepare: (b) => {
      b.script('helper', 'true');
    },
    args: ['--tool', './helper', 'in.txt', '-o', 'out.txt', ...TOOL],
    change: (b) => {
      rewrite(b.path('helper'), '#!/bin/sh\nfals\n');
    },
    way: 'compiled',
  },
  {
    name: 'a file that an argument names',
    prepare: (b) => {
      b.write('part', 'one');
      b.script('tool', 'cat "$1" "$3" > "$2"');
    },
    args: [...CALL, 'part'],
    change: (b) => {
      rewrite(b.path('part'), 'two');
    },
    way: 'compiled',
    text: 'abctwo',
  },
  {
    name: 'a word of the command that becomes a file',
    prepare: (b) => {
      b.script('tool', 'cat "$1" > "$2"; cat "${3#*=}" >> "$2" || true');
    },
    args: [...CALL, '--with=part'],
    change: (b) => {
      b.write('part', 'two');
    },
    way: 'compiled',
    text: 'abctwo',
  },
  {
    name: 'the folder of an output that is another one',
    prepare: (b) => {
      twins(b, NOTHING);
    },
    args: [...COVERED, 'in.txt', '-o', 'link/out.txt', ...TOOL],
    change: (b) => {
      repoint(b);
      b.write('out.txt', 'abc');
    },
    way: 'long way',
  },
  {
    name: 'a link to the folder of the compiler, which has other neighbours there',
    prepare: (b) => {
      twins(b, (folder, name) => {
        if (name === 'one') copyFileSync(b.path('tool'), join(folder, 'tool'));
        else linkSync(b.path('one/tool'), join(folder, 'tool'));
        writeFileSync(join(folder, 'package.json'), `{"name":"t","version":"${name}"}`);
      });
    },
    args: [...COVERED, 'in.txt', '-o', 'out.txt', '--', 'link/tool', '{input}', '{output}'],
    change: repoint,
    way: 'compiled',
  },
  {
    name: 'a link to the folder of a program whose libraries lie beside it',
    needs: 'gcc',
    prepare: (b) => {
      b.write('p.c', PRINTS_V);
      twins(b, (folder, name) => {
        writeFileSync(join(folder, 'l.c'), `int v(void) { return ${name === 'one' ? 1 : 2}; }`);
        gcc(folder, ['-shared', '-fPIC', 'l.c', '-o', 'libv.so']);
        if (name === 'one')
          gcc(folder, ['-include', 'stdio.h', '../p.c', '-L.', '-lv', '-Wl,-rpath,$ORIGIN', '-o', 'p']);
        else linkSync(b.path('one/p'), join(folder, 'p'));
      });
    },
    args: cp('link/p'),
    change: repoint,
    way: 'compiled',
    text: '2',
  },
  {
    name: 'a library that LD_LIBRARY_PATH finds first',
    needs: 'gcc',
    prepare: (b) => {
      b.write('p.c', PRINTS_V);
      for (const [folder, value] of [
        ['one', 1],
        ['two', 2],
      ] as const) {
        b.write(`${folder}/l.c`, `int v(void) { return ${value}; }`);
        gcc(b.path(folder), ['-shared', '-fPIC', 'l.c', '-o', folder === 'one' ? 'libv.so' : 'later.so']);
      }
      gcc(b.project, ['-include', 'stdio.h', 'p.c', '-Lone', '-lv', '-o', 'p']);
    },
    args: ['--env', 'LD_LIBRARY_PATH', ...cp('./p')],
    options: (b) => ({ environment: { LD_LIBRARY_PATH: `${b.path('two')}:${b.path('one')}` } }),
    change: (b) => {
      renameSync(b.path('two/later.so'), b.path('two/libv.so'));
    },
    way: 'compiled',
    text: '2',
  },
  {
    name: 'a file that a variable of --env names',
    prepare: (b) => {
      b.write('names', 'one');
      b.script('tool', 'cat "$1" "$NAMES" > "$2"');
    },
    args: ['--env', 'NAMES=names', ...CALL],
    change: (b) => {
      rewrite(b.path('names'), 'two');
    },
    way: 'compiled',
    text: 'abctwo',
  },
];

function gcc(cwd: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync('gcc', args, { cwd });
  assert.equal(status, 0, String(stderr));
}

async function checkChange(call: RepeatedCall, row: Changed): Promise<void> {
  const { bench, args } = call;
  await call.leave();
  const output = args[args.indexOf('-o') + 1] ?? '';
  const first = bench.text(output);
  row.change(bench);
  const ended = await call.go(row.changed?.(bench));
  const made = answer(call, ended, [output]);
  assert.equal(ended.way, row.way);
  assert.equal(bench.text(output), row.text ?? first);
  rmSync(bench.path(output));
  assert.deepEqual(made, answer(call, await call.runLong(row.changed?.(bench)), [output]), 'the long way');
}

yard.rows('what has changed is seen, the file times included:', CHANGES, checkChange);

interface Header extends Row {
  readonly change: (bench: Workbench) => void;
}

const HEADERS: readonly Header[] = [
  {
    name: 'edited, its time given back',
    change: (b) => {
      rewrite(b.path('inc2/h.h'), '#define H 22\n');
    },
  },
  {
    name: 'replaced',
    change: (b) => {
      replace(b.path('inc2/h.h'), '#define H 22\n');
    },
  },
  {
    name: 'shadowed by one earlier on the include path',
    change: (b) => {
      b.write('inc1/h.h', '#define H 22\n');
    },
  },
  {
    name: 'shadowed by one beside the source',
    change: (b) => {
      b.write('h.h', '#define H 22\n');
    },
  },
  {
    name: 'removed, another one being left',
    prepare: (b) => {
      b.write('inc1/h.h', '#define H 33\n');
    },
    change: (b) => {
      rmSync(b.path('inc1/h.h'));
    },
  },
  {
    name: 'removed for good',
    change: (b) => {
      rmSync(b.path('inc2/h.h'));
    },
  },
  {
    name: 'shadowed by a precompiled one',
    change: (b) => {
      b.write('o.h', '#define H 22\n');
      gcc(b.project, ['-x', 'c-header', 'o.h', '-o', 'inc2/h.h.gch']);
    },
  },
  {
    name: 'that another folder of the path has, which is a link',
    prepare: (b) => {
      rmSync(b.path('inc1'), { recursive: true });
      b.write('one/none', '');
      b.write('two/h.h', '#define H 44\n');
      symlinkSync('one', b.path('inc1'));
    },
    change: (b) => {
      rmSync(b.path('inc1'));
      symlinkSync('two', b.path('inc1'));
    },
  },
  {
    name: 'beside a source behind a link, whose other folder has the same source',
    prepare: (b) => {
      twins(b, (folder, name) => {
        writeFileSync(join(folder, 'h.h'), `#define H ${name === 'one' ? 55 : 66}\n`);
      });
      renameSync(b.path('a.c'), b.path('one/a.c'));
      linkSync(b.path('one/a.c'), b.path('two/a.c'));
    },
    args: ['link/a.c', '-o', 'a.o', '--', 'gcc', '-c', '{input}', '-o', '{output}'],
    change: repoint,
  },
];

yard.rows(
  'a header is seen that is',
  HEADERS.map((row) => ({
    name: row.name,
    change: row.change,
    needs: 'gcc' as const,
    args: row.args ?? GCC,
    prepare: (b: Workbench) => {
      withHeaders(b);
      row.prepare?.(b);
    },
  })),
  async (call, { change }) => {
    const { bench, args } = call;
    await call.leave();
    const first = bench.text('a.o');
    change(bench);
    rmSync(bench.path('a.o'));
    const made = answer(call, await call.run(), ['a.o']);
    rmSync(bench.path('a.o'), { force: true });
    const command = args
      .slice(args.indexOf('--') + 1)
      .map((word) => word.replace('{input}', args[0] ?? '').replace('{output}', 'a.o'));
    const bare = await bench.spawn(command[0] ?? '', command.slice(1), { environment: { LC_ALL: 'C.UTF-8' } })
      .ended;
    assert.deepEqual(made, answer(call, bare, ['a.o']), 'the bare compiler');
    assert.ok(!existsSync(bench.path('a.o')) || bench.text('a.o') !== first, 'expected another object');
  },
);
