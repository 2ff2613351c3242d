import { SingleFlightModel } from './model.js';
import { SOUND, startOf, type State, type World } from './world.js';

/** Something that was seen from outside: a step of an actor that bears one of the labels. */
export interface Observation {
  readonly actor: string;
  readonly labels: readonly string[];
  /** It may be no step of the protocol at all. */
  readonly isOptional: boolean;
}

/** Steps that cannot be seen from outside. */
const SILENT: ReadonlySet<string> = new Set(['take-over', 'read-mark', 'publish-look', 'find']);
/** With one lock nobody sees when the second one would be taken. */
const SILENT_WITH_ONE_LOCK: ReadonlySet<string> = new Set([...SILENT, 'lock-complete', 'unlock-complete']);

export type PathResult =
  | { readonly isPath: true }
  /** The first observation that no state of the model allows; that behind the last one: somebody has not ended. */
  | { readonly isPath: false; readonly at: number };

/** Whether what was seen is a path of the model, on which every caller comes to the end. */
export function follow(world: World, observations: readonly Observation[]): PathResult {
  const model = new SingleFlightModel({ ...world, crashes: 0 }, SOUND);
  let states = withSilent(model, [startOf(world)]);
  for (const [at, { actor, labels, isOptional }] of observations.entries()) {
    const following = states.flatMap((state) =>
      model
        .next(state)
        .filter((transition) => transition.actor === actor && labels.includes(transition.label))
        .map((transition) => transition.state),
    );
    states = withSilent(model, isOptional ? [...following, ...states] : following);
    if (states.length === 0) return { isPath: false, at };
  }
  const isOver = states.some(({ callers }) => callers.every(({ step }) => step === 'ended'));
  return isOver ? { isPath: true } : { isPath: false, at: observations.length };
}

/** The states, and all that follow from them by steps that nobody sees. */
function withSilent(model: SingleFlightModel, states: readonly State[]): readonly State[] {
  const silent = model.world.discovers ? SILENT : SILENT_WITH_ONE_LOCK;
  const found = new Map(states.map((state) => [JSON.stringify(state), state]));
  // A map is iterated in the order of insertion, what is added meanwhile included.
  for (const state of found.values()) {
    for (const { label, state: next } of model.next(state)) {
      const key = JSON.stringify(next);
      if (silent.has(label) && !found.has(key)) found.set(key, next);
    }
  }
  return [...found.values()];
}
