import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openCache, type Cache, type CacheOptions, type CompileRequest } from '../../src/index.js';
import { eventually } from './eventually.js';
import { BUILT, shellLine } from './program.js';
import type { Cleanup } from './temporary-folder.js';
import { SEARCH_PATH } from './tools.js';

/** How a process ended. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
}

export interface RunOptions {
  /** Defaults to the project. */
  readonly cwd?: string;
  /** Undefined removes a variable. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: Uint8Array;
}

/** One job of `vyre-cache.compile/1`. */
export interface CompiledJob {
  readonly fingerprint: string | null;
  readonly outcome: string | null;
  readonly reason: string | null;
  readonly notStored: string | null;
  readonly outputs: readonly {
    readonly path: string;
    readonly bytes: number;
    readonly executable: boolean;
  }[];
  readonly exitCode: number;
  readonly error: string | null;
  /** Of the process: what the compiler printed, and ours. */
  readonly stderr: string;
}

/** What the tests read of `vyre-cache.stats/1`. */
export interface StatsDocument {
  readonly entries: number;
  readonly counters: {
    readonly lookups: number;
    readonly hits: number;
    readonly misses: number;
    readonly puts: number;
    readonly rejectedPuts: number;
    readonly waits: number;
    readonly degraded: number;
    readonly uncacheable: Readonly<Record<string, number>>;
    readonly outcomes: Readonly<Record<string, number>>;
    readonly missReasons: Readonly<Record<string, number>>;
  } | null;
  readonly trouble: readonly { readonly kind: string; readonly count: number }[];
}

