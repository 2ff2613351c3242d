import { rmSync } from 'node:fs';
import { Aftermath } from '../aftermath.js';
import type { Experiment, Outcome, Scope, Tally } from '../experiment.js';
import type { Operation } from '../operation.js';
import {
  BATCH_COMPILE,
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
} from '../operations.js';
import { sweep } from '../points.js';
import type { Site } from '../site.js';
import { STANDALONE, standaloneObstacle } from '../standalone.js';
import { injecting, tracing, tracingObstacle, type SystemCall } from '../strace.js';

const OPERATIONS = [
  PUT_INTO_NEW_HOME,
  PUT,
  PUT_IN_PLACE,
  OVERWRITE,
  REPAIR,
  HIT,
  FLUSH,
  PRUNE,
  GC,
  QUARANTINE,
  BATCH_COMPILE,
];

/** The process dies at the entry of a system call: all earlier ones were made, and this one was not. */
export const KILL_EXPERIMENTS: readonly Experiment[] = [
  ...OPERATIONS.map((operation) => rowOf(operation.where, async (scope) => killEverywhere(scope, operation))),
  {
    ...rowOf(`${PUT.where}, standalone executable`, async (scope) =>
      killEverywhere({ ...scope, program: STANDALONE }, PUT),
    ),
    obstacle: () => tracingObstacle() ?? standaloneObstacle(),
  },
  rowOf(HANGING.where, async (scope) =>
    sweep(scope, {
      operation: HANGING,
      enumerate: async (site) => {
        rmSync(site.bench.path('hang'));
        return whileCompiling(await site.callsOf(HANGING.words, 'first'));
      },
      disturb: killWithOrphans,
    }),
  ),
];

function rowOf(where: string, run: Experiment['run']): Experiment {
  return {
    group: 'kill',
    fault: 'SIGKILL at a system call',
    where,
    needs: ['strace'],
    obstacle: tracingObstacle,
    run,
  };
}

async function killEverywhere(scope: Scope, operation: Operation): Promise<Outcome> {
  return sweep(scope, {
    operation,
    enumerate: async (site) => site.callsOf(operation.words, operation.threads),
    disturb: async (site, call, tally) => {
      const { signal } = await site.runBelow(killing(site, call), operation.words);
      if (signal !== 'SIGKILL') return;
      tally.addPoint();
      await new Aftermath({ site, operation, tally, what: described(site, call) }).examine();
    },
  });
}

function killing(site: Site, call: SystemCall): readonly string[] {
  return [...tracing(site.log, call.threads, call.name), ...injecting(call, 'signal=SIGKILL')];
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
async function killWithOrphans(site: Site, call: SystemCall, tally: Tally): Promise<void> {
  const { signal } = await killWhileHanging(site, site.runBelow(killing(site, call), HANGING.words));
  if (signal !== 'SIGKILL') return;
  tally.addPoint();
  rmSync(site.bench.path('hang'));
  const what = described(site, call);
  const words = tally.outcome().points % 2 === 0 ? ['gc', '-q'] : HANGING.words;
  await site.run(words);
  const left = site.bench.processes();
  if (left.length > 0) tally.addFailedNextRun(`${what}: ${words[0]} left the processes ${left.join(', ')}`);
  await new Aftermath({ site, operation: HANGING, tally, what }).examine();
}
