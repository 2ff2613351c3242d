import type * as childProcesses from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import type { Readable } from 'node:stream';
import { errnoOf } from '../model/error.js';

/** A process as `/proc/<pid>/stat` describes it. */
export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Start time in clock ticks since boot: with the pid it names a process for the life of the machine. */
  readonly startTicks: number;
  /** A zombie has ended and waits to be reaped. */
  readonly zombie: boolean;
  readonly residentBytes: number;
}

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

/** What a process that is gone answers, one of somebody else, and a platform without /proc. */
const UNTOLD: ReadonlySet<string | null> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']);

/**
 * Decoded behind the read: where it is asked for text, Node aborts when the file cannot be closed.
 * @throws the errno error of a read that would have answered.
 */
function readText(path: string): string | null {
  try {
    return readFileSync(path).toString('utf8');
  } catch (error) {
    if (UNTOLD.has(errnoOf(error))) return null;
    throw error;
  }
}

/** Null for whatever reason. */
function readTextQuietly(path: string): string | null {
  try {
    return readText(path);
  } catch (error) {
    // Best effort: what asks this takes no answer for an answer.
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

/** What `/proc/<pid>/stat` counts in: 4 KiB on x64, up to 64 KiB on arm64. Of use where the kernel does not tell. */
const USUAL_PAGE_BYTES = 4096;
/** The entry of the auxiliary vector that holds the size of a page (`AT_PAGESZ`). */
const PAGE_SIZE_KEY = 6n;
let knownPageBytes: number | null = null;

/** The size of a page in the auxiliary vector that the kernel gives to each process: pairs of u64; null without one. */
export function pageBytesIn(vector: Buffer): number | null {
  for (let offset = 0; offset + 16 <= vector.byteLength; offset += 16) {
    if (vector.readBigUInt64LE(offset) !== PAGE_SIZE_KEY) continue;
    const bytes = Number(vector.readBigUInt64LE(offset + 8));
    return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
  }
  return null;
}

function pageBytes(): number {
  knownPageBytes ??= readPageBytes() ?? USUAL_PAGE_BYTES;
  return knownPageBytes;
}

function readPageBytes(): number | null {
  try {
    return pageBytesIn(readFileSync('/proc/self/auxv'));
  } catch {
    // Best effort: without /proc there is no process to count pages of either.
    return null;
  }
}

/** Decodes a line of `/proc/<pid>/stat`; the name in brackets may hold spaces and brackets itself. */
function parseProcStat(text: string): ProcessInfo | null {
  const nameEnd = text.lastIndexOf(')');
  const pid = Number.parseInt(text, 10);
  if (nameEnd < 0 || !Number.isSafeInteger(pid)) return null;
  const fields = text.slice(nameEnd + 2).split(' ');
  const at = (index: number): number => Number(fields[index]);
  const found = {
    pid,
    parent: at(1),
    group: at(2),
    session: at(3),
    startTicks: at(19),
    zombie: fields[0] === 'Z' || fields[0] === 'X',
    residentBytes: at(21) * pageBytes(),
  };
  return Number.isFinite(found.startTicks) && Number.isFinite(found.group) ? found : null;
}

function parseIfTold(text: string | null): ProcessInfo | null {
  return text === null ? null : parseProcStat(text);
}

function info(pid: number): ProcessInfo | null {
  return parseIfTold(readTextQuietly(statFile(pid)));
}

function statFile(pid: number): string {
  return `/proc/${pid}/stat`;
}

function list(): readonly ProcessInfo[] {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch (error) {
    // Best effort: a platform without /proc; the caller then knows only the group.
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  const found: ProcessInfo[] = [];
  for (const name of names) {
    if (!/^[0-9]+$/.test(name)) continue;
    const process = parseIfTold(readText(statFile(Number(name))));
    if (process !== null) found.push(process);
  }
  return found;
}

function variableOf(pid: number, name: string): string | null {
  const text = readText(`/proc/${pid}/environ`);
  if (text === null) return null;
  const prefix = `${name}=`;
  for (const assignment of text.split('\0')) {
    if (assignment.startsWith(prefix)) return assignment.slice(prefix.length);
  }
  return null;
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

function pidNamespace(): string | null {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    // Best effort: without namespaces in sight, a leftover of another place is left alone for a day.
    return null;
  }
}

/** The number of a signal, for exit codes of the form 128 + n. */
export function signalNumber(signal: NodeJS.Signals): number {
  return osConstants.signals[signal];
}

/** True for the name of a signal that this platform has. */
export function isSignal(name: string): name is NodeJS.Signals {
  return Object.hasOwn(osConstants.signals, name);
}

export function systemProcesses(hostName: string): Processes {
  let place: Place | null = null;
  return {
    pid: process.pid,
    get place() {
      place ??= {
        host: hostName,
        bootId: readTextQuietly('/proc/sys/kernel/random/boot_id')?.trim() ?? null,
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
