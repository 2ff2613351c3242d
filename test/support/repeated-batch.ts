import assert from 'node:assert/strict';
import { lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checksumOf, succeeded } from './repeated-call.js';
import { shortcutsIn } from './shortcuts.js';
import type { Ended, Running, RunOptions, Workbench } from './workbench.js';
import { ShortcutYard, type YardRow } from './shortcut-yard.js';

/** A job as a manifest has it. */
export interface TypedJob {
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly stdout?: string;
  readonly tool?: readonly string[];
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly priority?: 'normal' | 'critical';
  readonly command: readonly string[];
  readonly [key: string]: unknown;
}

export interface BatchOptions extends RunOptions {
  /** What a shell runs instead, given the line of the call. */
  readonly shell?: (line: string) => string;
  /** After the manifest. */
  readonly words?: readonly string[];
}

/** A batch that has ended, and the numbers of the jobs that its shortcut has answered. */
export type Gone = Ended & { readonly taken: readonly number[] };

export const MANIFEST = 'jobs.json';
/** What a job says that a shortcut answers, so that it can be told from others. */
const mark = (number: number): string => `job ${number} by the shortcut\n`;

/** A call of `compile --manifest` that is made again and again. */
export class RepeatedBatch {
  readonly bench: Workbench;
  readonly options: BatchOptions;
  #shortcut: string | null = null;
  #strangers = 0;

  constructor(bench: Workbench, options: BatchOptions = {}) {
    this.bench = bench;
    this.options = options;
  }

