import { errnoOf } from '../model/error.js';
import { loadAddon, type AddonPackage } from './addon.js';

/**
 * Byte-range locks that die with their process and belong to an open file description: closing another descriptor of
 * the same file releases nothing. Within one description a second lock of the same byte succeeds, so callers keep a
 * register of their own.
 */
export interface FileLocks {
  /** False where the platform's addon is missing: then `tryLock` grants everything. */
  readonly available: boolean;
  /** The descriptor must be open for writing. */
  tryLock(fd: number, range: LockRange): boolean;
  unlock(fd: number, range: LockRange): void;
}

export interface LockRange {
  /** A number, at most 2^53 - 1: the addon reads a BigInt as 0. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
  readonly shared?: boolean;
}

const PACKAGE: AddonPackage = {
  name: 'fs-native-extensions/binding.js',
  binary: (platform) => `fs-native-extensions/prebuilds/${platform}/fs-native-extensions.node`,
};

/** What the package's JavaScript stands on. */
interface LockAddon {
  /** Throws EAGAIN when somebody else holds the lock. */
  readonly tryLock: (fd: number, offset: number, length: number, isExclusive: boolean) => void;
  readonly unlock: (fd: number, offset: number, length: number) => void;
}

function isLockAddon(value: unknown): value is LockAddon {
  return (
    typeof value === 'object' &&
    value !== null &&
    'tryLock' in value &&
    typeof value.tryLock === 'function' &&
    'unlock' in value &&
    typeof value.unlock === 'function'
  );
}

export const noLocks: FileLocks = {
  available: false,
  tryLock: () => true,
  unlock: () => undefined,
};

/** Open file description locks of the optional addon, or {@link noLocks}; loaded by the first who asks for them. */
export function lazyLocks(): FileLocks {
  let loaded: FileLocks | null = null;
  const implementation = (): FileLocks => {
    loaded ??= loadLocks();
    return loaded;
  };
  return {
    get available() {
      return implementation().available;
    },
    tryLock: (fd, range) => implementation().tryLock(fd, range),
    unlock: (fd, range) => {
      implementation().unlock(fd, range);
    },
  };
}

function loadLocks(): FileLocks {
  // Best effort: without the addon every process compiles for itself; publishing stays atomic.
  const addon = loadAddon(PACKAGE, isLockAddon);
  if (addon === null) return noLocks;
  return {
    available: true,
    tryLock: (fd, { offset, length, shared = false }) => {
      try {
        addon.tryLock(fd, offset, length, !shared);
        return true;
      } catch (error) {
        if (errnoOf(error) === 'EAGAIN') return false;
        throw withSyscall(error, 'lock');
      }
    },
    unlock: (fd, { offset, length }) => {
      try {
        addon.unlock(fd, offset, length);
      } catch (error) {
        throw withSyscall(error, 'unlock');
      }
    },
  };
}

/** In the shape of Node's own errors: it tells a failed system call from a bug. */
function withSyscall(error: unknown, syscall: string): unknown {
  return error instanceof Error && errnoOf(error) !== null ? Object.assign(error, { syscall }) : error;
}
