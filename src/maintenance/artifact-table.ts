import { formatAt } from '../layouts/formats.js';
import { MAX_PARTS, type Format } from '../layouts/layout.js';
import { writeHex } from '../model/hex.js';
import { writeDigits } from '../model/write-digits.js';
import type { Candidates } from '../model/retention.js';

/** Something that no artifact is lies in the place of one of its parts: a link, a pipe, a folder. */
const IRREGULAR = 1 << MAX_PARTS;
/** The stem is hex digits, two in a byte. */
const PACKED = 1 << 7;
const PARTS = IRREGULAR - 1;

/** The system gives memory to what is written only: a small table costs no more for it. */
const FIRST_CAPACITY = 262_144;
const BYTES_PER_STEM = 32;

/** What a row of the table's results says. */
export const RESULT = {
  /** Nobody was there yet. */
  none: 0,
  /** Looked at: the last use and the size are known. */
  seen: 1,
  gone: 2,
  /** Could not be looked at: see the failures. */
  failed: 3,
  valid: 4,
  unverifiable: 5,
  litter: 6,
  /** Something speaks against it: to be judged with care. */
  suspect: 7,
  /** Nothing in it but what belongs to an artifact that is gone. */
  orphan: 8,
} as const;

/** The memory of a table, for other threads. */
export interface SharedTable {
  readonly count: number;
  readonly stems: SharedArrayBuffer;
  readonly ends: SharedArrayBuffer;
  readonly places: SharedArrayBuffer;
  readonly formats: SharedArrayBuffer;
  readonly flags: SharedArrayBuffer;
  readonly results: SharedArrayBuffer;
  readonly usedAtMs: SharedArrayBuffer;
  readonly bytes: SharedArrayBuffer;
}

/** What the table is filled with once its rows are known. */
interface Findings {
  readonly results: Uint8Array;
  readonly usedAtMs: Float64Array;
  readonly bytes: Float64Array;
}

/**
 * Artifacts as columns of memory that threads share: some 60 bytes for one of vyre's, and no text, so that a million of
 * them fit anywhere. One thread adds; then all may fill in what they find out about their rows. With findings of their
 * own ({@link ArtifactTable.lend}) they may do so for rows that are there while others are still added.
 */
export class ArtifactTable implements Candidates {
  #count = 0;
  #capacity = FIRST_CAPACITY;
  #stems = Buffer.from(new SharedArrayBuffer(FIRST_CAPACITY * BYTES_PER_STEM));
  #words = new DataView(memoryOf(this.#stems));
  /** Where the stem of each row ends in {@link #stems}. */
  #ends = new Uint32Array(new SharedArrayBuffer(4 * FIRST_CAPACITY));
  #places = new Uint32Array(new SharedArrayBuffer(4 * FIRST_CAPACITY));
  #formats = new Uint8Array(new SharedArrayBuffer(FIRST_CAPACITY));
  #flags = new Uint8Array(new SharedArrayBuffer(FIRST_CAPACITY));
  /** Null until somebody asks for it: then nothing is added any more. */
  #findings: Findings | null = null;
  /** The rows that others may look at already. */
  #lentRows = 0;
  /** Those of them to which a part was added since. */
  readonly #changedRows = new Set<number>();

  static of(shared: SharedTable): ArtifactTable {
    const table = new ArtifactTable();
    table.#count = shared.count;
    table.#capacity = shared.flags.byteLength;
    table.#takeStems(shared.stems);
    table.#ends = new Uint32Array(shared.ends);
    table.#places = new Uint32Array(shared.places);
    table.#formats = new Uint8Array(shared.formats);
    table.#flags = new Uint8Array(shared.flags);
    table.#findings = findingsIn(shared);
    return table;
  }

  get shared(): SharedTable {
    return this.#sharedWith(this.#count, this.#found);
  }

  /** For others to look at rows while more are added: with room for as many as fit until the memory grows. */
  lend(): SharedTable {
    return this.#sharedWith(this.#capacity, findingsFor(this.#capacity));
  }

