import { closeSync, openSync, readSync } from 'node:fs';
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
  /**
   * The cryptographic hash that the runtime has at hand, BLAKE3 or another, as text that may be the name of a file: for
   * what only the same program reads again.
   */
  readonly checksum: (bytes: Uint8Array) => string;
  readonly files: Files;
  readonly locks: FileLocks;
  readonly processes: Processes;
  /** Threads have the real outside, whatever this host replaces; null: none is started. */
  readonly threads: Threads | null;
  readonly user: {
    /** Effective user id; 0 is root. */
    readonly uid: number;
  };
  /** The effective group id and all further groups: they decide what may be read. */
  readonly groups: () => readonly number[];
  /** The permissions that new files of this process do not get, as they were when first asked; null: not known. */
  readonly umask: () => number | null;
  readonly machine: {
    /** Node's name of the operating system and of the processor: `linux`, `x64`. */
    readonly platform: string;
    readonly arch: string;
    /** How many compilers can run at once without taking turns; at least 1. */
    readonly processors: number;
  };
}

/** Asked of the kernel: `process.umask()` lifts it for a moment, for all threads. */
function systemUmask(): () => number | null {
  let known: number | null | undefined;
  return () => {
    known ??= readUmask();
    return known;
  };
}

/** Where the kernel names it: in the second line. */
const STATUS_BYTES = 512;
const UMASK = '\nUmask:\t';

function readUmask(): number | null {
  try {
    const status = Buffer.allocUnsafe(STATUS_BYTES);
    // Not readFileSync: a hit is too short for what Node loads with it.
    const fd = openSync('/proc/self/status', 'r');
    const text = status.subarray(0, readAndClose(fd, status)).toString();
    const at = text.indexOf(UMASK);
    const umask = at < 0 ? Number.NaN : Number.parseInt(text.slice(at + UMASK.length), 8);
    return Number.isNaN(umask) ? null : umask;
  } catch {
    // Best effort: who needs it goes another way without it.
    return null;
  }
}

function readAndClose(fd: number, into: Buffer): number {
  try {
    return readSync(fd, into, 0, into.byteLength, null);
  } finally {
    closeSync(fd);
  }
}

/** What differs between the runtimes that the program runs in. */
export type RuntimeParts = Pick<Host, 'hash' | 'locks' | 'threads'> & Partial<Pick<Host, 'checksum'>>;

/** The real outside, with what the runtime gives. */
export function hostWith(parts: RuntimeParts): Host {
  return {
    checksum: (bytes) => parts.hash.text(bytes),
    clock: systemClock,
    random: systemRandom,
    files: systemFiles,
    processes: systemProcesses(),
    user: { uid: process.geteuid?.() ?? 0 },
    groups: () => [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])],
    umask: systemUmask(),
    machine: {
      platform: process.platform,
      arch: process.arch,
      get processors() {
        return process.getBuiltinModule('node:os').availableParallelism();
      },
    },
    ...parts,
  };
}