  /** Where the shortcut lies that was left. */
  get shortcut(): string {
    assert.ok(this.#shortcut !== null, 'expected a batch that has left a shortcut');
    return this.#shortcut;
  }

  get jobs(): readonly TypedJob[] {
    return (JSON.parse(this.bench.text(MANIFEST)) as { readonly jobs: readonly TypedJob[] }).jobs;
  }

  async run(options: BatchOptions = {}): Promise<Ended> {
    return this.start(options).ended;
  }

  start(options: BatchOptions = {}): Running {
    const { bench } = this;
    const environment = { ...this.options.environment, ...options.environment };
    const { shell, words = [], ...given } = { ...this.options, ...options, environment };
    const all = ['compile', '--manifest', MANIFEST, ...words];
    if (shell === undefined) return bench.start(all, given);
    return bench.spawn('sh', ['-c', shell(bench.commandLine(all))], given);
  }

  /** The same in an environment that nobody has called from: no shortcut fits. */
  async runLong(options: BatchOptions = {}): Promise<Ended> {
    this.#strangers += 1;
    const environment = { ...options.environment, STRANGER: String(this.#strangers) };
    return this.run({ ...options, environment });
  }

  paths(): readonly string[] {
    return shortcutsIn(this.bench.stateHome);
  }

  /** Hits what was compiled before, and expects that this leaves one shortcut. */
  async leave(options: BatchOptions = {}): Promise<void> {
    const known = this.paths();
    succeeded(await this.run(options));
    const left = this.paths().filter((path) => !known.includes(path));
    assert.equal(left.length, 1, 'expected one shortcut');
    this.#shortcut = left[0] ?? '';
    this.mark();
  }

  /** Runs the batch, without the marks in what it says. */
  async go(options: BatchOptions = {}): Promise<Gone> {
    return unmarked(await this.run(options));
  }

  /** The head of the shortcut, and its jobs. */
  read(): readonly Readonly<Record<string, unknown>>[] {
    const lines = readFileSync(this.shortcut, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Puts documents into the place of the shortcut. */
  write(documents: readonly unknown[]): void {
    const text = documents.map((document) => JSON.stringify(document)).join('\n');
    writeFileSync(this.shortcut, `${text}\n${checksumOf(text)}`);
  }

  /** Marks what the shortcut says. */
  mark(): void {
    const [head, ...jobs] = this.read();
    this.write([head, ...jobs.map(marked)]);
  }
}

function marked(job: Readonly<Record<string, unknown>>): unknown {
  const said = Buffer.from(String(job['stderr']), 'base64').toString('latin1');
  const word = mark(Number(job['index']) + 1);
  if (said.endsWith(word)) return job;
  const stderr = Buffer.from(said + (/[^\n]$/.test(said) ? '\n' : '') + word, 'latin1');
  return { ...job, stderr: stderr.toString('base64') };
}

/** With the line of ours for a job that has said nothing else. */
const MARK = /(?:^vyre-cache: job \d+ \([^\n]* printed this [^\n]*\n)?^job (\d+) by the shortcut\n/gm;

function unmarked(ended: Ended): Gone {
  const text = ended.stderr.toString('latin1');
  const taken = [...text.matchAll(MARK)].map(([, number]) => Number(number)).toSorted((a, b) => a - b);
  return { ...ended, stderr: Buffer.from(text.replaceAll(MARK, ''), 'latin1'), taken };
}

/** What is said but for how long it took, and what lies at the places of the outputs. */
export function batchAnswer(batch: RepeatedBatch, ended: Ended, { isSorted = false } = {}): unknown {
  const [stdout = [], stderr = []] = [ended.stdout, ended.stderr].map((said) =>
    withoutTimes(said.toString('latin1')).split('\n'),
  );
  return [ended.status, ended.signal, stdout, isSorted ? stderr.toSorted() : stderr, made(batch)];
}

/** Nor what the long way finds in memory: of jobs of one artifact all but the first. */
function withoutTimes(text: string): string {
  return text
    .replace(/"memory":(\d+),"disk":(\d+)/, (_, memory, disk) => `"disk":${Number(memory) + Number(disk)}`)
    .replaceAll('memory', 'disk')
    .replaceAll(/"(wall|saved)Seconds":[-\d.e]+/g, '"$1Seconds":0')
    .replaceAll(/\d[\d.]* m?s\b/g, '0 s')
    .replaceAll(/[;,] (?:\d+ [hm] )*0 s saved|, saved (?:\d+ [hm] )*0 s/g, '');
}

/** The paths of the outputs of all jobs, relative to the project. */
export function outputsOf(jobs: readonly TypedJob[]): readonly string[] {
  return jobs.flatMap(({ cwd = '.', outputs = [], stdout }) =>
    [...outputs, ...(stdout === undefined ? [] : [stdout])].map((name) => join(cwd, name)),
  );
}

type Places = Pick<RepeatedBatch, 'bench' | 'jobs'>;

/** By output, what lies there. */
export function made({ bench, jobs }: Places): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    outputsOf(jobs).map((name) => {
      const stat = lstatSync(bench.path(name), { throwIfNoEntry: false });
      const isFile = stat?.isFile() === true;
      return [name, isFile ? [bench.read(name).toString('latin1'), (stat.mode & 0o7777).toString(8)] : null];
    }),
  );
}

export function removeOutputs({ bench, jobs }: Places): void {
  for (const name of outputsOf(jobs)) rmSync(bench.path(name), { force: true, recursive: true });
}

/** What the commands make without a cache, one after the other; what has failed has made nothing. */
export async function madeBare(batch: RepeatedBatch): Promise<Readonly<Record<string, unknown>>> {
  removeOutputs(batch);
  const { bench } = batch;
  for (const job of batch.jobs) {
    const { inputs = [], outputs = [], command, cwd = '.', env = [] } = job;
    const [program = '', ...args] = command.map((word) =>
      word.replaceAll(/\{(input|output)(?::(\d))?\}/g, (_, what: string, number = '1') => {
        const names = what === 'input' ? inputs : outputs;
        return names[Number(number) - 1] ?? '';
      }),
    );
    const assigned = env.filter((word) => word.includes('='));
    const variables = Object.fromEntries(assigned.map((word) => word.split('=', 2) as [string, string]));
    const environment = { ...batch.options.environment, ...variables, LC_ALL: 'C.UTF-8' };
    const ended = await bench.spawn(program, args, { cwd: bench.path(cwd), environment }).ended;
    if (ended.status !== 0) for (const name of outputs) rmSync(bench.path(join(cwd, name)), { force: true });
    else if (job.stdout !== undefined) bench.write(join(cwd, job.stdout), ended.stdout);
  }
  return made(batch);
}

/** A test with a bench of its own. */
export interface BatchRow extends YardRow {
  /** Makes what is there before the first batch. */
  readonly prepare: (bench: Workbench) => void;
  readonly jobs: readonly TypedJob[];
  readonly options?: (bench: Workbench) => BatchOptions;
}

/** The benches of all tests in a file that make one batch again. */
export class BatchYard extends ShortcutYard<BatchRow, RepeatedBatch> {
  constructor() {
    super(async (bench, { prepare, jobs, options }) => {
      prepare(bench);
      bench.write(MANIFEST, JSON.stringify({ jobs }));
      const call = new RepeatedBatch(bench, options?.(bench) ?? {});
      return { call, first: await call.run() };
    });
  }
}
