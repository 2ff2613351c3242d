import type { Counters } from '../model/counters.js';
import { CacheError, errnoOf } from '../model/error.js';
import { LockFile } from '../store/lock-file.js';
import type { PrivateState } from '../store/private-state.js';
import type { MaintainedRoot } from './maintained-root.js';
import { sumCounters } from './stats.js';

/**
 * Sets what was counted for a root to zero, in the home and in the state directory. Every file is opened before the
 * first one is changed.
 * @returns the figures that were set to zero; null where nothing was counted.
 * @throws CacheError environment when a place cannot be written or belongs to somebody else.
 */
export async function zeroCounters(root: MaintainedRoot): Promise<Counters | null> {
  const states = root.states().filter(hasSomething);
  for (const state of states) demandOwn(root, state);
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

/** Root too: a file of root's in a folder of somebody else's would lock its owner out. */
function demandOwn(maintained: MaintainedRoot, { folder }: PrivateState): void {
  const { host, root, paths } = maintained;
  const { uid } = host.user;
  if (folder === paths.private && maintained.kind() === 'newer-home') {
    throw new CacheError('environment', `"${root}" was written by a newer version of vyre-cache`);
  }
  const there = host.files.lstat(folder);
  if (there?.uid === uid) return;
  throw new CacheError(
    'environment',
    `expected counters of yours, but "${folder}" belongs to user ${there?.uid ?? 'nobody'}`,
    { hint: `Run the command as the owner of "${root}".` },
  );
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
