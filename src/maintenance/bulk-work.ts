import type { FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { Examination, partName } from '../layouts/examination.js';
import type { Verdict } from '../layouts/verdict.js';
import { errnoOf } from '../model/error.js';
import type { Signing } from '../model/signing.js';
import { signingWith } from '../store/key-files.js';
import type { Unit } from '../schedule/units.js';
import { presentOf, type ArtifactState } from './artifact-files.js';
import { RESULT, type ArtifactTable } from './artifact-table.js';
import type { Place } from './inventory.js';
import { NO_ENTRIES, PlainEntries } from './plain-entries.js';
import { areUnchanged } from './removals.js';
import { SealBook } from './seals.js';

/** What is to be found out about each artifact of a table. */
export type BulkTask =
  /** Its last use and its size. */
  | { readonly kind: 'look' }
  /** Whether its bytes are right. */
  | {
      readonly kind: 'check';
      readonly maxPayloadBytes: number;
      /** The keys one of which has to have signed a record; null: none is demanded. */
      readonly keys: Signing['keys'] | null;
      /** 32 bytes a row for the digests of what carries no checksum; null: none are taken. */
      readonly digests: SharedArrayBuffer | null;
    };

export const LOOK: BulkTask = { kind: 'look' };

export interface RowFailure {
  readonly row: number;
  readonly errno: string;
}

/** Works through units of a table: synchronous, in whatever thread it is made. */
export class BulkWork {
  readonly failures: RowFailure[] = [];
  /** Bytes that were read so far. */
  bytesRead = 0;
  /** Artifacts that were done so far. */
  done = 0;
  readonly #host: Host;
  readonly #table: ArtifactTable;
  readonly #places: readonly Pick<Place, 'path'>[];
  readonly #results: Uint8Array;
  readonly #usedAtMs: Float64Array;
  readonly #bytes: Float64Array;
  readonly #examination: Examination | null;
  readonly #digests: Uint8Array | null;
  readonly #plainEntries: PlainEntries | null;
  /** Of the artifact that is looked at: one list for all. */
  readonly #stats: (FileStat | null)[] = [];

  constructor(host: Host, table: ArtifactTable, places: readonly Pick<Place, 'path'>[], task: BulkTask) {
    this.#host = host;
    this.#table = table;
    this.#places = places;
    this.#results = table.results;
    this.#usedAtMs = table.usedAtMs;
    this.#bytes = table.bytes;
    const isCheck = task.kind === 'check';
    this.#digests = isCheck && task.digests !== null ? new Uint8Array(task.digests) : null;
    this.#examination = isCheck
      ? new Examination(host, {
          maxPayloadBytes: task.maxPayloadBytes,
          signing: task.keys === null ? null : signingWith(host.hash, task.keys),
          takesDigest: this.#digests !== null,
        })
      : null;
    const { maxPayloadBytes, keys } = isCheck ? task : { maxPayloadBytes: 0, keys: null };
    // A signature would be in the record.
    this.#plainEntries =
      isCheck && keys === null ? new PlainEntries(host, table, { places, maxPayloadBytes }) : null;
  }

  /** Does those that nobody has done. */
  do(unit: Unit): void {
    const plain = this.#plainEntries?.check(unit) ?? NO_ENTRIES;
    this.done += plain.count;
    this.bytesRead += plain.bytes;
    // All of them, mostly.
    if (plain.count < unit.end - unit.start) this.#doRest(unit);
  }

  #doRest({ start, end }: Unit): void {
    for (let row = start; row < end; row += 1) {
      if (this.#results[row] !== RESULT.none || this.#table.place(row) >= this.#places.length) continue;
      this.#results[row] = this.#examination === null ? this.#look(row) : this.#check(row, this.#examination);
      this.done += 1;
    }
  }

  #look(row: number): number {
    try {
      const looked = this.#stateOf(row);
      if (looked === null) return RESULT.gone;
      this.#usedAtMs[row] = looked.usedAtMs;
      this.#bytes[row] = looked.bytes;
      return isOrphan(this.#table, row) ? RESULT.orphan : RESULT.seen;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      this.failures.push({ row, errno });
      return RESULT.failed;
    }
  }

  /** The artifact as the rules of removal see it; null when nothing of it is there. @throws the errno error. */
  #stateOf(row: number): ArtifactState | null {
    const format = this.#table.format(row);
    const stats = this.#stats;
    if (!this.#fillStats(row, stats)) return null;
    // A link or a folder in the place of its head is no artifact, whatever lies beside it.
    if (this.#table.isIrregular(row) && format.wholeness(presentOf(stats)) !== 'artifact') return null;
    return { usedAtMs: format.usedAtMs(stats), bytes: format.bytes(stats) };
  }

  /**
   * Fills in the states of the parts that the listing saw; what is no regular file counts as absent.
   * @returns false when nothing is there. @throws the errno error.
   */
  #fillStats(row: number, stats: (FileStat | null)[]): boolean {
    const format = this.#table.format(row);
    const stem = this.#table.stem(row);
    const present = this.#table.present(row);
    const folder = this.#folder(row);
    const { length } = format.parts;
    let isThere = false;
    for (let part = 0; part < length; part += 1) {
      const isListed = (present & (1 << part)) !== 0;
      const stat = isListed ? this.#host.files.lstat(`${folder}/${partName(format, part, stem)}`) : null;
      stats[part] = stat?.type === 'file' ? stat : null;
      isThere ||= stats[part] !== null;
    }
    // To set a length costs as much as a part, and nearly always it is the same.
    if (stats.length !== length) stats.length = length;
    return isThere;
  }

  #folder(row: number): string {
    return this.#places[this.#table.place(row)]?.path ?? '';
  }

  #check(row: number, examination: Examination): number {
    const table = this.#table;
    if (table.isIrregular(row)) return RESULT.suspect;
    const format = table.format(row);
    const present = table.present(row);
    const wholeness = format.wholeness(present);
    if (wholeness !== 'artifact') return wholeness === 'orphan' ? RESULT.orphan : RESULT.suspect;
    const folder = this.#folder(row);
    const before = this.#digests === null ? null : this.#statsOf(row);
    const verdict = examination.examine({ format, folder, stem: table.stem(row), present });
    this.bytesRead += examination.bytesRead;
    this.#bytes[row] = examination.bytesRead;
    if (verdict.kind === 'unverifiable' && this.#digests !== null) {
      this.#digests.set(examination.digest(), 32 * row);
      this.#stamp(row, before);
    }
    return resultOf(verdict);
  }

  /**
   * What a digest goes by: with another size or time, the artifact was written again. When that happened while it was
   * read, the digest belongs to no time.
   */
  #stamp(row: number, before: readonly (FileStat | null)[] | null): void {
    const stats = this.#statsOf(row);
    const isSettled = stats !== null && before !== null && areUnchanged(before, stats);
    const table = this.#table;
    const stamp = stats === null ? null : SealBook.stampOf(table.format(row), stats);
    this.#usedAtMs[row] = isSettled && stamp !== null ? stamp.mtimeMs : Number.NaN;
    if (stamp !== null) this.#bytes[row] = stamp.bytes;
  }

  /** Null when they cannot be looked at. */
  #statsOf(row: number): readonly (FileStat | null)[] | null {
    try {
      const stats: (FileStat | null)[] = [];
      this.#fillStats(row, stats);
      return stats;
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return null;
    }
  }
}

function isOrphan(table: ArtifactTable, row: number): boolean {
  return !table.isIrregular(row) && table.format(row).wholeness(table.present(row)) === 'orphan';
}

function resultOf(verdict: Verdict): number {
  switch (verdict.kind) {
    case 'valid':
      return RESULT.valid;
    case 'unverifiable':
      return RESULT.unverifiable;
    case 'litter':
      return RESULT.litter;
    case 'damaged':
    case 'unreadable':
    case 'gone':
      return RESULT.suspect;
    default:
      return verdict satisfies never;
  }
}
