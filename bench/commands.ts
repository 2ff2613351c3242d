import { spawn, type ChildProcess } from 'node:child_process';
import { BenchError, Interrupted } from './bench-error.js';

export interface Command {
  /** Program and arguments. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Exit codes that are fine besides 0. */
  readonly accepts?: readonly number[];
  /** Of its standard output, where somebody reads it; it is thrown away otherwise. */
  readonly captures?: boolean;
}

export interface Ended {
  /** From before the start until its end is known. */
  readonly seconds: number;
  readonly stdout: string;
}

/** A program that goes on until it is ended. */
export interface Service {
  end(): Promise<void>;
}

/** Enough to see what went wrong. */
const MAX_ERROR_CHARACTERS = 2000;

/** Long enough for every program here to clean up. */
const GRACE_MS = 10_000;

/** Runs programs, each with what it starts in a process group of its own, so that an interruption ends them all. */
export class Commands {
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** @throws BenchError when it fails, Interrupted when the bench is stopped: nothing of it runs any more then. */
  async run(command: Command): Promise<Ended> {
    throwIfInterrupted(this.#signal);
    const stdout = command.captures === true ? 'pipe' : 'ignore';
    const start = process.hrtime.bigint();
    const child = this.#start(command, stdout);
    let seconds = 0;
    child.once('exit', () => {
      seconds = Number(process.hrtime.bigint() - start) / 1e9;
    });
    const texts = { stdout: '', stderr: '' };
    collect(child, texts);
    const end = (): void => {
      endGroup(child);
    };
    this.#signal.addEventListener('abort', end);
    try {
      const code = await ending(child);
      throwIfInterrupted(this.#signal);
      if (code !== 0 && !(command.accepts ?? []).includes(Number(code)))
        throw new BenchError(failure(command, code, texts.stderr));
      return { seconds, stdout: texts.stdout };
    } finally {
      this.#signal.removeEventListener('abort', end);
    }
  }

  /** Starts a program that stays. */
  serve(command: Command): Service {
    throwIfInterrupted(this.#signal);
    const child = this.#start(command, 'ignore');
    child.stderr?.resume();
    const ended = ending(child);
    return {
      end: async () => {
        endGroup(child);
        await ended;
      },
    };
  }

  #start({ argv: [program = '', ...args], cwd, env }: Command, stdout: 'pipe' | 'ignore'): ChildProcess {
    return spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', stdout, 'pipe'] });
  }
}

export function throwIfInterrupted(signal: AbortSignal): void {
  if (signal.aborted) throw new Interrupted('interrupted');
}

function collect(child: ChildProcess, texts: { stdout: string; stderr: string }): void {
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    texts.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    texts.stderr = (texts.stderr + text).slice(-MAX_ERROR_CHARACTERS);
  });
}

/** Its exit code or the signal that ended it, when its streams are closed too. */
async function ending(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      reject(new BenchError(`expected to start a program: ${error.message}`, { cause: error }));
    });
    child.once('close', (code, signal) => {
      resolve(code ?? signal ?? 'unknown');
    });
  });
}

/**
 * Asks a program and what it started to end, as a compiler that runs in a group of its own is ended by the cache that
 * runs it; whoever does not care is killed.
 */
function endGroup(child: ChildProcess): void {
  signalGroup(child, 'SIGTERM');
  const killing = setTimeout(() => {
    signalGroup(child, 'SIGKILL');
  }, GRACE_MS);
  child.once('close', () => {
    clearTimeout(killing);
  });
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Nothing of it is left.
  }
}

function failure({ argv }: Command, code: number | string, stderr: string): string {
  return `expected "${argv.join(' ').slice(0, 200)}" to succeed, got ${code}${stderr === '' ? '' : `:\n${stderr}`}`;
}
