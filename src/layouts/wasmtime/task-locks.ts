import { lstatOrNull } from '../../host/files.js';
import type { Host } from '../../host/host.js';
import { ALLOWED_DRIFT_MS } from '../../model/retention.js';

/** wasmtime: whoever holds a lock for longer was killed. */
const TASK_TIMEOUT_MS = 1_800_000;

/**
 * wasmtime: a lock is a file, and it holds while it is younger than 30 minutes. Up to one day ahead of the clock is a
 * clock that was put right, and it holds as well; beyond it does not.
 */
export function isLiveTaskLock(mtimeMs: number, nowMs: number): boolean {
  return nowMs - mtimeMs < TASK_TIMEOUT_MS && mtimeMs - nowMs <= ALLOWED_DRIFT_MS;
}

const LOCK_NAME = /^([A-Za-z0-9_-]{43})\.wip-/;

/**
 * The modules that a wasmtime works on: recompresses them, or writes them or their statistics. Which process does is in
 * the name of its lock, so the whole folder is searched. A lock that cannot be looked at holds nothing.
 */
export function heldModules(host: Host, folder: string): ReadonlySet<string> {
  const nowMs = host.clock.nowMs();
  const held = new Set<string>();
  host.files.scanDirectory(folder, ({ name }) => {
    const stem = LOCK_NAME.exec(name)?.[1];
    if (stem === undefined) return true;
    const stat = lstatOrNull(host.files, `${folder}/${name}`);
    if (stat !== null && isLiveTaskLock(stat.mtimeMs, nowMs)) held.add(stem);
    return true;
  });
  return held;
}
