import type { FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { Processes } from '../host/processes.js';
import type { LitterRule } from '../layouts/layout.js';
import { isLiveTaskLock } from '../layouts/wasmtime/task-locks.js';
import { ALLOWED_DRIFT_MS } from '../model/retention.js';

/** A writer of a cache finishes a temporary file within seconds; an hour covers one that was stopped for a while. */
const SAFE_AGE_MS = 3_600_000;

/**
 * True when nobody writes a file any more, by its times alone: neither its content nor its name changed within an hour.
 * Wasmtime's rule for its locks: an age of exactly the limit is past it, up to one day ahead of the clock counts as now,
 * beyond as old.
 */
export function isPastSafeAge(
  { mtimeMs, ctimeMs }: Pick<FileStat, 'mtimeMs' | 'ctimeMs'>,
  nowMs: number,
): boolean {
  return [mtimeMs, ctimeMs].every(
    (timeMs) => nowMs - timeMs >= SAFE_AGE_MS || timeMs - nowMs > ALLOWED_DRIFT_MS,
  );
}

/** `….tmp.<pid>.<n>`, `….tmp.<pid>_<n>`, `….<pid>.<n>.tmp`: writers that name themselves. */
const WRITERS = [/\.tmp\.([1-9][0-9]{0,9})[._][0-9]+$/, /\.([1-9][0-9]{0,9})\.[0-9]+\.tmp$/] as const;

/** True when a process lives that has the number which a temporary file names as its writer. */
export function hasLivingWriter(processes: Processes, name: string): boolean {
  const pid = WRITERS.map((pattern) => pattern.exec(name)?.[1]).find((digits) => digits !== undefined);
  if (pid === undefined) return false;
  const info = processes.info(Number(pid));
  return info !== null && !info.zombie;
}

/** True when a file of a known writer is litter: its writer is not at work any more. */
export function isLeftOver(
  host: Host,
  file: { readonly rule: LitterRule; readonly name: string; readonly stat: FileStat },
): boolean {
  const { rule, name, stat } = file;
  const nowMs = host.clock.nowMs();
  switch (rule) {
    case 'temporary':
      return isPastSafeAge(stat, nowMs) && !hasLivingWriter(host.processes, name);
    case 'wasmtime-lock':
      return !isLiveTaskLock(stat.mtimeMs, nowMs);
    default:
      return rule satisfies never;
  }
}
