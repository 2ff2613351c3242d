import type { Tally } from '../model/counters.js';
import { errnoOf } from '../model/error.js';
import { isFingerprint } from '../model/fingerprint.js';
import { judgeCandidates, type Moment, type RetentionRules, type Verdict } from '../model/retention.js';
import { formatBytes, formatCount, formatDuration } from '../model/units.js';
import { lookNow, removeArtifact } from './artifact-files.js';
import type { ArtifactTable } from './artifact-table.js';
import { EvictedRows } from './evicted-rows.js';
import type { HomeLocks } from './home-locks.js';
import { artifactAt, pathOf, type Inventory, type NamedArtifact } from './inventory.js';
import type { MaintainedRoot } from './maintained-root.js';
import { RemovalFigures } from './removals.js';
import type { NumberedRemovals, RemovalReport } from './reports.js';

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

export interface EvictionReport extends RemovalReport {
  readonly removed: NumberedRemovals;
}

/** Removes what the rules name, each artifact under its lock and judged again. */
export async function evict(root: EvictedRoot, options: EvictionOptions): Promise<EvictionReport> {
  const eviction = new Eviction(root, options);
  await eviction.run();
  return eviction.report();
}

class Eviction {
  readonly #root: EvictedRoot;
  readonly #options: EvictionOptions;
  readonly #removed: EvictedRows;
  readonly #figures = new RemovalFigures();
  readonly #sizes: Float64Array;
  readonly #usedAtMs: Float64Array;

  constructor(root: EvictedRoot, options: EvictionOptions) {
    this.#root = root;
    this.#options = options;
    this.#removed = new EvictedRows(options.inventory, options.moment.nowMs);
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
      const ageSeconds = this.#removed.ageSeconds(this.#removed.count - 1);
      const message = `${formatBytes(bytes)}, last used ${formatDuration(ageSeconds)} ago`;
      const { format, stem } = artifact;
      const fingerprint = format.isLockedByFingerprint && isFingerprint(stem) ? stem : null;
      this.#root.addEvent({ kind: 'removed', reason: verdict.reason, fingerprint, message });
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

  report(): EvictionReport {
    const { root } = this.#root;
    const { dryRun } = this.#options;
    return { ...this.#figures.report({ root, dryRun, removed: this.#removed }), removed: this.#removed };
  }
}
