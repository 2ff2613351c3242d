import assert from 'node:assert/strict';
import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { text, texts, TEXTS } from '../support/batch-jobs.js';
import { replace, rewrite } from '../support/call-yard.js';
import { eventually } from '../support/eventually.js';
import {
  BatchYard,
  batchAnswer,
  made,
  outputsOf,
  removeOutputs,
  type BatchRow,
  type RepeatedBatch,
} from '../support/repeated-batch.js';
import { settled } from '../support/shortcuts.js';
import type { Workbench } from '../support/workbench.js';

const yard = new BatchYard();
const MANY = 120;

interface Alone extends BatchRow {
  readonly test: (batch: RepeatedBatch) => Promise<void>;
}

const all = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index + 1);

async function hits({ bench }: RepeatedBatch): Promise<number> {
  return (await bench.stats()).counters?.hits ?? 0;
}

function many(bench: Workbench): void {
  texts(bench);
  for (let index = 0; index < MANY; index += 1) bench.write(`in/${index}.txt`, `${index}\n`.repeat(1000));
  mkdirSync(bench.path('out'));
}

const MANY_JOBS = Array.from({ length: MANY }, (_, index) =>
  text(String(index), { inputs: [`in/${index}.txt`], outputs: [`out/${index}.out`] }),
);

/** Nothing but whole outputs is left by whoever was stopped. */
function checkWhole({ bench, jobs }: RepeatedBatch): number {
  const there = readdirSync(bench.path('out'));
  const names = new Set(outputsOf(jobs).map((name) => name.slice('out/'.length)));
  for (const name of there) {
    assert.ok(names.has(name), `expected outputs only, found ${name}`);
    assert.equal(bench.text(`out/${name}`), bench.text(`in/${name.replace('.out', '.txt')}`));
  }
  return there.length;
}

/** Sends a signal as soon as some outputs are there. */
async function stopped(batch: RepeatedBatch, signal: NodeJS.Signals): Promise<void> {
  const { bench } = batch;
  await batch.leave();
  assert.equal((await batch.go()).taken.length, MANY);
  removeOutputs(batch);
  const before = await hits(batch);
  const running = batch.start();
  await eventually('an output is there', () => readdirSync(bench.path('out')).length > 0);
  running.kill(signal);
  const ended = await running.ended;
  assert.ok(ended.signal === signal || ended.status === 0, `expected ${signal}, got ${ended.status}`);
  if (signal === 'SIGINT' && ended.signal === signal) {
    const counted = (await hits(batch)) - before;
    assert.ok(counted <= checkWhole(batch), `expected as many outputs as hits, which are ${counted}`);
    assert.match(ended.stdout.toString(), /^120 jobs in .*: \d+ hits?(?:, \d+ stopped)?/);
  }
  const gone = await batch.go();
  assert.deepEqual([gone.status, gone.taken.length], [0, MANY]);
  assert.equal(checkWhole(batch), MANY);
}

