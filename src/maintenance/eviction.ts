import type { Tally } from '../model/counters.js';
import { errnoOf } from '../model/error.js';
import { isFingerprint } from '../model/fingerprint.js';
import {
  judgeCandidates,
  type Moment,
  type RetentionReason,
  type RetentionRules,
  type Verdict,
} from '../model/retention.js';
import { formatBytes, formatCount, formatDuration } from '../model/units.js';
import { lookNow, removeArtifact } from './artifact-files.js';
import type { ArtifactTable } from './artifact-table.js';
import type { HomeLocks } from './home-locks.js';
import { artifactAt, pathOf, type Inventory, type NamedArtifact } from './inventory.js';
import type { MaintainedRoot } from './maintained-root.js';
import { RemovalFigures } from './removals.js';
import type { Removal, RemovalReport } from './reports.js';

/** Rows of the journal of one run; more of them would push out what else it tells. */
const MAX_EVENTS = 100;
/** Removals between two looks at whether the user has interrupted. */
const STEPS_PER_BREATH = 256;

/** A root from which artifacts are removed by policy: that is counted. */
export interface EvictedRoot extends MaintainedRoot {
  readonly tally: Tally;
}

export interface EvictionOptions {
  /** Its table has the candidates. */
  readonly inventory: Inventory;
  readonly rules: RetentionRules;
  readonly moment: Moment;
  readonly locks: HomeLocks;
  readonly dryRun: boolean;
  /** Ends the run between two removals. */
  readonly signal: AbortSignal | null;
}

/** Removes what the rules name, each artifact under its lock and judged again. */
export async function evict(root: EvictedRoot, options: EvictionOptions): Promise<RemovalReport> {
  const eviction = new Eviction(root, options);
  await eviction.run();
  return eviction.report();
}

class Eviction {
  readonly #root: EvictedRoot;
  readonly #options: EvictionOptions;
  readonly #removed = new RemovedRows();
  readonly #figures = new RemovalFigures();
  readonly #sizes: Float64Array;
  readonly #usedAtMs: Float64Array;

  constructor(root: EvictedRoot, options: EvictionOptions) {
    this.#root = root;
    this.#options = options;
    this.#sizes = this.#candidates.bytes;
    this.#usedAtMs = this.#candidates.usedAtMs;
    for (const bytes of this.#sizes) this.#figures.addKept(bytes);
  }

  get #candidates(): ArtifactTable {
    return this.#options.inventory.artifacts;
  }

