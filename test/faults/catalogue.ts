import type { Experiment } from './experiment.js';
import { SIGNED } from './experiments/signed.js';

/** The rows of the matrix. Each file in `experiments/` exports those of one kind. */
export const EXPERIMENTS: readonly Experiment[] = [...SIGNED];
