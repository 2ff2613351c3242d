import { callerAt, isFree, replaced, type Play, type Step } from './state-changes.js';
import { NOTHING, type Caller, type Remover, type State, type Sweeper } from './world.js';

/** What a remover may do next. */
export function* removerNext(play: Play, state: State, index: number): Generator<Step> {
  const remover = state.removers[index];
  if (remover === undefined) return;
  const { step, isAlive, kind } = remover;
  if (!isAlive || step === 'ended') return;
  const to = (changed: Partial<Remover>, rest: Partial<State> = {}): State => ({
    ...state,
    ...rest,
    removers: replaced(state.removers, index, { ...remover, ...changed }),
  });
  const { removal, removersLock, removersWait, locks } = play.rules;
  if (state.crashes < play.world.crashes && step !== 'begin') {
    const released = locks === 'file' ? {} : { hasComplete: false, hasPrimary: false };
    yield { label: 'kill', next: { ...to({ isAlive: false, ...released }), crashes: state.crashes + 1 } };
  }
  const first = kind === 'collect' ? 'collect' : (removal[0] ?? 'unlock');
  switch (step) {
    case 'begin':
      if (!removersLock) yield { label: 'lock', next: to({ step: first }) };
      else if (isFree(play, state, 'complete'))
        yield { label: 'lock', next: to({ step: removersWait ? 'wait' : first, hasComplete: true }) };
      else yield { label: 'skip', next: to({ step: 'ended' }) };
      return;
    case 'wait':
      if (isFree(play, state, 'primary'))
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

/** What the sweep may do next. */
export function* sweeperNext(play: Play, state: State): Generator<Step> {
  const { sweeper } = state;
  const { step, isAlive, about } = sweeper;
  if (!isAlive || step === 'ended') return;
  const to = (changed: Partial<Sweeper>, callers = state.callers): State => ({
    ...state,
    callers,
    sweeper: { ...sweeper, ...changed },
  });
  const withAbout = (changed: Partial<Caller>): readonly Caller[] =>
    replaced(state.callers, about, { ...callerAt(state, about), ...changed });
  const end = { step: 'ended', about: -1, holds: false } as const;
  if (state.crashes < play.world.crashes && step !== 'find') {
    const callers = about === -1 ? state.callers : withAbout({ isPeeked: false });
    const holds = play.rules.locks === 'file' && sweeper.holds;
    yield {
      label: 'kill',
      next: { ...to({ isAlive: false, about: -1, holds }, callers), crashes: state.crashes + 1 },
    };
  }
  const name = about !== -1 && callerAt(state, about).kind === 'put' ? 'complete' : 'primary';
  switch (step) {
    case 'find': {
      const { sweepAsksOwner } = play.rules;
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
      const isUnclaimed = isFree(play, state, name) || !play.rules.sweepAsksOwner;
      const callers = withAbout({ isPeeked: false });
      yield { label: 'peek', next: to(isUnclaimed ? { step: 'wait' } : end, callers) };
      return;
    }
    case 'wait':
      if (!play.rules.sweepAsksOwner) yield { label: 'lock', next: to({ step: 'reclaim' }) };
      else if (isFree(play, state, name)) yield { label: 'lock', next: to({ step: 'reclaim', holds: true }) };
      else yield { label: 'skip', next: to(end) };
      return;
    case 'reclaim': {
      const found = callerAt(state, about);
      const next = to(end, withAbout({ hasWorker: false, runs: false }));
      const isRobbed = found.isAlive && found.hasWorker;
      yield { label: 'reclaim', next: isRobbed ? { ...next, broken: 'robbed' } : next };
      return;
    }
    default:
      step satisfies never;
  }
}
