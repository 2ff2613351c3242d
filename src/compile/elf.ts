import { withFile, type Files } from '../host/files.js';
import { decoding, mismatch, parseJson, Reader } from '../model/decoder.js';

/** What the dynamic loader needs to know about an ELF file. */
export interface ElfFacts {
  /** The ELF machine number: 62 is x86-64, 183 is AArch64. */
  readonly machine: number;
  /** The program interpreter, null in libraries and static programs. */
  readonly interpreter: string | null;
  /** Names of needed libraries, in order. */
  readonly needed: readonly string[];
  /** Search folders as they stand in the file, `$ORIGIN` included. RPATH counts only without RUNPATH. */
  readonly rpath: readonly string[];
  readonly runpath: readonly string[];
}

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const DYNAMIC_ENTRY_BYTES = 16;
/** Bounds for hostile files, far above what linkers write. */
const MAX_PROGRAM_HEADERS = 512;
const MAX_DYNAMIC_BYTES = 65_536;
const MAX_NAME_BYTES = 4096;
const MAX_NEEDED = 1024;

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const DT_STRSZ = 10n;
const DT_RPATH = 15n;
const DT_RUNPATH = 29n;

/** At most `length` bytes at `position`; fewer at the end of the file. */
type ReadAt = (position: number, length: number) => Buffer;

