import Table from 'cli-table3';
import type {
  BenchResult,
  Comparison,
  FigureResult,
  FloorResult,
  GrowthPoint,
  RowResult,
  TimedResult,
} from './results.js';
import type { Machine } from './machine.js';
import { spreadOf, type Summary } from './statistics.js';

const HEAD = ['Work', 'Ours', 'Peer', 'Its time', 'Ratio', 'Rounds', 'Bound', 'Met', 'Our peak'] as const;

/** For a terminal. */
export function renderTable(result: BenchResult): string {
  return render(result, (head, rows) => {
    const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
    table.push(...rows.map((row) => [...row]));
    return table.toString();
  });
}

/** For docs/benchmarks.md. */
export function renderMarkdown(result: BenchResult): string {
  return render(result, (head, rows) => [head, head.map(() => '---'), ...rows].map(markdownLine).join('\n'));
}

function markdownLine(row: readonly string[]): string {
  return `| ${row.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
}

type TableOf = (head: readonly string[], rows: readonly (readonly string[])[]) => string;

function render(result: BenchResult, table: TableOf): string {
  const parts = [factLines(result).join('\n')];
  if (result.rows.length > 0) parts.push(table(HEAD, cells(result.rows)));
  if (result.growth.length > 0) parts.push(growthTable(result.growth, table));
  if (result.omitted.length > 0) parts.push(omissionLines(result).join('\n'));
  return `${parts.join('\n\n')}\n`;
}

/** A line per work, a column per number of entries. */
function growthTable(points: readonly GrowthPoint[], table: TableOf): string {
  const sizes = [...new Set(points.map(({ entries }) => entries))];
  const works = [...new Set(points.map(({ name }) => name))];
  const cell = (point: GrowthPoint | undefined): string => {
    if (point === undefined) return '';
    const time = formatSeconds(point.seconds.median);
    return point.peakBytes === null ? time : `${time}, ${formatMebibytes(point.peakBytes)}`;
  };
  const row = (name: string): readonly string[] =>
    sizes.map((size) => cell(points.find((point) => point.name === name && point.entries === size)));
  const rows = works.map((name) => [name].concat(row(name)));
  return table(
    ['Time and peak memory with', ...sizes.map((size) => `${size.toLocaleString('en')} entries`)],
    rows,
  );
}

function factLines({ date, machine, scale, rounds }: BenchResult): readonly string[] {
  const peers = Object.entries(machine.peers).map(([name, version]) =>
    version === null ? name : `${name} ${version}`,
  );
  const size = scale === 1 ? 'all of the work' : `${scale} of the work, for which the bounds are not meant`;
  return [
    `${date}; ${size}; rounds that count: ${rounds}.`,
    `${machineLine(machine)}.`,
    `Peers: ${peers.length === 0 ? 'none' : peers.join(', ')}.`,
  ];
}

function machineLine({ cpu, cores, memoryBytes, kernel, node, fileSystem }: Machine): string {
  const memory = `${Math.round(memoryBytes / 1_073_741_824)} GiB`;
  return `${cpu}, ${cores} cores, ${memory}, Linux ${kernel}, Node ${node}, ${fileSystem}`;
}

function cells(rows: readonly RowResult[]): string[][] {
  return rows.flatMap((row) => (row.kind === 'timed' ? timedCells(row) : [figureCells(row)]));
}

function timedCells(row: TimedResult): string[][] {
  const first = [row.title, timeOf(row.seconds)];
  const peak = row.peakBytes === null ? '' : formatMebibytes(row.peakBytes);
  const floors = row.floors.map(floorCells);
  if (row.comparisons.length === 0) return [[...first, '', '', '', '', '', '', peak], ...floors];
  const comparisons = row.comparisons.map((comparison, index) =>
    index === 0
      ? [...first, ...comparisonCells(comparison), peak]
      : ['', '', ...comparisonCells(comparison), ''],
  );
  return comparisons.concat(floors);
}

/** In the columns of ours: its time, and its ratio to the rival that has the bound. */
function floorCells({ floor, seconds, against }: FloorResult): string[] {
  const first = [floor, timeOf(seconds)];
  if (against === null) return [...first, '', '', '', '', '', '', ''];
  return [...first, ...comparisonCells({ ...against, bound: null, met: null }), ''];
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

function figureCells({ title, of, unit, value, bound, met }: FigureResult): string[] {
  const figure = formatFigure(unit, value);
  const told = of === null ? [title, figure, '', ''] : [title, '', of, figure];
  return [
    ...told,
    '',
    '',
    bound === null ? '' : `${bound.kind === 'exactly' ? '' : 'at most '}${formatFigure(unit, bound.value)}`,
    answer(met),
    '',
  ];
}

function formatFigure(unit: FigureResult['unit'], value: number): string {
  return unit === 'bytes' ? formatMebibytes(value) : String(value);
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

function formatMebibytes(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MiB`;
}

function formatRatio(ratio: number): string {
  return ratio >= 0.1 ? ratio.toFixed(2) : ratio.toFixed(3);
}

function omissionLines({ omitted }: BenchResult): readonly string[] {
  return omitted.map(({ id, rival, reason, failed }) => {
    const [line = ''] = reason.split('\n');
    return `${failed ? 'Failed' : 'Left out'}: ${id}${rival === null ? '' : `, ${rival}`}: ${line}`;
  });
}
