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

/** What `-v` adds: figures per compiler, the largest and the costliest entries. */
export function renderDetails(details: StatsDetails, paint: Paint): string {
  return [
    compilers(details, paint),
    notable('Largest', details.largest, paint),
    notable('Costliest', details.costliest, paint),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function compilers({ compilers: all }: StatsDetails, paint: Paint): string {
  const rows = all
    .slice(0, MAX_COMPILERS)
    .map(({ compiler, entries, bytes, wallSeconds }) => [
      compiler === null ? 'without a record' : compilerName(compiler, COMPILER_WIDTH),
      formatCount(entries),
      formatBytes(bytes),
      compiler === null ? '-' : formatDuration(wallSeconds),
    ]);
  const head = ['Compiler', 'Entries', 'Size', 'Took'];
  return renderTable({ head, align: ['left', 'right', 'right', 'right'], rows }, paint);
}

function notable(title: string, entries: readonly NotableEntry[], paint: Paint): string {
  const rows = entries.map(({ fingerprint, bytes, wallSeconds, compiler, outputs }) => [
    shortFingerprint(fingerprint),
    formatBytes(bytes),
    wallSeconds === null ? '-' : formatDuration(wallSeconds),
    compiler === null ? '-' : compilerName(compiler, NAME_WIDTH),
    outputs === null ? '-' : shorten(outputs.map(printable).join(' '), OUTPUTS_WIDTH),
  ]);
  const head = [title, 'Size', 'Took', 'Compiler', 'Outputs'];
  return renderTable({ head, align: ['left', 'right', 'right', 'left', 'left'], rows }, paint);
}

function compilerName(path: string, width: number): string {
  return shorten(printable(path.slice(path.lastIndexOf('/') + 1)), width);
}
