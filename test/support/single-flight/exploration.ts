import { SingleFlightModel, violationOf, type Transition } from './model.js';
import {
  newCaller,
  NOTHING,
  SOUND,
  startOf,
  type Caller,
  type Rules,
  type State,
  type Violation,
  type World,
} from './world.js';

export interface Exploration {
  readonly states: number;
  /** Steps from one of them to another. */
  readonly steps: number;
  /** Kills among the steps. */
  readonly kills: number;
  /** States in which nobody goes on. */
  readonly ends: number;
  readonly violation: Violation | null;
  /** The last of the steps that led to the violation. */
  readonly by: string | null;
}

/** Visits every state of a world, the nearest first, until a promise is broken. */
export function explore(world: World, rules: Rules = SOUND): Exploration {
  const model = new SingleFlightModel(world, rules);
  const start = startOf(world);
  const seen = new Set<string>([keyOf(start)]);
  const counts = { steps: 0, kills: 0, ends: 0 };
  let front: State[] = [start];
  const result = (violation: Violation | null, by: string | null): Exploration => ({
    states: seen.size,
    ...counts,
    violation,
    by,
  });
  while (front.length > 0) {
    const following: State[] = [];
    for (const state of front) {
      const transitions = model.next(state);
      // A kill would only hide that nobody goes on.
      if (transitions.every(({ label }) => label === 'kill')) {
        counts.ends += 1;
        const violation = violationAtEnd(model, state);
        if (violation !== null) return result(violation, 'the end');
      }
      for (const { actor, label, state: next } of transitions) {
        counts.steps += 1;
        if (label === 'kill') counts.kills += 1;
        const key = keyOf(next);
        if (seen.has(key) && next.broken === null) continue;
        const violation = violationOf(world, next);
        if (violation !== null) return result(violation, `${actor}: ${label}`);
        seen.add(key);
        following.push(next);
      }
    }
    front = following;
  }
  return result(null, null);
}

/** Everybody has come to an end: all were served, and a sweep and one more caller leave nothing behind. */
function violationAtEnd(model: SingleFlightModel, state: State): Violation | null {
  if (state.callers.some(({ isAlive, step }) => isAlive && step !== 'ended')) return 'stuck';
  const isBusy = state.removers.some(({ isAlive, step }) => isAlive && step !== 'ended');
  if (isBusy || (state.sweeper.isAlive && state.sweeper.step !== 'ended')) return 'stuck';
  const wasThere = state.hasSet && state.entry !== NOTHING && state.entry === state.record;
  const index = state.callers.length;
  const last = alone(model, {
    ...state,
    callers: [...state.callers, newCaller('compile')],
    sweeper: { step: 'find', isAlive: true, about: -1, holds: state.sweeper.holds },
  });
  if (last.callers[index]?.step !== 'ended' || last.broken !== null) return last.broken ?? 'stuck';
  const isClean = last.callers.every(
    ({ hasWorker, runs, hasPrimary, hasComplete }) => !hasWorker && !runs && !hasPrimary && !hasComplete,
  );
  if (!isClean || last.removers.some(({ hasComplete }) => hasComplete)) return 'litter';
  if (wasThere && last.compilations !== state.compilations) return 'litter';
  return model.world.storable && last.entry !== last.record ? 'litter' : null;
}

/** Sweeps until nothing is left to sweep, then lets the one caller go on. Nobody is killed any more. */
function alone(model: SingleFlightModel, state: State): State {
  const calm = new SingleFlightModel({ ...model.world, crashes: 0 }, model.rules);
  let current = state;
  const goOn = (isWanted: (transition: Transition) => boolean): boolean => {
    const found = calm.next(current).findLast(isWanted);
    if (found !== undefined) current = found.state;
    return found !== undefined;
  };
  for (const _ of state.callers) {
    current = { ...current, sweeper: { ...current.sweeper, step: 'find' } };
    while (goOn(({ actor }) => actor === 'sweeper'));
  }
  while (goOn(({ actor }) => actor === `caller-${state.callers.length - 1}`));
  return current;
}

const STEP_CODES = new Map<string, number>();
function codeOf(step: string): number {
  const known = STEP_CODES.get(step);
  if (known !== undefined) return known;
  const code = STEP_CODES.size + 1;
  STEP_CODES.set(step, code);
  return code;
}

/** All of a caller but what it has read. */
function callerCode(caller: Caller): number {
  const flags = [
    caller.isAlive,
    caller.waited,
    caller.isMarked,
    caller.hasPrimary,
    caller.hasComplete,
    caller.hasWorker,
    caller.runs,
    caller.isPeeked,
  ].reduce((sum, flag) => sum * 2 + (flag ? 1 : 0), 0);
  return (codeOf(caller.step) * 3 + KINDS.indexOf(caller.kind)) * 256 + flags;
}

const KINDS: readonly Caller['kind'][] = ['compile', 'refresh', 'put'];

/** Callers of one kind are alike: which of them stands where makes no difference. */
function keyOf(state: State): string {
  const coded = state.callers.map((caller, index) => ({ caller, index, code: callerCode(caller) }));
  coded.sort((one, other) => one.code - other.code || one.index - other.index);
  const renamed = (version: number): number => {
    const at = coded.findIndex(({ index }) => index + 1 === version);
    return at === -1 ? version : at + 1;
  };
  const { sweeper } = state;
  const codes = [
    renamed(state.entry) * 16 + renamed(state.record),
    (state.hasSet ? 2 : 0) + (state.hasMark ? 1 : 0),
    (state.crashes * 16 + state.compilations) * 16 + state.removals,
    codeOf(sweeper.step) * 4 + (sweeper.isAlive ? 2 : 0) + (sweeper.holds ? 1 : 0),
    coded.findIndex(({ index }) => index === sweeper.about) + 1,
  ];
  for (const { caller, code } of coded) codes.push(code, renamed(caller.version));
  for (const { step, isAlive, hasComplete, hasPrimary } of state.removers) {
    const flags = (isAlive ? 4 : 0) + (hasComplete ? 2 : 0) + (hasPrimary ? 1 : 0);
    codes.push(codeOf(step) * 8 + flags);
  }
  return String.fromCharCode(...codes);
}
