import type { Clock } from '../../src/host/clock.js';
import { systemFiles, withFile, type Files } from '../../src/host/files.js';
import { systemHost, type Host } from '../../src/host/host.js';

const system = systemHost();

/** The real outside but for what a test replaces; in one thread, for another one would have the real outside. */
export function fakeHost(replaced: Partial<Host> = {}): Host {
  return { ...system, threads: null, ...replaced };
}

/** The real file primitives but for those that a test replaces. */
export function failingFiles(replaced: Partial<Files>): Files {
  const files: Files = {
    ...systemFiles,
    // Of those that a test replaces.
    readStart: (path, into) =>
      withFile(files, { path: path.toString(), flags: 'scan' }, (fd) =>
        files.readAt(fd, into, into.byteLength, 0, 1),
      ),
    ...replaced,
  };
  return files;
}

/** Files of which the first so many that are renamed are swept away at the last moment, as by a clock that is ahead. */
export function sweptFiles(times: number): Files {
  let left = times;
  return failingFiles({
    rename: (from, to) => {
      left -= 1;
      if (left >= 0) systemFiles.removeTree(from);
      systemFiles.rename(from, to);
    },
  });
}

/** The error of a failed system call as Node throws it. */
export function errnoError(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code });
}

/** A clock that a test sets. Sleeping takes no time: it moves the clock on and lets other tasks run. */
export class FakeClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  /** Called at each sleep, with its length. */
  onSleep: ((ms: number) => void) | null = null;

  constructor(nowMs: number = Date.now()) {
    this.#nowMs = Math.trunc(nowMs);
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Moves both times on, or, with a negative span, the time of day back. */
  advance(ms: number): void {
    this.#nowMs += ms;
    this.#monotonicMs += Math.max(0, ms);
  }

  async breathe(): Promise<void> {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }

  async sleep(ms: number): Promise<void> {
    this.#nowMs += Math.ceil(ms);
    this.#monotonicMs += ms;
    this.onSleep?.(ms);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
