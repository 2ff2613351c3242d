import type { NotableEntry, StatsDetails } from '../../maintenance/reports.js';
import { formatBytes, formatCount, formatDuration } from '../../model/units.js';
import type { Paint } from '../color.js';
import { renderTable } from './table.js';
import { printable, shortFingerprint, shorten } from './text.js';

const MAX_COMPILERS = 10;
const COMPILER_WIDTH = 24;
/** With these a row of the tables of entries has 80 columns, with a duration of up to 10. */
const NAME_WIDTH = 16;
const OUTPUTS_WIDTH = 22;

/** What `-v` adds: figures per compiler, the largest and the costliest entries, and those that saved most. */
export function renderDetails(details: StatsDetails, paint: Paint): string {
  return [
    compilers(details, paint),
    notable('Largest', details.largest, paint),
    notable('Costliest', details.costliest, paint),
    notable('Saved most', details.mostSaving, paint, 'Saved'),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function compilers({ compilers: all }: StatsDetails, paint: Paint): string {
  const rows = all
    .slice(0, MAX_COMPILERS)
    .map(({ compiler, entries, bytes, wallSeconds, uses }) => [
      compiler === null ? 'without a record' : compilerName(compiler, COMPILER_WIDTH),
      formatCount(entries),
      formatBytes(bytes),
      wallSeconds === 0 ? '-' : formatDuration(wallSeconds),
      uses === null ? '-' : formatCount(uses),
    ]);
  const head = ['Compiler', 'Entries', 'Size', 'Took', 'Uses'];
  return renderTable({ head, align: ['left', 'right', 'right', 'right', 'right'], rows }, paint);
}

/** `time` names the column: what compiling took, or what hits have saved. */
function notable(
  title: string,
  entries: readonly NotableEntry[],
  paint: Paint,
  time: 'Took' | 'Saved' = 'Took',
): string {
  const rows = entries.map(({ fingerprint, path, bytes, wallSeconds, savedSeconds, compiler, outputs }) => [
    fingerprint === null ? shorten(printable(baseName(path)), NAME_WIDTH) : shortFingerprint(fingerprint),
    formatBytes(bytes),
    seconds(time === 'Saved' ? savedSeconds : wallSeconds),
    compiler === null ? '-' : compilerName(compiler, NAME_WIDTH),
    outputs === null ? '-' : shorten(outputs.map(printable).join(' '), OUTPUTS_WIDTH),
  ]);
  const head = [title, 'Size', time, 'Compiler', 'Outputs'];
  return renderTable({ head, align: ['left', 'right', 'right', 'left', 'left'], rows }, paint);
}

function seconds(figure: number | null): string {
  return figure === null ? '-' : formatDuration(figure);
}

function compilerName(path: string, width: number): string {
  return shorten(printable(baseName(path)), width);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
