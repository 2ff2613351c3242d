import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BenchError } from './bench-error.js';

/** Begins the name of every folder that the bench makes outside of itself. */
const PREFIX = 'vyre-cache-bench-';

/** Works in a fresh folder below `parent`, which is gone afterwards whatever happens. */
export async function inWorkspace<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = makeFolder(parent);
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function makeFolder(parent: string): string {
  try {
    return mkdtempSync(join(realpathSync(parent), PREFIX));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BenchError(`expected a folder to work in at "${parent}": ${reason}`, { cause: error });
  }
}
