import { explore } from '../../support/single-flight/exploration.js';
import type { Violation } from '../../support/single-flight/world.js';
import { BROKEN_PROTOCOLS, LARGE_WORLDS, SMALL_WORLDS } from '../../support/single-flight/worlds.js';
import { Tally, type Experiment, type Outcome, type Scope } from '../experiment.js';

/** Explored in the bounded form; the tests of the model explore the other small ones. */
const BOUNDED_WORLDS = SMALL_WORLDS.slice(0, 4);

/** The lock and publish protocol as a model, explored in every order of steps. */
export const MODEL_EXPERIMENTS: readonly Experiment[] = [
  {
    group: 'model',
    fault: 'kill before any step',
    where: 'single-flight, every order',
    needs: [],
    run: sound,
  },
  { group: 'model', fault: 'protocol broken on purpose', where: 'single-flight', needs: [], run: broken },
];

async function sound({ isFull, signal }: Scope): Promise<Outcome> {
  const tally = new Tally();
  const total = { states: 0, steps: 0 };
  for (const [name, world] of isFull ? [...SMALL_WORLDS, ...LARGE_WORLDS] : BOUNDED_WORLDS) {
    if (signal.aborted) break;
    const { states, steps, kills, violation, by } = explore(world);
    for (let kill = 0; kill < kills; kill += 1) tally.addPoint();
    total.states += states;
    total.steps += steps;
    if (violation !== null) add(tally, violation, `${name}: ${violation} by ${by}`);
    await breathe();
  }
  return tally.outcome(
    `${total.states.toLocaleString('en')} states, ${total.steps.toLocaleString('en')} steps`,
  );
}

/** Each of them must be found, and by the promise that it breaks. */
async function broken({ signal }: Scope): Promise<Outcome> {
  const tally = new Tally();
  for (const { name, rules, world, violation } of BROKEN_PROTOCOLS) {
    if (signal.aborted) break;
    tally.addPoint();
    const found = explore(world, rules).violation;
    if (found !== violation) tally.addFailedNextRun(`${name}: expected ${violation}, found ${found}`);
    await breathe();
  }
  return tally.outcome('all found');
}

function add(tally: Tally, violation: Violation, problem: string): void {
  if (violation === 'wrong-bytes' || violation === 'torn' || violation === 'unrecorded')
    tally.addWrongBytes(problem);
  else tally.addFailedNextRun(problem);
}

/** Signals are heard between two worlds only. */
async function breathe(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
