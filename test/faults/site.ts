import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { shellLine } from '../support/program.js';
import { Workbench, type Ended, type Running, type RunOptions } from '../support/workbench.js';
import type { Scope } from './experiment.js';
import { callsIn, tracing, type SystemCall, type Threads } from './strace.js';

const WATCH_MS = 100;

/** A bench that is brought back to one state before each point, at the same paths, so that every run makes the same calls. */
export class Site {
  readonly bench: Workbench;
  readonly #program: readonly string[];
  readonly #saved: string;

  private constructor(bench: Workbench, program: readonly string[]) {
    this.bench = bench;
    this.#program = program;
    this.#saved = `${bench.folder}-saved`;
  }

  /** In a new folder of the scope. */
  static make({ folder, program }: Pick<Scope, 'folder' | 'program'>, name: string): Site {
    return new Site(Workbench.at(join(folder, name)), program);
  }

  /** What {@link reset} brings back is the bench as it is now. */
  save(): void {
    copy(this.bench.folder, this.#saved);
  }

  /** Ends what a point left running, and brings everything back. */
  async reset(): Promise<void> {
    await this.bench.endProcesses();
    rmSync(this.bench.folder, { recursive: true, force: true });
    copy(this.#saved, this.bench.folder);
  }

  async run(words: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const [program = '', ...rest] = this.#program;
    return this.bench.spawn(program, [...rest, ...words], options).ended;
  }

  /** The program with these words in front of it, such as those of strace. */
  async runBelow(tracer: readonly string[], words: readonly string[]): Promise<Ended> {
    return this.#startBelow(tracer, words).ended;
  }

  /** The same, ended as soon as the call that was made to fail is one for which `isMissed`: Node may hang behind such. */
  async runBelowUnless(
    isMissed: (hit: string) => boolean,
    tracer: readonly string[],
    words: readonly string[],
  ): Promise<Ended> {
    const running = this.#startBelow(tracer, words);
    const watch = setInterval(() => {
      const hit = this.#injectedCall();
      if (hit === null) return;
      clearInterval(watch);
      if (isMissed(hit)) void this.bench.endProcesses();
    }, WATCH_MS);
    try {
      return await running.ended;
    } finally {
      clearInterval(watch);
    }
  }

  #startBelow(tracer: readonly string[], words: readonly string[]): Running {
    rmSync(this.log, { force: true });
    const line = `exec ${shellLine([...tracer, ...this.#program, ...words])}`;
    return this.bench.spawn('sh', ['-c', line]);
  }

  get log(): string {
    return `${this.bench.folder}-log`;
  }

  /** The last call that a traced run made, or the one that was made to fail. */
  hitCall(): string | null {
    return this.#injectedCall() ?? this.#calls().at(-1)?.text ?? null;
  }

  #injectedCall(): string | null {
    return this.#calls().find(({ text }) => text.includes('(INJECTED)'))?.text ?? null;
  }

  #calls(): readonly SystemCall[] {
    return existsSync(this.log) ? callsIn(readFileSync(this.log, 'latin1')) : [];
  }

  /**
   * Runs these words undisturbed. @returns the calls of the first thread from the first one on that names a place of the
   * cache, except those that load the program, look at processes, or only move memory, threads or signal masks; of the other
   * threads those that name a place of the cache.
   */
  async callsOf(words: readonly string[], threads: Threads): Promise<readonly SystemCall[]> {
    await this.runBelow(tracing(this.log, threads, 'all'), words);
    const calls = this.#calls();
    const namesCache = ({ text }: SystemCall): boolean => text.includes(this.bench.cacheHome);
    const first = calls.findIndex(namesCache);
    const ofFirst = calls.slice(first).filter((call) => call.threads === 'first' && !isInternal(call));
    const others = calls.filter((call) => call.threads === 'all' && namesCache(call));
    const differing = new Map(others.map((call) => [`${call.name} ${call.number}`, call]));
    return [...ofFirst, ...differing.values()];
  }
}

function copy(from: string, to: string): void {
  cpSync(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
}

/** What loads the program, what the runtime does for itself, and each look at a process: nothing that anybody else sees. */
export function isInternal({ name, text }: SystemCall): boolean {
  return INTERNAL.test(name) || PROCESS.test(text) || OWN_FILES.some((folder) => text.includes(folder));
}

const PROCESS = /["<]\/proc\/\d+\//;

const INTERNAL =
  /^(?:futex|m(?:un|re)?map|mprotect|madvise|membarrier|brk|rt_sig\w+|sigaltstack|get[pt]id|sched_\w+|sysinfo|prctl|prlimit64|getrandom|getrusage|uname)$/;
const PACKAGE = resolve(import.meta.dirname, '../..');
const OWN_FILES = ['bin', 'dist', 'node_modules'].map((name) => join(PACKAGE, name, '/'));
