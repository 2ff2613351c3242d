import { isGreen, type Experiment, type Outcome } from './experiment.js';
import type { Row, RowName } from './results.js';

const HEAD = [
  'Fault',
  'Where',
  'Points',
  'Wrong bytes',
  'Good entries lost',
  'Failed next runs',
  '',
] as const;
/** Of {@link HEAD}, those with numbers. */
const COUNTS = { from: 2, to: 6 } as const;

/** The matrix as a Markdown table, with what did not run below it. */
export function renderMatrix(rows: readonly Row[]): string {
  const lines = rows.flatMap((row) => ('outcome' in row ? [cells(row)] : []));
  const rule = HEAD.map((_, index) => (index >= COUNTS.from && index < COUNTS.to ? '--:' : '---'));
  const omitted = rows.flatMap((row) =>
    'obstacle' in row ? [`- ${title(row.experiment)}: ${row.obstacle}`] : [],
  );
  const parts = [
    ...(lines.length === 0 ? [] : [[HEAD, rule, ...lines].map((line) => `| ${line.join(' | ')} |`)]),
    ...(omitted.length === 0 ? [] : [['Not run:'], omitted]),
  ];
  return `${parts.map((part) => part.join('\n')).join('\n\n')}\n`;
}

function cells({
  experiment,
  outcome,
}: {
  readonly experiment: Experiment;
  readonly outcome: Outcome;
}): readonly string[] {
  const { points, wrongBytes, goodLost, failedNextRuns, remark } = outcome;
  const verdict = isGreen(experiment, outcome) ? '' : 'FAILED';
  return [
    experiment.fault,
    experiment.where,
    ...[points, wrongBytes, goodLost, failedNextRuns].map((count) => count.toLocaleString('en')),
    [verdict, remark ?? ''].filter((text) => text !== '').join(': '),
  ].map((cell) => cell.replaceAll('|', String.raw`\|`));
}

export function title({ group, fault, where }: RowName): string {
  return `${group}: ${fault}, ${where}`;
}
