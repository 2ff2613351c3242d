import type { Clock } from '../host/clock.js';
import type { DependencySet, IsCurrent } from './dependency-sets.js';
import type { Identity } from './identity.js';
import type { ForAllJobs } from './looks.js';
import type { Plan } from './plan.js';
import type { CommandPattern } from './planned-command.js';

/**
 * How long a look at what compilations have read holds for the other jobs of a batch. They were all asked for before it,
 * so each gets what was true after it was asked for. Worst effect: a file that changes within this time is taken for
 * what it was, as one that changes between a look and the delivery. {@link IdentityFields} holds as long.
 */
export const SHARED_MS = 20;

/** The set of the last compilation whose set had to be found out. */
interface LastSet {
  readonly set: DependencySet;
  /** It was that of the one before, too. */
  readonly isLikely: boolean;
}

/** What the lookups of one batch have in common: the same headers in the same folder are looked at once for many jobs. */
export class SharedLooks {
  readonly #clock: Clock;
  readonly #forAllJobs: ForAllJobs;
  /** By working directory. */
  readonly #looks = new Map<string, IsCurrent>();
  readonly #identities = new Map<CommandPattern, Identity>();
  readonly #sets = new Map<CommandPattern, LastSet>();
  #sinceMs = 0;

  constructor(clock: Clock, forAllJobs: ForAllJobs = (work) => work()) {
    this.#clock = clock;
    this.#forAllJobs = forAllJobs;
  }

  /** What identifies the compiler of all these commands; null where it has to be looked at. */
  identity(pattern: CommandPattern | null): Identity | null {
    const known = pattern === null ? undefined : this.#identities.get(pattern);
    if (known === undefined || this.#clock.monotonicMs() - known.checkedAtMs >= SHARED_MS) return null;
    return known;
  }

  keepIdentity(pattern: CommandPattern | null, identity: Identity): void {
    if (pattern !== null) this.#identities.set(pattern, identity);
  }

  /**
   * What a compilation of this pattern has read most likely: what two in a row have. It is no more than a place to look
   * first: where the compilation has read anything else, no artifact has the fingerprint that this set completes. Null
   * where the last one that had to find out its set had another than the one before.
   */
  likelySet({ pattern }: Pick<Plan, 'pattern'>): DependencySet | null {
    const last = pattern === null ? undefined : this.#sets.get(pattern);
    return last?.isLikely === true ? last.set : null;
  }

  /** Notes a set that was found out and has led to an artifact. */
  keepSet({ pattern }: Pick<Plan, 'pattern'>, set: DependencySet): void {
    if (pattern !== null) this.#sets.set(pattern, { set, isLikely: this.#sets.get(pattern)?.set === set });
  }

  /** The looks from this folder; `begin` starts them afresh where they are too old. */
  from(cwd: string, begin: () => IsCurrent): IsCurrent {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sinceMs >= SHARED_MS) {
      this.#looks.clear();
      this.#sinceMs = nowMs;
    }
    const known = this.#looks.get(cwd);
    if (known !== undefined) return known;
    const answers = new Map<DependencySet, boolean>();
    const look = begin();
    const isCurrent = (set: DependencySet): boolean => {
      const answer = answers.get(set) ?? this.#forAllJobs(() => look(set));
      answers.set(set, answer);
      return answer;
    };
    this.#looks.set(cwd, isCurrent);
    return isCurrent;
  }
}
