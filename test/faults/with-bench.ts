import { Workbench } from '../support/workbench.js';

/** Runs `work` on a workbench of its own, and removes that with every process that was started on it. */
export async function withBench<T>(work: (bench: Workbench) => Promise<T>): Promise<T> {
  const cleanups: (() => unknown)[] = [];
  const bench = Workbench.make({ after: (cleanup) => cleanups.push(cleanup) });
  try {
    return await work(bench);
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  }
}
