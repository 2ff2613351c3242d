import { membersOf } from '../store/worker-directory.js';
import { errnoOf, CacheError, messageOf } from '../model/error.js';
import { MAX_CAPTURED_BYTES } from '../model/record.js';
import type { Host } from '../host/host.js';
import { signalNumber, type Exit, type RunningProcess, type SpawnOptions } from '../host/processes.js';

/** How long after a polite SIGTERM the rest of a tree is killed. */
const GRACE_MS = 1000;
/** How often the memory of a tree is looked at. */
const MEMORY_POLL_MS = 100;
/** How long children that a compiler left behind may hold its pipes. */
const DRAIN_MS = 5000;
/** Timers beyond 2^31 - 1 ms fire at once; a limit of 24 days is as good as any longer one. */
const MAX_TIMER_MS = 2_147_483_647;
const EXIT_TIMEOUT = 124;
const EXIT_MEMORY = 137;
const EXIT_NOT_EXECUTABLE = 126;

export interface RunRequest {
  readonly spawn: SpawnOptions;
  /** What every process of this compilation carries in its environment; null when it carries nothing. */
  readonly mark: string | null;
  readonly timeoutMs: number | null;
  readonly memoryBytes: number | null;
  /** An open file for stdout, when stdout is an output. */
  readonly stdoutFd: number | null;
  readonly signal: AbortSignal | null;
  /** Receives what does not fit the bound, everything before it included. */
  readonly onOverflow: ((stream: 'stdout' | 'stderr', chunk: Uint8Array) => void) | null;
}

export interface RunResult {
  readonly end: Exit | 'timeout' | 'memory' | 'stopped';
  /** Empty after an overflow that was handed on. */
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** True when stdout and stderr exceeded 256 KiB together. */
  readonly overflowed: boolean;
  /** True when children were left behind that held the pipes: what they still do is not known. */
  readonly lingering: boolean;
  readonly wallSeconds: number;
}

/** The status a shell would show. */
export function exitCodeOf(end: RunResult['end']): number {
  if (end === 'timeout') return EXIT_TIMEOUT;
  if (end === 'memory') return EXIT_MEMORY;
  if (end === 'stopped') return 128 + signalNumber('SIGTERM');
  if (end.signal !== null) return 128 + signalNumber(end.signal);
  return end.status ?? EXIT_NOT_EXECUTABLE;
}

/** Both streams of a program up to the bound; beyond it everything goes to the overflow, in the order it came. */
class Streams {
  readonly #chunks: { readonly stream: 'stdout' | 'stderr'; readonly chunk: Buffer }[] = [];
  readonly #onOverflow: RunRequest['onOverflow'];
  #bytes = 0;

  constructor(onOverflow: RunRequest['onOverflow']) {
    this.#onOverflow = onOverflow;
  }

  get overflowed(): boolean {
    return this.#bytes > MAX_CAPTURED_BYTES;
  }

