import { availableParallelism, hostname } from 'node:os';
import { systemClock, type Clock } from './clock.js';
import { systemFiles, type Files } from './files.js';
import type { Blake3 } from './hash.js';
import type { FileLocks } from './locks.js';
import { systemProcesses, type Processes } from './processes.js';
import { systemRandom, type Random } from './random.js';
import type { Threads } from './threads.js';

/** Everything outside the program, so that every rule can be tested with a fake in its place. */
export interface Host {
  readonly clock: Clock;
  readonly random: Random;
  readonly hash: Blake3;
  readonly files: Files;
  readonly locks: FileLocks;
  readonly processes: Processes;
  /** Threads have the real outside, whatever this host replaces; null: none is started. */
  readonly threads: Threads | null;
  readonly user: {
    /** Effective user id; 0 is root. */
    readonly uid: number;
  };
  readonly machine: {
    /** Node's name of the operating system and of the processor: `linux`, `x64`. */
    readonly platform: string;
    readonly arch: string;
    /** How many compilers can run at once without taking turns; at least 1. */
    readonly processors: number;
  };
}

/** What differs between the runtimes that the program runs in. */
export type RuntimeParts = Pick<Host, 'hash' | 'locks' | 'threads'>;

/** The real outside, with what the runtime gives. */
export function hostWith(parts: RuntimeParts): Host {
  return {
    clock: systemClock,
    random: systemRandom,
    files: systemFiles,
    processes: systemProcesses(hostname()),
    user: { uid: process.geteuid?.() ?? 0 },
    machine: { platform: process.platform, arch: process.arch, processors: availableParallelism() },
    ...parts,
  };
}
