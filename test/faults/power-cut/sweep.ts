import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Tally, type Outcome, type Scope } from '../experiment.js';
import type { DiskCall } from './disk-log.js';
import type { DiskModel } from './disk-model.js';
import { combinations, materialise, OpenChoices, stateKey, type DiskState } from './disk-states.js';
import { judgeState } from './judge-state.js';
import { promisedAt, type Promised, type Step } from './story.js';

/** Random states at each point, in full form: whatever was not thought of. */
const RANDOM_STATES = 40;
/** Of the combinations, the share that the bounded form looks at, beside all lost and all kept at every point. */
const BOUNDED_SHARE = 0.004;

interface FoundState {
  readonly state: DiskState;
  readonly promised: readonly Promised[];
  /** How many calls had returned. */
  readonly calls: number;
}

export interface Sweep {
  readonly model: DiskModel;
  readonly steps: readonly Step[];
  /** Of the home, below the recorded folder. */
  readonly home: string;
}

/** Judges what a power cut may leave at every point of a recorded story; in the bounded form a sample of it. */
export async function sweepStates(sweep: Sweep, scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  const { calls: log } = sweep.model;
  let number = 0;
  for (const { state, promised, calls } of statesOf(sweep, scope)) {
    if (scope.signal.aborted) break;
    const folder = join(scope.folder, 'after');
    mkdirSync(folder);
    materialise(state, folder);
    tally.addPoint();
    number += 1;
    const title = `after call ${calls} of ${log.length} (${shown(log[calls - 1])}), state ${number}`;
    await judgeState({ root: join(folder, sweep.home), promised, title }, tally);
    rmSync(folder, { recursive: true });
  }
  return tally.outcome(`a story of ${log.length} calls`);
}

/** Every state once for each set of promises. */
function* statesOf({ model, steps }: Sweep, scope: Scope): Generator<FoundState> {
  const seen = new Set<string>();
  for (let calls = 0; calls <= model.calls.length; calls += 1) {
    const promised = promisedAt(steps, model.calls, calls);
    const promises = JSON.stringify(promised.map(({ payloads, isDurable }) => [payloads.length, isDurable]));
    const open = new OpenChoices(model, calls, entryOf);
    for (const picked of pickedOf(open, scope)) {
      const state = open.state(picked);
      const key = `${promises} ${stateKey(state)}`;
      if (seen.has(key)) continue;
      seen.add(key);
      yield { state, promised, calls };
    }
  }
}

function* pickedOf({ choices }: OpenChoices, scope: Scope): Generator<readonly number[]> {
  const count = scope.isFull ? RANDOM_STATES : 0;
  let number = 0;
  for (const picked of combinations(choices, { random: () => scope.random(), count })) {
    number += 1;
    if (scope.isFull || number <= ALWAYS || scope.random() < BOUNDED_SHARE) yield picked;
  }
}

/** The first combinations: all that was not synced is lost, and nothing is. */
const ALWAYS = 2;

/** Entry and record of a fingerprint are one group. */
function entryOf(path: string): string | null {
  return /pipelines\/([0-9a-f]{64})\.(?:bin|json)$/.exec(path)?.[1] ?? null;
}

function shown(call: DiskCall | undefined): string {
  if (call === undefined) return 'none';
  if (call.kind === 'mark') return call.text.trim();
  return `${call.kind} ${'path' in call ? call.path : 'to' in call ? call.to : ''}`;
}
