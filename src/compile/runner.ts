import { ACTIVE_VARIABLE } from '../model/lifecycle.js';
import { errnoOf, CacheError, messageOf } from '../model/error.js';
import { MAX_CAPTURED_BYTES } from '../model/record.js';
import type { Host } from '../host/host.js';
import type { ProcessInfo } from '../host/proc.js';
import { signalNumber, type Exit, type RunningProcess, type SpawnOptions } from '../host/processes.js';

/** How long after a polite SIGTERM the rest of a tree is killed. */
const GRACE_MS = 1000;
/** How often the memory of a tree is looked at. */
const MEMORY_POLL_MS = 100;
/** How long children that a compiler left behind may hold its pipes, while nobody waits for our own reader. */
const DRAIN_MS = 5000;
const DRAIN_POLL_MS = 50;
/** A process that closed its pipes is still on its way out for a moment. */
const ENDING_MS = 200;
const ENDING_POLL_MS = 10;
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
  /** Called as soon as the program runs, with its pid, which is its group's too. */
  readonly onStarted?: (pid: number) => void;
  /**
   * Receives what does not fit the bound, everything before it included. A promise holds the program back: nothing more
   * of the stream is read until it settles.
   */
  readonly onOverflow: ((stream: 'stdout' | 'stderr', chunk: Uint8Array) => void | Promise<void>) | null;
}

export interface RunResult {
  readonly end: Exit | 'timeout' | 'memory' | 'stopped';
  /** Empty after an overflow that was handed on. */
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** True when stdout and stderr exceeded 256 KiB together. */
  readonly overflowed: boolean;
  /** True when children were left behind, with the pipes or in the group: what they still do is not known. */
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
  #waiting = 0;

  constructor(onOverflow: RunRequest['onOverflow']) {
    this.#onOverflow = onOverflow;
  }

  get overflowed(): boolean {
    return this.#bytes > MAX_CAPTURED_BYTES;
  }

  /** True while somebody who takes the overflow has not taken it. */
  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  /** A promise when the overflow has to be waited for. */
  add(stream: 'stdout' | 'stderr', chunk: Buffer): Promise<void> | undefined {
    this.#bytes += chunk.byteLength;
    this.#chunks.push({ stream, chunk });
    const take = this.#onOverflow;
    if (!this.overflowed || take === null) return undefined;
    const taken = this.#chunks
      .splice(0)
      .map((held) => take(held.stream, held.chunk))
      .filter((result) => result instanceof Promise);
    return taken.length === 0 ? undefined : this.#waitFor(taken);
  }

