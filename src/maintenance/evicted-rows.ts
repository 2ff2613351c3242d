import type { RetentionReason, Verdict } from '../model/retention.js';
import { ENTRY_BIT, entryFormat } from '../layouts/vyre/entry-format.js';
import { pathOf, type Rows } from './inventory.js';
import type { NumberedRemovals, Removal } from './reports.js';

/**
 * What was removed, in its order, five bytes each: a million verdicts would be what the collector is busy with, and a
 * {@link Removal} is made when it is asked for.
 */
export class EvictedRows implements NumberedRemovals {
  readonly #inventory: Rows;
  readonly #nowMs: number;
  readonly #bytes: Float64Array;
  readonly #usedAtMs: Float64Array;
  #rows = new Uint32Array(1024);
  /** For each row the place of its reason among {@link #reasons}. */
  #reasonNumbers = new Uint8Array(1024);
  readonly #reasons: RetentionReason[] = [];
  #count = 0;

  constructor(inventory: Rows, nowMs: number) {
    this.#inventory = inventory;
    this.#nowMs = nowMs;
    this.#bytes = inventory.artifacts.bytes;
    this.#usedAtMs = inventory.artifacts.usedAtMs;
  }

  get count(): number {
    return this.#count;
  }

  get lastReason(): RetentionReason | null {
    return this.#count === 0 ? null : this.reason(this.#count - 1);
  }

  add({ index, reason }: Verdict): void {
    if (this.#count === this.#rows.length) this.#grow();
    let number = this.#reasons.indexOf(reason);
    if (number < 0) number = this.#reasons.push(reason) - 1;
    this.#rows[this.#count] = index;
    this.#reasonNumbers[this.#count] = number;
    this.#count += 1;
  }

  #grow(): void {
    const rows = new Uint32Array(2 * this.#count);
    rows.set(this.#rows);
    this.#rows = rows;
    const numbers = new Uint8Array(2 * this.#count);
    numbers.set(this.#reasonNumbers);
    this.#reasonNumbers = numbers;
  }

  fingerprintStart(at: number, digits: number): string | null {
    const { artifacts } = this.#inventory;
    const row = this.#row(at);
    const isEntry = artifacts.format(row) === entryFormat && (artifacts.present(row) & ENTRY_BIT) !== 0;
    return isEntry ? artifacts.stemStart(row, digits) : null;
  }

  path(at: number): string {
    return pathOf(this.#inventory, this.#row(at));
  }

  reason(at: number): RetentionReason {
    const reason = this.#reasons[this.#reasonNumbers[at] ?? 0];
    if (reason === undefined) throw new Error(`there is no removal ${at}`);
    return reason;
  }

  bytes(at: number): number {
    return this.#bytes[this.#row(at)] ?? 0;
  }

  ageSeconds(at: number): number {
    return Math.max(0, (this.#nowMs - (this.#usedAtMs[this.#row(at)] ?? this.#nowMs)) / 1000);
  }

  #row(at: number): number {
    return this.#rows[at] ?? 0;
  }

  *[Symbol.iterator](): Generator<Removal> {
    for (let at = 0; at < this.#count; at += 1) {
      yield {
        path: this.path(at),
        reason: this.reason(at),
        bytes: this.bytes(at),
        ageSeconds: this.ageSeconds(at),
      };
    }
  }
}