  #bytes(index: number): number {
    return this.#sizes[index] ?? 0;
  }

  async run(): Promise<void> {
    const { rules, moment, signal } = this.#options;
    const verdicts = judgeCandidates(this.#candidates, rules, moment);
    let steps = 0;
    for (let next = verdicts.next(); next.done !== true;) {
      if (signal?.aborted === true) break;
      next = verdicts.next(this.#carryOut(next.value));
      steps += 1;
      if (steps % STEPS_PER_BREATH === 0) await this.#root.host.clock.breathe();
    }
    this.#noteOmitted();
  }

  /** True when the artifact is gone, whoever removed it. */
  #carryOut(verdict: Verdict): boolean {
    const { inventory, locks } = this.#options;
    const artifact = artifactAt(inventory, verdict.index);
    const held = locks.tryHoldNow(artifact, () => this.#act(verdict, artifact));
    if (!held.held) this.#figures.addInUse();
    return held.held && held.value;
  }

  /**
   * Looks again and removes. Age and size are all that is judged, so one look says what lies under the name and which
   * files those are. Who reads the artifact between this look and the removal has it open; who looks for it later misses
   * it.
   */
  #act(verdict: Verdict, artifact: NamedArtifact): boolean {
    const { host } = this.#root;
    try {
      // What a dry run was told a moment ago holds: it looks no second time.
      if (!this.#options.dryRun) {
        const now = lookNow(host, artifact);
        if (now === null) return this.#forget(verdict.index);
        // An earlier time, too: the clock went back, and somebody has stored it again since.
        const isAnother = now.usedAtMs !== this.#usedAtMs[verdict.index];
        if (isAnother || now.bytes !== this.#bytes(verdict.index)) return false;
      }
      if (this.#options.locks.isHeldElsewhere(artifact)) {
        this.#figures.addInUse();
        return false;
      }
      if (!this.#options.dryRun) removeArtifact(host, artifact);
      return this.#note(verdict, artifact);
    } catch (error) {
      return this.#fail(verdict, artifact, error);
    }
  }

  /** Somebody else removed it. */
  #forget(index: number): true {
    this.#figures.subtractKept(this.#bytes(index));
    return true;
  }

  #note(verdict: Verdict, artifact: NamedArtifact): true {
    const bytes = this.#bytes(verdict.index);
    this.#forget(verdict.index);
    this.#removed.add(verdict);
    this.#figures.addRemoved(bytes, verdict.reason);
    if (this.#options.dryRun) return true;
    this.#root.tally.add('evictions');
    this.#root.tally.add('evictedBytes', bytes);
    if (this.#removed.count <= MAX_EVENTS) {
      const { reason, ageSeconds } = this.#row(verdict.index, verdict.reason);
      const message = `${formatBytes(bytes)}, last used ${formatDuration(ageSeconds)} ago`;
      const { format, stem } = artifact;
      const fingerprint = format.isLockedByFingerprint && isFingerprint(stem) ? stem : null;
      this.#root.addEvent({ kind: 'removed', reason, fingerprint, message });
    }
    return true;
  }

  #noteOmitted(): void {
    const omitted = this.#removed.count - MAX_EVENTS;
    const { lastReason } = this.#removed;
    if (omitted <= 0 || lastReason === null || this.#options.dryRun) return;
    const message = `and ${formatCount(omitted)} more in the same run`;
    this.#root.addEvent({ kind: 'removed', reason: lastReason, fingerprint: null, message });
  }

  #fail(verdict: Verdict, artifact: NamedArtifact, error: unknown): boolean {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    this.#figures.failures.push({ path: pathOf(this.#options.inventory, verdict.index), error: errno });
    return this.#isGone(artifact) && this.#note(verdict, artifact);
  }

  /** Its first file goes first: when that is gone, the artifact is, whatever stayed of the others. */
  #isGone(artifact: NamedArtifact): boolean {
    try {
      return lookNow(this.#root.host, artifact) === null;
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }

  #row(index: number, reason: RetentionReason): Removal {
    const { inventory, moment } = this.#options;
    const { nowMs } = moment;
    return {
      path: pathOf(inventory, index),
      reason,
      bytes: this.#bytes(index),
      ageSeconds: Math.max(0, (nowMs - (this.#usedAtMs[index] ?? nowMs)) / 1000),
    };
  }

  /** Made when they are asked for: a list of a million is never held. */
  *#rows(): Generator<Removal> {
    const { rows, spans } = this.#removed;
    let at = 0;
    for (const { reason, end } of spans) {
      for (; at < end; at += 1) yield this.#row(rows[at] ?? 0, reason);
    }
  }

  report(): RemovalReport {
    const removed = { [Symbol.iterator]: () => this.#rows() };
    return this.#figures.report({ root: this.#root.root, dryRun: this.#options.dryRun, removed });
  }
}

/** What was removed, in its order, four bytes each: a million verdicts would be what the collector is busy with. */
class RemovedRows {
  /** The reasons come one after the other: each with the place behind its last row. */
  readonly spans: { readonly reason: RetentionReason; end: number }[] = [];
  #rows = new Uint32Array(1024);
  #count = 0;

  /** More than {@link count} where memory was taken ahead. */
  get rows(): Uint32Array {
    return this.#rows;
  }

  get count(): number {
    return this.#count;
  }

  get lastReason(): RetentionReason | null {
    return this.spans.at(-1)?.reason ?? null;
  }

  add({ index, reason }: Verdict): void {
    if (this.#count === this.#rows.length) {
      const rows = new Uint32Array(2 * this.#count);
      rows.set(this.#rows);
      this.#rows = rows;
    }
    this.#rows[this.#count] = index;
    this.#count += 1;
    const last = this.spans.at(-1);
    if (last?.reason === reason) last.end = this.#count;
    else this.spans.push({ reason, end: this.#count });
  }
}
