import { spawnSync } from 'node:child_process';
import { findTool } from '../support/tools.js';

/** Why strace may not trace here; null: it may, or is missing, which the row's `needs` says. */
export function tracingObstacle(): string | null {
  const strace = findTool('strace');
  if (strace === null) return null;
  const tried = spawnSync(strace, ['-qq', '-o', '/dev/null', 'true'], { stdio: 'ignore' });
  return tried.status === 0 ? null : 'strace may not trace here (ptrace is not permitted)';
}

/** One system call of a traced program. */
export interface SystemCall {
  readonly name: string;
  /** Among the calls of this name of its thread, from 1. */
  readonly number: number;
  /** With its arguments, as strace shows it. */
  readonly text: string;
  /** Where it is made: `all` for a thread beside the first, whichever makes that many such calls first. */
  readonly threads: Threads;
}

/** The first thread alone is followed, which makes all calls but a few; or all threads. */
export type Threads = 'first' | 'all';

/** The words in front of a program that write its calls to `log`; descriptors are shown with their paths. */
export function tracing(log: string, threads: Threads, calls: string): readonly string[] {
  const follow = threads === 'all' ? ['-f'] : [];
  return [findTool('strace') ?? '', ...follow, '-qq', '-y', '-s', '64', '-o', log, '-e', `trace=${calls}`];
}

/** The words that make something happen at one call, which then does not take place. */
export function injecting({ name, number }: SystemCall, effect: string): readonly string[] {
  return ['-e', `inject=${name}:${effect}:when=${number}`];
}

/** The calls of a log, in their order. One that those of other threads interrupted counts where it began. */
export function callsIn(log: string): readonly SystemCall[] {
  const counts = new Map<string, number>();
  let first: string | null = null;
  return log.split('\n').flatMap((line) => {
    const { thread = '', text, name } = CALL.exec(line)?.groups ?? {};
    if (name === undefined || text === undefined) return [];
    first ??= thread;
    const key = `${thread} ${name}`;
    const number = (counts.get(key) ?? 0) + 1;
    counts.set(key, number);
    return [{ name, number, text, threads: thread === first ? 'first' : 'all' }];
  });
}

/** True when both do the same to the same place; numbers, and names that are made up, differ from run to run. */
export function isAlike(one: string, other: string): boolean {
  return placeOf(one) === placeOf(other);
}

function placeOf(text: string): string {
  const [place = ''] = /^\w+\((?:AT_FDCWD(?:<[^>]*>)?, )?[^,)]*/.exec(text) ?? [];
  return place.replaceAll(/[0-9a-f]{16,}|\d+/g, '#');
}

const CALL = /^(?:(?<thread>\d+) +)?(?<text>(?<name>\w+)\(.*)$/;
