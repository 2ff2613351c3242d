import { setMaxListeners } from 'node:events';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
type EndingSignal = (typeof SIGNALS)[number];

/**
 * The first signal asks to stop, the second ends the process at once. `end` dies by the first one, so that a shell sees
 * what happened. Until `listen` the signals keep their usual effect.
 */
export class Interruption {
  readonly #controller = new AbortController();
  #received: EndingSignal | null = null;

  constructor() {
    // Each of many lanes listens; Node takes more than ten listeners for a leak and says so on stderr.
    setMaxListeners(0, this.#controller.signal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  listen(): void {
    for (const name of SIGNALS) process.on(name, this.#onSignal);
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    const received = SIGNALS.find((known) => known === name);
    if (received === undefined) return;
    if (this.#received !== null) this.#die(received);
    this.#received = received;
    this.#controller.abort();
  };

  /** @returns true when the process dies by the signal that came; false when none did. */
  end(): boolean {
    if (this.#received !== null) this.#die(this.#received);
    for (const name of SIGNALS) process.off(name, this.#onSignal);
    return this.#received !== null;
  }

  #die(name: EndingSignal): void {
    for (const each of SIGNALS) process.off(each, this.#onSignal);
    process.kill(process.pid, name);
  }
}
