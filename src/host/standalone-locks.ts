import type { FileLocks, LockRange } from './locks.js';
import { libC, type LibC } from './standalone-libc.js';

/** `F_OFD_SETLK` of Linux on every processor: sets or releases a lock of an open file description, without waiting. */
const SET_LOCK = 37;

/** `struct flock` of 64-bit Linux: type and whence in 2 bytes each, start and length in 8, the pid (always 0 here). */
const FLOCK_BYTES = 32;
const TYPE_AT = 0;
const START_AT = 8;
const LENGTH_AT = 16;

/** What Linux answers on every processor. Not from `node:os`, whose names only an error needs. */
const HELD_BY_OTHERS = { EAGAIN: 11, EACCES: 13 } as const;

/** `l_type`. */
const LOCK_TYPE = { shared: 0, exclusive: 1, none: 2 } as const;

/**
 * The locks of `fs-native-extensions`, by fcntl(2) itself: the addon ends a process of Bun's at the first lock that
 * somebody else holds. Both are locks of open file descriptions, so processes of either kind exclude each other.
 */
export class StandaloneLocks implements FileLocks {
  readonly #lock = new DataView(new ArrayBuffer(FLOCK_BYTES));
  readonly #bytes = new Uint8Array(this.#lock.buffer);

  get available(): boolean {
    return libC() !== null;
  }

  tryLock(fd: number, range: LockRange): boolean {
    const library = libC();
    if (library === null) return true;
    const errno = this.#set(
      library,
      fd,
      range,
      range.shared === true ? LOCK_TYPE.shared : LOCK_TYPE.exclusive,
    );
    if (errno === 0) return true;
    if (errno === HELD_BY_OTHERS.EAGAIN || errno === HELD_BY_OTHERS.EACCES) return false;
    throw lockError('lock', errno);
  }

  unlock(fd: number, range: LockRange): void {
    const library = libC();
    if (library === null) return;
    const errno = this.#set(library, fd, range, LOCK_TYPE.none);
    if (errno !== 0) throw lockError('unlock', errno);
  }

  /** @returns the errno, 0 for success. */
  #set(library: LibC, fd: number, { offset, length }: LockRange, type: number): number {
    this.#lock.setInt16(TYPE_AT, type, true);
    this.#lock.setBigInt64(START_AT, BigInt(offset), true);
    this.#lock.setBigInt64(LENGTH_AT, BigInt(length), true);
    return library.fcntl(fd, SET_LOCK, this.#bytes) === 0 ? 0 : library.errno();
  }
}

/** In the shape of Node's own, as the addon throws them. */
function lockError(syscall: string, errno: number): NodeJS.ErrnoException {
  const { constants } = process.getBuiltinModule('node:os');
  const code = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? 'EIO';
  return Object.assign(new Error(`${code}: ${syscall}`), { code, errno: -errno, syscall });
}
