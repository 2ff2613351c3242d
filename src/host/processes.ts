import type * as childProcesses from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { bootId, info, list, pidNamespace, variableOf, type ProcessInfo } from './proc.js';

export interface SpawnOptions {
  readonly program: string;
  /** The arguments without the program itself. */
  readonly args: readonly string[];
  /** What the program sees as its own name. */
  readonly argv0: string;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Where the output of a started program goes: to a function, chunk by chunk, or to an open file. */
export interface Sinks {
  readonly stdout: Sink | number;
  readonly stderr: Sink;
}

/** A promise stops the reading of this stream, and so in time its writer, until it settles. */
export type Sink = (chunk: Buffer) => void | Promise<void>;

export interface Exit {
  /** Null when a signal ended the process. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  readonly pid: number;
  /** The program itself has ended. */
  readonly exited: Promise<Exit>;
  /** Nobody holds its pipes any more: every chunk was handed over. Children that it left behind may delay this. */
  readonly drained: Promise<void>;
  /** Stops reading, so that children left behind keep nobody waiting. */
  release(): void;
}

export interface Captured extends Exit {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Where this process runs: two machines, boots or containers never share a pid by accident. */
export interface Place {
  readonly host: string;
  readonly bootId: string | null;
  readonly pidNamespace: string | null;
}

export interface CaptureLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
  /** Ends the program and its group. */
  readonly signal?: AbortSignal | null;
}

export interface Processes {
  readonly pid: number;
  readonly place: Place;
  /** Null when the process is gone or the platform does not tell. */
  info(pid: number): ProcessInfo | null;
  /**
   * Every process that this one may see; empty where the platform does not tell.
   * @throws the errno error when it cannot be told now, such as `EMFILE`: nobody may be taken for gone then.
   */
  list(): readonly ProcessInfo[];
  /**
   * The value of a variable in the environment of another process; null when it is unset, or the process is gone or
   * somebody else's.
   * @throws the errno error when it cannot be told now.
   */
  variableOf(pid: number, name: string): string | null;
  /** Sends a signal to a process, or to a group (negative). A target that is gone is fine. */
  kill(target: number, signal: NodeJS.Signals): void;
  /** True while the group has members, those that have ended and were not reaped included. */
  isGroupAlive(group: number): boolean;
  /**
   * Starts a program as the leader of a new process group and session, with an empty stdin.
   * @throws the errno error of the failed start (`ENOENT`, `EACCES`, `E2BIG`, …).
   */
  start(options: SpawnOptions, sinks: Sinks): Promise<RunningProcess>;
  /**
   * Runs a program to its end with our stdin, in our process group, its stdout and stderr on the given descriptors. An
   * abort sends it SIGTERM.
   * @throws the errno error of the failed start.
   */
  inherit(
    options: SpawnOptions,
    streams: { readonly stdout: number; readonly stderr: number; readonly signal?: AbortSignal },
  ): Promise<Exit>;
  /**
   * Runs a program to its end and returns what it printed, at most `maxBytes` of each stream, within `timeoutMs`:
   * then, and on an abort, it is killed. Children that it leaves behind with its pipes are waited for 2 s at most, and live on.
   * @throws the errno error of the failed start.
   */
  capture(options: SpawnOptions, limits: CaptureLimits): Promise<Captured>;
}

function kill(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    // ESRCH: gone already, which is what the caller wants. EPERM: not ours to end.
    if (!(error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM'))) {
      throw error;
    }
  }
}

function isGroupAlive(group: number): boolean {
  try {
    return process.kill(-group, 0);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    // EPERM: members that changed their user.
    if (error instanceof Error && 'code' in error && error.code === 'EPERM') return true;
    throw error;
  }
}

/** Loaded where something is started: a hit starts nothing. */
function childProcess(): typeof childProcesses {
  return process.getBuiltinModule('node:child_process');
}

/** Hands every chunk on; while the sink waits nothing is read, and the writer waits when the pipe is full. */
function feed(stream: Readable | null, sink: Sink): void {
  stream?.on('data', (chunk: Buffer) => {
    const taken = sink(chunk);
    if (taken === undefined) return;
    stream.pause();
    const resume = (): void => {
      stream.resume();
    };
    taken.then(resume, resume);
  });
}

async function start(options: SpawnOptions, sinks: Sinks): Promise<RunningProcess> {
  const child = childProcess().spawn(options.program, [...options.args], {
    argv0: options.argv0,
    cwd: options.cwd,
    env: options.environment,
    detached: true,
    stdio: ['ignore', typeof sinks.stdout === 'number' ? sinks.stdout : 'pipe', 'pipe'],
  });
  if (typeof sinks.stdout !== 'number') feed(child.stdout, sinks.stdout);
  feed(child.stderr, sinks.stderr);
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (status, signal) => {
      resolve({ status, signal });
    });
  });
  const drained = new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve();
    });
  });
  await spawned(child);
  if (child.pid === undefined) throw new Error('a started process has no pid');
  const release = (): void => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  return { pid: child.pid, exited, drained, release };
}

