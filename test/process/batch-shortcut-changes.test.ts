import { chmodSync, linkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
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
} from '../support/batch-jobs.js';
import { replace, rewrite } from '../support/call-yard.js';
import { BatchYard, type BatchRow } from '../support/repeated-batch.js';
import type { Workbench } from '../support/workbench.js';

const yard = new BatchYard();

interface Changed extends BatchRow {
  readonly change: (bench: Workbench) => void;
  /** The numbers of the jobs that stand; all but the first unless set. */
  readonly taken?: readonly number[];
}

const editA = (bench: Workbench): void => {
  rewrite(bench.path('a.c'), 'int a(void) { return 2; }\n');
};

const OWN: readonly Changed[] = [
  {
    name: 'nothing (they are as they were)',
    prepare: sources,
    jobs: OBJECTS,
    change: () => undefined,
    taken: [1, 2, 3],
  },
  { name: 'a source, its time given back', prepare: sources, jobs: OBJECTS, change: editA },
  {
    name: 'a source, by another file of its time',
    prepare: sources,
    jobs: OBJECTS,
    change: (b) => {
      replace(b.path('a.c'), 'int a(void) { return 2; }\n');
    },
  },
  {
    name: 'two sources that change places',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      renameSync(b.path('a.txt'), b.path('d.txt'));
      renameSync(b.path('b.txt'), b.path('a.txt'));
      renameSync(b.path('d.txt'), b.path('b.txt'));
    },
    taken: [3],
  },
  {
    name: 'a source that is a link and leads elsewhere',
    prepare: (b) => {
      texts(b);
      rmSync(b.path('a.txt'));
      b.write('one', '1');
      b.write('two', '2');
      symlinkSync('one', b.path('a.txt'));
    },
    jobs: TEXTS,
    change: (b) => {
      rmSync(b.path('a.txt'));
      symlinkSync('two', b.path('a.txt'));
    },
  },
  {
    name: 'what a source leads to',
    prepare: (b) => {
      texts(b);
      rmSync(b.path('a.txt'));
      b.write('one', '1');
      symlinkSync('one', b.path('a.txt'));
    },
    jobs: TEXTS,
    change: (b) => {
      rewrite(b.path('one'), '2');
    },
  },
  {
    name: 'a source by its other name',
    prepare: (b) => {
      texts(b);
      linkSync(b.path('a.txt'), b.path('twin'));
    },
    jobs: TEXTS,
    change: (b) => {
      rewrite(b.path('twin'), 'a2\n');
    },
  },
  {
    name: 'a source that two jobs name by different folders',
    prepare: (b) => {
      texts(b);
      b.write('in/d.txt', 'd1\n');
      symlinkSync('in', b.path('link'));
    },
    jobs: ['in/d', 'b', 'c', 'link/d'].map((name) => text(name)),
    change: (b) => {
      rewrite(b.path('in/d.txt'), 'd2\n');
    },
    taken: [2, 3],
  },
  {
    name: 'a source that two jobs spell differently',
    prepare: sources,
    jobs: [...OBJECTS, object('d', { inputs: ['./a.c'], command: [...OBJECT, '-DX'] })],
    change: editA,
  },
  {
    name: 'a source that a folder leads to',
    prepare: (b) => {
      texts(b);
      for (const name of ['one', 'two']) b.write(`${name}/a.txt`, name);
      symlinkSync('one', b.path('link'));
    },
    jobs: [text('a', { inputs: ['link/a.txt'] }), text('b'), text('c')],
    change: (b) => {
      rmSync(b.path('link'));
      symlinkSync('two', b.path('link'));
    },
  },
  {
    name: 'a source that may be executed now',
    prepare: (b) => {
      texts(b);
      b.script('tool', 'cat "$1" > "$2"; test -x "$1" && echo x >> "$2"; true');
    },
    jobs: TEXTS,
    change: (b) => {
      chmodSync(b.path('a.txt'), 0o755);
    },
  },
];

yard.rows('the others stand when one has changed:', OWN.map(needingGcc), async (batch, row) =>
  checkChange(batch, row.change, row.taken ?? [2, 3]),
);
