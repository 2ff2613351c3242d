import type { Experiment } from './experiment.js';
import { CLOCK_EXPERIMENTS } from './experiments/clock.js';
import { DAMAGE_EXPERIMENTS } from './experiments/damage.js';
import { HERD_EXPERIMENTS } from './experiments/herd.js';
import { HOSTILE_CONTENT_EXPERIMENTS } from './experiments/hostile-contents.js';
import { HOSTILE_FILE_EXPERIMENTS } from './experiments/hostile-files.js';
import { HOSTILE_HOME_EXPERIMENTS } from './experiments/hostile-homes.js';
import { MODEL_EXPERIMENTS } from './experiments/model.js';
import { PEER_EXPERIMENTS } from './experiments/peers.js';
import { POWER_CUT_EXPERIMENTS } from './experiments/power-cut.js';
import { RACE_EXPERIMENTS } from './experiments/race.js';

/** The rows of the matrix. Each file in `experiments/` exports those of one kind. */
export const EXPERIMENTS: readonly Experiment[] = [
  ...POWER_CUT_EXPERIMENTS,
  ...DAMAGE_EXPERIMENTS,
  ...HERD_EXPERIMENTS,
  ...RACE_EXPERIMENTS,
  ...CLOCK_EXPERIMENTS,
  ...MODEL_EXPERIMENTS,
  ...HOSTILE_FILE_EXPERIMENTS,
  ...HOSTILE_HOME_EXPERIMENTS,
  ...HOSTILE_CONTENT_EXPERIMENTS,
  ...PEER_EXPERIMENTS,
];
