/** How many items are there while more of them arrive, told across worker threads. */
export class Arrivals {
  /** What another thread makes its own of. */
  readonly memory: SharedArrayBuffer;
  /** Twice the items, and one more when no others will come: both are read at once. */
  readonly #state: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.memory = memory;
    this.#state = new Int32Array(memory);
  }

  /** All are there. */
  static complete(items: number): Arrivals {
    const arrivals = new Arrivals();
    arrivals.add(items);
    arrivals.end();
    return arrivals;
  }

  /** Now there are so many in all, no fewer than before. */
  add(items: number): void {
    this.#tell(2 * items);
  }

  /** No others will come. */
  end(): void {
    this.#tell(Atomics.load(this.#state, 0) | 1);
  }

  /**
   * Blocks the thread until that many are there, or no others will come: not for a thread in which they arrive.
   * @returns how many of them are there.
   */
  await(wanted: number): number {
    for (;;) {
      const state = Atomics.load(this.#state, 0);
      const items = state >> 1;
      if (items >= wanted || (state & 1) === 1) return Math.min(items, wanted);
      Atomics.wait(this.#state, 0, state);
    }
  }

  #tell(state: number): void {
    Atomics.store(this.#state, 0, state);
    Atomics.notify(this.#state, 0);
  }
}
