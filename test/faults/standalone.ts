import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const FILE = resolve(import.meta.dirname, '../../dist/standalone/vyre-cache');

/** The words that start the standalone executable. */
export const STANDALONE: readonly string[] = [FILE];

export function standaloneObstacle(): string | null {
  return existsSync(FILE) ? null : 'needs the standalone executable (npm run build:standalone)';
}
