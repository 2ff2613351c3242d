import type { Counters } from '../model/counters.js';
import { CacheError, errnoOf } from '../model/error.js';
import { LockFile } from '../store/lock-file.js';
import type { PrivateState } from '../store/private-state.js';
import type { MaintainedRoot } from './maintained-root.js';
import { demandKnownFormat, demandOwnFolder } from './owner.js';
import { sumCounters } from './stats.js';

/**
 * Sets what was counted for a root to zero, in the home and in the state directory. Every file is opened before the
 * first one is changed.
 * @returns the figures that were set to zero; null where nothing was counted.
 * @throws CacheError environment when a place cannot be written or belongs to somebody else.
 */
export async function zeroCounters(root: MaintainedRoot): Promise<Counters | null> {
  const states = root.states().filter(hasSomething);
  for (const { folder } of states) {
    if (folder === root.paths.private) demandKnownFormat(root);
    demandOwnFolder(root, folder);
  }
  const opened: Opened[] = [];
  try {
    for (const state of states) opened.push({ state, lock: openLock(root, state) });
    const before: (Counters | null)[] = [];
    for (const each of opened) before.push(await zero(root, each));
    return sumCounters(before);
  } finally {
    for (const { lock } of opened) lock.close();
  }
}

interface Opened {
  readonly state: PrivateState;
  readonly lock: LockFile;
}

function hasSomething(state: PrivateState): boolean {
  return state.readCounters() !== null || state.readEventsSinceZero().length > 0;
}

function openLock(root: MaintainedRoot, state: PrivateState): LockFile {
  try {
    return new LockFile(root.host, state.lockPath);
  } catch (error) {
    throw refusal(root, error);
  }
}

async function zero(root: MaintainedRoot, { state, lock }: Opened): Promise<Counters | null> {
  try {
    return await state.zero(lock);
  } catch (error) {
    throw refusal(root, error);
  }
}

function refusal({ root }: MaintainedRoot, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === null) return error;
  return new CacheError('environment', `the counters of "${root}" cannot be set to zero (${errno})`, {
    cause: error,
  });
}
