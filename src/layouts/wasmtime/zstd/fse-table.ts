import { ForwardBits, type BitRange } from './bit-reader.js';
import { ZstdError } from './zstd-fault.js';

/** Decodes by states: each has a symbol, and so many bits that, added to its base, lead to the next one. */
export interface FseTable {
  /** A state has so many bits; 0: there is one state. */
  readonly accuracyLog: number;
  /** By state, in one word for speed: the symbol, from bit 8 on how many bits, from bit 16 on the base. */
  readonly entries: Uint32Array;
}

export function symbolOf(entry: number): number {
  return entry & 0xff;
}

export function widthOf(entry: number): number {
  return (entry >> 8) & 0xff;
}

export function baseOf(entry: number): number {
  return entry >>> 16;
}

export interface FseLimits {
  readonly maxAccuracyLog: number;
  readonly maxSymbol: number;
}

const MIN_ACCURACY_LOG = 5;
/** The probability of a symbol that is rarer than one state: it has one of the last states, and all bits. */
const LESS_THAN_ONE = -1;

/** A table as a block describes it, and the byte behind the description. @throws ZstdError */
export function readFseTable(
  range: BitRange,
  { maxAccuracyLog, maxSymbol }: FseLimits,
): { readonly table: FseTable; readonly nextByte: number } {
  const bits = new ForwardBits(range);
  const accuracyLog = bits.read(4) + MIN_ACCURACY_LOG;
  if (accuracyLog > maxAccuracyLog) throw new ZstdError();
  const probabilities = readProbabilities(bits, 1 << accuracyLog, maxSymbol);
  return { table: buildFseTable(probabilities, accuracyLog), nextByte: bits.nextByte };
}

function readProbabilities(bits: ForwardBits, states: number, maxSymbol: number): readonly number[] {
  const probabilities: number[] = [];
  let left = states;
  while (left > 0) {
    const probability = readProbability(bits, left);
    left -= Math.abs(probability);
    probabilities.push(probability);
    if (probability === 0) readZeros(bits, probabilities, maxSymbol);
    if (probabilities.length > maxSymbol + 1) throw new ZstdError();
  }
  return probabilities;
}

/** A value from 0 to `left` + 1 in as few bits as it needs: the lower ones have one less. */
function readProbability(bits: ForwardBits, left: number): number {
  const width = 32 - Math.clz32(left + 1);
  const value = bits.peek(width);
  const lowerMask = (1 << (width - 1)) - 1;
  const shorter = (1 << width) - 2 - left;
  if ((value & lowerMask) < shorter) {
    bits.skip(width - 1);
    return (value & lowerMask) - 1;
  }
  bits.skip(width);
  return (value > lowerMask ? value - shorter : value) - 1;
}

function readZeros(bits: ForwardBits, probabilities: number[], maxSymbol: number): void {
  for (let repeat = 3; repeat === 3;) {
    repeat = bits.read(2);
    for (let zero = 0; zero < repeat; zero += 1) probabilities.push(0);
    if (probabilities.length > maxSymbol + 1) throw new ZstdError();
  }
}

/** RFC 8878, 4.1.1: spreads the symbols over the states. @throws ZstdError */
export function buildFseTable(probabilities: readonly number[], accuracyLog: number): FseTable {
  const size = 1 << accuracyLog;
  const symbols = new Uint8Array(size);
  const nextStates = spread(probabilities, symbols);
  const entries = new Uint32Array(size);
  for (let state = 0; state < size; state += 1) {
    const symbol = symbols[state] ?? 0;
    const next = nextStates[symbol] ?? 0;
    nextStates[symbol] = next + 1;
    const width = accuracyLog - (31 - Math.clz32(next));
    entries[state] = symbol | (width << 8) | (((next << width) - size) << 16);
  }
  return { accuracyLog, entries };
}

/** Fills in the symbol of each state; returns where each symbol's numbering of its states begins. */
function spread(probabilities: readonly number[], symbols: Uint8Array): Uint16Array {
  const size = symbols.length;
  const nextStates = new Uint16Array(probabilities.length);
  let highest = size - 1;
  probabilities.forEach((probability, symbol) => {
    nextStates[symbol] = Math.abs(probability);
    if (probability !== LESS_THAN_ONE) return;
    symbols[highest] = symbol;
    highest -= 1;
  });
  const step = (size >> 1) + (size >> 3) + 3;
  let position = 0;
  probabilities.forEach((probability, symbol) => {
    for (let count = 0; count < probability; count += 1) {
      symbols[position] = symbol;
      do position = (position + step) & (size - 1);
      while (position > highest);
    }
  });
  if (position !== 0) throw new ZstdError();
  return nextStates;
}

/** A table of one symbol, that costs no bits. */
export function oneSymbolTable(symbol: number): FseTable {
  return { accuracyLog: 0, entries: Uint32Array.of(symbol) };
}
