import { rmSync } from 'node:fs';
import type { Ended } from '../../support/workbench.js';
import { Aftermath } from '../aftermath.js';
import type { Experiment, Outcome, Scope } from '../experiment.js';
import type { Operation } from '../operation.js';
import {
  BATCH_COMPILE,
  BATCH_SHORTCUT,
  FLUSH,
  GC,
  HANGING,
  HIT,
  killWhileHanging,
  OVERWRITE,
  PRUNE,
  PUT,
  PUT_IN_PLACE,
  PUT_INTO_NEW_HOME,
  QUARANTINE,
  REPAIR,
  SHORTCUT,
} from '../operations.js';
import { sweep, type Disturbance, type Reached } from '../points.js';
import type { Site } from '../site.js';
import { STANDALONE, standaloneObstacle } from '../standalone.js';
import { injecting, isAlike, tracing, tracingObstacle, type SystemCall } from '../strace.js';

const OPERATIONS = [
  PUT_INTO_NEW_HOME,
  PUT,
  PUT_IN_PLACE,
  OVERWRITE,
  REPAIR,
  HIT,
  SHORTCUT,
  FLUSH,
  PRUNE,
  GC,
  QUARANTINE,
  BATCH_COMPILE,
  BATCH_SHORTCUT,
];

/** The process dies at the entry of a system call: all earlier ones were made, and this one was not. */
export const KILL_EXPERIMENTS: readonly Experiment[] = [
  ...OPERATIONS.map((operation) => rowOf(operation)),
  ...[PUT, SHORTCUT, FLUSH, PRUNE, GC, BATCH_COMPILE, BATCH_SHORTCUT].map((operation) =>
    rowOf(operation, STANDALONE),
  ),
  {
    ...frame(HANGING.where),
    run: async (scope) =>
      sweep(scope, {
        operation: HANGING,
        enumerate: async (site) => {
          rmSync(site.bench.path('hang'));
          return whileCompiling(await site.callsOf(HANGING.words, 'first'));
        },
        disturb: async (site, call) => {
          const running = site.runBelow(killing(site, call), HANGING.words);
          return { reached: reachedBy(site, call, await killWhileHanging(site, running)) };
        },
        examine: examineOrphans,
      }),
  },
];

function frame(where: string): Omit<Experiment, 'run'> {
  const fault = 'SIGKILL at a system call';
  return { group: 'kill', fault, where, needs: ['strace'], obstacle: tracingObstacle };
}

function rowOf(operation: Operation, program: readonly string[] | null = null): Experiment {
  const { where } = operation;
  const obstacle = (): string | null => operation.obstacle?.() ?? tracingObstacle();
  if (program === null)
    return { ...frame(where), obstacle, run: async (scope) => killEverywhere(scope, operation) };
  return {
    ...frame(`${where}, standalone executable`),
    obstacle: () => obstacle() ?? standaloneObstacle(),
    run: async (scope) => killEverywhere({ ...scope, program }, operation),
  };
}

async function killEverywhere(scope: Scope, operation: Operation): Promise<Outcome> {
  return sweep(scope, {
    operation,
    enumerate: async (site) => site.callsOf(operation.words, operation.threads),
    leavesNothing: ({ text }) => LOOK.test(text),
    disturb: async (site, call) => {
      const ended = await site.runBelow(killing(site, call), operation.words);
      return { reached: reachedBy(site, call, ended) };
    },
    examine: async ({ site, point, tally, turn }) =>
      new Aftermath({ site, operation, tally, turn, what: described(site, point) }).examine(),
  });
}

function killing(site: Site, call: SystemCall): readonly string[] {
  return [...tracing(site.log, call.threads, call.name), ...injecting(call, 'signal=SIGKILL')];
}

/** What is the same behind such a call as before it: on disk, and for other processes once this one is dead. */
const LOOK =
  /^(?:(?:p?read(?:v|64|v2)?|fstat|newfstatat|statx|l?stat|readlink|access|faccessat2?|f?statfs|getdents64|lseek|close|getcwd|epoll_\w+|eventfd2)\(|openat\((?!.*O_CREAT)|write\(\d+<anon_inode:)/;

/** strace ends by the signal that ended the program. */
function reachedBy(site: Site, call: SystemCall, { signal }: Ended): Reached {
  if (signal !== 'SIGKILL') return 'nowhere';
  return isAlike(site.hitCall() ?? '', call.text) ? 'there' : 'off';
}

function described(site: Site, call: SystemCall): string {
  return `SIGKILL at ${call.name} number ${call.number}, ${site.hitCall()}`;
}

/** From the start of the compiler to the first wait for it. */
function whileCompiling(calls: readonly SystemCall[]): readonly SystemCall[] {
  const start = calls.findIndex(({ name }) => name === 'clone' || name === 'vfork');
  const end = calls.findIndex(({ name }, index) => index > start && name === 'epoll_pwait');
  return calls.slice(start, end + 1);
}

/** The compiler and a child of it, which left its group, live on; every other time `gc` comes before the next compilation. */
async function examineOrphans({ site, point, tally, turn }: Disturbance<SystemCall>): Promise<void> {
  rmSync(site.bench.path('hang'));
  const what = described(site, point);
  const words = turn % 2 === 0 ? ['gc', '-q'] : HANGING.words;
  await site.run(words);
  const left = site.bench.processes();
  if (left.length > 0) tally.addFailedNextRun(`${what}: ${words[0]} left the processes ${left.join(', ')}`);
  await new Aftermath({ site, operation: HANGING, tally, turn, what }).examine();
}
