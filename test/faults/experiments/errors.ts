import type { Ended } from '../../support/workbench.js';
import { Aftermath } from '../aftermath.js';
import type { Experiment, Outcome, Scope } from '../experiment.js';
import type { Operation } from '../operation.js';
import {
  BATCH_COMPILE,
  BATCH_SHORTCUT,
  FAILING_COMPILER,
  FLUSH,
  GC,
  HIT,
  OVERWRITE,
  PRUNE,
  PUT,
  PUT_IN_PLACE,
  PUT_INTO_NEW_HOME,
  QUARANTINE,
  SHORTCUT,
} from '../operations.js';
import { sweep, type Disturbance, type Reached } from '../points.js';
import { isInternal, type Site } from '../site.js';
import { STANDALONE, standaloneObstacle } from '../standalone.js';
import { injecting, isAlike, tracing, tracingObstacle, type SystemCall } from '../strace.js';

/** What a call may answer, by what it does: what its manual page, or a network file system, knows. */
const ERRORS: readonly (readonly [calls: RegExp, errors: readonly string[]])[] = [
  [/^openat\(.*O_CREAT/, ['ENOSPC', 'EIO', 'EDQUOT', 'EROFS', 'EACCES', 'EMFILE', 'EINTR']],
  [/^openat\(/, ['EIO', 'EACCES', 'EMFILE', 'EINTR']],
  [/^(?:mkdir|rename|link)(?:at2?)?\(/, ['ENOSPC', 'EIO', 'EDQUOT', 'EROFS', 'EACCES']],
  [/^(?:unlink|rmdir|unlinkat|utimensat|fchmod|chmod)\(/, ['EIO', 'EROFS', 'EACCES']],
  [/^(?:p?write(?:v|64|v2)?|ftruncate|copy_file_range)\(/, ['ENOSPC', 'EIO', 'EDQUOT', 'EINTR']],
  [/^(?:fsync|fdatasync)\(/, ['ENOSPC', 'EIO', 'EDQUOT']],
  [/^(?:p?read(?:v|64|v2)?|close|fcntl)\(/, ['EIO', 'EINTR']],
  [/^(?:statx|newfstatat|l?stat|fstat|readlink|access|faccessat2?|statfs|fstatfs)\(/, ['EIO', 'EACCES']],
  [/^getdents64\(/, ['EIO']],
];

/**
 * No error of these is ours: the streams that the user gave, which a compiler would find closed as well, and what the
 * kernel keeps in memory alone.
 */
const NOT_ON_DISK = /^\w+\((?:[012]<|\d+<(?:pipe|socket|anon_inode):)/;

interface Point {
  readonly call: SystemCall;
  readonly error: string;
}

/** Every error that each call may answer. */
function pointsOf(calls: readonly SystemCall[]): readonly Point[] {
  return calls
    .filter(({ text }) => !NOT_ON_DISK.test(text))
    .flatMap((call) => {
      const [, errors = []] = ERRORS.find(([pattern]) => pattern.test(call.text)) ?? [];
      return errors.map((error) => ({ call, error }));
    });
}

const OPERATIONS = [
  PUT_INTO_NEW_HOME,
  PUT,
  PUT_IN_PLACE,
  OVERWRITE,
  HIT,
  SHORTCUT,
  FAILING_COMPILER,
  FLUSH,
  PRUNE,
  GC,
  QUARANTINE,
  BATCH_COMPILE,
  BATCH_SHORTCUT,
];

/** One call fails; all others go on as they would. */
export const ERROR_EXPERIMENTS: readonly Experiment[] = [
  ...OPERATIONS.map((operation) => rowOf(operation)),
  ...[PUT, OVERWRITE, HIT, SHORTCUT, FLUSH, PRUNE, GC, QUARANTINE, BATCH_COMPILE, BATCH_SHORTCUT].map(
    (operation) => rowOf(operation, STANDALONE),
  ),
];

function rowOf(operation: Operation, program: readonly string[] | null = null): Experiment {
  return {
    group: 'error',
    fault: 'an error of a system call',
    where: program === null ? operation.where : `${operation.where}, standalone executable`,
    needs: ['strace'],
    obstacle: () =>
      operation.obstacle?.() ?? tracingObstacle() ?? (program === null ? null : standaloneObstacle()),
    run: async (scope) => failEverywhere({ ...scope, program: program ?? scope.program }, operation),
  };
}

async function failEverywhere(scope: Scope, operation: Operation): Promise<Outcome> {
  return sweep(scope, {
    operation,
    enumerate: async (site) => pointsOf(await site.callsOf(operation.words, operation.threads)),
    disturb: async (site, point) => fail(site, point, operation),
    examine: async (context, disturbed) => examine(context, operation, disturbed),
  });
}

interface Failed {
  readonly ended: Ended;
  /** The call that failed, as strace shows it. */
  readonly hit: string;
}

async function fail(
  site: Site,
  { call, error }: Point,
  { words }: Operation,
): Promise<Failed & { readonly reached: Reached }> {
  const tracer = [...tracing(site.log, call.threads, call.name), ...injecting(call, `error=${error}`)];
  const isMissed = (text: string): boolean => reachedBy(text, call) === 'nowhere';
  const ended = await site.runBelowUnless(isMissed, tracer, words);
  const hit = site.hitCall() ?? '';
  return { ended, hit, reached: reachedBy(hit, call) };
}

function reachedBy(text: string, call: SystemCall): Reached {
  const isOurs = !NOT_ON_DISK.test(text) && !isInternal({ ...call, text });
  if (!text.includes('(INJECTED)') || !isOurs) return 'nowhere';
  return isAlike(text, call.text) ? 'there' : 'off';
}

async function examine(
  { site, point: { call, error }, tally, turn }: Disturbance<Point>,
  operation: Operation,
  { ended, hit }: Failed,
): Promise<void> {
  const what = `${error} of ${call.name} number ${call.number}, ${hit}`;
  const aftermath = new Aftermath({ site, operation, tally, turn, what });
  aftermath.judgeDisturbed(ended);
  await aftermath.examine();
}
