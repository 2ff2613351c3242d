import { isFingerprint, type Fingerprint } from '../model/fingerprint.js';
import type { Candidates } from '../model/retention.js';
import { NumberList } from './number-list.js';

const NAME_BYTES = 32;
const FIRST_CAPACITY = 1024;

/** Entries that may be removed: 48 bytes each, and no name as text, so that a million of them fit anywhere. */
export class CandidateTable implements Candidates {
  #count = 0;
  #names = Buffer.alloc(FIRST_CAPACITY * NAME_BYTES);
  readonly #usedAtMs = new NumberList();
  readonly #bytes = new NumberList();

  get count(): number {
    return this.#count;
  }

  get usedAtMs(): Float64Array {
    return this.#usedAtMs.values();
  }

  get bytes(): Float64Array {
    return this.#bytes.values();
  }

  add(fingerprint: Fingerprint): void {
    if (this.#count * NAME_BYTES === this.#names.length) this.#grow();
    this.#names.write(fingerprint, this.#count * NAME_BYTES, 'hex');
    this.#count += 1;
  }

  /** Keeps a candidate, with what was found out about it, in the next row: at or before its own. */
  settle(index: number, state: { readonly usedAtMs: number; readonly bytes: number }): void {
    const row = this.#bytes.length;
    this.#names.copyWithin(row * NAME_BYTES, index * NAME_BYTES, (index + 1) * NAME_BYTES);
    this.#usedAtMs.push(state.usedAtMs);
    this.#bytes.push(state.bytes);
  }

  /** Forgets the candidates that were not settled. */
  dropUnsettled(): void {
    this.#count = this.#bytes.length;
  }

  #grow(): void {
    const names = Buffer.alloc(2 * this.#names.length);
    this.#names.copy(names);
    this.#names = names;
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