const ALONE: readonly Alone[] = [
  {
    name: 'is left anew for what has changed, and not for longer',
    prepare: texts,
    jobs: TEXTS,
    test: async (batch) => {
      const { bench } = batch;
      await batch.leave();
      const [{ leftAtMs } = {}] = batch.read();
      rewrite(bench.path('a.txt'), 'a2\n');
      const first = await batch.go();
      assert.deepEqual(first.taken, [2, 3]);
      await settled(bench.folder);
      assert.deepEqual((await batch.go()).taken, [2, 3]);
      batch.mark();
      assert.deepEqual((await batch.go()).taken, [1, 2, 3]);
      assert.equal(bench.text('a.out'), 'a2\n');
      assert.equal(batch.read()[0]?.['leftAtMs'], leftAtMs);
    },
  },
  {
    name: 'serves four processes at once, each of which counts',
    prepare: texts,
    jobs: TEXTS,
    test: async (batch) => {
      await batch.leave();
      const here = made(batch);
      removeOutputs(batch);
      const before = await hits(batch);
      for (const gone of await Promise.all(all(4).map(async () => batch.go()))) {
        assert.deepEqual([gone.status, gone.stderr.toString()], [0, '']);
        // What another process is writing goes the long way.
        assert.ok(gone.taken.length > 0);
      }
      assert.deepEqual(made(batch), here);
      assert.equal((await hits(batch)) - before, 12);
      const names = ['a', 'b', 'c'].flatMap((name) => [`${name}.out`, `${name}.txt`]);
      assert.deepEqual(readdirSync(batch.bench.project).toSorted(), [...names, 'jobs.json', 'tool']);
    },
  },
  ...(['SIGINT', 'SIGKILL'] as const).map((signal): Alone => ({
    name: `leaves whole outputs when it ends by ${signal}`,
    prepare: many,
    jobs: MANY_JOBS,
    test: async (batch) => stopped(batch, signal),
  })),
  {
    name: 'is that of the folder in which it is called',
    prepare: (b) => {
      texts(b);
      mkdirSync(b.path('sub'));
    },
    jobs: TEXTS,
    test: async (batch) => {
      await batch.leave();
      linkSync(batch.bench.path('jobs.json'), batch.bench.path('sub/jobs.json'));
      const elsewhere = await batch.go({ cwd: batch.bench.path('sub') });
      assert.equal(elsewhere.status, 2, 'the inputs lie beside another manifest');
      assert.deepEqual((await batch.go()).taken, []);
    },
  },
  {
    name: 'is that of its words, its environment and its home',
    prepare: texts,
    jobs: TEXTS,
    test: async (batch) => {
      await batch.leave();
      const others = [
        { words: ['--jobs', '1'] },
        { environment: { SOURCE_DATE_EPOCH: '1' } },
        { environment: { VYRE_CACHE_DIR: batch.bench.path('other') } },
        { words: ['--no-cache'] },
        { environment: { VYRE_CACHE_DISABLE: '1' } },
        { environment: { VYRE_CACHE_SHORTCUTS: 'false' } },
      ];
      for (const other of others) {
        const gone = await batch.go(other);
        assert.deepEqual([gone.status, gone.taken], [0, []], JSON.stringify(other));
      }
      assert.deepEqual((await batch.go()).taken, [1, 2, 3]);
    },
  },
  {
    name: 'gives way to a manifest that changes underway, which is begun anew',
    prepare: (b) => {
      texts(b);
      b.write('d.txt', 'd1\n');
      b.write('go', '');
      // More than a pipe holds: who reads it lets the batch go on.
      b.script('tool', 'head -c 200000 /dev/zero | tr "\\0" x >&2; cat "$1" > "$2"');
    },
    jobs: TEXTS,
    options: () => ({
      shell: (line) => `${line} 2>&1 > said | { until test -e go; do sleep 0.01; done; cat > read; }`,
    }),
    test: async (batch) => {
      const { bench } = batch;
      await batch.leave();
      removeOutputs(batch);
      rmSync(bench.path('go'));
      const running = batch.start();
      await eventually('an output is there', () => existsSync(bench.path('a.out')));
      const jobs = ['d', 'c', 'b', 'a'].map((name) => text(name));
      replace(bench.path('jobs.json'), JSON.stringify({ jobs }));
      // What was looked at holds for 20 ms.
      await sleep(100);
      bench.write('go', '');
      await running.ended;
      assert.match(bench.text('said'), /^4 jobs in .*: 3 hits, 1 compiled/);
      assert.equal(bench.text('d.out'), 'd1\n');
    },
  },
  {
    name: 'sees another manifest where a link leads to one',
    prepare: (b) => {
      texts(b);
      b.write('other.json', JSON.stringify({ jobs: [text('c')] }));
    },
    jobs: TEXTS,
    test: async (batch) => {
      const { bench } = batch;
      renameSync(bench.path('jobs.json'), bench.path('first.json'));
      symlinkSync('first.json', bench.path('jobs.json'));
      await settled(bench.folder);
      await batch.leave();
      assert.deepEqual((await batch.go()).taken, [1, 2, 3]);
      removeOutputs(batch);
      rmSync(bench.path('jobs.json'));
      symlinkSync('other.json', bench.path('jobs.json'));
      const gone = await batch.go();
      assert.match(gone.stdout.toString(), /^1 job in /);
      assert.deepEqual(Object.values(made({ bench, jobs: TEXTS })).slice(0, 2), [null, null]);
    },
  },
];

yard.rows('the shortcut of a batch', ALONE, async (batch, { test }) => test(batch));

interface Unleft extends BatchRow {
  readonly words?: readonly string[];
  readonly shell?: (line: string) => string;
}

const from = (source: string) => (line: string) => line.replace("'jobs.json'", source);

const ASKED = ['a', 'b'].map((name) => text(name, { tool: [], compilerVersion: 'echo 1' }));

const UNLEFT: readonly Omit<Unleft, 'prepare'>[] = [
  { name: 'standard input', shell: (line) => `${from('-')(line)} < jobs.json`, jobs: TEXTS },
  { name: 'a pipe', shell: (line) => `cat jobs.json | ${from('/dev/stdin')(line)}`, jobs: TEXTS },
  { name: 'a descriptor', shell: (line) => `${from('/dev/fd/3')(line)} 3< jobs.json`, jobs: TEXTS },
  { name: '--refresh', words: ['--refresh'], jobs: TEXTS },
  { name: '--no-cache', words: ['--no-cache'], jobs: TEXTS },
  { name: 'jobs whose compiler is asked for its version', jobs: ASKED },
  {
    name: 'jobs whose patterns may match more',
    jobs: TEXTS.map((job) => Object.assign({ deps: ['*.txt'] }, job)),
  },
];

yard.rows(
  'none is left by',
  UNLEFT.map((row): Unleft => Object.assign({ prepare: texts }, row)),
  async (batch, { words = [], shell }) => {
    const how = { words, ...(shell === undefined ? {} : { shell }) };
    for (let run = 0; run < 2; run += 1) {
      const ended = await batch.run(how);
      assert.equal(ended.status, 0, ended.stderr.toString());
    }
    assert.deepEqual(batch.paths(), []);
    assert.deepEqual(batchAnswer(batch, await batch.run(how)), batchAnswer(batch, await batch.runLong(how)));
  },
);
