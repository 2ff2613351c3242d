import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { errnoOf } from '../model/error.js';

/** A thread that works beside this one. */
export interface Thread {
  /** The one message that it sends when it is done. Rejects with what it threw. */
  readonly result: Promise<unknown>;
  /** Gives it the one message that it waits for. */
  send(order: unknown): void;
  /** Ends it in the middle of its work. */
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
    // Its own copy of the environment and the care for descriptors that are never left open would cost time.
    return new threads.Worker(script, { env: threads.SHARE_ENV, trackUnmanagedFds: false });
  } catch (error) {
    if (!isThreadShortage(error)) throw error;
    return null;
  }
}

export const systemThreads: Threads = {
  start: (script) => (existsSync(fileURLToPath(script)) ? startThread(script) : null),
};

/** @returns null where the machine has no more threads. */
export function startThread(script: URL | string): Thread | null {
  const worker = startWorker(script);
  if (worker === null) return null;
  const result = new Promise<unknown>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => {
      reject(new Error(`a thread ended with ${code} before it was done`));
    });
  });
  // Whoever stops it does not wait for its result.
  result.catch(() => undefined);
  return {
    result,
    send: (order) => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin.
      worker.postMessage(order);
    },
    stop: async () => {
      await worker.terminate();
    },
  };
}
