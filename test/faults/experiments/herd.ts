import { mkdirSync } from 'node:fs';
import { GATE } from '../../support/gate.js';
import { mountingWords, NO_MOUNTS } from '../../support/mount-namespace.js';
import type { Workbench } from '../../support/workbench.js';
import { Tally, type Experiment, type Outcome, type Scope } from '../experiment.js';
import { Herd, herdWords, judgeAftermath, judgeLitter, prepareHerd, SLOW_COMPILER } from '../herd.js';
import { withBench } from '../with-bench.js';

const MAX_PAUSE_MS = 250;

/** Many processes that ask for one absent key at once. */
export const HERD_EXPERIMENTS: readonly Experiment[] = [
  {
    group: 'race',
    fault: '16 and 64 callers at once',
    where: 'compile of one key',
    needs: [],
    run: together,
  },
  {
    group: 'race',
    fault: 'SIGKILL of who compiles',
    where: '16 and 64 callers of one key',
    needs: [],
    run: killed,
  },
  {
    group: 'race',
    fault: 'a result that cannot be stored',
    where: 'callers of one key',
    needs: ['unshare'],
    obstacle: () => (mountingWords() === null ? NO_MOUNTS : null),
    run: unstorable,
  },
  {
    group: 'race',
    fault: 'a compiler that calls us again',
    where: 'callers of one key',
    needs: [],
    run: recursive,
  },
];

/** Of herds whose size makes no difference. */
function sizeOf({ isFull }: Scope): number {
  return isFull ? 16 : 6;
}

/** Bounded: one herd of 16. */
function sizes({ isFull }: Scope): readonly number[] {
  return isFull ? [16, 64, 16, 64, 16, 64] : [16];
}

async function together(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  let compilations = 0;
  for (const size of sizes(scope)) {
    if (scope.signal.aborted) break;
    await withBench(async (bench) => {
      const name = `${size} callers`;
      const herd = Herd.start(bench, size, {}, `${GATE}\n${SLOW_COMPILER}`);
      await herd.gather();
      await herd.judge(tally, name);
      for (let caller = 0; caller < size; caller += 1) tally.addPoint();
      compilations += judgeCompilations(bench, tally, { name, allowed: 1 });
      await judgeAftermath(bench, tally, name);
    });
  }
  return tally.outcome(`${compilations} compilations`);
}

async function killed(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  let compilations = 0;
  for (const size of sizes(scope)) {
    if (scope.signal.aborted) break;
    await withBench(async (bench) => {
      const herd = Herd.start(bench, size);
      await whileNotCompiled(bench);
      while (herd.kills < size / 4 && herd.killOne(() => scope.random())) {
        tally.addPoint();
        await pause(scope.random() * MAX_PAUSE_MS);
      }
      const name = `${size} callers, ${herd.kills} killed`;
      await herd.judge(tally, name);
      compilations += judgeCompilations(bench, tally, { name, allowed: 1 + herd.kills });
      await judgeAftermath(bench, tally, name);
    });
  }
  return tally.outcome(`${compilations} compilations`);
}

/** Kills before the first compilation would hit who has not begun. */
async function whileNotCompiled(bench: Workbench): Promise<void> {
  for (let look = 0; look < 500 && bench.lines('runs') === 0; look += 1) await pause(10);
}

function judgeCompilations(
  bench: Workbench,
  tally: Tally,
  { name, allowed }: { readonly name: string; readonly allowed: number },
): number {
  const compilations = bench.lines('runs');
  if (compilations > allowed)
    tally.addFailedNextRun(`${name}: ${compilations} compilations, at most ${allowed} expected`);
  return compilations;
}

