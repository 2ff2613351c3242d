import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

/** A thread that works beside this one. */
export interface Thread {
  /** The one message that it sends when it is done. Rejects with what it threw. */
  readonly result: Promise<unknown>;
  /** Ends it in the middle of its work. */
  stop(): Promise<void>;
}

/** Starts threads; null in the place of it where all work is done in this one. */
export interface Threads {
  /** @returns null where the script is not there, as when sources run: they are no scripts for a thread. */
  start(script: URL, data: unknown): Thread | null;
}

export const systemThreads: Threads = {
  start(script, data) {
    if (!existsSync(fileURLToPath(script))) return null;
    const worker = new Worker(script, { workerData: data });
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
      stop: async () => {
        await worker.terminate();
      },
    };
  },
};
