import { BackwardBits, firstBit, type BitRange } from './bit-reader.js';
import { baseOf, readFseTable, symbolOf, widthOf } from './fse-table.js';
import { ZstdError } from './zstd-fault.js';

/** RFC 8878: the longest code. */
const MAX_CODE_BITS = 11;
const MAX_WEIGHTS = 255;
const WEIGHT_LIMITS = { maxAccuracyLog: 6, maxSymbol: MAX_CODE_BITS + 1 } as const;
/** A first byte from here on counts the weights that follow, four bits each. */
const DIRECT_FROM = 128;

export interface HuffmanTable {
  readonly maxBits: number;
  /** By the next `maxBits` bits: the symbol, and from bit 8 on the length of its code. */
  readonly entries: Uint16Array;
}

/** A table as a block describes it, and the byte behind the description. @throws ZstdError */
export function readHuffmanTable(range: BitRange): {
  readonly table: HuffmanTable;
  readonly nextByte: number;
} {
  const { view, start, end } = range;
  if (start >= end) throw new ZstdError();
  const first = view.getUint8(start);
  const bytes = first < DIRECT_FROM ? first : (first - DIRECT_FROM + 2) >> 1;
  const nextByte = start + 1 + bytes;
  if (nextByte > end) throw new ZstdError();
  const below = { view, start: start + 1, end: nextByte };
  const weights = first < DIRECT_FROM ? readFseWeights(below) : readDirectWeights(below, first - 127);
  return { table: buildTable(weights), nextByte };
}

function readDirectWeights({ view, start }: BitRange, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const byte = view.getUint8(start + (index >> 1));
    return index % 2 === 0 ? byte >> 4 : byte & 0xf;
  });
}

/** Two states take turns until the bits are used up. */
function readFseWeights(range: BitRange): number[] {
  const { table, nextByte } = readFseTable(range, WEIGHT_LIMITS);
  const bits = new BackwardBits({ ...range, start: nextByte });
  const weights: number[] = [];
  const states = [bits.readPadded(table.accuracyLog), bits.readPadded(table.accuracyLog)];
  if (bits.isOverdrawn) throw new ZstdError();
  for (let turn = 0; ; turn ^= 1) {
    const entry = table.entries[states[turn] ?? 0] ?? 0;
    weights.push(symbolOf(entry));
    states[turn] = baseOf(entry) + bits.readPadded(widthOf(entry));
    if (weights.length > MAX_WEIGHTS) throw new ZstdError();
    if (bits.isOverdrawn) {
      weights.push(symbolOf(table.entries[states[turn ^ 1] ?? 0] ?? 0));
      if (weights.length > MAX_WEIGHTS) throw new ZstdError();
      return weights;
    }
  }
}

/** The last weight is not written: it is what fills the table up. */
function lastWeight(weights: readonly number[]): { readonly weight: number; readonly maxBits: number } {
  const sum = weights.reduce((total, weight) => total + (weight === 0 ? 0 : 2 ** (weight - 1)), 0);
  if (sum === 0) throw new ZstdError();
  const maxBits = 32 - Math.clz32(sum);
  const rest = 2 ** maxBits - sum;
  if (maxBits > MAX_CODE_BITS || (rest & (rest - 1)) !== 0) throw new ZstdError();
  return { weight: 32 - Math.clz32(rest), maxBits };
}

function buildTable(written: readonly number[]): HuffmanTable {
  const { weight: last, maxBits } = lastWeight(written);
  const weights = [...written, last];
  // The longest codes come in pairs.
  const longest = weights.filter((weight) => weight === 1).length;
  if (longest < 2 || longest % 2 === 1) throw new ZstdError();
  const entries = new Uint16Array(1 << maxBits);
  let position = 0;
  for (let weight = 1; weight <= maxBits; weight += 1) {
    weights.forEach((each, symbol) => {
      if (each !== weight) return;
      const next = position + 2 ** (weight - 1);
      entries.fill(symbol | ((maxBits + 1 - weight) << 8), position, next);
      position = next;
    });
  }
  return { maxBits, entries };
}

/**
 * Decodes the codes of a stream into `out`, which they must fill with their last bit.
 * @throws ZstdError where they do not.
 */
export function decodeHuffman(range: BitRange, { maxBits, entries }: HuffmanTable, out: Uint8Array): void {
  const { view } = range;
  const startBit = range.start * 8;
  const mask = (1 << maxBits) - 1;
  let position = firstBit(range);
  let done = 0;
  for (let peekAt = position - maxBits; done < out.length && peekAt >= startBit; done += 1) {
    const entry = entries[(view.getUint32(peekAt >> 3, true) >>> (peekAt & 7)) & mask] ?? 0;
    out[done] = entry;
    peekAt -= entry >> 8;
    position = peekAt + maxBits;
  }
  for (; done < out.length; done += 1) {
    // Fewer bits are left than the longest code has: zeros stand for what is missing.
    const left = position - startBit;
    const peeked = (view.getUint32(range.start, true) & ((1 << left) - 1)) << (maxBits - left);
    const entry = entries[peeked] ?? 0;
    out[done] = entry;
    position -= entry >> 8;
    if (position < startBit) throw new ZstdError();
  }
  if (position !== startBit) throw new ZstdError();
}
