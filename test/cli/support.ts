import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { run } from '../../src/cli/run.js';
import type { OutputStream } from '../../src/cli/streams.js';
import { systemHost, type Host } from '../../src/host/host.js';
import { EXECUTABLE, shellLine, SOURCES } from '../support/program.js';

/** A folder of its own for a test: `home` is $HOME, `work` the current directory below it. */
export interface Place {
  readonly home: string;
  readonly work: string;
  readonly environment: Readonly<Record<string, string>>;
  write(name: string, text: string): string;
}

export function makePlace(t: TestContext): Place {
  const home = mkdtempSync(join(tmpdir(), 'vyre-cache-cli-'));
  t.after(() => {
    rmSync(home, { recursive: true, force: true });
  });
  const work = join(home, 'work');
  mkdirSync(work);
  return {
    home,
    work,
    environment: { HOME: home, PATH: process.env['PATH'] ?? '' },
    write: (name, text) => {
      const path = join(work, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      return path;
    },
  };
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Makes both streams terminals of 80 columns. */
  readonly terminal?: boolean;
  readonly host?: Host;
}

/** Runs one call inside this process; with the executable where that is tested, and the call needs nothing of this process. */
export async function cli(place: Place, argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  if (EXECUTABLE !== null && options.host === undefined && options.terminal !== true) {
    const environment = { ...place.environment, ...options.environment };
    const ended = await start({ ...place, environment, work: options.cwd ?? place.work }, argv);
    const { code, stdout, stderr } = ended;
    return { code, stdout, stderr };
  }
  const stdout = collector(options.terminal === true);
  const stderr = collector(options.terminal === true);
  const code = await run({
    argv,
    environment: { ...place.environment, ...options.environment },
    terminal: { stdout, stderr },
    signal: new AbortController().signal,
    cwd: () => options.cwd ?? place.work,
    host: () => options.host ?? systemHost(),
    onCleanUp: () => undefined,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function collector(isTerminal: boolean): OutputStream & { text(): string } {
  const chunks: Buffer[] = [];
  return {
    isTerminal,
    columns: isTerminal ? 80 : 0,
    write: (chunk) => {
      chunks.push(Buffer.from(chunk));
    },
    flush: async () => Promise.resolve(),
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}

export interface Ended extends Ran {
  readonly signal: NodeJS.Signals | null;
}

/** Often enough to see an event soon. */
const POLL_MS = 20;

export interface StartOptions {
  /** Puts the quoted command line into a line of bash. */
  readonly shell?: (command: string) => string;
  /** Called again and again while the process runs; may send it signals. */
  readonly onPoll?: (pid: number) => void;
}

/** Runs one call as a process of its own. */
export async function start(
  place: Place,
  argv: readonly string[],
  options: StartOptions = {},
): Promise<Ended> {
  const words = [...SOURCES, ...argv];
  const [program = '', ...args] =
    options.shell === undefined ? words : ['/bin/bash', '-c', options.shell(shellLine(words))];
  const child = spawn(program, args, {
    cwd: place.work,
    env: place.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const seen = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    seen.stdout += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    seen.stderr += chunk.toString('utf8');
  });
  const poll = setInterval(() => {
    if (child.pid !== undefined) options.onPoll?.(child.pid);
  }, POLL_MS);
  return new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ code: code ?? -1, signal, ...seen });
    });
  }).finally(() => {
    clearInterval(poll);
  });
}
