import type { Clock } from '../host/clock.js';

/** Signals and compilers that have ended wait for work that waits for nothing this long at most. */
const BREATH_MS = 1;
const BREATH_STEPS = 64;

/** Lets others have their turn between steps that wait for nothing: a turn for each would cost as much as the step. */
export class Breath {
  readonly #clock: Clock;
  #takenAtMs = 0;
  #steps = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asked after each step. */
  get isDue(): boolean {
    this.#steps += 1;
    return this.#steps >= BREATH_STEPS || this.#clock.monotonicMs() - this.#takenAtMs >= BREATH_MS;
  }

  async take(): Promise<void> {
    await this.#clock.breathe();
    this.#takenAtMs = this.#clock.monotonicMs();
    this.#steps = 0;
  }
}
