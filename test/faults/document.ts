import { GROUPS, type Experiment, type Group } from './experiment.js';
import { renderMatrix, title } from './report.js';
import type { Row, Run } from './results.js';

const BEGIN = '<!-- matrix: begin -->';
const END = '<!-- matrix: end -->';

/** The matrix that some runs make together. */
export interface Merged {
  readonly rows: readonly Row[];
  /** Of the runs, those of which something is shown. */
  readonly runs: readonly Run[];
  /** Rows of runs that are rows of the matrix no more. */
  readonly unknown: readonly string[];
}

/** Every row of the matrix as the last run has it that ran it. */
export function merge(runs: readonly Run[], experiments: readonly Experiment[]): Merged {
  const found = new Map<string, { readonly row: Run['rows'][number]; readonly run: Run }>();
  for (const run of runs) {
    for (const row of run.rows) {
      const name = title(row.experiment);
      if ('outcome' in row || !found.has(name)) found.set(name, { row, run });
    }
  }
  const names = new Set(experiments.map(title));
  const shown = experiments.map((experiment) => ({ experiment, ...found.get(title(experiment)) }));
  const rows = shown.map(({ experiment, row }): Row => {
    if (row === undefined) return { experiment, obstacle: 'not among these runs' };
    return 'outcome' in row ? { experiment, outcome: row.outcome } : { experiment, obstacle: row.obstacle };
  });
  return {
    rows,
    runs: runs.filter((run) => shown.some((each) => each.run === run)),
    unknown: [...found.keys()].filter((name) => !names.has(name)),
  };
}

/** A document with this matrix in the place of the one between its marks. @throws where it has no marks. */
export function withMatrix(document: string, merged: Merged): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`expected a document with ${BEGIN} and ${END}`);
  return `${document.slice(0, begin + BEGIN.length)}\n\n${renderMerged(merged)}\n${document.slice(end)}`;
}

function renderMerged({ rows, runs }: Merged): string {
  const dates = [...new Set(runs.map(({ date }) => date))].toSorted();
  const commands = [...new Set(runs.map(({ command }) => command))];
  const parts = [
    `${dates.join(', ')}; ${totals(rows)}. ${commands.length === 1 ? 'Printed by' : 'Merged from the runs of'}:`,
    ['```sh', ...commands, '```'].join('\n'),
    ...GROUPS.flatMap((group) => section(group, rows)),
  ];
  return `${parts.join('\n\n')}\n`;
}

function section(group: Group, all: readonly Row[]): readonly string[] {
  const rows = all.filter(({ experiment }) => experiment.group === group);
  return rows.length === 0 ? [] : [`### \`${group}\``, renderMatrix(rows).trimEnd()];
}

/** Of all that is ours. */
function totals(rows: readonly Row[]): string {
  const ours = rows.flatMap((row) =>
    'outcome' in row && row.experiment.isPeer !== true ? [row.outcome] : [],
  );
  const sum = (count: 'points' | 'wrongBytes' | 'goodLost' | 'failedNextRuns'): string =>
    ours.reduce((total, outcome) => total + outcome[count], 0).toLocaleString('en');
  const counts = `wrong bytes ${sum('wrongBytes')}, good entries lost ${sum('goodLost')}, failed next runs ${sum('failedNextRuns')}`;
  return `${ours.length} rows of ours with ${sum('points')} points: ${counts}`;
}
