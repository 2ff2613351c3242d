import { findTool, type ToolName } from '../support/tools.js';

/** The parts of the matrix, in its order; a name is what `--only` takes. */
export const GROUPS = [
  'kill',
  'error',
  'power-cut',
  'damage',
  'race',
  'model',
  'hostile',
  'signed',
  'peer',
] as const;
export type Group = (typeof GROUPS)[number];

/** One row of the matrix: one kind of fault at all its points in one operation. */
export interface Experiment {
  readonly group: Group;
  /** What is done, such as `SIGKILL at a system call`. */
  readonly fault: string;
  /** In what, such as `put`. */
  readonly where: string;
  /** Without one of these programs the row cannot run. */
  readonly needs: readonly ToolName[];
  /** Why it cannot run here, beside missing programs; null: it can. */
  readonly obstacle?: () => string | null;
  /** True: a program of others, shown beside ours; what it does wrong is no failure of ours. */
  readonly isPeer?: boolean;
  run(scope: Scope): Promise<Outcome>;
}

/** What an experiment is given. */
export interface Scope {
  /** A fresh folder, removed afterwards. */
  readonly folder: string;
  /** False: the bounded form that the tests run, some seconds a row; a sample of the points, spread by `random`. */
  readonly isFull: boolean;
  /** Every point of rows of which even the full form takes a sample. */
  readonly isEvery: boolean;
  /** The words that start the program under test. */
  readonly program: readonly string[];
  /** 0 to 1, repeatable by the seed of the run. */
  random(): number;
  /** Ends the experiment between two points. */
  readonly signal: AbortSignal;
}

/** What an experiment counted. All but `points` must be 0, and no point at all is a failure, too. */
export interface Outcome {
  /** Faults that were really caused. */
  readonly points: number;
  /** Points after which bytes were served that are not those of the fingerprint. */
  readonly wrongBytes: number;
  /** Points after which an entry was gone that no policy of the user removed. */
  readonly goodLost: number;
  /** Points after which the next run failed, crashed without a message, or found litter or a lock that stayed. */
  readonly failedNextRuns: number;
  /** What was seen, one line each, with what repeats it; the first some. */
  readonly problems: readonly string[];
  /** Said beside the counts, such as how often a peer served wrong bytes; no judgement. */
  readonly remark?: string;
}

/** Counts what the points of one experiment showed. */
export class Tally {
  #points = 0;
  #wrongBytes = 0;
  #goodLost = 0;
  #failedNextRuns = 0;
  readonly #problems: string[] = [];

  addPoint(): void {
    this.#points += 1;
  }

  addWrongBytes(problem: string): void {
    this.#wrongBytes += 1;
    this.#note(`wrong bytes: ${problem}`);
  }

  addLost(problem: string): void {
    this.#goodLost += 1;
    this.#note(`lost: ${problem}`);
  }

  addFailedNextRun(problem: string): void {
    this.#failedNextRuns += 1;
    this.#note(`next run: ${problem}`);
  }

  #note(problem: string): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(problem);
  }

  outcome(remark?: string): Outcome {
    return {
      points: this.#points,
      wrongBytes: this.#wrongBytes,
      goodLost: this.#goodLost,
      failedNextRuns: this.#failedNextRuns,
      problems: this.#problems,
      ...(remark === undefined ? {} : { remark }),
    };
  }
}

/** More would hide the first. */
const MAX_PROBLEMS = 20;

/** True when nothing is as it must not be. */
export function isGreen({ isPeer }: Experiment, outcome: Outcome): boolean {
  if (isPeer === true) return outcome.points > 0;
  const { points, wrongBytes, goodLost, failedNextRuns } = outcome;
  return points > 0 && wrongBytes === 0 && goodLost === 0 && failedNextRuns === 0;
}

/** Why an experiment cannot run here; null: it can. */
export function obstacleOf(
  { needs, obstacle }: Experiment,
  describe: (name: ToolName) => string,
): string | null {
  const missing = needs.filter((name) => findTool(name) === null);
  if (missing.length > 0) return `missing: ${missing.map(describe).join(', ')}`;
  return obstacle?.() ?? null;
}
