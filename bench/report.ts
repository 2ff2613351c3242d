import Table from 'cli-table3';
import type { BenchResult, Comparison, RowResult, TimedResult } from './results.js';
import type { Machine } from './machine.js';
import { spreadOf, type Summary } from './statistics.js';

const HEAD = ['Work', 'Ours', 'Peer', 'Its time', 'Ratio', 'Rounds', 'Bound', 'Met', 'Our peak'] as const;

/** For a terminal. */
export function renderTable(result: BenchResult): string {
  const table = new Table({ head: [...HEAD], style: { head: [], border: [] } });
  table.push(...cells(result.rows));
  return [...factLines(result), table.toString(), ...omissionLines(result), ''].join('\n');
}

/** For docs/benchmarks.md. */
export function renderMarkdown(result: BenchResult): string {
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const lines = [line(HEAD), line(HEAD.map(() => '---')), ...cells(result.rows).map(line)];
  return [...factLines(result), '', ...lines, '', ...omissionLines(result), ''].join('\n');
}

function factLines({ date, machine, scale, rounds }: BenchResult): readonly string[] {
  const peers = Object.entries(machine.peers).map(([name, version]) =>
    version === null ? name : `${name} ${version}`,
  );
  const size = scale === 1 ? 'all of the work' : `${scale} of the work, for which the bounds are not meant`;
  return [
    `${date}; ${size}; ${rounds} rounds.`,
    `${machineLine(machine)}.`,
    `Peers: ${peers.length === 0 ? 'none' : peers.join(', ')}.`,
  ];
}

function machineLine({ cpu, cores, memoryBytes, kernel, node, fileSystem }: Machine): string {
  const memory = `${Math.round(memoryBytes / 1_073_741_824)} GiB`;
  return `${cpu}, ${cores} cores, ${memory}, Linux ${kernel}, Node ${node}, ${fileSystem}`;
}

function cells(rows: readonly RowResult[]): string[][] {
  return rows.flatMap((row) => (row.kind === 'timed' ? timedCells(row) : [countedCells(row)]));
}

function timedCells(row: TimedResult): string[][] {
  const first = [row.title, timeOf(row.seconds)];
  const peak = row.peakBytes === null ? '' : `${Math.round(row.peakBytes / 1_048_576)} MiB`;
  if (row.comparisons.length === 0) return [[...first, '', '', '', '', '', '', peak]];
  return row.comparisons.map((comparison, index) =>
    index === 0
      ? [...first, ...comparisonCells(comparison), peak]
      : ['', '', ...comparisonCells(comparison), ''],
  );
}

function comparisonCells({ rival, seconds, ratio, bound, met }: Comparison): string[] {
  const rounds = `${formatRatio(ratio.least)} to ${formatRatio(ratio.most)}`;
  return [
    rival,
    timeOf(seconds),
    formatRatio(ratio.ratio),
    rounds,
    bound === null ? '' : String(bound),
    answer(met),
  ];
}

function countedCells({
  title,
  name,
  count,
  expected,
  met,
}: Extract<RowResult, { kind: 'counted' }>): string[] {
  return [
    title,
    String(count),
    name,
    '',
    '',
    '',
    expected === null ? '' : `exactly ${expected}`,
    answer(met),
    '',
  ];
}

function answer(met: boolean | null): string {
  if (met === null) return '';
  return met ? 'yes' : 'NO';
}

/** The median, and how far the middle half of the samples is apart. */
function timeOf(seconds: Summary): string {
  return `${formatSeconds(seconds.median)} ±${Math.round((spreadOf(seconds) / 2) * 100)}%`;
}

/** Three digits that mean something. */
export function formatSeconds(seconds: number): string {
  if (seconds >= 1) return `${seconds.toPrecision(3)} s`;
  if (seconds >= 1e-3) return `${(seconds * 1e3).toPrecision(3)} ms`;
  return `${(seconds * 1e6).toPrecision(3)} µs`;
}

function formatRatio(ratio: number): string {
  return ratio >= 0.1 ? ratio.toFixed(2) : ratio.toFixed(3);
}

function omissionLines({ omitted }: BenchResult): readonly string[] {
  return omitted.map(
    ({ id, rival, reason }) => `Left out: ${id}${rival === null ? '' : `, ${rival}`}: ${reason}`,
  );
}
