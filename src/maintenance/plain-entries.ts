import type { Host } from '../host/host.js';
import { formatNumber } from '../layouts/formats.js';
import { ENTRY_PART, entryFormat } from '../layouts/vyre/entry-format.js';
import { FOOTER_BYTES } from '../model/entry.js';
import { errnoOf } from '../model/error.js';
import { HEX_LENGTH } from '../model/fingerprint.js';
import type { Unit } from '../schedule/units.js';
import { RESULT, type ArtifactTable } from './artifact-table.js';
import type { Place } from './inventory.js';

/** What does not fit is streamed by whoever looks with care. */
const BUFFER_BYTES = 131_072;

export const NO_ENTRIES = { count: 0, bytes: 0 } as const;

/**
 * Checks small entries without a record, which other writers leave by the hundred thousand, as their format does; what
 * else there is, and what cannot be read, is left to whoever looks with care. One loop and few functions: until V8 has
 * compiled them, which it does in each thread, a check takes twice as long, and to compile takes the processor from the
 * threads.
 */
export class PlainEntries {
  readonly #host: Host;
  readonly #table: ArtifactTable;
  readonly #results: Uint8Array;
  readonly #bytes: Float64Array;
  readonly #places: readonly Pick<Place, 'path'>[];
  readonly #format = formatNumber(entryFormat);
  readonly #maxBytes: number;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #payload = this.#buffer;
  #place = -1;
  /** Of the file at hand. */
  #path = Buffer.alloc(0);
  /** The part of the path into which the digits of its stem are written. */
  #stem = new DataView(this.#path.buffer, 0, 0);

  constructor(
    host: Host,
    table: ArtifactTable,
    {
      places,
      maxPayloadBytes,
    }: { readonly places: readonly Pick<Place, 'path'>[]; readonly maxPayloadBytes: number },
  ) {
    this.#host = host;
    this.#table = table;
    this.#results = table.results;
    this.#bytes = table.bytes;
    this.#places = places;
    this.#maxBytes = Math.min(maxPayloadBytes + FOOTER_BYTES, BUFFER_BYTES - 1);
  }

  /** Notes those of the rows that nobody has done. @returns how many, and their bytes. */
  check({ start, end }: Unit): { readonly count: number; readonly bytes: number } {
    const table = this.#table;
    const results = this.#results;
    let count = 0;
    let sum = 0;
    for (let row = start; row < end; row += 1) {
      const place = table.place(row);
      // A folder may have been found after the order was given.
      const isMine = results[row] === RESULT.none && place < this.#places.length;
      if (!isMine || !table.isPlain(row, this.#format, ENTRY_PART)) continue;
      if (place !== this.#place) this.#enter(place);
      table.writeHexStem(row, this.#stem, 0);
      const bytes = this.#read();
      if (bytes < 0 || bytes > this.#maxBytes) continue;
      this.#bytes[row] = bytes;
      results[row] = this.#isValid(bytes) ? RESULT.valid : RESULT.suspect;
      count += 1;
      sum += bytes;
    }
    return { count, bytes: sum };
  }

  #isValid(bytes: number): boolean {
    const payloadBytes = bytes - FOOTER_BYTES;
    if (payloadBytes < 0) return false;
    // To make a view costs as much as to compare a digest, and many entries are of one size.
    if (this.#payload.byteLength !== payloadBytes) this.#payload = this.#buffer.subarray(0, payloadBytes);
    return this.#host.hash.matches(this.#payload, this.#buffer, payloadBytes);
  }

  #enter(place: number): void {
    const { prefix = '', suffix = '' } = entryFormat.parts[ENTRY_PART] ?? {};
    const start = `${this.#places[place]?.path}/${prefix}`;
    this.#place = place;
    const path = Buffer.from(`${start}${'0'.repeat(HEX_LENGTH)}${suffix}`);
    this.#path = path;
    this.#stem = new DataView(path.buffer, path.byteOffset + Buffer.byteLength(start), HEX_LENGTH);
  }

  /** @returns how many bytes were read, no more than fit into the buffer; -1 for what cannot be read in this way. */
  #read(): number {
    try {
      return this.#host.files.readStart(this.#path, this.#buffer);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return -1;
    }
  }
}
