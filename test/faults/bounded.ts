import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeTool } from '../support/tools.js';
import { EXPERIMENTS } from './catalogue.js';
import { isGreen, obstacleOf, type Group } from './experiment.js';
import { perform } from './perform.js';
import { title } from './report.js';

/** Always the same points, so that a failure is one for everybody. */
const SEED = 1;

/** Runs the rows of some groups as tests, each in its bounded form. A file for each, so that several run at once. */
export function testBounded(...groups: readonly Group[]): void {
  describe('under faults nothing wrong is served and nothing good is lost', () => {
    for (const experiment of EXPERIMENTS.filter(({ group }) => groups.includes(group))) {
      it(title(experiment), async (t) => {
        const obstacle = obstacleOf(experiment, describeTool);
        if (obstacle !== null) {
          t.skip(obstacle);
          return;
        }
        const outcome = await perform(experiment, { isFull: false, seed: SEED, signal: t.signal });
        assert.ok(isGreen(experiment, outcome), JSON.stringify(outcome, null, 2));
      });
    }
  });
}
