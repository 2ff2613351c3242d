import { lutimesSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.js';
import { GATE } from '../../support/gate.js';
import { EXECUTABLE } from '../../support/program.js';
import type { RunOptions, Workbench } from '../../support/workbench.js';
import { Tally, type Experiment, type Outcome, type Scope } from '../experiment.js';
import { Herd, judgeAftermath, outcomeNow, prepareHerd, SLOW_COMPILER } from '../herd.js';
import { withBench } from '../with-bench.js';

const TEN_YEARS_MS = 10 * 365 * 86_400_000;
const JUMPS = [TEN_YEARS_MS, -TEN_YEARS_MS] as const;

/** Clocks that are ten years off: those of processes, and so the times that they write, and those of files. */
export const CLOCK_EXPERIMENTS: readonly Experiment[] = [
  {
    group: 'race',
    fault: 'a clock ten years off, either way',
    where: 'compile, gc, verify, flush',
    needs: [],
    obstacle: () => (EXECUTABLE === null ? null : 'needs Node, whose clock a preloaded module replaces'),
    run: clocks,
  },
  {
    group: 'race',
    fault: 'files ten years off, either way',
    where: 'the whole home',
    needs: [],
    run: fileTimes,
  },
];

/** What a process gets whose time of day is another one. */
function withClock(bench: Workbench, jumpMs: number): RunOptions {
  const path = bench.write(
    `clock-${jumpMs}.cjs`,
    `const now = Date.now; Date.now = () => now() + ${jumpMs};\n`,
  );
  return { environment: { NODE_OPTIONS: `--require=${path}` } };
}

async function clocks(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  for (const jumpMs of JUMPS) {
    for (const trial of [mixedHerd, deadOwner, collectionBeside, rememberedFailure]) {
      if (scope.signal.aborted) break;
      tally.addPoint();
      await withBench(async (bench) => trial(bench, tally, jumpMs));
    }
  }
  return tally.outcome();
}

/** Every other one of them lives in another time. */
async function mixedHerd(bench: Workbench, tally: Tally, jumpMs: number): Promise<void> {
  const name = `callers of whom every other one is ${jumpMs} ms off`;
  const clock = withClock(bench, jumpMs);
  await Herd.start(bench, 6, { run: (index) => (index % 2 === 0 ? clock : {}) }).judge(tally, name);
  const compilations = bench.lines('runs');
  if (compilations !== 1) tally.addFailedNextRun(`${name}: ${compilations} compilations`);
  const again = await outcomeNow(bench, tally, { name, options: clock });
  if (again !== 'disk') tally.addLost(`${name}: ${again}`);
  await judgeAftermath(bench, tally, name);
}

/** Somebody in another time was killed while he compiled. */
async function deadOwner(bench: Workbench, tally: Tally, jumpMs: number): Promise<void> {
  const name = `an owner ${jumpMs} ms off who was killed`;
  prepareHerd(bench);
  const herd = Herd.start(bench, 1, { run: () => withClock(bench, jumpMs) });
  await eventually('it compiles', () => bench.lines('runs') === 1);
  herd.killOne(() => 0);
  await herd.judge(tally, name);
  const outcome = await outcomeNow(bench, tally, { name });
  if (outcome !== 'compiled') tally.addFailedNextRun(`${name}: ${outcome}`);
  await judgeAftermath(bench, tally, name);
}

/** Those who look after the home in another time take nothing from who compiles, and nothing that is kept. */
async function collectionBeside(bench: Workbench, tally: Tally, jumpMs: number): Promise<void> {
  const name = `gc, verify and flush ${jumpMs} ms off`;
  const herd = Herd.start(bench, 2, {}, `${GATE}\n${SLOW_COMPILER}`);
  await eventually('it compiles', () => bench.lines('started') === 1);
  for (const command of ['gc', 'verify', 'flush', 'stats'])
    await demandSuccess(bench, tally, { command, name, options: withClock(bench, jumpMs) });
  bench.write('go', '');
  await herd.judge(tally, name);
  const compilations = bench.lines('runs');
  if (compilations !== 1) tally.addFailedNextRun(`${name}: ${compilations} compilations`);
  await demandSuccess(bench, tally, { command: 'gc', name, options: withClock(bench, jumpMs) });
  await judgeAftermath(bench, tally, name);
}

/** A failure that was remembered in another time holds for nobody, or ends at once: the compiler is asked again. */
async function rememberedFailure(bench: Workbench, tally: Tally, jumpMs: number): Promise<void> {
  const name = `a failure that was remembered ${jumpMs} ms off`;
  const words = prepareFailure(bench);
  const first = await bench.run(words, withClock(bench, jumpMs));
  const second = await bench.run(words);
  if (first.status !== 1 || second.status !== 1)
    tally.addFailedNextRun(`${name}: ended with ${first.status} and ${second.status}`);
  if (bench.lines('runs') !== 2)
    tally.addFailedNextRun(`${name}: the compiler was run ${bench.lines('runs')} times`);
}

/** Writes a compiler that fails. @returns the words that call it. */
function prepareFailure(bench: Workbench): readonly string[] {
  bench.write('in.wat', '(module)');
  bench.script(
    'wat2wasm',
    '[ "$1" = --version ] && echo 1.0 && exit 0\necho run >> runs\necho no >&2; exit 1',
  );
  return ['compile', 'in.wat', '-o', 'out.wasm', '--', './wat2wasm', '{input}', '-o', '{output}'];
}

async function demandSuccess(
  bench: Workbench,
  tally: Tally,
  call: { readonly command: string; readonly name: string; readonly options?: RunOptions },
): Promise<void> {
  const { status, stderr } = await bench.run([call.command], call.options);
  if (status !== 0)
    tally.addFailedNextRun(`${call.name}: ${call.command} ended with ${status}, ${stderr.toString('utf8')}`);
}

/** Entries, records, locks, counters, lists, the directory of a killed owner: all from another time. */
async function fileTimes(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  for (const jumpMs of JUMPS) {
    if (scope.signal.aborted) break;
    await withBench(async (bench) => {
      const name = `files ${jumpMs} ms off`;
      prepareHerd(bench);
      const herd = Herd.start(bench, 1);
      await eventually('it compiles', () => bench.lines('runs') === 1);
      herd.killOne(() => 0);
      await herd.judge(tally, name);
      const jump = (): void => {
        for (const path of filesBelow(bench.root)) setTime(path, jumpMs, tally);
      };
      jump();
      const taken = await outcomeNow(bench, tally, { name });
      if (taken !== 'compiled') tally.addFailedNextRun(`${name}: ${taken} in the place of the killed`);
      jump();
      for (const command of ['gc', 'verify', 'flush', 'stats'])
        await demandSuccess(bench, tally, { command, name });
      await judgeAftermath(bench, tally, name);
      await failureOfThen(bench, tally, { name, jump });
    });
  }
  return tally.outcome();
}

/** A failure is as old as its record says, whatever the times of the file. */
async function failureOfThen(
  bench: Workbench,
  tally: Tally,
  { name, jump }: { readonly name: string; readonly jump: () => void },
): Promise<void> {
  bench.write('runs', '');
  const words = prepareFailure(bench);
  await bench.run(words);
  jump();
  const { status } = await bench.run(words);
  if (status !== 1 || bench.lines('runs') !== 1)
    tally.addFailedNextRun(`${name}: a failure ended with ${status} after ${bench.lines('runs')} runs`);
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
}

function setTime(path: string, jumpMs: number, tally: Tally): void {
  const seconds = (Date.now() + jumpMs) / 1000;
  lutimesSync(path, seconds, seconds);
  tally.addPoint();
}
