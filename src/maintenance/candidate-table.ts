import { isFingerprint, type Fingerprint } from '../model/fingerprint.js';
import type { Candidates } from '../model/retention.js';

const NAME_BYTES = 32;
const FIRST_CAPACITY = 1024;

/** Entries that may be removed: 48 bytes each, and no name as text, so that a million of them fit anywhere. */
export class CandidateTable implements Candidates {
  #count = 0;
  #names = Buffer.alloc(FIRST_CAPACITY * NAME_BYTES);
  #usedAtMs = new Float64Array(FIRST_CAPACITY);
  #bytes = new Float64Array(FIRST_CAPACITY);

  get count(): number {
    return this.#count;
  }

  get usedAtMs(): Float64Array {
    return this.#usedAtMs;
  }

  get bytes(): Float64Array {
    return this.#bytes;
  }

  add(fingerprint: Fingerprint): void {
    if (this.#count === this.#usedAtMs.length) this.#grow();
    this.#names.write(fingerprint, this.#count * NAME_BYTES, 'hex');
    this.#count += 1;
  }

  /** Moves a candidate to a row at or before its own, with what was found out about it. */
  settle(index: number, row: number, state: { readonly usedAtMs: number; readonly bytes: number }): void {
    this.#names.copyWithin(row * NAME_BYTES, index * NAME_BYTES, (index + 1) * NAME_BYTES);
    this.#usedAtMs[row] = state.usedAtMs;
    this.#bytes[row] = state.bytes;
  }

  /** Forgets all rows from this one on. */
  truncate(count: number): void {
    this.#count = count;
  }

  #grow(): void {
    const capacity = 2 * this.#count;
    const names = Buffer.alloc(capacity * NAME_BYTES);
    this.#names.copy(names);
    this.#names = names;
    this.#usedAtMs = enlarged(this.#usedAtMs, capacity);
    this.#bytes = enlarged(this.#bytes, capacity);
  }

  fingerprint(index: number): Fingerprint {
    const name = this.#names.toString('hex', index * NAME_BYTES, (index + 1) * NAME_BYTES);
    if (index >= this.#count || !isFingerprint(name)) throw new Error(`there is no candidate ${index}`);
    return name;
  }

  compareNames(a: number, b: number): number {
    const names = this.#names;
    return names.compare(names, b * NAME_BYTES, (b + 1) * NAME_BYTES, a * NAME_BYTES, (a + 1) * NAME_BYTES);
  }
}

function enlarged(column: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(capacity);
  larger.set(column);
  return larger;
}
