import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {
  checkChange,
  needingGcc,
  object,
  OBJECT,
  OBJECTS,
  sources,
  text,
  texts,
  TEXTS,
  TOOL,
} from '../support/batch-jobs.js';
import { projectFolder, rewrite, settings } from '../support/call-yard.js';
import { BatchYard, type BatchOptions, type BatchRow } from '../support/repeated-batch.js';
import { SEARCH_PATH } from '../support/tools.js';
import type { Workbench } from '../support/workbench.js';

const yard = new BatchYard();

interface Changed extends BatchRow {
  readonly change: (bench: Workbench) => void;
}

/** `a.c` reads `h.h`. */
function withHeader(bench: Workbench): void {
  sources(bench);
  bench.write('inc2/h.h', '#define H 11\n');
  bench.write('a.c', '#include "h.h"\nint a(void) { return H; }\n');
}

const editA = (bench: Workbench): void => {
  rewrite(bench.path('a.c'), 'int a(void) { return 2; }\n');
};
const editText = (bench: Workbench): void => {
  rewrite(bench.path('a.txt'), 'a2\n');
};

function twoFolders(bench: Workbench): BatchOptions {
  return { environment: { PATH: `${bench.path('first')}:${bench.path('second')}:${SEARCH_PATH}` } };
}

