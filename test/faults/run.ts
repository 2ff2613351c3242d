/**
 * `npm run test:faults`: causes every fault of the matrix for real, in full, and prints what came of it. The tests run
 * the same experiments in a bounded form.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describeTool } from '../support/tools.js';
import { EXPERIMENTS } from './catalogue.js';
import { GROUPS, isGreen, obstacleOf, type Experiment } from './experiment.js';
import { perform } from './perform.js';
import { renderMatrix, title, type Row } from './report.js';

/** A row showed what must not be. */
const FAILED = 1;
/** A mistake on the command line. */
const USAGE = 2;
/** All that ran is as promised, but rows are missing. */
const INCOMPLETE = 4;

const USAGE_TEXT = `npm run test:faults -- [options]

  --only GROUPS   of ${GROUPS.join(', ')}; separated by commas
  --where TEXT    only rows whose fault and operation, "FAULT, OPERATION", contain this
  --bounded       the form that the tests run
  --every         every point of the rows of which the full form takes a sample, for hours
  --seed N        repeats a run; random unless set
  --json FILE     all counts and problems
`;

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) return USAGE;
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopping.abort());
  const rows: Row[] = [];
  for (const experiment of options.experiments) {
    if (stopping.signal.aborted) break;
    rows.push(await rowOf(experiment, options, stopping.signal));
  }
  process.stdout.write(`${renderMatrix(rows)}\nseed ${options.seed}\n`);
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  if (rows.some((row) => 'outcome' in row && !isGreen(row.experiment, row.outcome))) return FAILED;
  return rows.length < options.experiments.length || rows.some((row) => 'obstacle' in row) ? INCOMPLETE : 0;
}

async function rowOf(experiment: Experiment, options: Options, signal: AbortSignal): Promise<Row> {
  const obstacle = obstacleOf(experiment, describeTool);
  process.stderr.write(`faults: ${title(experiment)}${obstacle === null ? '' : ` (${obstacle})`}\n`);
  if (obstacle !== null) return { experiment, obstacle };
  const outcome = await perform(experiment, { ...options, signal });
  for (const problem of outcome.problems) process.stderr.write(`faults:   ${problem}\n`);
  return { experiment, outcome };
}

interface Options {
  readonly experiments: readonly Experiment[];
  readonly isFull: boolean;
  readonly isEvery: boolean;
  readonly seed: number;
  readonly json: string | null;
}

/** Null: the mistake is told. */
function readOptions(words: readonly string[]): Options | null {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        only: { type: 'string' },
        where: { type: 'string' },
        bounded: { type: 'boolean', default: false },
        every: { type: 'boolean', default: false },
        seed: { type: 'string' },
        json: { type: 'string' },
      },
    });
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
    const form = { isFull: !values.bounded, isEvery: values.every };
    return { experiments, ...form, seed, json: values.json ?? null };
  } catch (error) {
    process.stderr.write(
      `faults: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE_TEXT}`,
    );
    return null;
  }
}

process.exitCode = await main();
