import type { Tally } from '../model/counters.js';
import { errnoOf } from '../model/error.js';
import {
  dropTaken,
  EVERY,
  noteAll,
  takePending,
  type PendingHome,
  type TakenNotes,
} from '../store/pending-list.js';
import { EntrySync } from './entry-sync.js';
import { OURS, type MaintainedRoot } from './maintained-root.js';
import { isOwner } from './owner.js';
import type { FlushReport, ListProblem } from './reports.js';

export interface FlushedRoot extends MaintainedRoot {
  readonly tally: Tally;
}

/**
 * Makes every entry durable that was stored before it began. Deletes no entry. Killed at any moment it loses no note:
 * the next one does the work again.
 */
export async function flush(root: FlushedRoot): Promise<FlushReport> {
  const entries = new EntrySync(root);
  const listProblem = OURS.has(root.kind()) ? await syncPending(root, entries) : null;
  const { flushed, gone, failed, pending, failures } = entries;
  root.tally.add('flushes');
  root.tally.add('flushErrors', failed.length);
  return {
    root: root.root,
    flushed: flushed.length,
    gone,
    failed: failed.length,
    pending: pending.length,
    failures,
    listProblem,
  };
}

async function syncPending(root: MaintainedRoot, entries: EntrySync): Promise<ListProblem | null> {
  const access = openList(root);
  if (!access.ok) {
    await entries.sync(EVERY, null);
    return access.problem;
  }
  const { home } = access;
  const taking = await takePending(root.host, home);
  if (!taking.taken) {
    await entries.sync(EVERY, null);
    return problemOf(taking.error);
  }
  const { notes } = taking;
  await entries.sync(notes, home.lock);
  return (await settle(entries, home, notes)) ?? (notes.problem === null ? null : problemOf(notes.problem));
}

type ListAccess =
  | { readonly ok: true; readonly home: PendingHome }
  /** `problem` null: the root has no list of ours. */
  | { readonly ok: false; readonly problem: ListProblem | null };

/**
 * The list of a home that is ours. Elsewhere every entry is synced and the list stays as it is: without locks nobody
 * can say whether an absent entry is about to appear, and its owner could not append to a list that another user made.
 */
function openList(root: MaintainedRoot): ListAccess {
  if (root.kind() !== 'home') return { ok: false, problem: null };
  const lock = isOwner(root) ? root.openLock({ make: true }) : null;
  if (lock === null) return { ok: false, problem: { kind: 'unwritable', error: null } };
  if (!lock.excludesProcesses) return { ok: false, problem: { kind: 'unlocked', error: null } };
  return { ok: true, home: { paths: root.paths, lock } };
}

/** Notes again what stays, then forgets the lists. Whatever fails, the lists stay, and with them every note. */
async function settle(
  { host, staying }: EntrySync,
  home: PendingHome,
  notes: TakenNotes,
): Promise<ListProblem | null> {
  if (staying.length > 0) {
    const noting = await noteAll(host, home, staying);
    if (!noting.noted) return problemOf(noting.error);
  }
  try {
    dropTaken(host, notes);
    return null;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    return problemOf(errno);
  }
}

function problemOf(error: string | null): ListProblem {
  const isForbidden = error === 'EROFS' || error === 'EACCES' || error === 'EPERM';
  return { kind: isForbidden ? 'unwritable' : 'failed', error };
}
