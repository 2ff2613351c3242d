import { buildFseTable, type FseLimits, type FseTable } from './fse-table.js';

/** A code stands for a number from its baseline on; so many bits that follow are added. */
export interface Codes {
  readonly baselines: Uint32Array;
  readonly extraBits: Uint8Array;
  readonly limits: FseLimits;
  /** The table of a block that describes none. */
  readonly predefined: FseTable;
}

/** RFC 8878, 3.1.1.3.2: `widths` from the code `plain` on; the ones before stand for themselves. */
function codes(
  first: number,
  { plain, widths }: { readonly plain: number; readonly widths: readonly number[] },
): Pick<Codes, 'baselines' | 'extraBits'> {
  const extraBits = Uint8Array.from([...Array.from({ length: plain }, () => 0), ...widths]);
  const baselines = new Uint32Array(extraBits.length);
  let next = first;
  extraBits.forEach((width, code) => {
    baselines[code] = next;
    next += 2 ** width;
  });
  return { baselines, extraBits };
}

/** RFC 8878, 3.1.1.3.2.2. Accuracy logs 6, 5 and 6. */
const LITERAL_LENGTHS = [
  4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1,
  -1,
];
const OFFSETS = [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1];
const MATCH_LENGTHS = [
  1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];

interface SequenceCodes {
  readonly literals: Codes;
  readonly offsets: Codes;
  readonly matches: Codes;
}

/** Some ten microseconds of work. */
export function sequenceCodes(): SequenceCodes {
  return {
    literals: {
      ...codes(0, { plain: 16, widths: [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16] }),
      limits: { maxAccuracyLog: 9, maxSymbol: 35 },
      predefined: buildFseTable(LITERAL_LENGTHS, 6),
    },
    offsets: {
      ...codes(1, { plain: 0, widths: Array.from({ length: 32 }, (_, code) => code) }),
      limits: { maxAccuracyLog: 8, maxSymbol: 31 },
      predefined: buildFseTable(OFFSETS, 5),
    },
    matches: {
      ...codes(3, {
        plain: 32,
        widths: [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
      }),
      limits: { maxAccuracyLog: 9, maxSymbol: 52 },
      predefined: buildFseTable(MATCH_LENGTHS, 6),
    },
  };
}
