import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { childProgram } from './child-program.js';
import type { Running, Workbench } from './workbench.js';

const CHILD = fileURLToPath(new URL('children/compile-or-sweep.ts', import.meta.url));

/** What a child of a race has done. */
export interface Seen {
  readonly stored: number;
  /** Whatever did not go as it should. */
  readonly others: readonly string[];
}

export async function seenBy(running: Running): Promise<Seen> {
  const ended = await running.ended;
  assert.equal(ended.status, 0, ended.stderr.toString('utf8'));
  return JSON.parse(ended.stdout.toString('utf8')) as Seen;
}

/** Starts children that compile or sweep in the home of a bench; also writes the input and the script of those that hang. */
export async function raceOn(
  bench: Workbench,
  compilations: number,
): Promise<(mode: 'compile' | 'sweep', number: number) => Running> {
  bench.write('in.txt', 'abc');
  bench.script('hang', 'echo $$ >> hanging\nwhile :; do sleep 0.1; done');
  const program = await childProgram(CHILD, bench.folder);
  return (mode, number) =>
    bench.spawn(process.execPath, [
      program,
      mode,
      bench.root,
      bench.project,
      String(number),
      String(compilations),
    ]);
}
