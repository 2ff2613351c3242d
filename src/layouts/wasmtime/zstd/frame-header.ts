import { MAX_WINDOW_BYTES, ZstdError } from './zstd-fault.js';

export const MAGIC_BYTES = 4;
/** `28 B5 2F FD`, little-endian. */
const FRAME_MAGIC = 0xfd2f_b528;
/** `5X 2A 4D 18`: sixteen kinds of frames whose content belongs to somebody else. */
const SKIPPABLE_MAGIC = 0x184d_2a50;
/** RFC 8878: no block holds more, compressed or not. */
export const MAX_BLOCK_BYTES = 131_072;

const RESERVED_BIT = 0b1000;
const SINGLE_SEGMENT_BIT = 0b10_0000;
const CHECKSUM_BIT = 0b100;
const MIN_WINDOW_LOG = 10;

export interface FrameHeader {
  /** How far back a match may reach; at most {@link MAX_WINDOW_BYTES}. */
  readonly windowBytes: number;
  /** Null where the frame does not tell. */
  readonly contentBytes: number | null;
  readonly hasChecksum: boolean;
}

export function magicKind(magic: DataView): 'frame' | 'skippable' | null {
  const value = magic.getUint32(0, true);
  if (value === FRAME_MAGIC) return 'frame';
  return (value & ~0xf) >>> 0 === SKIPPABLE_MAGIC ? 'skippable' : null;
}

/** True when these first bytes of a magic, fewer than four, may become one. */
export function mayBecomeMagic(bytes: Uint8Array): boolean {
  const word = Buffer.alloc(MAGIC_BYTES);
  return [FRAME_MAGIC, SKIPPABLE_MAGIC].some((magic) => {
    word.writeUInt32LE(magic);
    // Only the first byte of a skippable frame varies, and only in its lower half.
    const mask = magic === SKIPPABLE_MAGIC ? 0xf0 : 0xff;
    return bytes.every((byte, index) => (index === 0 ? byte & mask : byte) === word[index]);
  });
}

/** The bytes of each field, from the one that tells of them. */
function fieldBytes(descriptor: number) {
  const isSingleSegment = (descriptor & SINGLE_SEGMENT_BIT) !== 0;
  const dictionaryFlag = descriptor & 0b11;
  const contentFlag = descriptor >> 6;
  return {
    window: isSingleSegment ? 0 : 1,
    dictionary: dictionaryFlag === 3 ? 4 : dictionaryFlag,
    content: contentFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << contentFlag,
  };
}

/** How many bytes of the header follow the descriptor. @throws ZstdError for a reserved bit. */
export function bytesAfter(descriptor: number): number {
  if ((descriptor & RESERVED_BIT) !== 0) throw new ZstdError();
  const { window, dictionary, content } = fieldBytes(descriptor);
  return window + dictionary + content;
}

/**
 * The header whose descriptor is this one and whose other bytes `fields` begins with.
 * @throws ZstdError for a dictionary, which nobody gave us, and for a window that is too large.
 */
export function readFrameHeader(descriptor: number, fields: Buffer): FrameHeader {
  const { window, dictionary, content } = fieldBytes(descriptor);
  if (dictionary > 0 && fields.readUIntLE(window, dictionary) !== 0) throw new ZstdError();
  const contentBytes = content === 0 ? null : readContentBytes(fields, window + dictionary, content);
  const windowBytes = window === 1 ? windowOf(fields.readUInt8(0)) : (contentBytes ?? 0);
  if (windowBytes > MAX_WINDOW_BYTES) throw new ZstdError('window-too-large');
  return { windowBytes, contentBytes, hasChecksum: (descriptor & CHECKSUM_BIT) !== 0 };
}

function windowOf(byte: number): number {
  const base = 2 ** (MIN_WINDOW_LOG + (byte >> 3));
  return base + (base / 8) * (byte & 0b111);
}

function readContentBytes(fields: Buffer, offset: number, length: number): number {
  // Not exact above 2^53, which no stream can have.
  if (length === 8) return Number(fields.readBigUInt64LE(offset));
  // RFC 8878: two bytes count from 256.
  return fields.readUIntLE(offset, length) + (length === 2 ? 256 : 0);
}
