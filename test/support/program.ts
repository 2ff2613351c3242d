import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = join(import.meta.dirname, '../../bin/vyre-cache.js');
const START = join(import.meta.dirname, '../cli/start.ts');
const TSX = fileURLToPath(import.meta.resolve('tsx'));

/** `VYRE_TEST_PROGRAM`: the executable that the tests start in the place of Node with the program; null: Node. */
export const EXECUTABLE = executable(process.env['VYRE_TEST_PROGRAM'] ?? '');

function executable(path: string): string | null {
  return path === '' ? null : resolve(path);
}

/** What a test starts: the built program of this package. */
export const PROGRAM = EXECUTABLE ?? BIN;

/** The words that start it as a process of its own. */
export const BUILT: readonly string[] = EXECUTABLE === null ? [process.execPath, BIN] : [EXECUTABLE];

/** The same for the sources, which need not be built. */
export const SOURCES: readonly string[] =
  EXECUTABLE === null ? [process.execPath, '--import', TSX, START] : [EXECUTABLE];

/** The system call by which `rmSync` removes a file: Bun has one for files and folders. */
export const REMOVAL = EXECUTABLE === null ? 'unlink' : 'unlinkat';

/** Words as a line for a shell. */
export function shellLine(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
}
