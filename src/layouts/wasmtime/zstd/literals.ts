import type { BitRange } from './bit-reader.js';
import { MAX_BLOCK_BYTES } from './frame-header.js';
import { decodeHuffman, readHuffmanTable, type HuffmanTable } from './huffman-table.js';
import { ZstdError } from './zstd-fault.js';

const RAW = 0;
const RLE = 1;
/** Compressed with its own table; 3 is: with the table of an earlier block. */
const COMPRESSED = 2;
/** The sizes of the first three of four streams, two bytes each. */
const JUMP_TABLE_BYTES = 6;

interface Header {
  readonly kind: number;
  readonly bytes: number;
  /** How many literals. */
  readonly count: number;
  /** The bytes that hold them, a table's included. */
  readonly storedBytes: number;
  readonly streams: 1 | 4;
}

/** The literals of the blocks of a frame, one block at a time. */
export class Literals {
  readonly #buffer = new Uint8Array(MAX_BLOCK_BYTES);
  #table: HuffmanTable | null = null;
  #count = 0;

  /** A frame knows no table of an earlier one. */
  reset(): void {
    this.#table = null;
  }

  /** Lost with the next `read`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#count);
  }

  /** Reads the literals of a block of at most `maxBytes`; returns the byte behind them. @throws ZstdError */
  read(range: BitRange, maxBytes: number): number {
    const header = readHeader(range);
    const start = range.start + header.bytes;
    const end = start + header.storedBytes;
    if (end > range.end || header.count > maxBytes) throw new ZstdError();
    this.#count = header.count;
    const { view } = range;
    if (header.kind === RAW) this.#buffer.set(bytesOf({ view, start, end }));
    else if (header.kind === RLE) this.#buffer.fill(view.getUint8(start), 0, header.count);
    else this.#decode({ view, start, end }, header);
    return end;
  }

  #decode(range: BitRange, { kind, streams }: Header): void {
    let { start } = range;
    if (kind === COMPRESSED) {
      const { table, nextByte } = readHuffmanTable(range);
      this.#table = table;
      start = nextByte;
    }
    if (this.#table === null) throw new ZstdError();
    const rest = { ...range, start };
    if (streams === 1) decodeHuffman(rest, this.#table, this.bytes);
    else this.#decodeFour(rest, this.#table);
  }

  #decodeFour({ view, start, end }: BitRange, table: HuffmanTable): void {
    const share = (this.#count + 3) >> 2;
    if (end - start < JUMP_TABLE_BYTES || share * 3 > this.#count) throw new ZstdError();
    let from = start + JUMP_TABLE_BYTES;
    for (let stream = 0; stream < 4; stream += 1) {
      const to = stream === 3 ? end : from + view.getUint16(start + stream * 2, true);
      if (to > end) throw new ZstdError();
      const out = this.bytes.subarray(share * stream, stream === 3 ? this.#count : share * (stream + 1));
      decodeHuffman({ view, start: from, end: to }, table, out);
      from = to;
    }
  }
}

function bytesOf({ view, start, end }: BitRange): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + start, end - start);
}

/** What lies behind the end of the block may be read here, for `read` refuses an end behind it. */
function readHeader({ view, start, end }: BitRange): Header {
  if (start >= end) throw new ZstdError();
  const word = view.getUint32(start, true);
  const kind = word & 0b11;
  const format = (word >> 2) & 0b11;
  return kind <= RLE
    ? plainHeader(word, kind, format)
    : compressedHeader(view, start, { word, kind, format });
}

function plainHeader(word: number, kind: number, format: number): Header {
  const bytes = format === 1 ? 2 : format === 3 ? 3 : 1;
  const count = bytes === 1 ? (word & 0xff) >> 3 : (word & (bytes === 2 ? 0xffff : 0xff_ffff)) >> 4;
  return { kind, bytes, count, storedBytes: kind === RLE ? 1 : count, streams: 1 };
}

function compressedHeader(
  view: DataView,
  start: number,
  { word, kind, format }: { readonly word: number; readonly kind: number; readonly format: number },
): Header {
  const streams = format === 0 ? 1 : 4;
  if (format <= 1)
    return { kind, bytes: 3, count: (word >>> 4) & 0x3ff, storedBytes: (word >>> 14) & 0x3ff, streams };
  if (format === 2)
    return { kind, bytes: 4, count: (word >>> 4) & 0x3fff, storedBytes: word >>> 18, streams };
  const storedBytes = (word >>> 22) | (view.getUint8(start + 4) << 10);
  return { kind, bytes: 5, count: (word >>> 4) & 0x3_ffff, storedBytes, streams };
}
