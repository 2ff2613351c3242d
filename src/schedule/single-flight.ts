export interface Flight<T> {
  readonly value: T;
  /** True for a caller who came while the work was running. */
  readonly joined: boolean;
}

/** Work that several callers ask for at once is done once; all of them get its result, or its error. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  get isIdle(): boolean {
    return this.#running.size === 0;
  }

  isRunning(key: string): boolean {
    return this.#running.has(key);
  }

  async run(key: string, work: () => Promise<T>): Promise<Flight<T>> {
    const running = this.#running.get(key);
    if (running !== undefined) return { value: await running, joined: true };
    const started = work();
    this.#running.set(key, started);
    try {
      return { value: await started, joined: false };
    } finally {
      this.#running.delete(key);
    }
  }
}
