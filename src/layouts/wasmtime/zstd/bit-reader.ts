import { ZstdError } from './zstd-fault.js';

/** How many bytes past the last one of a bit stream a reader may load without looking at them. */
export const LOAD_SLACK_BYTES = 4;

/** The most bits that one load of four bytes holds, wherever in a byte they begin. */
export const MAX_READ_BITS = 25;

/** The bytes `start` to `end` of a view that has {@link LOAD_SLACK_BYTES} more behind `end`. */
export interface BitRange {
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
}

/**
 * The bit at which a backward stream begins: the highest one that is set in its last byte marks it.
 * @throws ZstdError where there is none.
 */
export function firstBit({ view, start, end }: BitRange): number {
  const last = end > start ? view.getUint8(end - 1) : 0;
  if (last === 0) throw new ZstdError();
  return (end - 1) * 8 + 31 - Math.clz32(last);
}

/** Reads bits from the last to the first, as zstd writes them. */
export class BackwardBits {
  readonly #view: DataView;
  readonly #startBit: number;
  #position: number;

  constructor(range: BitRange) {
    this.#view = range.view;
    this.#startBit = range.start * 8;
    this.#position = firstBit(range);
  }

  /** At most {@link MAX_READ_BITS}. @throws ZstdError where fewer are left. */
  read(count: number): number {
    this.#position -= count;
    if (this.#position < this.#startBit) throw new ZstdError();
    return this.#load(this.#position, count);
  }

  /** The same, with zeros in place of what is missing; `isOverdrawn` tells. */
  readPadded(count: number): number {
    this.#position -= count;
    const missing = this.#startBit - this.#position;
    if (missing <= 0) return this.#load(this.#position, count);
    return missing >= count ? 0 : this.#load(this.#startBit, count - missing) << missing;
  }

  get isOverdrawn(): boolean {
    return this.#position < this.#startBit;
  }

  get isSpent(): boolean {
    return this.#position === this.#startBit;
  }

  #load(position: number, count: number): number {
    return (this.#view.getUint32(position >> 3, true) >>> (position & 7)) & ((1 << count) - 1);
  }
}

/** Reads bits from the first to the last: the distributions of tables alone are written so. */
export class ForwardBits {
  readonly #range: BitRange;
  #position: number;

  constructor(range: BitRange) {
    this.#range = range;
    this.#position = range.start * 8;
  }

  /** At most {@link MAX_READ_BITS}. @throws ZstdError where fewer are left. */
  read(count: number): number {
    const { view, end } = this.#range;
    const position = this.#position;
    this.#position += count;
    if (this.#position > end * 8) throw new ZstdError();
    return (view.getUint32(position >> 3, true) >>> (position & 7)) & ((1 << count) - 1);
  }

  /**
   * Looks without going on; what lies behind the end is not looked at closely, for `skip` refuses to go there.
   */
  peek(count: number): number {
    const { view } = this.#range;
    const position = Math.min(this.#position, this.#range.end * 8);
    return (view.getUint32(position >> 3, true) >>> (position & 7)) & ((1 << count) - 1);
  }

  skip(count: number): void {
    this.#position += count;
    if (this.#position > this.#range.end * 8) throw new ZstdError();
  }

  /** The first byte that nothing was read of. */
  get nextByte(): number {
    return (this.#position + 7) >> 3;
  }
}
