import assert from 'node:assert/strict';
import { linkSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { text, texts, TEXTS, TOOL } from '../support/batch-jobs.js';
import { replace } from '../support/call-yard.js';
import {
  BatchYard,
  made,
  removeOutputs,
  type BatchRow,
  type RepeatedBatch,
} from '../support/repeated-batch.js';
import type { Workbench } from '../support/workbench.js';

const yard = new BatchYard();

interface Mistake extends BatchRow {
  /** Of a project without outputs. */
  readonly change: (bench: Workbench) => void;
}

/** Two folders of sources and outputs. */
function twins(bench: Workbench): void {
  texts(bench);
  for (const folder of ['one', 'two']) mkdirSync(bench.path(folder));
}

const TWO_FOLDERS = ['one', 'two'].map((folder, index) =>
  text('ab'[index] ?? '', { outputs: [`${folder}/x.out`] }),
);

const MISTAKES: readonly Mistake[] = [
  {
    name: 'a folder lies in the place of an output',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      mkdirSync(b.path('c.out'));
    },
  },
  {
    name: 'two outputs are one file by two names',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      b.write('a.out', 'old');
      linkSync(b.path('a.out'), b.path('c.out'));
    },
  },
  {
    name: 'an output leads to that of another job',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      symlinkSync('a.out', b.path('c.out'));
    },
  },
  {
    name: 'an output leads to the input of another job',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      symlinkSync('a.txt', b.path('c.out'));
    },
  },
  {
    name: 'the input of a job is the output of another by its other name',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      linkSync(b.path('a.txt'), b.path('c.out'));
    },
  },
  {
    name: 'the folder of an output leads to that of another one',
    prepare: twins,
    jobs: TWO_FOLDERS,
    change: (b) => {
      rmSync(b.path('two'), { recursive: true });
      symlinkSync('one', b.path('two'));
    },
  },
  {
    name: 'the folder of an output leads to a source of its name',
    prepare: (b) => {
      texts(b);
      for (const folder of ['in', 'out']) mkdirSync(b.path(folder));
      renameSync(b.path('a.txt'), b.path('in/a.txt'));
    },
    jobs: [
      text('a', { inputs: ['in/a.txt'], outputs: ['a.out'] }),
      text('b', { outputs: ['out/a.txt'] }),
      text('c'),
    ],
    change: (b) => {
      rmSync(b.path('out'), { recursive: true });
      symlinkSync('in', b.path('out'));
    },
  },
  {
    name: 'the folder of an output is gone',
    prepare: twins,
    jobs: TWO_FOLDERS,
    change: (b) => {
      rmSync(b.path('two'), { recursive: true });
    },
  },
  {
    name: 'a word of a command is the output of another job',
    prepare: texts,
    jobs: [text('a'), text('b'), text('c', { command: [...TOOL, 'a.out'] })],
    change: (b) => {
      b.write('a.out', 'a1\n');
    },
  },
  {
    name: 'an input is gone',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      rmSync(b.path('c.txt'));
    },
  },
  {
    name: 'an input is a folder',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      rmSync(b.path('c.txt'));
      mkdirSync(b.path('c.txt'));
    },
  },
  {
    name: 'a program is gone',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      rmSync(b.path('tool'));
    },
  },
  {
    name: 'the manifest has another job, which has one',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      replace(b.path('jobs.json'), JSON.stringify({ jobs: [...TEXTS, text('d')] }));
    },
  },
  {
    name: 'the manifest ends early',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      replace(b.path('jobs.json'), b.text('jobs.json').slice(0, -1));
    },
  },
  {
    name: 'there is no manifest',
    prepare: texts,
    jobs: TEXTS,
    change: (b) => {
      rmSync(b.path('jobs.json'));
    },
  },
];

async function checkMistake(batch: RepeatedBatch, { change, jobs }: Mistake): Promise<void> {
  const { bench } = batch;
  removeOutputs(batch);
  await batch.leave();
  removeOutputs(batch);
  change(bench);
  const before = made({ bench, jobs });
  const gone = await batch.go();
  assert.deepEqual(made({ bench, jobs }), before, 'nothing is written');
  const long = await batch.runLong();
  assert.deepEqual([gone.status, gone.stdout, gone.stderr], [long.status, long.stdout, long.stderr]);
  assert.equal(gone.status, 2);
}

yard.rows('nothing is written where', MISTAKES, checkMistake);
