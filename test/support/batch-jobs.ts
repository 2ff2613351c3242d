import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { made, madeBare, type BatchRow, type RepeatedBatch, type TypedJob } from './repeated-batch.js';
import type { Workbench } from './workbench.js';

export const OBJECT = ['gcc', '-c', '-Iinc1', '-Iinc2', '{input}', '-o', '{output}'] as const;

export function object(name: string, more: Partial<TypedJob> = {}): TypedJob {
  return { inputs: [`${name}.c`], outputs: [`${name}.o`], command: OBJECT, ...more };
}

export const TOOL = ['./tool', '{input}', '{output}'] as const;

/** A script that `--tool` covers. */
export function text(name: string, more: Partial<TypedJob> = {}): TypedJob {
  const outputs = [`${name.replace('/', '-')}.out`];
  return { inputs: [`${name}.txt`], outputs, tool: ['cat'], command: TOOL, ...more };
}

export const OBJECTS = [object('a'), object('b'), object('c')] as const;
export const TEXTS = [text('a'), text('b'), text('c')] as const;

export function sources(bench: Workbench): void {
  for (const name of ['a', 'b', 'c']) bench.write(`${name}.c`, `int ${name}(void) { return 1; }\n`);
  for (const folder of ['inc1', 'inc2']) mkdirSync(bench.path(folder));
}

export function texts(bench: Workbench): void {
  for (const name of ['a', 'b', 'c']) bench.write(`${name}.txt`, `${name}1\n`);
  bench.script('tool', 'cat "$1" > "$2"');
}

export function needingGcc<R extends BatchRow>(row: R): R {
  return { ...row, needs: 'gcc' };
}

/** Changes something between two runs, and expects that the second takes those jobs alone that stand. */
export async function checkChange(
  batch: RepeatedBatch,
  change: (bench: Workbench) => void,
  standing: readonly number[],
): Promise<void> {
  const { bench } = batch;
  await batch.leave();
  const { length } = batch.jobs;
  const all = await batch.go();
  assert.deepEqual(
    all.taken,
    Array.from({ length }, (_, index) => index + 1),
  );
  change(bench);
  const gone = await batch.go();
  assert.equal(gone.status, 0, gone.stderr.toString());
  assert.deepEqual(gone.taken, standing);
  assert.deepEqual(made(batch), await madeBare(batch));
}