/** A folder of its own with a project, a private home of the user and private XDG folders; all gone after the test. */
export class Workbench {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
    for (const path of [this.project, this.home, this.cacheHome, this.stateHome]) mkdirSync(path);
  }

  static make(t: Cleanup): Workbench {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'vyre-cache-test-')));
    const bench = new Workbench(folder);
    t.after(async () => {
      await bench.endProcesses();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    });
    return bench;
  }

  /** In an absent folder, which the caller removes. */
  static at(folder: string): Workbench {
    mkdirSync(folder);
    return new Workbench(folder);
  }

  get project(): string {
    return join(this.folder, 'project');
  }

  get home(): string {
    return join(this.folder, 'home');
  }

  get cacheHome(): string {
    return join(this.folder, 'cache');
  }

  get stateHome(): string {
    return join(this.folder, 'state');
  }

  /** The home of the cache. */
  get root(): string {
    return join(this.cacheHome, 'vyre');
  }

  get environment(): Readonly<Record<string, string>> {
    return {
      PATH: SEARCH_PATH,
      HOME: this.home,
      XDG_CACHE_HOME: this.cacheHome,
      XDG_STATE_HOME: this.stateHome,
    };
  }

  /** Relative to the project. */
  path(name: string): string {
    return join(this.project, name);
  }

  write(name: string, content: string | Uint8Array): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** An executable script in the project. */
  script(name: string, lines: string): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
    return path;
  }

  read(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  text(name: string): string {
    return this.read(name).toString('utf8');
  }

  /** How many lines a file of the project has, such as those that a compiler appends; 0 without the file. */
  lines(name: string): number {
    try {
      return this.text(name).split('\n').length - 1;
    } catch {
      return 0;
    }
  }

  /** Starts any program. */
  spawn(program: string, args: readonly string[], options: RunOptions = {}): Running {
    const variables = { ...this.environment, ...options.environment };
    const env = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined));
    const child = spawn(program, [...args], { cwd: options.cwd ?? this.project, env, stdio: 'pipe' });
    const ended = collect(child);
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin);
    assert.ok(child.pid !== undefined, `expected ${program} to start`);
    return {
      pid: child.pid,
      ended,
      kill: (signal) => {
        child.kill(signal);
      },
    };
  }

  /** Starts the program of this package. */
  start(args: readonly string[], options: RunOptions = {}): Running {
    const [program = '', ...words] = BUILT;
    return this.spawn(program, [...words, ...args], options);
  }

  /** A call of the program of this package, for a shell. */
  commandLine(args: readonly string[]): string {
    return shellLine([...BUILT, ...args]);
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return this.start(args, options).ended;
  }

  /** `compile --json`: what became of the one job. */
  async compile(args: readonly string[], options: RunOptions = {}): Promise<CompiledJob> {
    return compiledJob(await this.run(['compile', '--json', ...args], options));
  }

  async stats(options: RunOptions = {}): Promise<StatsDocument> {
    return (await this.document(['stats'], options)) as StatsDocument;
  }

  /** Runs `verify` and expects that nothing is damaged. @returns how many artifacts are valid. */
  async verified(): Promise<number> {
    const report = (await this.document(['verify'])) as {
      readonly valid: number;
      readonly problems: unknown;
    };
    assert.deepEqual(report.problems, []);
    return report.valid;
  }

  async document(args: readonly string[], options: RunOptions = {}): Promise<unknown> {
    const { stdout, stderr } = await this.run([...args, '--json'], options);
    assert.notEqual(stdout.byteLength, 0, `expected a document, got ${stderr.toString('utf8')}`);
    return JSON.parse(stdout.toString('utf8'));
  }

  /** A library session on the same home. */
  open(options: Partial<CacheOptions> = {}): Cache {
    return openCache({ root: this.root, stateDirectory: join(this.stateHome, 'vyre-cache'), ...options });
  }

  request(request: Partial<CompileRequest> & Pick<CompileRequest, 'command'>): CompileRequest {
    return {
      inputs: [],
      outputs: [],
      stdoutFile: null,
      deps: [],
      env: [],
      keys: [],
      tools: [],
      compilerVersion: null,
      relocatable: false,
      cwd: this.project,
      environment: this.environment,
      ...request,
    };
  }

  entryPath(fingerprint: string): string {
    return join(this.root, 'pipelines', `${fingerprint}.bin`);
  }

  recordPath(fingerprint: string): string {
    return join(this.root, 'pipelines', `${fingerprint}.json`);
  }

  /** The fingerprints of the store. */
  entries(): readonly string[] {
    return namesIn(join(this.root, 'pipelines'))
      .filter((name) => name.endsWith('.bin'))
      .map((name) => name.slice(0, -'.bin'.length));
  }

  /** Names at the top level of the home. */
  topLevel(): readonly string[] {
    return namesIn(this.root);
  }

  /** Worker directories of compilations that run or were left behind. */
  workers(): readonly string[] {
    return this.topLevel().filter((name) => name.startsWith('worker-dir-'));
  }

  /** The processes that carry a path of this bench in their environment: everything that the test started. */
  processes(): readonly number[] {
    return namesIn('/proc')
      .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
      .filter((name) => environmentOf(name).includes(this.folder))
      .map(Number);
  }

  async endProcesses(): Promise<void> {
    await eventually('the processes of the test have ended', () => {
      const left = this.processes();
      for (const pid of left) killQuietly(pid);
      return left.length === 0;
    });
  }
}

function collect(child: ChildProcess): Promise<Ended> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => {
      resolve({ status, signal, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) });
    });
  });
}

/** The one job of a `compile --json` that has ended. */
export function compiledJob(ended: Ended): CompiledJob {
  const stderr = ended.stderr.toString('utf8');
  const text = ended.stdout.toString('utf8');
  assert.ok(text.startsWith('{"schema":"vyre-cache.compile/1"'), `expected a report, got ${text}${stderr}`);
  const report = JSON.parse(text) as { readonly jobs: readonly CompiledJob[] };
  const [job] = report.jobs;
  assert.ok(job !== undefined);
  return { ...job, stderr };
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Empty for a process that is gone, a zombie, or somebody else's. */
function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
