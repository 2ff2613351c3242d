import type { Experiment } from './experiment.js';
import { CLOCK_EXPERIMENTS } from './experiments/clock.js';
import { DAMAGE_EXPERIMENTS } from './experiments/damage.js';
import { ERROR_EXPERIMENTS } from './experiments/errors.js';
import { HERD_EXPERIMENTS } from './experiments/herd.js';
import { HOSTILE_CONTENT_EXPERIMENTS } from './experiments/hostile-contents.js';
import { HOSTILE_FILE_EXPERIMENTS } from './experiments/hostile-files.js';
import { HOSTILE_HOME_EXPERIMENTS } from './experiments/hostile-homes.js';
import { KILL_EXPERIMENTS } from './experiments/kill.js';
import { MODEL_EXPERIMENTS } from './experiments/model.js';
import { PEER_EXPERIMENTS } from './experiments/peers.js';
import { POWER_CUT_EXPERIMENTS } from './experiments/power-cut.js';
import { RACE_EXPERIMENTS } from './experiments/race.js';
import { SHORT_WRITE_EXPERIMENTS } from './experiments/short-writes.js';
import { SIGNED_EXPERIMENTS } from './experiments/signed.js';

/** The rows of the matrix. Each file in `experiments/` exports those of one kind. */
export const EXPERIMENTS: readonly Experiment[] = [
  ...KILL_EXPERIMENTS,
  ...ERROR_EXPERIMENTS,
  ...SHORT_WRITE_EXPERIMENTS,
  ...POWER_CUT_EXPERIMENTS,
  ...DAMAGE_EXPERIMENTS,
  ...HERD_EXPERIMENTS,
  ...RACE_EXPERIMENTS,
  ...CLOCK_EXPERIMENTS,
  ...MODEL_EXPERIMENTS,
  ...HOSTILE_FILE_EXPERIMENTS,
  ...HOSTILE_HOME_EXPERIMENTS,
  ...HOSTILE_CONTENT_EXPERIMENTS,
  ...SIGNED_EXPERIMENTS,
  ...PEER_EXPERIMENTS,
];