/** The first bytes of a regular file, or null when it cannot be read. `realPath` must be free of links. */
export function readHead(files: Files, realPath: string, maxBytes: number): Buffer | null {
  try {
    return withFile(files, { path: realPath, flags: 'read' }, (fd) => {
      if (files.fstat(fd).type !== 'file') return null;
      const buffer = Buffer.alloc(maxBytes);
      return buffer.subarray(0, files.readAt(fd, buffer, maxBytes, 0));
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}

/** Reads a 64-bit little-endian ELF file; null for everything else, whatever its bytes are. Never throws for bytes. */
export function readElf(files: Files, realPath: string): ElfFacts | null {
  try {
    return withFile(files, { path: realPath, flags: 'read' }, (fd) => {
      if (files.fstat(fd).type !== 'file') return null;
      return parseElf((position, length) => {
        const buffer = Buffer.alloc(length);
        return buffer.subarray(0, files.readAt(fd, buffer, length, position));
      });
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: bigint;
  readonly fileBytes: number;
}

function parseElf(read: ReadAt): ElfFacts | null {
  const header = read(0, HEADER_BYTES);
  // 0x7f "ELF", class 2 (64 bits), data 1 (little-endian).
  if (header.byteLength < HEADER_BYTES || header.readUInt32BE(0) !== 0x7f454c46) return null;
  if (header[4] !== 2 || header[5] !== 1) return null;
  const segments = readSegments(header, read);
  if (segments === null) return null;
  const machine = header.readUInt16LE(18);
  const interp = segments.find((segment) => segment.type === PT_INTERP);
  const interpreter = interp === undefined ? null : readName(read, interp.offset, interp.fileBytes);
  const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
  const entries = dynamic === undefined ? [] : readDynamic(read, dynamic);
  return { machine, interpreter, ...names(entries, segments, read) };
}

/** A position or length in a file; null beyond what JavaScript counts exactly. */
function safeNumber(value: bigint): number | null {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : null;
}

function readSegments(header: Buffer, read: ReadAt): readonly Segment[] | null {
  const offset = safeNumber(header.readBigUInt64LE(32));
  const size = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  if (offset === null || count > MAX_PROGRAM_HEADERS) return null;
  if (count > 0 && size < PROGRAM_HEADER_BYTES) return null;
  const table = read(offset, size * count);
  const segments: Segment[] = [];
  for (let at = 0; at + PROGRAM_HEADER_BYTES <= table.byteLength; at += size) {
    const segmentOffset = safeNumber(table.readBigUInt64LE(at + 8));
    const fileBytes = safeNumber(table.readBigUInt64LE(at + 32));
    if (segmentOffset === null || fileBytes === null) continue;
    const type = table.readUInt32LE(at);
    segments.push({ type, offset: segmentOffset, address: table.readBigUInt64LE(at + 16), fileBytes });
  }
  return segments;
}

interface DynamicEntry {
  readonly tag: bigint;
  readonly value: bigint;
}

function readDynamic(read: ReadAt, segment: Segment): readonly DynamicEntry[] {
  const bytes = read(segment.offset, Math.min(segment.fileBytes, MAX_DYNAMIC_BYTES));
  const entries: DynamicEntry[] = [];
  for (let at = 0; at + DYNAMIC_ENTRY_BYTES <= bytes.byteLength; at += DYNAMIC_ENTRY_BYTES) {
    const tag = bytes.readBigUInt64LE(at);
    if (tag === 0n) break;
    entries.push({ tag, value: bytes.readBigUInt64LE(at + 8) });
  }
  return entries;
}

function names(
  entries: readonly DynamicEntry[],
  segments: readonly Segment[],
  read: ReadAt,
): Pick<ElfFacts, 'needed' | 'rpath' | 'runpath'> {
  const table = stringTable(entries, segments);
  const texts = (tag: bigint): readonly string[] => {
    const found: string[] = [];
    for (const entry of entries) {
      if (entry.tag !== tag || table === null || entry.value >= BigInt(table.bytes)) continue;
      const start = Number(entry.value);
      const text = readName(read, table.offset + start, table.bytes - start);
      if (text !== null && text !== '' && found.length < MAX_NEEDED) found.push(text);
    }
    return found;
  };
  const folders = (tag: bigint): readonly string[] => texts(tag).flatMap((text) => text.split(':'));
  return { needed: texts(DT_NEEDED), rpath: folders(DT_RPATH), runpath: folders(DT_RUNPATH) };
}

/** Where the string table lies in the file: its address is mapped through the loaded segments. */
function stringTable(
  entries: readonly DynamicEntry[],
  segments: readonly Segment[],
): { readonly offset: number; readonly bytes: number } | null {
  const address = entries.find((entry) => entry.tag === DT_STRTAB)?.value;
  const bytes = entries.find((entry) => entry.tag === DT_STRSZ)?.value;
  if (address === undefined || bytes === undefined) return null;
  for (const segment of segments) {
    const inside = address - segment.address;
    if (segment.type !== PT_LOAD || inside < 0n || inside >= BigInt(segment.fileBytes)) continue;
    const length = safeNumber(bytes);
    return length === null ? null : { offset: segment.offset + Number(inside), bytes: length };
  }
  return null;
}

function readName(read: ReadAt, position: number, maxBytes: number): string | null {
  if (!Number.isSafeInteger(position) || maxBytes <= 0) return null;
  const bytes = read(position, Math.min(maxBytes, MAX_NAME_BYTES));
  const end = bytes.indexOf(0);
  return end < 0 ? null : bytes.toString('utf8', 0, end);
}

/** For the stamps. */
export function encodeElfFacts(facts: ElfFacts | null): string {
  return JSON.stringify({ facts });
}

/** Undefined when the text is none of {@link encodeElfFacts}. */
export function decodeElfFacts(text: string): ElfFacts | null | undefined {
  const decoded = decoding(() => {
    const reader = new Reader(parseJson(text), 'elf');
    const facts = reader.objectOrNull('facts', readFacts);
    reader.end();
    return facts;
  });
  return decoded.ok ? decoded.value : undefined;
}

function readFacts(reader: Reader): ElfFacts {
  const texts = (key: string): readonly string[] =>
    reader.list(key, (value, path) =>
      typeof value === 'string' ? value : mismatch(`${path} is not a string`),
    );
  const facts = {
    machine: reader.count('machine'),
    interpreter: reader.textOrNull('interpreter'),
    needed: texts('needed'),
    rpath: texts('rpath'),
    runpath: texts('runpath'),
  };
  reader.end();
  return facts;
}
