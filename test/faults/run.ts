/**
 * `npm run test:faults`: causes every fault of the matrix for real, in full, and prints what came of it. The tests run
 * the same experiments in a bounded form.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeTool } from '../support/tools.js';
import { EXPERIMENTS } from './catalogue.js';
import { merge, withMatrix } from './document.js';
import { GROUPS, isGreen, obstacleOf, type Experiment, type Outcome } from './experiment.js';
import { perform } from './perform.js';
import { renderMatrix, title } from './report.js';
import { commandOf, readRun, runOf, type Row } from './results.js';

const DOCUMENT = join(import.meta.dirname, '../../docs/faults.md');

/** A row showed what must not be. */
const FAILED = 1;
/** A mistake on the command line. */
const USAGE = 2;
/** All that ran is as promised, but rows are missing. */
const INCOMPLETE = 4;

const USAGE_TEXT = `npm run test:faults -- [options]
       npm run test:faults -- --document FILES

  --only GROUPS   of ${GROUPS.join(', ')}; separated by commas
  --where TEXT    only rows whose fault and operation, "FAULT, OPERATION", contain this
  --bounded       the form that the tests run
  --every         every point of the rows of which the full form takes a sample, for hours
  --seed N        repeats a run; random unless set
  --json FILE     all counts and problems
  --document      run nothing; write the matrix that these FILES of --json make together, the last run of a row
                  counting, into docs/faults.md
`;

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) return USAGE;
  if (options.merged.length > 0) return document(options.merged);
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopping.abort());
  const rows: Row[] = [];
  for (const experiment of options.experiments) {
    if (stopping.signal.aborted) break;
    rows.push(await rowOf(experiment, options, stopping.signal));
  }
  process.stdout.write(`${renderMatrix(rows)}\nseed ${options.seed}\n`);
  if (options.json !== null)
    writeFileSync(options.json, `${JSON.stringify(runOf(rows, options.command), null, 2)}\n`);
  if (rows.some((row) => 'outcome' in row && !isGreen(row.experiment, row.outcome))) return FAILED;
  return rows.length < options.experiments.length || rows.some((row) => 'obstacle' in row) ? INCOMPLETE : 0;
}

/** What did not run is said and keeps nothing from being written. */
function document(files: readonly string[]): number {
  const merged = merge(files.map(readRun), EXPERIMENTS);
  for (const name of merged.unknown) process.stderr.write(`faults: no row of the matrix: ${name}\n`);
  writeFileSync(DOCUMENT, withMatrix(readFileSync(DOCUMENT, 'utf8'), merged));
  if (merged.rows.some((row) => 'outcome' in row && !isGreen(row.experiment, row.outcome))) return FAILED;
  return merged.rows.some((row) => 'obstacle' in row) ? INCOMPLETE : 0;
}

async function rowOf(experiment: Experiment, options: Options, signal: AbortSignal): Promise<Row> {
  const obstacle = obstacleOf(experiment, describeTool);
  process.stderr.write(`faults: ${title(experiment)}${obstacle === null ? '' : ` (${obstacle})`}\n`);
  if (obstacle !== null) return { experiment, obstacle };
  const outcome = await perform(experiment, { ...options, signal });
  for (const problem of outcome.problems) process.stderr.write(`faults:   ${problem}\n`);
  return { experiment, outcome: signal.aborted ? interrupted(outcome) : outcome };
}

/** Its counts are those of the points before. */
function interrupted(outcome: Outcome): Outcome {
  const remark = ['interrupted', outcome.remark].filter((text) => text !== undefined).join(', ');
  return { ...outcome, remark };
}

interface Options {
  readonly experiments: readonly Experiment[];
  readonly isFull: boolean;
  readonly isEvery: boolean;
  readonly seed: number;
  readonly json: string | null;
  /** Repeats the run. */
  readonly command: string;
  /** Files of earlier runs, for the document; empty: run. */
  readonly merged: readonly string[];
}

/** Null: the mistake is told. */
function readOptions(words: readonly string[]): Options | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        only: { type: 'string' },
        where: { type: 'string' },
        bounded: { type: 'boolean', default: false },
        every: { type: 'boolean', default: false },
        seed: { type: 'string' },
        json: { type: 'string' },
        document: { type: 'boolean', default: false },
      },
    });
    if (values.document !== positionals.length > 0)
      throw new Error('expected --document together with files of earlier runs');
    const wanted = values.only?.split(',') ?? GROUPS;
    const unknown = wanted.find((name) => !GROUPS.some((group) => group === name));
    if (unknown !== undefined) throw new Error(`expected groups of ${GROUPS.join(', ')}, got "${unknown}"`);
    const seed = values.seed === undefined ? Math.trunc(Math.random() * 0x1_0000_0000) : Number(values.seed);
    if (!Number.isSafeInteger(seed))
      throw new Error(`expected a whole number as --seed, got "${values.seed}"`);
    const experiments = EXPERIMENTS.filter(
      ({ group, fault, where }) =>
        wanted.some((name) => name === group) && `${fault}, ${where}`.includes(values.where ?? ''),
    );
    if (values.bounded && values.every) throw new Error('expected --bounded or --every, got both');
    const { only, where, bounded, every } = values;
    return {
      experiments,
      isFull: !bounded,
      isEvery: every,
      seed,
      json: values.json ?? null,
      command: commandOf({ only, where, bounded, every, seed: String(seed) }),
      merged: positionals,
    };
  } catch (error) {
    process.stderr.write(
      `faults: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE_TEXT}`,
    );
    return null;
  }
}

process.exitCode = await main();