/** Too large for the limit; a folder in its place, which is never replaced; a file system that is full. */
async function unstorable(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  const size = sizeOf(scope);
  const rounds: readonly (readonly [string, (bench: Workbench, name: string) => Promise<void>])[] = [
    [
      'too large',
      async (bench, name) =>
        Herd.start(bench, size, { run: () => ({ environment: { VYRE_CACHE_MAX_PAYLOAD: '1B' } }) }).judge(
          tally,
          name,
        ),
    ],
    ['a folder in its place', async (bench, name) => besideFolder(bench, tally, { name, size })],
    ['a full disk', async (bench, name) => onFullDisk(bench, tally, { name, size })],
  ];
  for (const [name, run] of rounds) {
    if (scope.signal.aborted) break;
    await withBench(async (bench) => {
      await run(bench, name);
      for (let caller = 0; caller < size; caller += 1) tally.addPoint();
      judgeCompilations(bench, tally, { name, allowed: size });
      await judgeLitter(bench, tally, name);
    });
  }
  return tally.outcome();
}

interface Round {
  readonly name: string;
  readonly size: number;
}

async function besideFolder(bench: Workbench, tally: Tally, { name, size }: Round): Promise<void> {
  prepareHerd(bench);
  const words = herdWords('0/out.txt').filter(
    (word) => word !== '--json' && word !== '--lock-timeout' && word !== '1h',
  );
  bench.write('0/.keep', '');
  const { stdout } = await bench.run(['fingerprint', ...words.slice(1)]);
  mkdirSync(bench.entryPath(stdout.toString('utf8').trim()), { recursive: true, mode: 0o700 });
  await Herd.start(bench, size).judge(tally, name);
}

/** The callers run beside one another in one namespace, in which the home lies on a tiny file system. */
async function onFullDisk(bench: Workbench, tally: Tally, { name, size }: Round): Promise<void> {
  prepareHerd(bench);
  const [program = '', ...words] = mountingWords() ?? [];
  mkdirSync(bench.root, { recursive: true });
  const calls = Array.from({ length: size }, (_, index) => {
    bench.write(`${index}/.keep`, '');
    return `${bench.commandLine(herdWords(`${index}/out.txt`))} > /dev/null & `;
  });
  const mount = `mount -t tmpfs -o size=64k,mode=700 tmpfs '${bench.root}'; head -c 60000 /dev/zero > '${bench.root}/filler'`;
  const { status, stderr } = await bench.spawn(program, [...words, `${mount}; ${calls.join('\n')}\nwait`])
    .ended;
  if (status !== 0) tally.addFailedNextRun(`${name}: ${stderr.toString('utf8')}`);
  for (let index = 0; index < size; index += 1) {
    if (!hasOutput(bench, index)) tally.addWrongBytes(`${name}: caller ${index}, ${stderr.toString('utf8')}`);
  }
}

function hasOutput(bench: Workbench, index: number): boolean {
  try {
    return bench.text(`${index}/out.txt`) === bench.text('in.txt').toUpperCase();
  } catch {
    return false;
  }
}

/** For its own artifact, and for another one. */
async function recursive(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  const size = sizeOf(scope);
  for (const depth of scope.isFull ? [1, 2, 3] : [2]) {
    if (scope.signal.aborted) break;
    await withBench(async (bench) => {
      const name = `${depth} deep`;
      await Herd.start(bench, size, {}, callingScript(bench, depth)).judge(tally, name);
      for (let caller = 0; caller < size; caller += 1) tally.addPoint();
      await judgeAftermath(bench, tally, name);
    });
  }
  return tally.outcome();
}

/** Calls us for the very same, in a folder of its own, until it is `depth` deep. */
function callingScript(bench: Workbench, depth: number): string {
  bench.write('inner/.keep', '');
  const [compile = '', ...words] = herdWords('inner/out.txt');
  const same = bench.commandLine([compile, '--cache-dir', bench.root, ...words]);
  const command = ['in.txt', '-o', 'inner/other.txt', '--', 'cp', '{input}', '{output}'];
  const other = bench.commandLine([compile, '--cache-dir', bench.root, ...command]);
  return [
    'echo run >> depth',
    `if [ "$(wc -l < depth)" -le ${depth} ]; then`,
    `  ${same} > /dev/null || exit 9`,
    `  ${other} || exit 9`,
    'fi',
    SLOW_COMPILER,
  ].join('\n');
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
