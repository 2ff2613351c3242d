import { createRequire } from 'node:module';

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

interface LockAddon {
  readonly tryLock: (fd: number, offset: number, length: number, options: { shared: boolean }) => boolean;
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

/** Open file description locks of the optional addon, or {@link noLocks}. */
export function loadLocks(): FileLocks {
  let addon: unknown;
  try {
    addon = createRequire(import.meta.url)('fs-native-extensions');
  } catch {
    // Best effort: without the addon every process compiles for itself; publishing stays atomic.
    return noLocks;
  }
  if (!isLockAddon(addon)) return noLocks;
  const { tryLock, unlock } = addon;
  return {
    available: true,
    tryLock: (fd, range) => tryLock(fd, range.offset, range.length, { shared: range.shared === true }),
    unlock: (fd, range) => {
      unlock(fd, range.offset, range.length);
    },
  };
}
