import type { TestContext } from 'node:test';
import { join } from 'node:path';
import { buildStandalone, findBun } from '../../tools/build-standalone.js';
import { EXECUTABLE } from './program.js';
import { temporaryFolder, type Cleanup } from './temporary-folder.js';

/** Why there is no executable where Bun was not installed. */
export const NO_BUN = 'missing: Bun (`npm ci` brings it on Linux with glibc, x64 and arm64)';

/** The Bun of this project; null, with the test skipped by name and reason, where it was not installed. */
export function bunFor(t: TestContext): string | null {
  const bun = findBun();
  if (bun === null) t.skip(NO_BUN);
  return bun;
}

/** An executable for the tests of one file: that of `VYRE_TEST_PROGRAM`, or one that is built at its first use. */
export class Standalone {
  #file: string | null = EXECUTABLE;
  readonly #folder: string;

  /** Made outside of every test, so that it lives as long as the file's tests run. */
  constructor(cleanup: Cleanup) {
    this.#folder = temporaryFolder(cleanup);
  }

  /** Its path; null, with the test skipped by name and reason, where it can be neither found nor built. */
  path(t: TestContext): string | null {
    if (this.#file !== null) return this.#file;
    const bun = bunFor(t);
    if (bun === null) return null;
    const file = join(this.#folder, 'vyre-cache');
    buildStandalone(bun, file);
    this.#file = file;
    return file;
  }
}
