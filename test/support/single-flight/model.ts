import { removerNext, sweeperNext } from './bystanders.js';
import { callerAt, isFree, versionOf, withCaller, type Play, type Step } from './state-changes.js';
import {
  NOTHING,
  PUBLICATION_STEPS,
  TORN,
  type Caller,
  type CallerStep,
  type PublicationStep,
  type Rules,
  type State,
  type Violation,
  type World,
} from './world.js';

/** A step that somebody takes. */
export interface Transition {
  /** `caller-0`, `remover-0`, `sweeper`. */
  readonly actor: string;
  /** The step, `wait`, `kill`, or `end-alone` for the compiler of a dead one. */
  readonly label: string;
  readonly state: State;
}

/** The states that follow one another in a world. */
export class SingleFlightModel implements Play {
  readonly world: World;
  readonly rules: Rules;

  constructor(world: World, rules: Rules) {
    this.world = world;
    this.rules = rules;
  }

  next(state: State): readonly Transition[] {
    const found: Transition[] = [];
    for (const [index, caller] of state.callers.entries()) {
      const add = (label: string, next: State): void => {
        found.push({ actor: `caller-${index}`, label, state: next });
      };
      if (!caller.isAlive) {
        if (caller.runs) add('end-alone', withCaller(state, index, { runs: false }));
        continue;
      }
      if (caller.step === 'ended') continue;
      for (const { label, next } of this.#callerNext(state, index, caller)) add(label, next);
      if (state.crashes < this.world.crashes && caller.step !== 'look-entry')
        add('kill', this.#killedCaller(state, index));
    }
    for (const index of state.removers.keys()) {
      const actor = `remover-${index}`;
      for (const { label, next } of removerNext(this, state, index))
        found.push({ actor, label, state: next });
    }
    for (const { label, next } of sweeperNext(this, state))
      found.push({ actor: 'sweeper', label, state: next });
    return found;
  }

  #killedCaller(state: State, index: number): State {
    const released = this.rules.locks === 'file' ? {} : { hasPrimary: false, hasComplete: false };
    return { ...withCaller(state, index, { isAlive: false, ...released }), crashes: state.crashes + 1 };
  }

  *#callerNext(state: State, index: number, caller: Caller): Generator<Step> {
    const to = (step: CallerStep, changed: Partial<Caller> = {}): State =>
      withCaller(state, index, { ...changed, step });
    const { rules, world } = this;
    const { step, kind } = caller;
    if (isPublicationStep(step)) {
      yield* this.#publishing(state, index, step);
      return;
    }
    switch (step) {
      case 'look-entry':
      case 'again-entry':
        yield { label: step, next: this.#lookedAtEntry(state, index, step) };
        return;
      case 'look-record':
      case 'again-record':
        yield { label: step, next: this.#lookedAtRecord(state, index, step) };
        return;
      case 'look-under-lock':
        yield* this.#lookUnderLock(state, index);
        return;
      case 'lock':
        yield* this.#lock(state, index, caller);
        return;
      case 'unlock-hit':
        yield { label: 'unlock', next: to('deliver', { hasPrimary: false }) };
        return;
      case 'take-over':
        yield* this.#takeOver(state, index);
        return;
      case 'read-mark': {
        const counts = rules.marksHaveTime ? caller.isMarked : state.hasMark;
        const skips = rules.honoursMark && caller.waited && kind === 'compile' && counts;
        yield { label: step, next: to(skips ? 'unlock-unstored' : 'make-worker') };
        return;
      }
      case 'unlock-unstored':
        yield { label: 'unlock', next: to('compile-alone', { hasPrimary: false }) };
        return;
      case 'compile-alone': {
        const compilations = state.compilations + (world.storable ? 1 : 0);
        yield { label: step, next: { ...to('ended', { version: versionOf(index) }), compilations } };
        return;
      }
      case 'make-worker': {
        const following = kind === 'put' ? 'lock-complete' : 'compile';
        yield { label: step, next: to(following, { hasWorker: true, version: versionOf(index) }) };
        return;
      }
      case 'compile':
        yield { label: step, next: this.#compiling(state, index, to('compiled', { runs: true })) };
        return;
      case 'compiled':
        yield {
          label: step,
          next: to(world.storable ? this.#after(null, kind) : 'remove-worker', { runs: false }),
        };
        return;
      case 'mark':
        yield { label: step, next: marked(to('unlock')) };
        return;
      case 'ended':
        return;
      default:
        step satisfies never;
    }
  }

  /** The steps of {@link Rules.publication}. */
  *#publishing(state: State, index: number, step: PublicationStep): Generator<Step> {
    const caller = callerAt(state, index);
    const { kind } = caller;
    const own = versionOf(index);
    const following = this.#after(step, kind);
    const to = (next: CallerStep, changed: Partial<Caller> = {}): State =>
      withCaller(state, index, { ...changed, step: next });
    switch (step) {
      case 'lock-complete': {
        const isSame = !this.world.discovers || kind === 'put';
        if (isSame) yield { label: step, next: to(following) };
        else if (isFree(this, state, 'complete'))
          yield { label: step, next: to(following, { hasComplete: true }) };
        return;
      }
      case 'publish-look': {
        const isKept = kind !== 'refresh' && state.entry !== NOTHING && state.entry === state.record;
        yield { label: step, next: to(isKept ? this.#after('rename-entry', kind) : following) };
        return;
      }
      case 'write-entry-begin':
        yield { label: step, next: { ...to(following), entry: TORN } };
        return;
      case 'write-entry-end':
      case 'rename-entry':
        yield { label: step, next: { ...to(following), entry: own } };
        return;
      case 'rename-record':
        yield { label: step, next: { ...to(following), record: own } };
        return;
      case 'remember-set':
        yield { label: step, next: { ...to(following), hasSet: true } };
        return;
      case 'unlock-complete':
        yield { label: step, next: to(following, kind === 'put' ? {} : { hasComplete: false }) };
        return;
      case 'remove-worker':
        yield { label: step, next: to(this.world.storable ? following : 'mark', { hasWorker: false }) };
        return;
      case 'unlock':
        yield { label: step, next: to(following, { hasPrimary: false, hasComplete: false }) };
        return;
      case 'deliver':
        yield { label: step, next: to('ended') };
        return;
      case 'stage-record':
      case 'stage-entry':
        yield { label: step, next: to(following) };
        return;
      default:
        step satisfies never;
    }
  }

  /** The step of the publication behind one of them; null: the first. Only who compiles has a set to remember. */
  #after(step: PublicationStep | null, kind: Caller['kind']): PublicationStep | 'ended' {
    const { publication } = this.rules;
    const following = publication[step === null ? 0 : publication.indexOf(step) + 1] ?? 'ended';
    if (following === 'remember-set' && (kind === 'put' || !this.world.discovers))
      return this.#after(following, kind);
    return following;
  }

  #lookedAtEntry(state: State, index: number, step: 'look-entry' | 'again-entry'): State {
    const isThere = state.hasSet && state.entry !== NOTHING && !(state.entry === TORN && this.rules.verifies);
    const version = isThere ? state.entry : NOTHING;
    const isFirst = step === 'look-entry';
    if (!isThere) return withCaller(state, index, { version, step: isFirst ? 'lock' : 'take-over' });
    return withCaller(state, index, { version, step: isFirst ? 'look-record' : 'again-record' });
  }

  #lookedAtRecord(state: State, index: number, step: 'look-record' | 'again-record'): State {
    const { version } = callerAt(state, index);
    const isFirst = step === 'look-record';
    if (state.record === NOTHING) return withCaller(state, index, { step: isFirst ? 'lock' : 'take-over' });
    if (this.rules.compares && state.record !== version) {
      return withCaller(state, index, { step: isFirst ? 'look-under-lock' : 'take-over' });
    }
    return this.#hit(state, index, isFirst);
  }

  #hit(state: State, index: number, isFirst: boolean): State {
    const caller = callerAt(state, index);
    const isWrong = caller.version !== state.record;
    const next = withCaller(state, index, { step: isFirst ? 'deliver' : 'unlock-hit' });
    return isWrong ? { ...next, broken: 'wrong-bytes' } : next;
  }

  /** An entry and a record that do not fit: once more while nobody publishes, and in the end it is a miss. */
  *#lookUnderLock(state: State, index: number): Generator<Step> {
    const label = 'look-under-lock';
    yield { label, next: withCaller(state, index, { step: 'lock' }) };
    if (!isFree(this, state, 'complete')) {
      yield { label, next: withCaller(state, index, { step: 'look-entry' }) };
      return;
    }
    if (state.entry === NOTHING || state.entry !== state.record) return;
    yield { label, next: this.#hit(withCaller(state, index, { version: state.entry }), index, true) };
  }

  *#lock(state: State, index: number, caller: Caller): Generator<Step> {
    const { kind } = caller;
    const isAvailable = isFree(this, state, kind === 'put' ? 'complete' : 'primary');
    if (!isAvailable) {
      if (!caller.waited) yield { label: 'wait', next: withCaller(state, index, { waited: true }) };
      return;
    }
    const locked = kind === 'put' ? { hasComplete: true } : { hasPrimary: true };
    yield { label: 'lock', next: withCaller(state, index, { ...locked, step: this.#underLock(kind) }) };
  }

  #underLock(kind: Caller['kind']): CallerStep {
    if (kind === 'put') return 'make-worker';
    return kind === 'compile' && this.rules.looksAgain ? 'again-entry' : 'take-over';
  }

  /** Deals with the directories of the dead, one at a time; a sweep that looks at one passes. */
  *#takeOver(state: State, index: number): Generator<Step> {
    const dead = this.rules.takesOver
      ? state.callers.findIndex(
          ({ isAlive, hasWorker, kind }) =>
            !isAlive && hasWorker && (kind !== 'put' || !this.world.discovers),
        )
      : -1;
    if (dead === -1) {
      yield { label: 'take-over', next: withCaller(state, index, { step: 'read-mark' }) };
      return;
    }
    if (callerAt(state, dead).isPeeked) return;
    yield { label: 'reclaim', next: withCaller(state, dead, { hasWorker: false, runs: false }) };
  }

  #compiling(state: State, index: number, next: State): State {
    const { isMarked, kind } = callerAt(state, index);
    const compilations = state.compilations + 1;
    const isConcurrent = state.callers.some(({ runs }, each) => runs && each !== index);
    if (isConcurrent) return { ...next, compilations, broken: 'concurrent' };
    if (isMarked && kind === 'compile') return { ...next, compilations, broken: 'queued' };
    return { ...next, compilations };
  }
}

const PUBLISHING: ReadonlySet<CallerStep> = new Set(PUBLICATION_STEPS);

function isPublicationStep(step: CallerStep): step is PublicationStep {
  return PUBLISHING.has(step);
}

/** A result that cannot be kept: those who wait now will know. */
function marked(state: State): State {
  const callers = state.callers.map((caller) =>
    caller.isAlive && caller.waited && caller.step === 'lock' ? { ...caller, isMarked: true } : caller,
  );
  return { ...state, hasMark: true, callers };
}

/** What is wrong with a state, whoever goes on. */
export function violationOf(world: World, state: State): Violation | null {
  if (state.broken !== null) return state.broken;
  if (state.entry === TORN) return 'torn';
  if (state.entry !== NOTHING && state.record === NOTHING) return 'unrecorded';
  const refreshes = world.callers.filter((kind) => kind === 'refresh').length;
  const allowed = 1 + state.crashes + state.removals + refreshes;
  return world.storable && state.compilations > allowed ? 'too-many' : null;
}
