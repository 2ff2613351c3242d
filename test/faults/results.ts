import { readFileSync } from 'node:fs';
import type { Experiment, Outcome } from './experiment.js';

/** What names a row of the matrix. */
export type RowName = Pick<Experiment, 'group' | 'fault' | 'where'>;

/** A row of the matrix: an experiment with what it counted, or why it did not run. */
export type Row<E extends RowName = Experiment> =
  | { readonly experiment: E; readonly outcome: Outcome }
  | { readonly experiment: E; readonly obstacle: string };

const SCHEMA = 'vyre-cache.faults/1';

/** What `--json` writes. */
export interface Run {
  readonly schema: typeof SCHEMA;
  /** ISO 8601, the day. */
  readonly date: string;
  /** Repeats it. */
  readonly command: string;
  readonly rows: readonly Row<RowName>[];
}

const COMMAND = 'npm run test:faults --';

/** @throws where a file holds something else. */
export function readRun(path: string): Run {
  const found = JSON.parse(readFileSync(path, 'utf8')) as Partial<Run>;
  if (found.schema === SCHEMA) return found as Run;
  throw new Error(`expected a file that --json has written, got ${path}`);
}

/** Of today. */
export function runOf(rows: readonly Row[], command: string): Run {
  return { schema: SCHEMA, date: new Date().toISOString().slice(0, 10), command, rows };
}

/** A call of the matrix with these options. */
export function commandOf(options: Readonly<Record<string, string | boolean | undefined>>): string {
  const words = Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    return value === true ? [`--${name}`] : [`--${name}`, quoted(value)];
  });
  return [COMMAND, ...words].join(' ');
}

function quoted(word: string): string {
  return /^[\w,.-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
