import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { BenchError } from './bench-error.js';
import { throwIfInterrupted, type Command, type Commands, type Ended } from './commands.js';
import type { Peer, PeerName } from './peers.js';
import type { Reporter } from './results.js';
import type { RowId } from './row.js';

const PEAK_MEMORY = join(import.meta.dirname, 'peak-memory.cjs');
/** So many small files are made between two looks at whether the bench was stopped. */
const BREATH = 500;

/** What is the same for the whole run. */
export interface Setting {
  /** The bench's own folder. */
  readonly folder: string;
  /** The program that runs ours. */
  readonly node: string;
  /** Our program. */
  readonly program: string;
  /** The executable that Bun builds; it may be absent. */
  readonly standalone: string;
  readonly searchPath: string;
  readonly peers: ReadonlyMap<PeerName, Peer>;
  readonly scale: number;
  readonly rounds: number;
  readonly wanted: ReadonlySet<RowId>;
  readonly commands: Commands;
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
}

/** Where a group of rows has its data, and what it needs to run programs over them. */
export class Site {
  readonly setting: Setting;
  /** Absolute. Removed with all that is in it when the group has ended. */
  readonly folder: string;
  /** Nothing of the user's settings takes part. */
  readonly env: Readonly<Record<string, string>>;
  #peakFile: string | null = null;

  constructor(setting: Setting, name: string) {
    this.setting = setting;
    this.folder = join(setting.folder, name);
    for (const folder of [this.folder, this.path('user'), this.path('tmp')]) mkdirSync(folder);
    this.env = {
      PATH: setting.searchPath,
      HOME: this.path('user'),
      TMPDIR: this.path('tmp'),
      LC_ALL: 'C.UTF-8',
    };
  }

  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** A number of things at this scale, at least one. */
  count(full: number): number {
    return Math.max(1, Math.round(full * this.setting.scale));
  }

  wants(id: RowId): boolean {
    return this.setting.wanted.has(id);
  }

  /** Our program under Node. */
  ours(args: readonly string[], options: Partial<Command> = {}): Command {
    const { node, program } = this.setting;
    return this.command([node, program, ...args], options);
  }

  /** A line for the shell, as a user would type it. */
  shell(line: string, options: Partial<Command> = {}): Command {
    return this.command(['sh', '-c', line], options);
  }

  command(argv: readonly string[], options: Partial<Command> = {}): Command {
    return { cwd: this.folder, ...options, argv, env: { ...this.env, ...options.env } };
  }

  /** @returns the seconds that it took. */
  async time(command: Command): Promise<number> {
    return (await this.run(command)).seconds;
  }

  async run(command: Command): Promise<Ended> {
    const env = { ...command.env, ...this.#peakVariables() };
    return this.setting.commands.run({ ...command, env });
  }

  /** Runs work once and watches the Node processes that it starts. @returns the largest peak of one of them, in bytes. */
  async peakOf(work: () => Promise<unknown>): Promise<number | null> {
    const file = this.path('peaks');
    writeFileSync(file, '');
    this.#peakFile = file;
    try {
      await work();
    } finally {
      this.#peakFile = null;
    }
    const kibibytes = readFileSync(file, 'latin1').split('\n').map(Number);
    const largest = Math.max(...kibibytes);
    return largest > 0 ? largest * 1024 : null;
  }

  #peakVariables(): Readonly<Record<string, string>> {
    if (this.#peakFile === null) return {};
    return { NODE_OPTIONS: `--require=${PEAK_MEMORY}`, BENCH_PEAK_FILE: this.#peakFile };
  }

  /** Does something for each number below `count`; an interruption ends it. */
  async forEach(count: number, work: (index: number) => void): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      if (index % BREATH === 0) {
        await setImmediate();
        throwIfInterrupted(this.setting.signal);
      }
      work(index);
    }
  }

  /** @throws BenchError where less is free. */
  demandSpace(bytes: number): void {
    const { bavail, bsize } = statfsSync(this.folder);
    const free = bavail * bsize;
    if (free >= bytes) return;
    throw new BenchError(
      `expected ${mebibytes(bytes)} of free space in "${this.folder}", found ${mebibytes(free)}`,
    );
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_048_576)} MiB`;
}
