import type { ListedEntry, ListReport } from '../../maintenance/reports.js';
import { formatBytes, formatCount, formatDuration } from '../../model/units.js';
import type { Paint } from '../color.js';
import { jsonSeconds, renderJson } from './json.js';
import { renderTable } from './table.js';
import { plural, printable, shortFingerprint, shorten } from './text.js';

const COMPILER_WIDTH = 16;
const OUTPUTS_WIDTH = 24;

export interface ListOptions {
  readonly paint: Paint;
  /** Whole fingerprints, compilers and outputs. */
  readonly verbose: boolean;
  /** No sentence at the end. */
  readonly quiet: boolean;
}

/** A table of the entries and a sentence. */
export function renderList(report: ListReport, options: ListOptions): string {
  const table = renderTable(
    {
      head: ['Fingerprint', 'Size', 'Used', 'Compiler', 'Outputs'],
      align: ['left', 'right', 'right', 'left', 'left'],
      rows: report.entries.map((entry) => row(entry, options.verbose)),
    },
    options.paint,
  );
  if (options.quiet) return table;
  const bytes = report.entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const count = plural(formatCount(report.entries.length), 'entry', 'entries');
  return `${table}${count}, ${formatBytes(bytes)} in ${printable(report.root)}\n`;
}

function row(entry: ListedEntry, verbose: boolean): readonly string[] {
  const cut = (text: string, width: number): string => (verbose ? text : shorten(text, width));
  const compiler = entry.compiler === null ? '-' : printable(lastPart(entry.compiler, verbose));
  const outputs = entry.outputs === null ? '-' : entry.outputs.map(printable).join(' ');
  return [
    verbose ? entry.fingerprint : shortFingerprint(entry.fingerprint),
    formatBytes(entry.bytes),
    formatDuration(entry.ageSeconds),
    cut(compiler, COMPILER_WIDTH),
    cut(outputs, OUTPUTS_WIDTH),
  ];
}

function lastPart(path: string, verbose: boolean): string {
  return verbose ? path : path.slice(path.lastIndexOf('/') + 1);
}

/** `vyre-cache.ls/1`. */
export function renderListJson(report: ListReport): string {
  return renderJson('vyre-cache.ls/1', {
    root: report.root,
    entries: report.entries.map((entry) => ({
      fingerprint: entry.fingerprint,
      path: entry.path,
      bytes: entry.bytes,
      payloadBytes: entry.payloadBytes,
      ageSeconds: jsonSeconds(entry.ageSeconds),
      compiler: entry.compiler,
      outputs: entry.outputs,
    })),
  });
}
