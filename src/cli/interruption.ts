const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
type EndingSignal = (typeof SIGNALS)[number];

/**
 * The first signal asks to stop, the second ends the process at once. `end` dies by the first one, so that a shell sees
 * what happened. Until `listen` the signals keep their usual effect.
 */
export class Interruption {
  /** Made when somebody asks: Node loads what it is made of, which takes a hit of `get` as long as its answer. */
  #controller: AbortController | null = null;
  #received: EndingSignal | null = null;
  #isListening = false;

  get signal(): AbortSignal {
    this.#controller ??= this.#begin();
    return this.#controller.signal;
  }

  #begin(): AbortController {
    const controller = new AbortController();
    // Each of many lanes listens; Node takes more than ten listeners for a leak and says so on stderr.
    process.getBuiltinModule('node:events').setMaxListeners(0, controller.signal);
    if (this.#received !== null) controller.abort();
    return controller;
  }

  listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    for (const name of SIGNALS) process.on(name, this.#onSignal);
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    const received = SIGNALS.find((known) => known === name);
    if (received === undefined) return;
    if (this.#received !== null) this.#die(received);
    this.#received = received;
    this.#controller?.abort();
  };

  /** @returns true when the process dies by the signal that came; false when none did. */
  end(): boolean {
    if (!this.#isListening) return false;
    if (this.#received !== null) this.#die(this.#received);
    for (const name of SIGNALS) process.off(name, this.#onSignal);
    return this.#received !== null;
  }

  #die(name: EndingSignal): void {
    for (const each of SIGNALS) process.off(each, this.#onSignal);
    process.kill(process.pid, name);
  }
}
