import type { Tally } from '../model/counters.js';
import { errnoOf } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { judgeCandidates, type Moment, type RetentionRules, type Verdict } from '../model/retention.js';
import { formatBytes, formatCount, formatDuration } from '../model/units.js';
import { fingerprintByte, type LockFile } from '../store/lock-file.js';
import type { CandidateTable } from './candidate-table.js';
import type { MaintainedRoot } from './maintained-root.js';
import type { PrunableStore } from './prunable-store.js';
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
  readonly store: PrunableStore;
  readonly candidates: CandidateTable;
  readonly rules: RetentionRules;
  readonly moment: Moment;
  /** Null where nothing can be locked: the repeated judgement alone decides. */
  readonly lock: LockFile | null;
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
  readonly #removed: Verdict[] = [];
  readonly #figures = new RemovalFigures();

  constructor(root: EvictedRoot, options: EvictionOptions) {
    const { candidates } = options;
    this.#root = root;
    this.#options = options;
    for (const bytes of candidates.bytes) this.#figures.addKept(bytes);
  }

  #bytes(index: number): number {
    return this.#options.candidates.bytes[index] ?? 0;
  }

  async run(): Promise<void> {
    const { candidates, rules, moment, signal } = this.#options;
    const verdicts = judgeCandidates(candidates, rules, moment);
    let steps = 0;
    for (let next = verdicts.next(); next.done !== true;) {
      if (signal?.aborted === true) break;
      next = verdicts.next(await this.#carryOut(next.value));
      steps += 1;
      if (steps % STEPS_PER_BREATH === 0) await this.#root.host.clock.breathe();
    }
    this.#noteOmitted();
  }

  /** True when the artifact is gone, whoever removed it. */
  async #carryOut(verdict: Verdict): Promise<boolean> {
    const { lock, candidates } = this.#options;
    const fingerprint = candidates.fingerprint(verdict.index);
    const act = (): boolean => this.#act(verdict, fingerprint);
    if (lock === null) return act();
    const held = await lock.tryHold(fingerprintByte(fingerprint), act);
    if (!held.held) this.#figures.addInUse();
    return held.held && held.value;
  }

  /**
   * Looks again and removes. Age and size are all that is judged, so one lstat says what lies under the name and which
   * file that is. Who reads the entry between this look and the removal has it open; who looks for it later misses it.
   */
  #act(verdict: Verdict, fingerprint: Fingerprint): boolean {
    const { candidates, store } = this.#options;
    try {
      const now = store.look(fingerprint);
      if (now === null) return this.#forget(verdict.index);
      // An earlier time, too: the clock went back, and somebody has stored it again since.
      const isAnother = now.usedAtMs !== candidates.usedAtMs[verdict.index];
      if (isAnother || now.bytes !== this.#bytes(verdict.index)) return false;
      if (!this.#options.dryRun) store.remove(fingerprint);
      return this.#note(verdict, fingerprint);
    } catch (error) {
      return this.#fail(verdict, fingerprint, error);
    }
  }

  /** Somebody else removed it. */
  #forget(index: number): true {
    this.#figures.subtractKept(this.#bytes(index));
    return true;
  }

  #note(verdict: Verdict, fingerprint: Fingerprint): true {
    const bytes = this.#bytes(verdict.index);
    this.#forget(verdict.index);
    this.#removed.push(verdict);
    this.#figures.addRemoved(bytes);
    if (this.#options.dryRun) return true;
    this.#root.tally.add('evictions');
    this.#root.tally.add('evictedBytes', bytes);
    if (this.#removed.length <= MAX_EVENTS) {
      const { reason, ageSeconds } = this.#row(verdict);
      const message = `${formatBytes(bytes)}, last used ${formatDuration(ageSeconds)} ago`;
      this.#root.addEvent({ kind: 'removed', reason, fingerprint, message });
    }
    return true;
  }

  #noteOmitted(): void {
    const omitted = this.#removed.slice(MAX_EVENTS);
    const last = omitted.at(-1);
    if (last === undefined || this.#options.dryRun) return;
    const message = `and ${formatCount(omitted.length)} more in the same run`;
    this.#root.addEvent({ kind: 'removed', reason: last.reason, fingerprint: null, message });
  }

  #fail(verdict: Verdict, fingerprint: Fingerprint, error: unknown): boolean {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    const path = this.#options.store.path(fingerprint);
    this.#figures.failures.push({ path, error: errno });
    return this.#isGone(fingerprint) && this.#note(verdict, fingerprint);
  }

  /** The entry goes first: when it is gone, the artifact is, whatever stayed of its other files. */
  #isGone(fingerprint: Fingerprint): boolean {
    try {
      return this.#options.store.look(fingerprint) === null;
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }

  #row({ index, reason }: Verdict): Removal {
    const { candidates, store, moment } = this.#options;
    const { nowMs } = moment;
    return {
      path: store.path(candidates.fingerprint(index)),
      reason,
      bytes: this.#bytes(index),
      ageSeconds: Math.max(0, (nowMs - (candidates.usedAtMs[index] ?? nowMs)) / 1000),
    };
  }

  *#rows(): Generator<Removal> {
    for (const verdict of this.#removed) yield this.#row(verdict);
  }

  report(): RemovalReport {
    const removed = { [Symbol.iterator]: () => this.#rows() };
    return this.#figures.report({ root: this.#root.root, dryRun: this.#options.dryRun, removed });
  }
}
