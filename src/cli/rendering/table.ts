import Table from 'cli-table3';
import { PLAIN, type Paint } from '../color.js';

export type Align = 'left' | 'right';

/** Columns without borders, two spaces apart. */
export interface Columns {
  /** Null for a table without a head. */
  readonly head: readonly string[] | null;
  readonly align: readonly Align[];
  readonly rows: readonly (readonly string[])[];
}

/** Above this the table library takes longer than the work that it shows. */
const MAX_LIBRARY_ROWS = 200;
const GAP = 2;

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
} as const;

/** One line per row, each with its end; nothing for no rows. */
export function renderTable(columns: Columns, paint: Paint = PLAIN): string {
  const { head, align, rows } = columns;
  if (rows.length === 0) return '';
  const all = head === null ? rows : [head.map((cell) => paint.strong(cell)), ...rows];
  if (rows.length > MAX_LIBRARY_ROWS) return padded(head === null ? rows : [head, ...rows], align);
  const table = new Table({
    chars: NO_BORDERS,
    colAligns: [...align],
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': GAP },
  });
  for (const row of all) table.push([...row]);
  return lines(table.toString().split('\n'));
}

function padded(rows: readonly (readonly string[])[], align: readonly Align[]): string {
  const widths = align.map((_, column) =>
    rows.reduce((width, row) => Math.max(width, (row[column] ?? '').length), 0),
  );
  return lines(
    rows.map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return align[column] === 'right' ? cell.padStart(width) : cell.padEnd(width);
        })
        .join(' '.repeat(GAP)),
    ),
  );
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text.trimEnd()}\n`).join('');
}
