import {
  NOTHING,
  TORN,
  type Caller,
  type CallerStep,
  type Remover,
  type Rules,
  type State,
  type Sweeper,
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

/** Which locks are taken in one step, and by whom. */
type LockName = 'primary' | 'complete';

/** The states that follow one another in a world. */
export class SingleFlightModel {
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
    for (const [index, remover] of state.removers.entries()) {
      const actor = `remover-${index}`;
      for (const { label, next } of this.#removerNext(state, index, remover))
        found.push({ actor, label, state: next });
    }
    for (const { label, next } of this.#sweeperNext(state))
      found.push({ actor: 'sweeper', label, state: next });
    return found;
  }

  /** True when nobody holds the lock, which is one and the same where the compiler lists nothing. */
  #isFree(state: State, name: LockName): boolean {
    const { locks } = this.rules;
    if (locks === 'none') return true;
    const { discovers } = this.world;
    const isHeldBy = (holder: { readonly hasPrimary: boolean; readonly hasComplete: boolean }): boolean =>
      discovers
        ? name === 'primary'
          ? holder.hasPrimary
          : holder.hasComplete
        : holder.hasPrimary || holder.hasComplete;
    if (state.callers.some(isHeldBy) || state.removers.some(isHeldBy)) return false;
    return !state.sweeper.holds || (discovers && name === 'complete');
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
        yield { label: step, next: { ...to('deliver', { version: versionOf(index) }), compilations } };
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
        yield { label: step, next: to(world.storable ? this.#after(null, kind) : 'mark', { runs: false }) };
        return;
      case 'mark':
        yield { label: step, next: marked(to('remove-worker')) };
        return;
      case 'ended':
        return;
      default:
        yield* this.#publishing(state, index, step);
    }
  }

  /** The steps of {@link Rules.publication}. */
  *#publishing(state: State, index: number, step: CallerStep): Generator<Step> {
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
        else if (this.#isFree(state, 'complete'))
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
        yield { label: step, next: to(following, { hasWorker: false }) };
        return;
      case 'unlock':
        yield { label: step, next: to(following, { hasPrimary: false, hasComplete: false }) };
        return;
      case 'deliver':
        yield { label: step, next: to('ended') };
        return;
      default:
        yield { label: step, next: to(following) };
    }
  }

  /** The step of the publication behind one of them; null: the first. Only who compiles has a set to remember. */
  #after(step: CallerStep | null, kind: Caller['kind']): CallerStep {
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
    if (caller.kind === 'refresh') return withCaller(state, index, { step: isFirst ? 'lock' : 'take-over' });
    const isWrong = caller.version !== state.record;
    const next = withCaller(state, index, { step: isFirst ? 'deliver' : 'unlock-hit' });
    return isWrong ? { ...next, broken: 'wrong-bytes' } : next;
  }

  /** An entry and a record that do not fit: once more while nobody publishes, and in the end it is a miss. */
  *#lookUnderLock(state: State, index: number): Generator<Step> {
    const label = 'look-under-lock';
    yield { label, next: withCaller(state, index, { step: 'lock' }) };
    if (!this.#isFree(state, 'complete')) {
      yield { label, next: withCaller(state, index, { step: 'look-entry' }) };
      return;
    }
    if (state.entry === NOTHING || state.entry !== state.record) return;
    yield { label, next: this.#hit(withCaller(state, index, { version: state.entry }), index, true) };
  }

  *#lock(state: State, index: number, caller: Caller): Generator<Step> {
    const { kind } = caller;
    const isFree = this.#isFree(state, kind === 'put' ? 'complete' : 'primary');
    if (!isFree) {
      if (!caller.waited) yield { label: 'wait', next: withCaller(state, index, { waited: true }) };
      return;
    }
    const locked = kind === 'put' ? { hasComplete: true } : { hasPrimary: true };
    const looked = this.rules.looksAgain ? 'again-entry' : 'take-over';
    const step = kind === 'put' ? 'make-worker' : looked;
    yield { label: 'lock', next: withCaller(state, index, { ...locked, step }) };
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

  *#removerNext(state: State, index: number, remover: Remover): Generator<Step> {
    const { step, isAlive, kind } = remover;
    if (!isAlive || step === 'ended') return;
    const to = (changed: Partial<Remover>, rest: Partial<State> = {}): State => ({
      ...state,
      ...rest,
      removers: replaced(state.removers, index, { ...remover, ...changed }),
    });
    const { removal, removersLock, removersWait, locks } = this.rules;
    if (state.crashes < this.world.crashes && step !== 'begin') {
      const released = locks === 'file' ? {} : { hasComplete: false, hasPrimary: false };
      yield { label: 'kill', next: { ...to({ isAlive: false, ...released }), crashes: state.crashes + 1 } };
    }
    const first = kind === 'collect' ? 'collect' : (removal[0] ?? 'unlock');
    switch (step) {
      case 'begin':
        if (!removersLock) yield { label: 'lock', next: to({ step: first }) };
        else if (this.#isFree(state, 'complete'))
          yield { label: 'lock', next: to({ step: removersWait ? 'wait' : first, hasComplete: true }) };
        else yield { label: 'skip', next: to({ step: 'ended' }) };
        return;
      case 'wait':
        if (this.#isFree(state, 'primary'))
          yield { label: 'lock-primary', next: to({ step: first, hasPrimary: true }) };
        return;
      case 'remove-entry':
      case 'remove-record': {
        const following = removal[removal.indexOf(step) + 1] ?? 'unlock';
        const isEntry = step === 'remove-entry';
        const removals = state.removals + (isEntry && state.entry !== NOTHING ? 1 : 0);
        const gone = isEntry ? { entry: NOTHING, removals } : { record: NOTHING };
        yield { label: step, next: to({ step: following }, gone) };
        return;
      }
      case 'collect': {
        const gone = state.entry === NOTHING ? { record: NOTHING } : {};
        yield { label: step, next: to({ step: 'unlock' }, gone) };
        return;
      }
      case 'unlock':
        yield { label: step, next: to({ step: 'ended', hasComplete: false, hasPrimary: false }) };
        return;
      default:
        step satisfies never;
    }
  }

  *#sweeperNext(state: State): Generator<Step> {
    const { sweeper } = state;
    const { step, isAlive, about } = sweeper;
    if (!isAlive || step === 'ended') return;
    const to = (changed: Partial<Sweeper>, callers = state.callers): State => ({
      ...state,
      callers,
      sweeper: { ...sweeper, ...changed },
    });
    const about_ = (changed: Partial<Caller>): readonly Caller[] =>
      replaced(state.callers, about, { ...callerAt(state, about), ...changed });
    const end = { step: 'ended', about: -1, holds: false } as const;
    if (state.crashes < this.world.crashes && step !== 'find') {
      const callers = about === -1 ? state.callers : about_({ isPeeked: false });
      const holds = this.rules.locks === 'file' && sweeper.holds;
      yield {
        label: 'kill',
        next: { ...to({ isAlive: false, about: -1, holds }, callers), crashes: state.crashes + 1 },
      };
    }
    const name = about !== -1 && callerAt(state, about).kind === 'put' ? 'complete' : 'primary';
    switch (step) {
      case 'find': {
        const { sweepAsksOwner } = this.rules;
        const found = state.callers.findIndex(
          ({ hasWorker, isAlive: lives }) => hasWorker && !(lives && sweepAsksOwner),
        );
        if (found === -1) yield { label: 'find', next: to(end) };
        else {
          const callers = replaced(state.callers, found, { ...callerAt(state, found), isPeeked: true });
          yield { label: 'find', next: to({ step: 'peek', about: found }, callers) };
        }
        return;
      }
      case 'peek': {
        const isUnclaimed = this.#isFree(state, name) || !this.rules.sweepAsksOwner;
        const callers = about_({ isPeeked: false });
        yield { label: 'peek', next: to(isUnclaimed ? { step: 'wait' } : end, callers) };
        return;
      }
      case 'wait':
        if (!this.rules.sweepAsksOwner) yield { label: 'lock', next: to({ step: 'reclaim' }) };
        else if (this.#isFree(state, name))
          yield { label: 'lock', next: to({ step: 'reclaim', holds: true }) };
        else yield { label: 'skip', next: to(end) };
        return;
      case 'reclaim': {
        const found = callerAt(state, about);
        const next = to(end, about_({ hasWorker: false, runs: false }));
        const isRobbed = found.isAlive && found.hasWorker;
        yield { label: 'reclaim', next: isRobbed ? { ...next, broken: 'robbed' } : next };
        return;
      }
      default:
        step satisfies never;
    }
  }
}

interface Step {
  readonly label: string;
  readonly next: State;
}

/** The version of what a caller makes. */
function versionOf(index: number): number {
  return index + 1;
}

function callerAt({ callers }: State, index: number): Caller {
  const caller = callers[index];
  if (caller === undefined) throw new Error(`expected a caller ${index}`);
  return caller;
}

function withCaller(state: State, index: number, changed: Partial<Caller>): State {
  return {
    ...state,
    callers: replaced(state.callers, index, { ...callerAt(state, index), ...changed }),
  };
}

/** A result that cannot be kept: those who wait now will know. */
function marked(state: State): State {
  const callers = state.callers.map((caller) =>
    caller.isAlive && caller.waited && caller.step === 'lock' ? { ...caller, isMarked: true } : caller,
  );
  return { ...state, hasMark: true, callers };
}

function replaced<T>(values: readonly T[], index: number, value: T): readonly T[] {
  return values.map((each, at) => (at === index ? value : each));
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
