import { readdirSync, readlinkSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Workbench } from './workbench.js';

/** Lines of a compiler script that note its start in `started` and wait until the test opens the gate. */
export const GATE = ['echo $$ >> started', 'while [ ! -e go ]; do sleep 0.02; done'].join('\n');

/** True when the process has the cache's lock file open: it compiles, waits, or is about to do either. */
export function hasLockOpen(bench: Workbench, pid: number): boolean {
  const lock = join(bench.root, '.vyre-cache', 'lock');
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === lock);
  } catch {
    // A descriptor that was closed in between, or a process that has ended.
    return false;
  }
}

/** Who owns the one compilation in flight; null while there is none. */
export function ownerPid(bench: Workbench): number | null {
  const [worker] = bench.workers();
  if (worker === undefined) return null;
  try {
    const [line = ''] = readFileSync(join(bench.root, worker, 'owner'), 'utf8').split('\n');
    const owner: unknown = JSON.parse(line);
    return (owner as { readonly pid: number }).pid;
  } catch {
    return null;
  }
}

/** True while the process lives; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
