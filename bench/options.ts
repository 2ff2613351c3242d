import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { BenchError } from './bench-error.js';
import { PROJECT } from './program.js';
import { ROW_IDS, type RowId } from './row.js';

export interface Options {
  readonly only: readonly RowId[];
  readonly rounds: number;
  readonly scale: number;
  readonly folder: string;
  readonly node: string;
  readonly standalone: string;
  readonly markdown: boolean;
  /** Where the figure of growth goes, absolute; null: growth is not measured. */
  readonly plot: string | null;
  /** Absolute; null: none is written. */
  readonly json: string | null;
}

const ROUNDS = 5;
const QUICK = { rounds: 3, scale: 0.02 };

/** @returns null when help was asked for and given. @throws BenchError for a mistake. */
export function readOptions(args: readonly string[]): Options | null {
  const program = new Command('npm run bench --')
    .description('Measures vyre-cache against its peers, in turns, on data that it makes and removes.')
    .option('--only <rows>', `rows to measure, separated by commas: ${ROW_IDS.join(', ')}`, readRows)
    .option('--rounds <n>', `rounds that count; ${ROUNDS} unless set`, readRounds)
    .option('--scale <factor>', 'this share of the work; 1 unless set', readScale)
    .option('--quick', `${QUICK.scale} of the work in ${QUICK.rounds} rounds, unless set`)
    .option(
      '--growth',
      'measure how times grow from 1,000 to 1,000,000 entries (takes 5 GB); the rows only where --only names some',
    )
    .option('--plot <file>', 'where the figure of growth goes; docs/growth.svg unless set')
    .option('--folder <dir>', 'where the data lie, in a fresh folder; where temporary files lie unless set')
    .option(
      '--node <file>',
      'the Node that runs vyre-cache and `node -e 0`; the one that runs this unless set',
    )
    .option('--standalone <file>', 'the standalone executable; dist/standalone/vyre-cache unless set')
    .option('--markdown', 'print the table as Markdown')
    .option('--json <file>', 'write all figures to this file')
    .allowExcessArguments(false)
    .configureOutput({ writeErr: () => undefined })
    .exitOverride();
  try {
    program.parse([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return null;
    throw new BenchError(error.message.replace(/^error: (?:.* is invalid\. )?/, ''), {
      exitCode: 2,
      cause: error,
    });
  }
  return complete(program.opts<Given>());
}

interface Given {
  readonly only?: readonly RowId[];
  readonly rounds?: number;
  readonly scale?: number;
  readonly quick?: true;
  readonly folder?: string;
  readonly node?: string;
  readonly standalone?: string;
  readonly growth?: true;
  readonly plot?: string;
  readonly markdown?: true;
  readonly json?: string;
}

function complete(given: Given): Options {
  const usual = given.quick === true ? QUICK : { rounds: ROUNDS, scale: 1 };
  return {
    // Growth alone, where nothing else was named with it.
    only: given.only ?? (given.growth === true ? [] : ROW_IDS),
    rounds: given.rounds ?? usual.rounds,
    scale: given.scale ?? usual.scale,
    folder: resolve(given.folder ?? tmpdir()),
    node: given.node ?? process.execPath,
    standalone: resolve(given.standalone ?? join(PROJECT, 'dist', 'standalone', 'vyre-cache')),
    plot: given.growth === true ? resolve(given.plot ?? join(PROJECT, 'docs', 'growth.svg')) : null,
    markdown: given.markdown === true,
    json: given.json === undefined ? null : resolve(given.json),
  };
}

function readRows(text: string): readonly RowId[] {
  return text.split(',').map((name) => {
    const found = ROW_IDS.find((id) => id === name);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`expected rows of ${ROW_IDS.join(', ')}, got "${name}"`);
  });
}

function readRounds(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`expected a whole number from 1 on, got "${text}"`);
}

function readScale(text: string): number {
  const scale = Number(text);
  if (/^[\d.]+$/.test(text) && scale > 0 && scale <= 10) return scale;
  throw new InvalidArgumentError(`expected a number above 0 and up to 10, got "${text}"`);
}
