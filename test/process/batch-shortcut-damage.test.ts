import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { text, texts, TEXTS } from '../support/batch-jobs.js';
import { rewrite } from '../support/call-yard.js';
import {
  BatchYard,
  batchAnswer,
  made,
  removeOutputs,
  type BatchRow,
  type RepeatedBatch,
} from '../support/repeated-batch.js';

const DAY_MS = 86_400_000;

const yard = new BatchYard();

interface Damage {
  readonly name: string;
  readonly damage: (batch: RepeatedBatch, fingerprint: string) => void;
  /** The numbers of the jobs that a shortcut answers still; none unless set. */
  readonly taken?: readonly number[];
}

type Document = Readonly<Record<string, unknown>>;

const head =
  (change: (head: Document) => Document) =>
  (batch: RepeatedBatch): void => {
    const [first = {}, ...jobs] = batch.read();
    batch.write([change(first), ...jobs]);
  };
/** Of the first job. */
const job =
  (change: (known: Document) => unknown) =>
  (batch: RepeatedBatch): void => {
    const [first, second = {}, ...others] = batch.read();
    batch.write([first, change(second), ...others]);
  };
const fields = (changed: Document): Damage['damage'] => job((known) => ({ ...known, ...changed }));
const bytes =
  (change: (all: Buffer) => Buffer) =>
  (batch: RepeatedBatch): void => {
    writeFileSync(batch.shortcut, change(readFileSync(batch.shortcut)));
  };

const SHORTCUTS: readonly Damage[] = [
  { name: 'gone', damage: ({ shortcut }) => rmSync(shortcut) },
  { name: 'empty', damage: bytes(() => Buffer.alloc(0)) },
  { name: 'cut', damage: bytes((all) => all.subarray(0, -1)) },
  { name: 'cut at a line', damage: bytes((all) => all.subarray(0, all.lastIndexOf('\n'))) },
  {
    name: 'flipped in a bit',
    damage: bytes((all) => {
      all[all.byteLength >> 1] = (all[all.byteLength >> 1] ?? 0) ^ 1;
      return all;
    }),
  },
  { name: 'too large', damage: ({ shortcut }) => truncateSync(shortcut, 134_217_729) },
  { name: 'of another schema', damage: head((all) => ({ ...all, schema: 'vyre-cache.batch-shortcut/2' })) },
  { name: 'a week old', damage: head((all) => ({ ...all, leftAtMs: Date.now() - 7 * DAY_MS })) },
  { name: 'of tomorrow', damage: head((all) => ({ ...all, leftAtMs: Date.now() + DAY_MS })) },
  { name: 'without looks for all', damage: head((all) => ({ ...all, looks: '' })) },
  { name: 'with a field more', damage: head((all) => ({ ...all, more: 1 })) },
  { name: 'with a job without looks', damage: fields({ looks: undefined }) },
  { name: 'with a job that is none', damage: job(() => 'job') },
  { name: 'with a NUL', damage: fields({ looks: 'stat\t/\0\tabsent' }) },
  { name: 'with a fingerprint that is none', damage: fields({ fingerprint: '../../x' }) },
  { name: 'with another checksum of an entry', damage: fields({ entryChecksum: 'x' }), taken: [2, 3] },
  { name: 'with a look that is none', damage: fields({ looks: 'peek\t/\tabsent' }), taken: [2, 3] },
  { name: 'with another record', damage: fields({ record: 'file 1 1 1 1 1' }), taken: [2, 3] },
  {
    name: 'a folder',
    damage: ({ shortcut }) => {
      rmSync(shortcut);
      mkdirSync(shortcut);
    },
  },
  {
    name: 'a link to it',
    damage: ({ shortcut }) => {
      renameSync(shortcut, `${shortcut}x`);
      symlinkSync(`${shortcut}x`, shortcut);
    },
  },
  {
    name: 'in a folder that others may write',
    damage: ({ shortcut }) => {
      chmodSync(dirname(shortcut), 0o777);
    },
  },
];

