import type { Clock } from '../host/clock.js';
import type { DependencySet, IsCurrent } from './dependency-sets.js';
import type { Identity } from './identity.js';
import type { CommandPattern } from './planned-command.js';

/**
 * How long a look at what compilations have read holds for the other jobs of a batch. They were all asked for before it,
 * so each gets what was true after it was asked for. Worst effect: a file that changes within this time is taken for
 * what it was, as one that changes between a look and the delivery. {@link IdentityFields} holds as long.
 */
const SHARED_MS = 20;

/** What the lookups of one batch have in common: the same headers in the same folder are looked at once for many jobs. */
export class SharedLooks {
  readonly #clock: Clock;
  /** By working directory. */
  readonly #looks = new Map<string, IsCurrent>();
  readonly #identities = new Map<CommandPattern, Identity>();
  #sinceMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What identifies the compiler of all these commands; null where it has to be looked at. */
  identity(pattern: CommandPattern): Identity | null {
    const known = this.#identities.get(pattern);
    if (known === undefined || this.#clock.monotonicMs() - known.checkedAtMs >= SHARED_MS) return null;
    return known;
  }

  keepIdentity(pattern: CommandPattern, identity: Identity): void {
    this.#identities.set(pattern, identity);
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
      const answer = answers.get(set) ?? look(set);
      answers.set(set, answer);
      return answer;
    };
    this.#looks.set(cwd, isCurrent);
    return isCurrent;
  }
}
