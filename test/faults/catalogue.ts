import type { Experiment } from './experiment.js';
import { MODEL_EXPERIMENTS } from './experiments/model.js';

/** The rows of the matrix. Each file in `experiments/` exports those of one kind. */
export const EXPERIMENTS: readonly Experiment[] = [...MODEL_EXPERIMENTS];