yard.rows(
  'a shortcut is not taken that is',
  SHORTCUTS.map((row): BatchRow & Damage => Object.assign({ prepare: texts, jobs: TEXTS }, row)),
  async (batch, { damage, taken = [] }) => {
    await batch.leave();
    assert.deepEqual((await batch.go()).taken, [1, 2, 3]);
    damage(batch, '');
    removeOutputs(batch);
    const gone = await batch.go();
    const short = batchAnswer(batch, gone);
    removeOutputs(batch);
    assert.deepEqual(short, batchAnswer(batch, await batch.runLong()), 'the long way');
    assert.deepEqual(gone.taken, taken);
  },
);

const ENTRIES: readonly Damage[] = [
  {
    name: 'a damaged entry',
    damage: ({ bench }, fingerprint) => {
      rewrite(bench.entryPath(fingerprint), bench.text('a.txt').toUpperCase());
    },
  },
  {
    name: 'no entry',
    damage: ({ bench }, fingerprint) => {
      rmSync(bench.entryPath(fingerprint), { force: true });
    },
  },
  {
    name: 'no record',
    damage: ({ bench }, fingerprint) => {
      rmSync(bench.recordPath(fingerprint), { force: true });
    },
  },
  {
    name: 'a record that was written anew',
    damage: ({ bench }, fingerprint) => {
      const path = bench.recordPath(fingerprint);
      rewrite(path, readFileSync(path, 'utf8'));
    },
  },
  {
    name: 'the entry of another job',
    damage: ({ bench }, fingerprint) => {
      const other = bench.entries().find((name) => name !== fingerprint) ?? '';
      writeFileSync(bench.entryPath(fingerprint), readFileSync(bench.entryPath(other)));
    },
  },
];

yard.rows(
  'a job goes the long way that has',
  ENTRIES.map((row): BatchRow & Damage => Object.assign({ prepare: texts, jobs: TEXTS }, row)),
  async (batch, { damage }) => {
    await batch.leave();
    const fingerprint = String(batch.read()[1]?.['fingerprint']);
    damage(batch, fingerprint);
    removeOutputs(batch);
    const gone = await batch.go();
    const short = batchAnswer(batch, gone);
    damage(batch, fingerprint);
    removeOutputs(batch);
    assert.deepEqual(short, batchAnswer(batch, await batch.runLong()), 'the long way');
    assert.deepEqual(gone.taken, [2, 3]);
    await batch.bench.verified();
  },
);

interface Home extends BatchRow {
  readonly change: (root: string) => void;
}

const HOMES: readonly Omit<Home, 'prepare' | 'jobs'>[] = [
  { name: 'gone', change: (root) => rmSync(root, { recursive: true, force: true }) },
  {
    name: 'without its store',
    change: (root) => rmSync(join(root, 'pipelines'), { recursive: true, force: true }),
  },
  {
    name: 'open to others',
    change: (root) => {
      chmodSync(root, 0o777);
    },
  },
  {
    name: 'a file',
    change: (root) => {
      rmSync(root, { recursive: true, force: true });
      writeFileSync(root, '');
    },
  },
];

yard.rows(
  'none stands in a home that is',
  HOMES.map((row): Home => Object.assign({ prepare: texts, jobs: TEXTS }, row)),
  async (batch, { change }) => {
    const { bench } = batch;
    await batch.leave();
    change(bench.root);
    removeOutputs(batch);
    const gone = await batch.go();
    const short = batchAnswer(batch, gone);
    change(bench.root);
    removeOutputs(batch);
    assert.deepEqual(short, batchAnswer(batch, await batch.runLong()), 'the long way');
    assert.deepEqual(gone.taken, []);
  },
);

yard.rows(
  'an entry that --refresh has replaced',
  [
    {
      name: 'is what is delivered',
      prepare: (bench) => {
        texts(bench);
        bench.script('tool', 'cat "$1" > "$2"; date +%s%N >> "$2"');
      },
      jobs: ['a', 'b'].map((name) => text(name)),
    },
  ],
  async (batch) => {
    await batch.leave();
    const first = made(batch);
    assert.equal((await batch.run({ words: ['--refresh'] })).status, 0);
    const refreshed = made(batch);
    assert.notDeepEqual(refreshed, first);
    removeOutputs(batch);
    const gone = await batch.go();
    assert.deepEqual([gone.taken, made(batch)], [[], refreshed]);
  },
);
