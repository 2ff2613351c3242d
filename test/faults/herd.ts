import { eventually } from '../support/eventually.js';
import { hasLockOpen, isAlive, ownerPid } from '../support/gate.js';
import type { Ended, Running, RunOptions, Workbench } from '../support/workbench.js';
import type { Tally } from './experiment.js';

/** A caller that has not come to its end by then never will. */
const STUCK_MS = 180_000;

/** Notes each of its runs, takes a while, then turns the input into the output. */
export const SLOW_COMPILER = 'echo run >> runs\nsleep 0.2\ntr a-z A-Z < "$1" > "$2"';
const INPUT = 'an absent artifact\n';
const OUTPUT = INPUT.toUpperCase();

export interface HerdOptions {
  /** Words of `compile` for each of them. */
  readonly words?: readonly string[];
  readonly run?: (index: number) => RunOptions;
}

/** Callers of one key, which is absent. */
export class Herd {
  readonly #bench: Workbench;
  readonly #callers: readonly Running[];
  kills = 0;

  private constructor(bench: Workbench, callers: readonly Running[]) {
    this.#bench = bench;
    this.#callers = callers;
  }

  /** Writes the input and the compiler, and starts the callers at once. */
  static start(bench: Workbench, count: number, options: HerdOptions = {}, script = SLOW_COMPILER): Herd {
    prepareHerd(bench, script);
    const callers = Array.from({ length: count }, (_, index) => {
      bench.write(`${index}/.keep`, '');
      return bench.start(herdWords(`${index}/out.txt`, options.words), options.run?.(index));
    });
    return new Herd(bench, callers);
  }

  /** Waits until all of them have come as far as the lock, so that they really ask at once, and opens the gate. */
  async gather(): Promise<void> {
    await eventually('one of them compiles', () => this.#bench.lines('started') > 0);
    await eventually('the others have reached the lock', () =>
      this.#callers.every(({ pid }) => hasLockOpen(this.#bench, pid) || !isAlive(pid)),
    );
    this.#bench.write('go', '');
  }

  /** Kills the one who compiles, or, where none is seen, one of the living. False: nobody lives any more. */
  killOne(random: () => number): boolean {
    const living = this.#callers.filter(({ pid }) => isAlive(pid));
    const owner = ownerPid(this.#bench);
    const victim = living.find(({ pid }) => pid === owner) ?? living[Math.floor(random() * living.length)];
    victim?.kill('SIGKILL');
    if (victim !== undefined) this.kills += 1;
    return victim !== undefined;
  }

  /** Waits for all of them, and judges what they delivered. */
  async judge(tally: Tally, name: string): Promise<void> {
    const endings = await Promise.all(this.#callers.map(async (caller) => endOf(caller)));
    for (const [index, ended] of endings.entries()) {
      if (ended === null) tally.addFailedNextRun(`${name}: caller ${index} is stuck`);
      else if (ended.signal !== 'SIGKILL') judgeOne(this.#bench, tally, { name, index, ended });
    }
  }
}

export function prepareHerd(bench: Workbench, script = SLOW_COMPILER): void {
  bench.write('in.txt', INPUT);
  bench.script('slow', script);
}

/** A call of `compile` for the key of the herd. */
export function herdWords(output: string, words: readonly string[] = []): readonly string[] {
  const flags = ['--json', '--relocatable', '--compiler-version', 'echo 1', '--lock-timeout', '1h'];
  return ['compile', ...flags, ...words, 'in.txt', '-o', output, '--', './slow', '{input}', '{output}'];
}

async function endOf(caller: Running): Promise<Ended | null> {
  const stuck = new AbortController();
  const late = new Promise<null>((resolve) => {
    const timer = setTimeout(() => {
      caller.kill('SIGKILL');
      resolve(null);
    }, STUCK_MS);
    stuck.signal.addEventListener('abort', () => {
      clearTimeout(timer);
    });
  });
  try {
    return await Promise.race([caller.ended, late]);
  } finally {
    stuck.abort();
  }
}

function judgeOne(
  bench: Workbench,
  tally: Tally,
  { name, index, ended }: { readonly name: string; readonly index: number; readonly ended: Ended },
): void {
  if (ended.status !== 0) {
    tally.addFailedNextRun(
      `${name}: caller ${index} ended with ${ended.status}, ${ended.stderr.toString('utf8')}`,
    );
  } else if (bench.text(`${index}/out.txt`) !== OUTPUT) tally.addWrongBytes(`${name}: caller ${index}`);
}

/** What a call of `compile --json` for the key gives now; null, with the problem told, when it fails. */
export async function outcomeNow(
  bench: Workbench,
  tally: Tally,
  { name, options = {} }: { readonly name: string; readonly options?: RunOptions },
): Promise<string | null> {
  bench.write('last/.keep', '');
  const ended = await bench.run(herdWords('last/out.txt'), options);
  if (ended.status !== 0) {
    tally.addFailedNextRun(`${name}: ended with ${ended.status}, ${ended.stderr.toString('utf8')}`);
    return null;
  }
  if (bench.text('last/out.txt') !== OUTPUT) tally.addWrongBytes(name);
  const report = JSON.parse(ended.stdout.toString('utf8')) as { jobs: { outcome: string | null }[] };
  return report.jobs[0]?.outcome ?? null;
}

/** The artifact is there and valid; another compilation leaves neither worker directories nor processes behind. */
export async function judgeAftermath(bench: Workbench, tally: Tally, name: string): Promise<void> {
  const outcome = await outcomeNow(bench, tally, { name: `${name}, afterwards` });
  if (outcome !== null && outcome !== 'disk') tally.addLost(`${name}: ${outcome} afterwards`);
  const { status, stdout } = await bench.run(['verify', '--json']);
  if (status !== 0)
    tally.addFailedNextRun(`${name}: verify ended with ${status}, ${stdout.toString('utf8')}`);
  await judgeLitter(bench, tally, name);
}

/** Another compilation sweeps: then nothing of the killed is left. */
export async function judgeLitter(bench: Workbench, tally: Tally, name: string): Promise<void> {
  const words = [
    '--compiler-version',
    'echo 1',
    'in.txt',
    '-o',
    'other.txt',
    '--',
    'cp',
    '{input}',
    '{output}',
  ];
  const { status } = await bench.run(['compile', '--refresh', ...words]);
  if (status !== 0) tally.addFailedNextRun(`${name}: another compilation ended with ${status}`);
  const left = [...bench.workers(), ...bench.processes().map(String)];
  if (left.length > 0) tally.addFailedNextRun(`${name}: left behind ${left.join(', ')}`);
}
