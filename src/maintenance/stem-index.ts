import { formatNumber } from '../layouts/formats.js';
import type { NamedPart } from '../layouts/layout.js';
import type { ArtifactTable } from './artifact-table.js';

/** A power of two, as all numbers of slots. */
const FIRST_SLOTS = 1024;
/** What is expected makes it no larger. */
const MOST_EXPECTED_SLOTS = 4_194_304;

/** Finds the rows of one folder by their names while it is listed: exact, with eight bytes a slot and no text. */
export class StemIndex {
  readonly #table: ArtifactTable;
  readonly #place: number;
  readonly #seed: number;
  readonly #expected: number;
  /** Of each slot the row, one more than that so that 0 is none, and the hash of its name: near one another in memory. */
  #slots = new Int32Array(2 * FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;
  #used = 0;

  /**
   * `seed` is random, so that nobody can choose names that meet in one slot. Once there are some hundred names, there is
   * room for as many as are expected: memory that none of them needs is never touched.
   */
  constructor(
    table: ArtifactTable,
    place: number,
    { seed, expected = 0 }: { readonly seed: number; readonly expected?: number },
  ) {
    this.#table = table;
    this.#place = place;
    this.#seed = seed | 0;
    this.#expected = expected;
  }

  /** The row of an artifact, added where it is new. */
  row({ format, stem }: Pick<NamedPart, 'format' | 'stem'>): number {
    this.#table.propose(stem);
    return this.#proposedRow(formatNumber(format));
  }

  /**
   * The same for the artifact whose stem is the first `digits` characters of a name; `format` by its number.
   * @returns -1 when they are not hex digits.
   */
  hexRow(name: string, digits: number, format: number): number {
    return this.#table.proposeHex(name, digits) ? this.#proposedRow(format) : -1;
  }

  #proposedRow(format: number): number {
    if (2 * this.#used > this.#mask) this.#grow();
    const table = this.#table;
    const hash = table.proposedHash(this.#seed ^ format);
    const slots = this.#slots;
    const mask = this.#mask;
    let slot = (hash & mask) - 1;
    let next = 0;
    let isAlike = false;
    // The first turn does what all others do: what was never done, V8 compiles anew when it is.
    do {
      slot = (slot + 1) & mask;
      next = slots[2 * slot] ?? 0;
      isAlike = slots[2 * slot + 1] === hash;
    } while (next !== 0 && !(isAlike && table.isProposed(next - 1, format)));
    if (next !== 0) return next - 1;
    const row = table.addProposed(this.#place, format);
    slots[2 * slot] = row + 1;
    slots[2 * slot + 1] = hash;
    this.#used += 1;
    return row;
  }

  #grow(): void {
    const before = this.#slots;
    const mask = this.#slotsAfter(before.length / 2) - 1;
    const slots = new Int32Array(2 * (mask + 1));
    for (let at = 0; at < before.length; at += 2) {
      const row = before[at] ?? 0;
      if (row === 0) continue;
      const hash = before[at + 1] ?? 0;
      let slot = hash & mask;
      while (slots[2 * slot] !== 0) slot = (slot + 1) & mask;
      slots[2 * slot] = row;
      slots[2 * slot + 1] = hash;
    }
    this.#slots = slots;
    this.#mask = mask;
  }

  #slotsAfter(slots: number): number {
    let next = 2 * slots;
    while (next < 2 * this.#expected && next < MOST_EXPECTED_SLOTS) next *= 2;
    return next;
  }
}
