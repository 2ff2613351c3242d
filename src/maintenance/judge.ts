import type { FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { Examination, verdictOfError } from '../layouts/examination.js';
import type { Signing } from '../model/signing.js';
import { damaged, type Verdict } from '../layouts/verdict.js';
import { presentOf, statParts } from './artifact-files.js';
import type { HomeLocks } from './home-locks.js';
import type { NamedArtifact } from './inventory.js';
import { areUnchanged } from './removals.js';

/** How often a verdict is repeated while somebody writes. */
const REPEATS = 20;
const REPEAT_WAIT_MS = 50;
/**
 * What nobody has touched for so long is as its writer left it: some systems write in place, or the files of one artifact
 * one after the other.
 */
const QUIET_MS = 2000;

export interface Judgement {
  readonly verdict: Verdict;
  /** What lay in the place of each part when it was judged. */
  readonly stats: readonly (FileStat | null)[];
  readonly bytesRead: number;
  /** Of what was read; null unless the judge takes digests and the verdict is unverifiable. */
  readonly digest: Uint8Array | null;
}

export interface JudgeOptions {
  readonly maxPayloadBytes: number;
  /** Null: no key is demanded. */
  readonly signing: Signing | null;
  readonly takesDigest: boolean;
}

/**
 * Judges single artifacts with care: a verdict that speaks against one is repeated until nobody has changed, replaced or
 * removed any of its files in between.
 */
export class Judge {
  readonly #host: Host;
  readonly #locks: HomeLocks;
  readonly #examination: Examination;
  readonly #takesDigest: boolean;

  constructor(host: Host, locks: HomeLocks, options: JudgeOptions) {
    this.#host = host;
    this.#locks = locks;
    this.#takesDigest = options.takesDigest;
    this.#examination = new Examination(host, options);
  }

  async judge(artifact: NamedArtifact): Promise<Judgement> {
    let last: Judgement | null = null;
    for (let attempt = 0; attempt < REPEATS; attempt += 1) {
      const held = await this.#locks.tryHold(artifact, () => this.look(artifact));
      last = held.held ? held.value : this.look(artifact);
      if (!speaksAgainst(last)) return last;
      const waitMs = held.held && last.verdict.kind !== 'unreadable' ? this.#unquietMs(artifact, last) : 0;
      if (held.held && waitMs === 0 && !isRestless(last)) return last;
      await this.#host.clock.sleep(Math.max(waitMs, REPEAT_WAIT_MS));
    }
    return last ?? this.look(artifact);
  }

  /** How long it has to be left alone until a verdict against it counts. */
  #unquietMs({ format }: NamedArtifact, { stats }: Judgement): number {
    if (format.isLockedByFingerprint) return 0;
    const newestMs = Math.max(...stats.map((stat) => Math.max(stat?.mtimeMs ?? 0, stat?.ctimeMs ?? 0)));
    const ageMs = this.#host.clock.nowMs() - newestMs;
    // A little ahead is the same millisecond, or another machine's clock; far ahead says nothing.
    return Math.abs(ageMs) < QUIET_MS ? QUIET_MS - Math.max(0, ageMs) : 0;
  }

  /** One look, whoever writes meanwhile: what changed under it is unreadable (`EBUSY`). */
  look(artifact: NamedArtifact): Judgement {
    try {
      return this.#look(artifact);
    } catch (error) {
      return judgementOf(verdictOfError(error), []);
    }
  }

  #look(artifact: NamedArtifact): Judgement {
    const stats = statParts(this.#host, artifact);
    const present = presentOf(stats);
    if (stats.every((stat) => stat === null)) return judgementOf({ kind: 'gone' }, stats);
    const { format, folder, stem } = artifact;
    if (stats.some((stat) => stat !== null && stat.type !== 'file'))
      return judgementOf(damaged('not-a-file'), stats);
    const wholeness = format.wholeness(present);
    if (wholeness === 'orphan') return judgementOf({ kind: 'litter' }, stats);
    const verdict =
      wholeness === 'half'
        ? damaged('half-pair')
        : this.#examination.examine({ format, folder, stem, present });
    const bytesRead = wholeness === 'half' ? 0 : this.#examination.bytesRead;
    const judgement = { verdict, stats, bytesRead, digest: this.#digest(verdict) };
    if (!speaksAgainst(judgement) && judgement.digest === null) return judgement;
    return this.#isAsBefore(artifact, stats) ? judgement : judgementOf(BUSY, stats);
  }

  #digest(verdict: Verdict): Uint8Array | null {
    return this.#takesDigest && verdict.kind === 'unverifiable' ? this.#examination.digest() : null;
  }

  #isAsBefore(artifact: NamedArtifact, before: readonly (FileStat | null)[]): boolean {
    return areUnchanged(before, statParts(this.#host, artifact));
  }
}

const BUSY: Verdict = { kind: 'unreadable', errno: 'EBUSY' };

function judgementOf(verdict: Verdict, stats: readonly (FileStat | null)[]): Judgement {
  return { verdict, stats, bytesRead: 0, digest: null };
}

function speaksAgainst({ verdict }: Judgement): boolean {
  return verdict.kind === 'damaged' || verdict.kind === 'unreadable';
}

function isRestless({ verdict }: Judgement): boolean {
  return verdict === BUSY;
}