  /** Says that others may look at all rows that are there. @returns how many of them they can see. */
  lendRows(lent: SharedTable): number {
    if (!this.#hasGrown(lent)) this.#lentRows = this.#count;
    return this.#lentRows;
  }

  #hasGrown(lent: SharedTable): boolean {
    return lent.flags !== memoryOf(this.#flags) || lent.stems !== memoryOf(this.#stems);
  }

  /**
   * All rows are there: from here on the others' findings are those of this table. `claimed` of the rows may have been
   * looked at before all their parts were there; those after them are seen as they are.
   * @returns false where the memory has grown since it was lent, and nothing is changed.
   */
  adopt(lent: SharedTable, claimed: number): boolean {
    if (this.#hasGrown(lent)) return false;
    this.lendRows(lent);
    this.#findings = findingsIn(lent);
    for (const row of this.#changedRows) if (row >= claimed) this.#changedRows.delete(row);
    return true;
  }

  /**
   * Takes what others found out about the rows that were lent; of those that have changed since, nothing.
   * @returns about how many of these something had been found out.
   */
  takeBack(lent: SharedTable): number {
    const { results, usedAtMs, bytes } = this.#found;
    if (memoryOf(results) !== lent.results) {
      const findings = findingsIn(lent);
      // What has a result has the rest of it.
      results.set(findings.results.subarray(0, this.#lentRows));
      usedAtMs.set(findings.usedAtMs.subarray(0, this.#lentRows));
      bytes.set(findings.bytes.subarray(0, this.#lentRows));
    }
    let forgotten = 0;
    for (const row of this.#changedRows) {
      if (results[row] !== RESULT.none) forgotten += 1;
      results[row] = RESULT.none;
    }
    return forgotten;
  }

  #sharedWith(count: number, { results, usedAtMs, bytes }: Findings): SharedTable {
    return {
      count,
      stems: memoryOf(this.#stems),
      ends: memoryOf(this.#ends),
      places: memoryOf(this.#places),
      formats: memoryOf(this.#formats),
      flags: memoryOf(this.#flags),
      results: memoryOf(results),
      usedAtMs: memoryOf(usedAtMs),
      bytes: memoryOf(bytes),
    };
  }

  get count(): number {
    return this.#count;
  }

  /** Of the last use, milliseconds since 1970, whole. */
  get usedAtMs(): Float64Array {
    return this.#found.usedAtMs.subarray(0, this.#count);
  }

  get bytes(): Float64Array {
    return this.#found.bytes.subarray(0, this.#count);
  }

  /** A number for what was found out about each row. */
  get results(): Uint8Array {
    return this.#found.results.subarray(0, this.#count);
  }

  get #found(): Findings {
    this.#findings ??= findingsFor(this.#count);
    return this.#findings;
  }

  /** Writes a stem to where that of the next row goes: what is compared are bytes, half as many as characters. */
  propose(stem: string): void {
    const { length } = stem;
    const start = this.#room(3 * length);
    const isPacked = length >= 16 && writeHex(stem, this.#stems, start, length);
    this.#ends[this.#count] = start + (isPacked ? length / 2 : this.#stems.write(stem, start, 'utf8'));
    this.#flags[this.#count] = isPacked ? PACKED : 0;
  }

  /**
   * The same with the first `digits` characters of a name, at least 16 of them, as the stem.
   * @returns false when they are not hex digits: then nothing is proposed.
   */
  proposeHex(name: string, digits: number): boolean {
    const start = this.#room(digits);
    if (!writeHex(name, this.#stems, start, digits)) return false;
    this.#ends[this.#count] = start + digits / 2;
    this.#flags[this.#count] = PACKED;
    return true;
  }

  /** Makes room for the next row. @returns where its stem begins. */
  #room(bytes: number): number {
    if (this.#findings !== null) throw new Error('an artifact is added to a table that is in use');
    if (this.#count === this.#capacity) this.#grow();
    const start = this.#start(this.#count);
    if (start + bytes > this.#stems.length) this.#takeStems(grown(this.#stems, bytes));
    return start;
  }

  #takeStems(memory: SharedArrayBuffer): void {
    this.#stems = Buffer.from(memory);
    this.#words = new DataView(memory);
  }

  /** Of the stem that was proposed. Four bytes at a time, each mixed into all bits: names come by the million. */
  proposedHash(seed: number): number {
    const words = this.#words;
    const end = this.#ends[this.#count] ?? 0;
    let hash = seed;
    let at = this.#start(this.#count);
    for (; at + 4 <= end; at += 4) {
      hash = Math.imul(hash ^ words.getUint32(at, true), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    for (; at < end; at += 1) hash = Math.imul(hash ^ words.getUint8(at), 0x01000193);
    return hash ^ (hash >>> 15);
  }

  /** True when the row is the artifact of the format of that number whose stem was proposed. */
  isProposed(row: number, format: number): boolean {
    const next = this.#count;
    if (this.#formats[row] !== format || ((this.#flags[row] ?? 0) & PACKED) !== this.#flags[next])
      return false;
    const stems = this.#stems;
    return stems.compare(stems, this.#start(next), this.#ends[next], this.#start(row), this.#ends[row]) === 0;
  }

  /** Adds the artifact whose stem was proposed, of which nothing is known to be there. @returns its row. */
  addProposed(place: number, format: number): number {
    const row = this.#count;
    this.#places[row] = place;
    this.#formats[row] = format;
    this.#count += 1;
    return row;
  }

  /** Notes that something lies in the place of a part; `isRegular` false: a link, a pipe, a folder. */
  mark(row: number, part: number, isRegular: boolean): void {
    this.#flags[row] = (this.#flags[row] ?? 0) | (1 << part) | (isRegular ? 0 : IRREGULAR);
    if (row < this.#lentRows) this.#changedRows.add(row);
  }

  /** Moves what is known of a row to another one before it. */
  move(from: number, to: number): void {
    const start = this.#start(from);
    const end = this.#ends[from] ?? 0;
    const target = this.#start(to);
    this.#stems.copyWithin(target, start, end);
    this.#ends[to] = target + end - start;
    const { results, usedAtMs, bytes } = this.#found;
    for (const column of [this.#places, this.#formats, this.#flags, results, usedAtMs, bytes])
      column[to] = column[from] ?? 0;
  }

  /** Forgets the rows from this one on. */
  cut(count: number): void {
    this.#count = count;
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#ends = new Uint32Array(grown(this.#ends));
    this.#places = new Uint32Array(grown(this.#places));
    this.#formats = new Uint8Array(grown(this.#formats));
    this.#flags = new Uint8Array(grown(this.#flags));
  }

  #start(row: number): number {
    return row === 0 ? 0 : (this.#ends[row - 1] ?? 0);
  }

  stem(row: number): string {
    if (row >= this.#count) throw new Error(`there is no artifact ${row}`);
    const encoding = ((this.#flags[row] ?? 0) & PACKED) === 0 ? 'utf8' : 'hex';
    return this.#stems.toString(encoding, this.#start(row), this.#ends[row]);
  }

  /** True for a row of that format, by its number, with that part alone, a regular file, whose stem is hex digits. */
  isPlain(row: number, format: number, part: number): boolean {
    return this.#formats[row] === format && this.#flags[row] === (PACKED | (1 << part));
  }

  /** Writes the digits of a stem that is hex digits. */
  writeHexStem(row: number, target: DataView, at: number): void {
    writeDigits(this.#stems, { start: this.#start(row), end: this.#ends[row] ?? 0 }, target, at);
  }

  /** The first characters of a stem, an even number of them. */
  stemStart(row: number, length: number): string {
    if (((this.#flags[row] ?? 0) & PACKED) === 0) return this.stem(row).slice(0, length);
    const start = this.#start(row);
    return this.#stems.toString('hex', start, Math.min(start + length / 2, this.#ends[row] ?? start));
  }

  place(row: number): number {
    return this.#places[row] ?? 0;
  }

  format(row: number): Format {
    return formatAt(this.#formats[row] ?? 0);
  }

  /** The bit of each part in whose place something lies: a regular file, unless {@link isIrregular}. */
  present(row: number): number {
    return (this.#flags[row] ?? 0) & PARTS;
  }

  isIrregular(row: number): boolean {
    return ((this.#flags[row] ?? 0) & IRREGULAR) !== 0;
  }

  compareNames(a: number, b: number): number {
    const stems = this.#stems;
    const order = stems.compare(stems, this.#start(b), this.#ends[b], this.#start(a), this.#ends[a]);
    return order === 0 ? a - b : order;
  }
}

function findingsFor(rows: number): Findings {
  return {
    results: new Uint8Array(new SharedArrayBuffer(rows)),
    usedAtMs: new Float64Array(new SharedArrayBuffer(8 * rows)),
    bytes: new Float64Array(new SharedArrayBuffer(8 * rows)),
  };
}

function findingsIn({ results, usedAtMs, bytes }: SharedTable): Findings {
  return {
    results: new Uint8Array(results),
    usedAtMs: new Float64Array(usedAtMs),
    bytes: new Float64Array(bytes),
  };
}

type Column = Uint8Array | Uint32Array | Float64Array | BigInt64Array;

/** @throws Error for memory that threads do not share. */
export function memoryOf(column: Column): SharedArrayBuffer {
  const { buffer } = column;
  if (!(buffer instanceof SharedArrayBuffer)) throw new Error('a column lies in memory that is not shared');
  return buffer;
}

/** Twice the memory, or as much more as is needed, with the same content. */
function grown(column: Column, moreBytes = 0): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(2 * column.byteLength + moreBytes);
  new Uint8Array(memory).set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
  return memory;
}
