import type { Experiment } from './experiment.js';
import { DAMAGES } from './experiments/damage.js';
import { PEER_FAULTS } from './experiments/peers.js';
import { POWER_CUTS } from './experiments/power-cut.js';

/** The rows of the matrix. Each file in `experiments/` exports those of one kind. */
export const EXPERIMENTS: readonly Experiment[] = [...POWER_CUTS, ...DAMAGES, ...PEER_FAULTS];
