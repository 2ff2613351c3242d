import { BackwardBits, MAX_READ_BITS, type BitRange } from './bit-reader.js';
import { baseOf, oneSymbolTable, readFseTable, symbolOf, widthOf, type FseTable } from './fse-table.js';
import type { History } from './history.js';
import { sequenceCodes, type Codes } from './sequence-codes.js';
import { ZstdError } from './zstd-fault.js';

const PREDEFINED = 0;
const RLE = 1;
const COMPRESSED = 2;

/** A larger one reaches further back than the largest window. */
const MAX_OFFSET_CODE = 27;

/** A table and the state that it is in. */
class Cursor {
  readonly #codes: Codes;
  /** Null before a frame has named one. */
  #table: FseTable | null = null;
  #entries: Uint32Array = new Uint32Array(1);
  #entry = 0;

  constructor(codes: Codes) {
    this.#codes = codes;
  }

  reset(): void {
    this.#table = null;
  }

  /** Takes the table that a block names; returns the byte behind its description. @throws ZstdError */
  take(mode: number, range: BitRange): number {
    if (mode === PREDEFINED) this.#table = this.#codes.predefined;
    else if (mode === RLE) return this.#takeOne(range);
    else if (mode === COMPRESSED) {
      const { table, nextByte } = readFseTable(range, this.#codes.limits);
      this.#table = table;
      return nextByte;
    } else if (this.#table === null) throw new ZstdError();
    return range.start;
  }

  #takeOne({ view, start, end }: BitRange): number {
    const symbol = start < end ? view.getUint8(start) : Infinity;
    if (symbol > this.#codes.limits.maxSymbol) throw new ZstdError();
    this.#table = oneSymbolTable(symbol);
    return start + 1;
  }

  begin(bits: BackwardBits): void {
    if (this.#table === null) throw new ZstdError();
    const { accuracyLog, entries } = this.#table;
    this.#entries = entries;
    this.#entry = entries[bits.read(accuracyLog)] ?? 0;
  }

  get code(): number {
    return symbolOf(this.#entry);
  }

  /** The number that the code stands for. Not for offsets. */
  value(bits: BackwardBits): number {
    const { code } = this;
    return (this.#codes.baselines[code] ?? 0) + bits.read(this.#codes.extraBits[code] ?? 0);
  }

  next(bits: BackwardBits): void {
    this.#entry = this.#entries[baseOf(this.#entry) + bits.read(widthOf(this.#entry))] ?? 0;
  }
}

/** The sequences of the blocks of a frame: literals, then a match, so many times. */
export class Sequences {
  readonly #literalLengths: Cursor;
  readonly #offsets: Cursor;
  readonly #matchLengths: Cursor;
  /** The last three distances. */
  #first = 1;
  #second = 4;
  #third = 8;

  constructor() {
    const { literals, offsets, matches } = sequenceCodes();
    this.#literalLengths = new Cursor(literals);
    this.#offsets = new Cursor(offsets);
    this.#matchLengths = new Cursor(matches);
  }

  /** A frame knows nothing of an earlier one. */
  reset(): void {
    this.#literalLengths.reset();
    this.#offsets.reset();
    this.#matchLengths.reset();
    [this.#first, this.#second, this.#third] = [1, 4, 8];
  }

  /**
   * Carries out the sequences of a block, which decodes to at most `maxBytes`, and appends the literals that are left.
   * @throws ZstdError
   */
  run(
    range: BitRange,
    block: { readonly literals: Uint8Array; readonly history: History; readonly maxBytes: number },
  ): void {
    const { literals, history, maxBytes } = block;
    const { count, nextByte } = readCount(range);
    if (count === 0) {
      if (nextByte !== range.end) throw new ZstdError();
      history.append(literals);
      return;
    }
    const bits = this.#begin({ ...range, start: nextByte });
    let taken = 0;
    let left = maxBytes - literals.length;
    for (let sequence = 0; sequence < count; sequence += 1) {
      const offset = this.#offset(bits);
      const matchBytes = this.#matchLengths.value(bits);
      const literalBytes = this.#literalLengths.value(bits);
      left -= matchBytes;
      if (left < 0 || taken + literalBytes > literals.length) throw new ZstdError();
      history.appendPart(literals, taken, literalBytes);
      taken += literalBytes;
      history.repeat(this.#distance(offset, literalBytes), matchBytes);
      if (sequence + 1 < count) this.#next(bits);
    }
    if (!bits.isSpent) throw new ZstdError();
    history.append(literals.subarray(taken));
  }

  #begin({ view, start, end }: BitRange): BackwardBits {
    const modes = start < end ? view.getUint8(start) : 0b11;
    if ((modes & 0b11) !== 0) throw new ZstdError();
    let from = start + 1;
    from = this.#literalLengths.take(modes >> 6, { view, start: from, end });
    from = this.#offsets.take((modes >> 4) & 0b11, { view, start: from, end });
    from = this.#matchLengths.take((modes >> 2) & 0b11, { view, start: from, end });
    const bits = new BackwardBits({ view, start: from, end });
    this.#literalLengths.begin(bits);
    this.#offsets.begin(bits);
    this.#matchLengths.begin(bits);
    return bits;
  }

  #next(bits: BackwardBits): void {
    this.#literalLengths.next(bits);
    this.#matchLengths.next(bits);
    this.#offsets.next(bits);
  }

  #offset(bits: BackwardBits): number {
    const { code } = this.#offsets;
    if (code > MAX_OFFSET_CODE) throw new ZstdError();
    if (code <= MAX_READ_BITS) return (1 << code) + bits.read(code);
    const upper = bits.read(code - MAX_READ_BITS) << MAX_READ_BITS;
    return (1 << code) + upper + bits.read(MAX_READ_BITS);
  }

  /** RFC 8878, 3.1.1.5: up to 3 an offset names one of the last three distances, one further without literals. */
  #distance(offset: number, literalBytes: number): number {
    if (offset > 3) return this.#remember(offset - 3);
    const index = literalBytes === 0 ? offset : offset - 1;
    if (index === 0) return this.#first;
    if (index === 1) {
      const distance = this.#second;
      this.#second = this.#first;
      this.#first = distance;
      return distance;
    }
    const distance = index === 2 ? this.#third : this.#first - 1;
    if (distance === 0) throw new ZstdError();
    return this.#remember(distance);
  }

  #remember(distance: number): number {
    this.#third = this.#second;
    this.#second = this.#first;
    this.#first = distance;
    return distance;
  }
}

/** How many sequences there are, and the byte behind that. */
function readCount({ view, start, end }: BitRange): { readonly count: number; readonly nextByte: number } {
  if (start >= end) throw new ZstdError();
  const first = view.getUint8(start);
  const nextByte = start + (first < 128 ? 1 : first < 255 ? 2 : 3);
  if (nextByte > end) throw new ZstdError();
  if (first < 128) return { count: first, nextByte };
  if (first < 255) return { count: ((first - 128) << 8) + view.getUint8(start + 1), nextByte };
  return { count: view.getUint16(start + 1, true) + 0x7f00, nextByte };
}
