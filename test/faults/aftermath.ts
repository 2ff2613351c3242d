import { readdirSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { openSession } from '../../src/compile/session.js';
import { systemHost } from '../../src/host/host.js';
import { collectGarbage } from '../../src/maintenance/gc.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../../src/model/entry.js';
import type { Ended } from '../support/workbench.js';
import { NO_OUTPUT, type Compilation } from './compilation.js';
import type { Tally } from './experiment.js';
import type { Operation } from './operation.js';
import type { Site } from './site.js';

/** What `.vyre-cache/new/` holds is half-made for a day. */
const STAGED_AGE_SECONDS = 2 * 86_400;
const BUG = 70;
/** The exit code for trouble of the environment. */
const UNREADABLE = 3;
/** A run of the program costs ten times as much as the same run of the library. */
const PROCESS_EACH = 3;

/** Looks at what a fault left behind, as the next users of the home do, and adds what is not as promised to the tally. */
export class Aftermath {
  readonly #site: Site;
  readonly #operation: Operation;
  readonly #tally: Tally;
  /** What was done, with what repeats it. */
  readonly #what: string;
  /** The next run is one of the program, else of the library in this process. */
  readonly #isProcess: boolean;

  constructor(context: {
    readonly site: Site;
    readonly operation: Operation;
    readonly tally: Tally;
    readonly what: string;
    /** Counts the points of the row. */
    readonly turn: number;
  }) {
    this.#site = context.site;
    this.#operation = context.operation;
    this.#tally = context.tally;
    this.#what = context.what;
    this.#isProcess = context.turn % PROCESS_EACH === 0;
  }

  /** Judges the run in which a call failed: what the compiler gave is the user's all the same. */
  judgeDisturbed(ended: Ended): void {
    const { delivers } = this.#operation;
    if (delivers.length > 0) this.#judgeDelivery(ended);
    else this.#judgeEnd(ended);
  }

  /** All that has to be true whatever happened. */
  async examine(): Promise<void> {
    try {
      await this.#examine();
    } catch (error) {
      this.#fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }

  async #examine(): Promise<void> {
    const { delivers, stays, mayGo, isDamagedBefore } = this.#operation;
    await this.#findStored();
    if (!isDamagedBefore) await this.#verify('before the next run');
    if (this.#isProcess || delivers.length === 0) await this.#runAgain();
    else for (const compilation of delivers) await this.#repeat(compilation);
    for (const compilation of stays) await this.#compile(compilation, 'hit');
    for (const compilation of mayGo) await this.#compile(compilation, 'any');
    for (const compilation of [...delivers, ...mayGo]) await this.#compile(compilation, 'hit');
    await this.#verify('at the end');
    await this.#collectLitter();
  }

  async #runAgain(): Promise<void> {
    const { delivers, statuses, words } = this.#operation;
    const ended = await this.#site.run(words);
    if (delivers.length > 0) this.#judgeDelivery(ended);
    else if (!statuses.includes(ended.status ?? -1)) this.#fail(`status ${statusOf(ended)}`);
  }

  /** A session of its own: what it does first, such as the sweep, it does each time. */
  async #repeat(compilation: Compilation): Promise<void> {
    const { bench } = this.#site;
    const cache = bench.open();
    const result = await compilation.repeatWith(cache, bench);
    const troubles = cache.troubles();
    await cache.close();
    const { exitCode: status, notStored, error } = result;
    const [stdout, stderr] = [Buffer.from(result.stdout), Buffer.from(result.stderr)];
    for (const difference of compilation.differences({ status, signal: null, stdout, stderr }))
      this.#fail(difference);
    if (notStored !== null || error !== null || troubles.length > 0)
      this.#fail(`${compilation.output}: ${JSON.stringify({ notStored, error, troubles })}`);
    const wrong = compilation.wrongBytes(bench);
    if (wrong !== null) this.#tally.addWrongBytes(`${this.#what}: ${compilation.output}: ${wrong}`);
  }

  #judgeDelivery(ended: Ended): void {
    const { bench } = this.#site;
    const [only, ...others] = this.#operation.delivers;
    // A batch has one status and shows the words of all its jobs.
    if (only !== undefined && others.length === 0) {
      for (const difference of only.differences(ended)) this.#fail(difference);
    } else if (!this.#isRefused(ended) && ended.status !== 0) this.#fail(`status ${statusOf(ended)}`);
    for (const compilation of this.#operation.delivers) {
      const wrong = compilation.wrongBytes(bench);
      if (wrong === null || (wrong === NO_OUTPUT && this.#isRefused(ended))) continue;
      if (ended.status === compilation.bare.status) this.#tally.addWrongBytes(`${this.#what}: ${wrong}`);
      else this.#fail(`${compilation.output}: ${wrong}`);
    }
  }

  /** What a batch consists of was not to be found out: it said so, and began with nothing. */
  #isRefused({ status, stderr }: Ended): boolean {
    const isSaid = /^vyre-cache: (?:the folder )?".*" (?:of a job )?cannot be read \(/m;
    return status === UNREADABLE && isSaid.test(stderr.toString('utf8'));
  }

  /** Whatever cannot be done is said, and is no bug. */
  #judgeEnd(ended: Ended): void {
    const { status, stdout, stderr } = ended;
    const isKnown = status !== null && status !== BUG;
    const isSaid =
      this.#operation.statuses.includes(status ?? -1) ||
      stdout.byteLength > 0 ||
      /^vyre-cache: ./m.test(stderr.toString('utf8'));
    if (!isKnown || !isSaid) this.#fail(`ended with ${statusOf(ended)}`);
  }

  async #findStored(): Promise<void> {
    const { bench } = this.#site;
    const cache = bench.open();
    for (const compilation of this.#operation.stays) {
      if (!(await compilation.isStored(cache, bench)))
        this.#tally.addLost(`${this.#what}: the entry of ${compilation.output}`);
    }
    await cache.close();
  }

  async #verify(when: string): Promise<void> {
    const cache = this.#site.bench.open();
    const { problems } = await cache.verify();
    await cache.close();
    if (problems.length > 0) this.#fail(`verify ${when}: ${JSON.stringify(problems)}`);
  }

  async #compile(compilation: Compilation, expected: 'hit' | 'any'): Promise<void> {
    const { bench } = this.#site;
    rmSync(bench.path(compilation.output), { force: true });
    const cache = bench.open();
    const result = await compilation.compileWith(cache, bench);
    const troubles = cache.troubles();
    await cache.close();
    const wrong = compilation.wrongBytes(bench);
    if (wrong !== null && result.exitCode === 0)
      this.#tally.addWrongBytes(`${this.#what}: ${compilation.output}: ${wrong}`);
    const isHit = result.outcome === 'disk' || compilation.bare.status !== 0;
    if (expected === 'hit' && !isHit) this.#fail(`${compilation.output} is no hit: ${result.reason}`);
    const { exitCode, notStored, error } = result;
    const isDone = exitCode === compilation.bare.status && notStored === null && error === null;
    if (!isDone || troubles.length > 0)
      this.#fail(`${compilation.output}: ${JSON.stringify({ exitCode, notStored, error, troubles })}`);
  }

  /** What the next runs did not sweep goes with `gc`, half-made things once they are old. */
  async #collectLitter(): Promise<void> {
    const { bench } = this.#site;
    const staging = join(bench.root, '.vyre-cache', 'new');
    const workers = bench.workers();
    if (workers.length > 0) this.#fail(`the next runs left ${workers.join(', ')}`);
    const old = Date.now() / 1000 - STAGED_AGE_SECONDS;
    const staged = readdirSync(staging);
    for (const name of staged) utimesSync(join(staging, name), old, old);
    const isClean = staged.length === 0 && workers.length === 0 && this.#orphanRecords().length === 0;
    if (!isClean) await this.#collectGarbage();
    this.#expectNoLitter(staging);
  }

  async #collectGarbage(): Promise<void> {
    const { bench } = this.#site;
    if (this.#isProcess) {
      const ended = await this.#site.run(['gc', '-q']);
      if (ended.status !== 0) this.#fail(`gc: ${statusOf(ended)}`);
      return;
    }
    const { root, stateHome } = bench;
    const stateDirectory = join(stateHome, 'vyre-cache');
    const maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES;
    const session = openSession({ host: systemHost(), root, stateDirectory, maxPayloadBytes });
    const { failures } = await collectGarbage(session, { dryRun: false, staleCompilers: false });
    await session.close();
    if (failures.length > 0) this.#fail(`gc: ${JSON.stringify(failures)}`);
  }

  #expectNoLitter(staging: string): void {
    const { bench } = this.#site;
    const { delivers, stays, mayGo } = this.#operation;
    const entries = bench.entries().flatMap((entry) => [`${entry}.bin`, `${entry}.json`]);
    this.#expectNames(bench.root, ['.vyre-cache', 'CACHEDIR.TAG', 'pipelines'], ['quarantine']);
    this.#expectNames(join(bench.root, 'pipelines'), entries);
    this.#expectNames(staging, []);
    const outputs = [...delivers, ...stays, ...mayGo].map(({ output }) => output);
    const sources = ['tool', 'version', 'in.txt', 'bad.txt'];
    this.#expectNames(bench.project, sources, [...outputs, 'hanging', 'jobs.json']);
    const left = bench.processes();
    if (left.length > 0) this.#fail(`processes ${left.join(', ')}`);
  }

  #orphanRecords(): readonly string[] {
    const { bench } = this.#site;
    const entries = bench.entries();
    return readdirSync(join(bench.root, 'pipelines')).filter(
      (name) => name.endsWith('.json') && !entries.includes(name.slice(0, -'.json'.length)),
    );
  }

  #expectNames(folder: string, needed: readonly string[], allowed: readonly string[] = []): void {
    const names = readdirSync(folder);
    const missing = needed.filter((name) => !names.includes(name));
    const strange = names.filter((name) => !needed.includes(name) && !allowed.includes(name));
    if (missing.length > 0) this.#fail(`${folder} lacks ${missing.join(', ')}`);
    if (strange.length > 0) this.#fail(`${folder} keeps ${strange.join(', ')}`);
  }

  #fail(problem: string): void {
    this.#tally.addFailedNextRun(`${this.#what}: ${problem}`);
  }
}

function statusOf({ status, signal, stderr }: Ended): string {
  return `${status ?? signal}: ${stderr.toString('utf8').trim()}`;
}