async function inherit(
  options: SpawnOptions,
  streams: { readonly stdout: number; readonly stderr: number; readonly signal?: AbortSignal },
): Promise<Exit> {
  const child = childProcess().spawn(options.program, [...options.args], {
    argv0: options.argv0,
    cwd: options.cwd,
    env: options.environment,
    stdio: [0, streams.stdout, streams.stderr],
  });
  const onAbort = (): void => {
    child.kill('SIGTERM');
  };
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (status, signal) => {
      resolve({ status, signal });
    });
  });
  await spawned(child);
  streams.signal?.addEventListener('abort', onAbort, { once: true });
  if (streams.signal?.aborted === true) onAbort();
  const exit = await exited;
  streams.signal?.removeEventListener('abort', onAbort);
  return exit;
}

async function spawned(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

/** Collects a stream up to a bound. */
class Collector {
  readonly #chunks: Buffer[] = [];
  #left: number;

  constructor(maxBytes: number) {
    this.#left = maxBytes;
  }

  readonly add = (chunk: Buffer): void => {
    if (this.#left > 0) this.#chunks.push(chunk.subarray(0, this.#left));
    this.#left -= chunk.byteLength;
  };

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** How long the answer of a program waits for children that it left behind with its pipes. */
const CAPTURE_DRAIN_MS = 2000;

async function capture(options: SpawnOptions, limits: CaptureLimits): Promise<Captured> {
  const { signal = null } = limits;
  const isAborted = (): boolean => signal?.aborted === true;
  if (isAborted()) {
    return { status: null, signal: 'SIGKILL', stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  }
  const stdout = new Collector(limits.maxBytes);
  const stderr = new Collector(limits.maxBytes);
  const running = await start(options, { stdout: stdout.add, stderr: stderr.add });
  let cut = false;
  const end = (): void => {
    cut = true;
    kill(-running.pid, 'SIGKILL');
    running.release();
  };
  const timer = setTimeout(end, limits.timeoutMs);
  signal?.addEventListener('abort', end, { once: true });
  if (isAborted()) end();
  const exit = await running.exited;
  const drain = setTimeout(() => {
    running.release();
  }, CAPTURE_DRAIN_MS);
  await running.drained;
  clearTimeout(drain);
  clearTimeout(timer);
  signal?.removeEventListener('abort', end);
  // The program may have ended by itself just before: what it printed was not read to its end then.
  const ending: Exit = cut ? { status: null, signal: 'SIGKILL' } : exit;
  return { ...ending, stdout: stdout.bytes, stderr: stderr.bytes };
}

/** The number of a signal, for exit codes of the form 128 + n. */
export function signalNumber(signal: NodeJS.Signals): number {
  return process.getBuiltinModule('node:os').constants.signals[signal];
}

/** True for the name of a signal that this platform has. */
export function isSignal(name: string): name is NodeJS.Signals {
  return Object.hasOwn(process.getBuiltinModule('node:os').constants.signals, name);
}

export function systemProcesses(): Processes {
  let place: Place | null = null;
  return {
    pid: process.pid,
    get place() {
      place ??= {
        host: process.getBuiltinModule('node:os').hostname(),
        bootId: bootId(),
        pidNamespace: pidNamespace(),
      };
      return place;
    },
    info,
    list,
    variableOf,
    kill,
    isGroupAlive,
    start,
    inherit,
    capture,
  };
}