  async #waitFor(taken: readonly Promise<void>[]): Promise<void> {
    this.#waiting += 1;
    // Who cannot take it (a closed pipe) says so elsewhere; the compiler goes on.
    await Promise.allSettled(taken);
    this.#waiting -= 1;
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
  request.onStarted?.(running.pid);
  const tree = new Tree(host, running.pid, request.mark);
  const ending = watch(host, tree, request);
  const exit = await running.exited;
  const isDrained = await drained(running, { streams, signal: request.signal });
  const lingering = !isDrained || (await leftMembers(host, tree));
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
      stdout: request.stdoutFd ?? ((chunk) => streams.add('stdout', chunk)),
      stderr: (chunk) => streams.add('stderr', chunk),
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

/**
 * Waits for the pipes. Children left behind hold them for a while at most, which does not run while our own reader has
 * not taken what came, unless the caller asked to stop. @returns false when they still did.
 */
async function drained(
  running: RunningProcess,
  { streams, signal }: { readonly streams: Streams; readonly signal: AbortSignal | null },
): Promise<boolean> {
  let complete = true;
  let leftMs = DRAIN_MS;
  const timer = setInterval(() => {
    if (streams.isWaiting && signal?.aborted !== true) return;
    leftMs -= DRAIN_POLL_MS;
    if (leftMs > 0) return;
    complete = false;
    running.release();
  }, DRAIN_POLL_MS);
  await running.drained;
  clearInterval(timer);
  return complete;
}

/** True when the program left living children in its group. One system call where it did not. */
async function leftMembers({ processes, clock }: Host, tree: Tree): Promise<boolean> {
  const deadline = clock.monotonicMs() + ENDING_MS;
  while (processes.isGroupAlive(tree.leader)) {
    if (tree.members()?.length === 0) return false;
    if (clock.monotonicMs() >= deadline) return true;
    await clock.sleep(ENDING_POLL_MS);
  }
  return false;
}

type EndReason = 'timeout' | 'memory' | 'stopped';

interface Watch {
  /** Ends the watch; null when the tree ended by itself. */
  stop(): Promise<EndReason | null>;
}

function watch(host: Host, tree: Tree, request: RunRequest): Watch {
  let reason: EndReason | null = null;
  let ended: Promise<void> = Promise.resolve();
  const end = (why: EndReason): void => {
    if (reason !== null) return;
    reason = why;
    ended = endTree(host, tree);
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
          if ((tree.residentBytes() ?? 0) > limit) end('memory');
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

/** The processes of one compilation: the group, the session and whatever carries the mark. */
class Tree {
  readonly leader: number;
  readonly #host: Host;
  readonly #mark: string | null;
  /** Whether a process, by pid and start, carries the mark, as it was in the last look at the memory. */
  #marked: ReadonlyMap<string, boolean> = new Map();

  constructor(host: Host, leader: number, mark: string | null) {
    this.#host = host;
    this.leader = leader;
    this.#mark = mark;
  }

  /** The living ones; null where that cannot be told now. */
  members(): readonly ProcessInfo[] | null {
    return ifTold(() =>
      this.#living().filter((process) => this.#isOwn(process) || this.#carriesMark(process)),
    );
  }

  /**
   * A process is asked for the mark when it is seen for the first time: the whole machine is looked at ten times a
   * second. Worst effect: one that left the group and is seen in the middle of its exec, without an environment, counts
   * nothing; its children do, and the end of the tree finds it. Null where nothing can be told now.
   */
  residentBytes(): number | null {
    return ifTold(() => this.#sumResident());
  }

  #sumResident(): number {
    const marked = new Map<string, boolean>();
    let sum = 0;
    for (const process of this.#living()) {
      const key = `${process.pid}/${process.startTicks}`;
      const isMember = this.#isOwn(process) || (this.#marked.get(key) ?? this.#carriesMark(process));
      marked.set(key, isMember);
      if (isMember) sum += process.residentBytes;
    }
    this.#marked = marked;
    return sum;
  }

  #living(): readonly ProcessInfo[] {
    const { processes } = this.#host;
    return processes.list().filter((process) => !process.zombie && process.pid !== processes.pid);
  }

  #isOwn(process: ProcessInfo): boolean {
    return process.group === this.leader || process.session === this.leader;
  }

  #carriesMark({ pid }: ProcessInfo): boolean {
    if (this.#mark === null) return false;
    const active = this.#host.processes.variableOf(pid, ACTIVE_VARIABLE);
    return active?.split(':').includes(this.#mark) === true;
  }
}

function ifTold<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

/** Asks the tree to end, then kills what is left of it. Comes back when nothing of it lives. */
async function endTree({ processes, clock }: Host, tree: Tree): Promise<void> {
  processes.kill(-tree.leader, 'SIGTERM');
  const deadline = clock.monotonicMs() + GRACE_MS;
  while (clock.monotonicMs() < deadline) {
    if (tree.members()?.length === 0) return;
    await clock.sleep(10);
  }
  for (let attempt = 0; attempt < 50; attempt += 1) {
    processes.kill(-tree.leader, 'SIGKILL');
    const left = tree.members();
    if (left?.length === 0) return;
    for (const { pid } of left ?? []) processes.kill(pid, 'SIGKILL');
    await clock.sleep(20);
  }
}
