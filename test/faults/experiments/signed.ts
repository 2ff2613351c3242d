import type { Experiment } from '../experiment.js';
import { EDITED } from './signed-bytes.js';
import { FORGED } from './signed-forgeries.js';
import { FORGED_STATE } from './signed-state.js';

/** What somebody who can write to the home, and has no key, could do. */
export const SIGNED_EXPERIMENTS: readonly Experiment[] = [...EDITED, ...FORGED, ...FORGED_STATE];
