import type { Caller, Rules, State, World } from './world.js';

/** One of the steps that an actor may take now. */
export interface Step {
  readonly label: string;
  readonly next: State;
}

/** The version of what a caller makes. */
export function versionOf(index: number): number {
  return index + 1;
}

export function callerAt({ callers }: State, index: number): Caller {
  const caller = callers[index];
  if (caller === undefined) throw new Error(`expected a caller ${index}`);
  return caller;
}

export function withCaller(state: State, index: number, changed: Partial<Caller>): State {
  return {
    ...state,
    callers: replaced(state.callers, index, { ...callerAt(state, index), ...changed }),
  };
}

export function replaced<T>(values: readonly T[], index: number, value: T): readonly T[] {
  return values.map((each, at) => (at === index ? value : each));
}

/** A world with the rules of its actors. */
export interface Play {
  readonly world: World;
  readonly rules: Rules;
}

/** True when nobody holds the lock, which is one and the same where the compiler lists nothing. */
export function isFree({ world, rules }: Play, state: State, name: 'primary' | 'complete'): boolean {
  if (rules.locks === 'none') return true;
  const isHeldBy = ({ hasPrimary, hasComplete }: Holder): boolean => {
    if (!world.discovers) return hasPrimary || hasComplete;
    return name === 'primary' ? hasPrimary : hasComplete;
  };
  if (state.callers.some(isHeldBy) || state.removers.some(isHeldBy)) return false;
  return !state.sweeper.holds || (world.discovers && name === 'complete');
}

interface Holder {
  readonly hasPrimary: boolean;
  readonly hasComplete: boolean;
}
