import { isGreen, type Experiment, type Outcome } from './experiment.js';

/** A row of the matrix: an experiment with what it counted, or why it did not run. */
export type Row =
  | { readonly experiment: Experiment; readonly outcome: Outcome }
  | { readonly experiment: Experiment; readonly obstacle: string };

const HEAD = [
  'Fault',
  'Where',
  'Points',
  'Wrong bytes',
  'Good entries lost',
  'Failed next runs',
  '',
] as const;

/** The matrix as a Markdown table, with what did not run below it. */
export function renderMatrix(rows: readonly Row[]): string {
  const lines = rows.flatMap((row) => ('outcome' in row ? [cells(row)] : []));
  const table = [HEAD, HEAD.map((_, index) => (index < 2 || index === 6 ? '---' : '--:')), ...lines];
  const omitted = rows.flatMap((row) =>
    'obstacle' in row ? [`- ${title(row.experiment)}: ${row.obstacle}`] : [],
  );
  const end = omitted.length === 0 ? '' : `\nNot run:\n\n${omitted.join('\n')}\n`;
  return `${table.map((line) => `| ${line.join(' | ')} |`).join('\n')}\n${end}`;
}

function cells({ experiment, outcome }: Row & { readonly outcome: Outcome }): readonly string[] {
  const { points, wrongBytes, goodLost, failedNextRuns, remark } = outcome;
  const verdict = isGreen(experiment, outcome) ? '' : 'FAILED';
  return [
    experiment.fault,
    experiment.where,
    ...[points, wrongBytes, goodLost, failedNextRuns].map((count) => count.toLocaleString('en')),
    [verdict, remark ?? ''].filter((text) => text !== '').join(': '),
  ];
}

export function title({ group, fault, where }: Experiment): string {
  return `${group}: ${fault}, ${where}`;
}
