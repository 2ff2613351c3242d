import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildStandalone, findBun } from '../../tools/build-standalone.js';
import { EXECUTABLE } from '../support/program.js';
import { NO_BUN } from '../support/standalone.js';

const BUILT = EXECUTABLE ?? resolve(import.meta.dirname, '../../dist/standalone/vyre-cache');
/** Of this process, where nobody has built one; it goes with the process. */
const OWN_FOLDER = join(tmpdir(), `vyre-cache-standalone-${randomUUID()}`);
const FILE = existsSync(BUILT) ? BUILT : join(OWN_FOLDER, 'vyre-cache');

/** The words that start the standalone executable, which {@link standaloneObstacle} has found or built. */
export const STANDALONE: readonly string[] = [FILE];

/** Why there is none here; null: there is one, for which some seconds may be spent. */
export function standaloneObstacle(): string | null {
  if (existsSync(FILE)) return null;
  const bun = findBun();
  if (bun === null) return NO_BUN;
  process.once('exit', () => {
    rmSync(OWN_FOLDER, { recursive: true, force: true });
  });
  mkdirSync(OWN_FOLDER, { mode: 0o700 });
  buildStandalone(bun, FILE);
  return null;
}