  add(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this.#bytes += chunk.byteLength;
    this.#chunks.push({ stream, chunk });
    if (!this.overflowed || this.#onOverflow === null) return;
    for (const waiting of this.#chunks.splice(0)) this.#onOverflow(waiting.stream, waiting.chunk);
  }

  bytes(stream: 'stdout' | 'stderr'): Buffer {
    return Buffer.concat(this.#chunks.filter((item) => item.stream === stream).map((item) => item.chunk));
  }
}

/**
 * Runs a compiler in a process group of its own. A limit or the caller's signal ends the whole tree, children that left
 * the group included.
 * @throws CacheError `not-found` or `not-executable` when the program cannot be started.
 */
export async function run(host: Host, request: RunRequest): Promise<RunResult> {
  const { clock } = host;
  const streams = new Streams(request.onOverflow);
  const startMs = clock.monotonicMs();
  const running = await start(host, request, streams);
  const ending = watch(host, running, request);
  const exit = await running.exited;
  const lingering = !(await drained(running));
  const reason = await ending.stop();
  return {
    end: reason ?? exit,
    stdout: streams.bytes('stdout'),
    stderr: streams.bytes('stderr'),
    overflowed: streams.overflowed,
    lingering,
    wallSeconds: (clock.monotonicMs() - startMs) / 1000,
  };
}

async function start(host: Host, request: RunRequest, streams: Streams): Promise<RunningProcess> {
  try {
    return await host.processes.start(request.spawn, {
      stdout:
        request.stdoutFd ??
        ((chunk) => {
          streams.add('stdout', chunk);
        }),
      stderr: (chunk) => {
        streams.add('stderr', chunk);
      },
    });
  } catch (error) {
    throw startError(error, request.spawn);
  }
}

/** The error of a program that could not be started, with the meaning that a shell gives it. */
export function startError(error: unknown, spawn: SpawnOptions): unknown {
  const errno = errnoOf(error);
  if (errno === null) return error;
  if (errno === 'ENOENT') {
    return new CacheError(
      'not-found',
      `"${spawn.program}" cannot be started: it, its interpreter or its folder is missing`,
      {
        hint: `Look at the first line of the file, and at the folder "${spawn.cwd}".`,
        cause: error,
      },
    );
  }
  return new CacheError('not-executable', `"${spawn.program}" cannot be started (${messageOf(error)})`, {
    cause: error,
  });
}

/** Waits for the pipes; children left behind hold them for a while at most. @returns false when they still did. */
async function drained(running: RunningProcess): Promise<boolean> {
  let complete = true;
  const timer = setTimeout(() => {
    complete = false;
    running.release();
  }, DRAIN_MS);
  await running.drained;
  clearTimeout(timer);
  return complete;
}

type EndReason = 'timeout' | 'memory' | 'stopped';

interface Watch {
  /** Ends the watch; null when the tree ended by itself. */
  stop(): Promise<EndReason | null>;
}

function watch(host: Host, running: RunningProcess, request: RunRequest): Watch {
  let reason: EndReason | null = null;
  let ended: Promise<void> = Promise.resolve();
  const end = (why: EndReason): void => {
    if (reason !== null) return;
    reason = why;
    ended = endTree(host, running.pid, request.mark);
  };
  const onAbort = (): void => {
    end('stopped');
  };
  const timer =
    request.timeoutMs === null ? null : setTimeout(end, Math.min(request.timeoutMs, MAX_TIMER_MS), 'timeout');
  const limit = request.memoryBytes;
  const poll =
    limit === null
      ? null
      : setInterval(() => {
          if (residentBytes(host, running.pid, request.mark) > limit) end('memory');
        }, MEMORY_POLL_MS);
  request.signal?.addEventListener('abort', onAbort, { once: true });
  if (request.signal?.aborted === true) onAbort();
  return {
    stop: async () => {
      if (timer !== null) clearTimeout(timer);
      if (poll !== null) clearInterval(poll);
      request.signal?.removeEventListener('abort', onAbort);
      await ended;
      return reason;
    },
  };
}

/** The group, the session and whatever carries the mark. */
function treeOf(host: Host, leader: number, mark: string | null): ReadonlySet<number> {
  const own = host.processes
    .list()
    .filter((process) => !process.zombie && (process.group === leader || process.session === leader))
    .map((process) => process.pid);
  return new Set([...own, ...(mark === null ? [] : membersOf(host, mark))]);
}

function residentBytes(host: Host, leader: number, mark: string | null): number {
  const tree = treeOf(host, leader, mark);
  return host.processes
    .list()
    .reduce((sum, process) => sum + (tree.has(process.pid) ? process.residentBytes : 0), 0);
}

/** Asks the tree to end, then kills what is left of it. Comes back when nothing of it lives. */
async function endTree(host: Host, leader: number, mark: string | null): Promise<void> {
  const { processes, clock } = host;
  processes.kill(-leader, 'SIGTERM');
  const deadline = clock.monotonicMs() + GRACE_MS;
  while (clock.monotonicMs() < deadline) {
    if (treeOf(host, leader, mark).size === 0) return;
    await clock.sleep(10);
  }
  for (let attempt = 0; attempt < 50; attempt += 1) {
    processes.kill(-leader, 'SIGKILL');
    const left = treeOf(host, leader, mark);
    if (left.size === 0) return;
    for (const pid of left) processes.kill(pid, 'SIGKILL');
    await clock.sleep(20);
  }
}
