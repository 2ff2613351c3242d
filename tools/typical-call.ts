import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** No shortcut is left where a file is younger. */
const SETTLED_MS = 2000;

/** Writes a source into a folder. @returns what most builds call for such, where it is there. */
export function prepareCall(folder: string): readonly string[] {
  writeFileSync(join(folder, 'in.c'), '#include <stddef.h>\n');
  const { error } = spawnSync('gcc', ['--version'], { stdio: 'ignore' });
  const command =
    error === undefined ? ['gcc', '-c', '{input}', '-o', '{output}'] : ['cp', '{input}', '{output}'];
  return ['in.c', '-o', 'out', '--', ...command];
}

/** Until what was written before is old enough: the next hit leaves a shortcut, and the one after it takes it. */
export function waitForShortcuts(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SETTLED_MS);
}
