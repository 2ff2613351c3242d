import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childProgram } from '../../support/child-program.js';
import type { Running, Workbench } from '../../support/workbench.js';
import { Tally, type Experiment, type Outcome, type Scope } from '../experiment.js';
import { eventually } from '../../support/eventually.js';
import { Herd, judgeLitter, outcomeNow, prepareHerd } from '../herd.js';
import { withBench } from '../with-bench.js';

const CHILD = fileURLToPath(new URL('../../support/children/compile-and-compare.ts', import.meta.url));
const KINDS = 40;
const KILL_PAUSE_MS = 400;
/** Notes each of its runs, and goes on until the race is over. */
const WHILE_RACING = 'echo run >> runs\nwhile [ ! -e stop ]; do sleep 0.05; done\ntr a-z A-Z < "$1" > "$2"';

/** Processes that compile, of whom some are killed, beside others that look after the same home without a pause. */
export const RACE_EXPERIMENTS: readonly Experiment[] = [
  {
    group: 'race',
    fault: 'gc and verify in loops, SIGKILL at random',
    where: '8 processes that compile',
    needs: [],
    run: async (scope) => race(scope, false),
  },
  {
    group: 'race',
    fault: 'prune, gc and verify in loops, SIGKILL at random',
    where: '8 processes that compile',
    needs: [],
    run: async (scope) => race(scope, true),
  },
];

interface Counts {
  stored: number;
  hits: number;
  kills: number;
  removed: number;
}

/** Where nothing is pruned no entry may vanish. */
async function race(scope: Scope, prunes: boolean): Promise<Outcome> {
  const tally = new Tally();
  const counts: Counts = { stored: 0, hits: 0, kills: 0, removed: 0 };
  await withBench(async (bench) => {
    const program = await childProgram(CHILD, bench.folder);
    const start = (number: number): Running =>
      bench.spawn(process.execPath, [program, bench.root, bench.project, String(number), String(KINDS)]);
    const children = Array.from({ length: scope.isFull ? 8 : 4 }, (_, number) => start(number));
    const longest = Herd.start(bench, 1, {}, WHILE_RACING);
    await eventually('it compiles', () => bench.lines('runs') === 1);
    const young = join(bench.root, '.vyre-cache', 'new', 'young');
    mkdirSync(young);
    const endMs = performance.now() + (scope.isFull ? 60_000 : 5000);
    const goesOn = (): boolean => performance.now() < endMs && !scope.signal.aborted;
    const commands = [['verify'], ['gc'], ...(prunes ? [['prune', '--max-entries', '10']] : [])];
    await Promise.all([
      ...commands.map(async (command) => loop(bench, tally, { command, counts, goesOn })),
      killing(scope, { children, start, counts, goesOn }),
      prunes ? null : watchEntries(bench, tally, goesOn),
    ]);
    bench.write('stop', '');
    await collect(tally, children, counts);
    await longest.judge(tally, 'a compilation that took as long as the race');
    const outcome = await outcomeNow(bench, tally, { name: 'its artifact' });
    const isKept = outcome === 'disk' || (prunes && outcome === 'compiled');
    if (!isKept || bench.lines('runs') !== (outcome === 'disk' ? 1 : 2))
      tally.addLost(`the worker of a compilation that took as long as the race: ${outcome}`);
    if (!existsSync(young)) tally.addLost('what was staged a moment ago');
    for (let point = 0; point < counts.stored + counts.hits + counts.kills; point += 1) tally.addPoint();
    prepareHerd(bench);
    await maintain(bench, tally, { command: ['verify'], counts });
    await judgeLitter(bench, tally, 'afterwards');
  });
  const { stored, hits, kills, removed } = counts;
  return tally.outcome(`${stored} compiled, ${hits} hits, ${kills} killed, ${removed} removed`);
}

interface Loop {
  readonly command: readonly string[];
  readonly counts: Counts;
  readonly goesOn: () => boolean;
}

async function loop(bench: Workbench, tally: Tally, { command, counts, goesOn }: Loop): Promise<void> {
  while (goesOn()) await maintain(bench, tally, { command, counts });
}

interface Report {
  readonly damaged?: number;
  readonly problems?: readonly unknown[];
  readonly failures?: readonly unknown[];
  readonly removedCount?: number;
}

async function maintain(
  bench: Workbench,
  tally: Tally,
  { command, counts }: Pick<Loop, 'command' | 'counts'>,
): Promise<void> {
  if (!existsSync(bench.root)) return;
  const { status, stdout, stderr } = await bench.run([...command, '--json']);
  const told = `${command[0]} ended with ${status}: ${stdout.toString('utf8')}${stderr.toString('utf8')}`;
  if (status !== 0) {
    tally.addFailedNextRun(told);
    return;
  }
  const { problems = [], failures = [], removedCount = 0 } = JSON.parse(stdout.toString('utf8')) as Report;
  if (problems.length > 0 || failures.length > 0) tally.addFailedNextRun(told);
  counts.removed += removedCount;
}

/** Kills one of the processes that compile now and then, and starts another one in its place. */
async function killing(
  scope: Scope,
  given: {
    readonly children: Running[];
    readonly start: (number: number) => Running;
    readonly counts: Counts;
    readonly goesOn: () => boolean;
  },
): Promise<void> {
  const { children, start, counts, goesOn } = given;
  while (goesOn()) {
    await pause(scope.random() * KILL_PAUSE_MS);
    const number = Math.floor(scope.random() * children.length);
    children[number]?.kill('SIGKILL');
    counts.kills += 1;
    await children[number]?.ended;
    children[number] = start(number);
  }
}

async function watchEntries(bench: Workbench, tally: Tally, goesOn: () => boolean): Promise<void> {
  const seen = new Set<string>();
  while (goesOn()) {
    const there = new Set(bench.entries());
    const gone = [...seen].filter((fingerprint) => !there.has(fingerprint));
    for (const fingerprint of gone) {
      tally.addLost(fingerprint);
      seen.delete(fingerprint);
    }
    for (const fingerprint of there) seen.add(fingerprint);
    await pause(20);
  }
}

interface Compared {
  readonly stored: number;
  readonly hits: number;
  readonly others: readonly string[];
}

/** Those who were not killed tell what they have seen. */
async function collect(tally: Tally, children: readonly Running[], counts: Counts): Promise<void> {
  for (const child of children) {
    const { status, signal, stdout, stderr } = await child.ended;
    if (status !== 0) {
      tally.addFailedNextRun(`a caller ended with ${status ?? signal}: ${stderr.toString('utf8')}`);
      continue;
    }
    const { stored, hits, others } = JSON.parse(stdout.toString('utf8')) as Compared;
    counts.stored += stored;
    counts.hits += hits;
    for (const other of others) tally.addWrongBytes(other);
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
