import { existsSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { errnoOf } from '../model/error.js';

/** A thread that works beside this one. */
export interface Thread {
  /** Gives it an order, which it begins when those before are done. @returns its answer; rejects with what it threw. */
  ask(order: unknown): Promise<unknown>;
  /** Ends it, in the middle of its work too, and waits for that; for the end of one that has no work nobody has to wait. */
  stop(): Promise<void>;
}

/** Starts threads; null in the place of it where all work is done in this one. */
export interface Threads {
  /** @returns null where the machine has no more threads, and where the script is not there, as when sources run: they are no scripts for a thread. */
  start(script: URL): Thread | null;
}

/** True for the error of a thread that the machine could not start or keep: what it did not do is left to others. */
export function isThreadShortage(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' && (code.startsWith('ERR_WORKER_') || errnoOf(error) !== null);
}

function startWorker(script: URL | string): Worker | null {
  try {
    // Loaded where a thread is started: a hit starts none.
    const threads = process.getBuiltinModule('node:worker_threads');
    // Its own copy of the environment, the care for descriptors that are never left open, and streams through which it
    // would speak by those of this thread cost time.
    const streams = { stdout: true, stderr: true };
    return new threads.Worker(script, { env: threads.SHARE_ENV, trackUnmanagedFds: false, ...streams });
  } catch (error) {
    if (!isThreadShortage(error)) throw error;
    return null;
  }
}

export const systemThreads: Threads = {
  start: (script) =>
    existsSync(process.getBuiltinModule('node:url').fileURLToPath(script)) ? startThread(script) : null,
};

/** @returns null where the machine has no more threads. */
export function startThread(script: URL | string): Thread | null {
  const worker = startWorker(script);
  return worker === null ? null : new AskedWorker(worker);
}

/** A worker that answers each message with one of its own, in their order. */
class AskedWorker implements Thread {
  readonly #worker: Worker;
  readonly #asked: { resolve(answer: unknown): void; reject(error: unknown): void }[] = [];
  #failure: { readonly error: unknown } | null = null;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (answer) => this.#asked.shift()?.resolve(answer));
    worker.once('error', (error) => {
      this.#fail(error);
    });
    worker.once('exit', (code) => {
      this.#fail(new Error(`a thread ended with ${code} before it was done`));
    });
  }

  async ask(order: unknown): Promise<unknown> {
    if (this.#failure !== null) throw this.#failure.error;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin.
    this.#worker.postMessage(order);
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
    });
  }

  async stop(): Promise<void> {
    const ended = this.#worker.terminate();
    if (this.#asked.length > 0) await ended;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    for (const asked of this.#asked.splice(0)) asked.reject(error);
  }
}
