import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILT } from '../support/program.js';
import type { Experiment, Outcome, Scope } from './experiment.js';

export interface PerformOptions {
  readonly isFull: boolean;
  readonly isEvery?: boolean;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly program?: readonly string[];
}

/** Runs one experiment in a fresh folder, and removes that. */
export async function perform(experiment: Experiment, options: PerformOptions): Promise<Outcome> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'vyre-cache-faults-')));
  const scope: Scope = {
    folder,
    isFull: options.isFull,
    isEvery: options.isEvery ?? false,
    program: options.program ?? BUILT,
    random: randomNumbers(options.seed),
    signal: options.signal,
  };
  try {
    return await experiment.run(scope);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** 0 to 1, the same for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
