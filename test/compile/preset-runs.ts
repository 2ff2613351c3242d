import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { after } from 'node:test';
import { spawnSync } from 'node:child_process';
import { systemClock } from '../../src/host/clock.js';
import { systemFiles } from '../../src/host/files.js';
import type { Captured } from '../../src/host/processes.js';
import { MissingPaths } from '../../src/compile/presets/missing-paths.js';
import type { CommandLine, Facts, Listed, Preset } from '../../src/compile/presets/preset.js';

export const SEARCH_PATH = '/usr/local/bin:/usr/bin:/bin';

/** A temporary folder, links resolved, that is removed when the test file ends. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'vyre-cache-presets-')));
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export type Tree = Readonly<Record<string, string>>;

/** Writes files, folders as needed. */
export function plant(folder: string, tree: Tree): void {
  for (const [name, text] of Object.entries(tree)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** Every regular file below a folder, relative, sorted. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LineOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export function commandLine(options: LineOptions): CommandLine {
  return {
    typed: options.program,
    program: options.program,
    args: options.args,
    inputs: options.inputs ?? [],
    outputs: options.outputs ?? [],
    cwd: options.cwd,
    environment: { PATH: SEARCH_PATH, LC_ALL: 'C.UTF-8', TZ: 'UTC', ...options.environment },
  };
}

/** Runs a command line with other arguments, TMPDIR and HOME in a folder of its own, as the runner does. */
export function runLine(line: CommandLine, args: readonly string[], home: string): Ran {
  mkdirSync(home, { recursive: true });
  const ran = spawnSync(line.program, args, {
    cwd: line.cwd,
    env: { ...line.environment, HOME: home, TMPDIR: home },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { status: ran.status, stdout: ran.stdout, stderr: ran.stderr };
}

export interface Listing {
  readonly facts: Facts;
  readonly ran: Ran;
  readonly listed: Listed | null;
}

/** Compiles as the cache does: with the preset's own arguments, then asks what was read. */
export async function compileListed(
  preset: Preset,
  line: CommandLine,
  worker = temporaryFolder(),
): Promise<Listing> {
  const home = join(worker, 'home');
  const listPath = join(worker, 'read');
  const listing = preset.listing(line);
  const ran = runLine(line, listing?.augment(line.args, listPath) ?? line.args, home);
  const capture = async (argv: readonly string[]): Promise<Captured> => {
    const [program = '', ...args] = argv;
    const answer = runLine({ ...line, program }, args, home);
    return {
      status: answer.status,
      signal: null,
      stdout: Buffer.from(answer.stdout),
      stderr: Buffer.from(answer.stderr),
    };
  };
  const missing = new MissingPaths({ files: systemFiles, clock: systemClock });
  const run = { line, listPath, workerDirectory: worker, files: systemFiles, missing, capture };
  const listed = (await listing?.collect(run)) ?? null;
  return { facts: preset.facts(line), ran, listed };
}

/** The parts of a list; fails when there is none. */
export function listOf({ listed, ran }: Listing): {
  readonly files: readonly string[];
  readonly absent: readonly string[];
} {
  if (listed === null) throw new Error('nothing was listed');
  if (!listed.ok) throw new Error(`${listed.word}: ${listed.detail}; ${ran.stderr}`);
  return listed;
}

/** The bytes of files by name, as hex, for comparisons. */
export function bytesOf(folder: string, names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [name, readFileSync(join(folder, name)).toString('hex')]));
}