const SHARED: readonly Changed[] = [
  {
    name: 'a header',
    prepare: withHeader,
    jobs: OBJECTS,
    change: (b) => {
      rewrite(b.path('inc2/h.h'), '#define H 22\n');
    },
  },
  ...['inc1/h.h', 'h.h'].map((name): Changed => ({
    name: `a header that is found earlier: ${name}`,
    prepare: withHeader,
    jobs: OBJECTS,
    change: (b) => {
      b.write(name, '#define H 22\n');
    },
  })),
  {
    name: 'a source that another one includes',
    prepare: (b) => {
      sources(b);
      b.write('c.c', '#include "a.c"\n');
    },
    jobs: OBJECTS,
    change: editA,
  },
  {
    name: 'a source to which a header is a link',
    prepare: (b) => {
      sources(b);
      b.write('c.c', '#include "h.h"\n');
      symlinkSync('../a.c', b.path('inc2/h.h'));
    },
    jobs: OBJECTS,
    change: editA,
  },
  {
    name: 'a source that is a header by another name',
    prepare: (b) => {
      sources(b);
      b.write('c.c', '#include "h.h"\n');
      linkSync(b.path('a.c'), b.path('inc2/h.h'));
    },
    jobs: OBJECTS,
    change: editA,
  },
  ...['-include', '-imacros'].map((flag): Changed => ({
    name: `a source that another job reads by ${flag}`,
    prepare: (b) => {
      sources(b);
      b.write('a.c', '#define A 1\n');
      b.write('c.c', 'int c = A;\n');
    },
    jobs: [
      object('a'),
      object('b'),
      object('c', { command: ['gcc', '-c', flag, 'a.c', '{input}', '-o', '{output}'] }),
    ],
    change: (b) => {
      rewrite(b.path('a.c'), '#define A 2\n');
    },
  })),
  {
    name: 'a source of two jobs',
    prepare: sources,
    jobs: [...OBJECTS, object('d', { inputs: ['a.c'], command: [...OBJECT, '-DX'] })],
    change: editA,
  },
  {
    name: 'a source that an argument of another job names',
    prepare: (b) => {
      texts(b);
      b.script('tool', 'cat "$1" $3 > "$2"');
    },
    jobs: [text('a'), text('b'), text('c', { command: [...TOOL, 'a.txt'] })],
    change: editText,
  },
  {
    name: 'a source that a variable of another job names',
    prepare: (b) => {
      texts(b);
      b.script('tool', 'cat "$1" $NAMES > "$2"');
    },
    jobs: [text('a'), text('b'), text('c', { env: ['NAMES=a.txt'] })],
    change: editText,
  },
  {
    name: 'a source that is the --tool of another job',
    prepare: (b) => {
      texts(b);
      rmSync(b.path('a.txt'));
      b.script('a.txt', 'cat "$1"');
      b.script('tool', '"./${3:-a.txt}" "$1" > "$2"');
    },
    jobs: [text('a', { command: [...TOOL, 'a.txt'] }), text('b', { tool: ['cat', './a.txt'] })],
    change: (b) => {
      rewrite(b.path('a.txt'), '#!/bin/sh\ntac "$1"\n');
    },
  },
  {
    name: 'a source that is the program of another job',
    prepare: (b) => {
      texts(b);
      rmSync(b.path('a.txt'));
      b.script('a.txt', 'cat "$1" > "$2"');
    },
    jobs: [text('a'), text('b', { command: ['./a.txt', '{input}', '{output}'] })],
    change: (b) => {
      rewrite(b.path('a.txt'), '#!/bin/sh\necho other > "$2"\n');
    },
  },
  {
    name: 'a source that is the interpreter of another job',
    prepare: (b) => {
      texts(b);
      copyFileSync('/bin/sh', b.path('a.txt'));
      b.write('other', `#!${b.path('a.txt')}\ncat "$1" > "$2"\n`);
      chmodSync(b.path('other'), 0o755);
    },
    jobs: [text('a'), text('b', { command: ['./other', '{input}', '{output}'] })],
    change: (b) => {
      const bytes = readFileSync(b.path('a.txt'));
      writeFileSync(b.path('a.txt'), Buffer.concat([bytes, Buffer.from('x')]));
    },
  },
  {
    name: 'a source that becomes a program on PATH',
    prepare: (b) => {
      texts(b);
      b.write('first/make-text', 'data');
      b.script('second/make-text', 'cat "$1" > "$2"');
    },
    jobs: [
      text('a', { inputs: ['first/make-text'], command: ['make-text', '{input}', '{output}'] }),
      text('b', { command: ['make-text', '{input}', '{output}'] }),
    ],
    options: twoFolders,
    change: (b) => {
      b.script('first/make-text', 'echo first > "$2"');
      chmodSync(b.path('first/make-text'), 0o755);
    },
  },
  {
    name: 'a program that is found earlier on PATH',
    prepare: (b) => {
      texts(b);
      mkdirSync(b.path('first'));
      b.script('second/make-text', 'cat "$1" > "$2"');
    },
    jobs: ['a', 'b'].map((name) => text(name, { command: ['make-text', '{input}', '{output}'] })),
    options: twoFolders,
    change: (b) => {
      b.script('first/make-text', 'echo first > "$2"');
    },
  },
  {
    name: 'a library that is found earlier',
    prepare: (b) => {
      sources(b);
      for (const folder of ['lib1', 'lib2']) mkdirSync(b.path(folder));
      b.write('a.c', 'int v(void); int main(void) { return v(); }\n');
      library(b, 'lib2', 1);
    },
    jobs: [
      object('a', { command: ['gcc', '{input}', '-Llib1', '-Llib2', '-lv', '-o', '{output}'] }),
      object('b'),
    ],
    change: (b) => {
      library(b, 'lib1', 2);
    },
  },
  {
    name: 'a settings file that appears',
    prepare: texts,
    jobs: TEXTS,
    change: settings(projectFolder, 'shortcuts = true\n'),
  },
  {
    name: 'the folder of the jobs, which is a link',
    prepare: (b) => {
      for (const name of ['one', 'two']) {
        b.write(`${name}/a.txt`, name);
        b.write(`${name}/b.txt`, name);
        b.script(`${name}/tool`, 'cat "$1" > "$2"');
      }
      symlinkSync('one', b.path('link'));
    },
    jobs: ['a', 'b'].map((name) => text(name, { cwd: 'link' })),
    change: (b) => {
      rmSync(b.path('link'));
      symlinkSync('two', b.path('link'));
    },
  },
  {
    name: 'a variable of the jobs',
    prepare: (b) => {
      texts(b);
      b.script('tool', 'cat "$1" > "$2"; echo "$V" >> "$2"');
    },
    jobs: ['a', 'b', 'c'].map((name) => text(name, { env: ['V=1'] })),
    change: (b) => {
      b.write('jobs.json', b.text('jobs.json').replaceAll('V=1', 'V=2'));
    },
  },
];

function library(bench: Workbench, folder: string, value: number): void {
  bench.write('v.c', `int v(void) { return ${value}; }\n`);
  const line = `gcc -c v.c -o v.o && rm -f ${folder}/libv.a && ar rcD ${folder}/libv.a v.o`;
  assert.equal(spawnSync('sh', ['-c', line], { cwd: bench.project }).status, 0);
}

yard.rows('none stands when all depend on what has changed:', SHARED.map(needingGcc), async (batch, row) =>
  checkChange(batch, row.change, []),
);
