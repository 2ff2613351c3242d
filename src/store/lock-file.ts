import { dirname } from 'node:path';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';

/**
 * Bytes of the lock file, one per purpose. Lock order: a fingerprint before any of these, these one at a time. Who holds
 * one of these only tries a fingerprint and never waits for it.
 */
export const LOCK_BYTES = { sweep: 0, counters: 1, pending: 2, maintenance: 3 } as const;

/** Fingerprints lock one byte each from here on. */
const FIRST_FINGERPRINT_BYTE = 2 ** 20;
/** 48 bits: with the offset still a number that JavaScript and `off_t` hold exactly. */
const FINGERPRINT_HEX_DIGITS = 12;
/** All the bytes that {@link fingerprintByte} gives out. */
export const FINGERPRINT_BYTES = {
  offset: FIRST_FINGERPRINT_BYTE,
  length: 16 ** FINGERPRINT_HEX_DIGITS,
} as const;

/** Ten minutes: longer than nearly every compilation, short enough that a stuck one does not stop a build for good. */
export const DEFAULT_LOCK_TIMEOUT_MS = 600_000;

const MIN_WAIT_MS = 2;
const MAX_WAIT_MS = 50;
/** How often a lock file that is not in place any more is opened again for one lock; nobody deletes it for ever. */
const REOPENINGS = 5;

/** The byte of a fingerprint. Two that share 48 bits exclude each other, which costs time and nothing else. */
export function fingerprintByte(fingerprint: Fingerprint): number {
  return FIRST_FINGERPRINT_BYTE + Number.parseInt(fingerprint.slice(0, FINGERPRINT_HEX_DIGITS), 16);
}

interface Handle {
  readonly fd: number;
  /** What the descriptor is, for as long as it is open. */
  readonly inode: number;
  readonly device: number;
  readonly held: Set<number>;
}

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly shared?: boolean;
  /** Called once, when the lock was not free at the first try. */
  onWait?(): void;
  readonly signal?: AbortSignal;
}

export type Held<T> = { readonly held: true; readonly value: T } | { readonly held: false };

/**
 * The lock file of a home: created once, never renamed, truncated or removed by us, one descriptor per process. Safe
 * for the tasks of a process and the processes of one kernel; network file systems are not promised. When somebody
 * deletes the file, two processes may compile the same thing once; nothing else.
 */
export class LockFile {
  readonly #host: Host;
  readonly #path: string;
  #current: Handle;
  #closed = false;
  /** Bytes held by tasks of this process: its own descriptor would grant them a second time. */
  readonly #register = new Set<number>();

  /** @throws the errno error when the file can be neither opened for writing nor created. */
  constructor(host: Host, path: string) {
    this.#host = host;
    this.#path = path;
    this.#current = this.#open();
  }

  #open(): Handle {
    const { files } = this.#host;
    const fd = files.open(this.#path, 'createReadWrite');
    const { inode, device } = files.fstat(fd);
    return { fd, inode, device, held: new Set() };
  }

  /** False without the lock addon: then only the tasks of this process exclude each other. */
  get excludesProcesses(): boolean {
    return this.#host.locks.available;
  }

  /** True when a task of this process holds the byte. */
  holds(byte: number): boolean {
    return this.#register.has(byte);
  }

  /** Runs `work` under the byte's lock if it is free now. */
  async tryHold<T>(byte: number, work: () => T | Promise<T>): Promise<Held<T>> {
    const handle = this.#acquire(byte, false);
    if (handle === null) return { held: false };
    try {
      return { held: true, value: await work() };
    } finally {
      this.#release(handle, byte);
    }
  }

  /** {@link tryHold} of work that ends at once. */
  tryHoldNow<T>(byte: number, work: () => T): Held<T> {
    const handle = this.#acquire(byte, false);
    if (handle === null) return { held: false };
    try {
      return { held: true, value: work() };
    } finally {
      this.#release(handle, byte);
    }
  }

  /**
   * {@link tryHoldNow} of several different bytes, all or none of them. No task comes between, so none has to be told. Not
   * held where the lock file is not in place any more: who takes one byte after another opens the one that is.
   */
  tryHoldAllNow<T>(bytes: readonly number[], work: () => T): Held<T> {
    const handle = this.#current;
    let taken = 0;
    try {
      for (const byte of bytes) {
        const isFree =
          !this.#register.has(byte) && this.#host.locks.tryLock(handle.fd, { offset: byte, length: 1 });
        if (!isFree) return { held: false };
        taken += 1;
      }
      return this.#isInPlace(handle) ? { held: true, value: work() } : { held: false };
    } finally {
      for (const byte of bytes.slice(0, taken)) this.#giveBack(handle, byte);
    }
  }

  /** Runs `work` under the byte's lock, waiting for it: try and jitter, so that no waiter starves for ever. */
  async hold<T>(
    byte: number,
    options: WaitOptions,
    work: (waited: boolean) => T | Promise<T>,
  ): Promise<Held<T>> {
    const { clock } = this.#host;
    const deadline = clock.monotonicMs() + options.timeoutMs;
    let waited = false;
    let handle = this.#acquire(byte, options.shared === true);
    while (handle === null) {
      if (clock.monotonicMs() >= deadline || options.signal?.aborted === true) return { held: false };
      if (!waited) options.onWait?.();
      waited = true;
      await clock.sleep(MIN_WAIT_MS + this.#host.random.fraction() * (MAX_WAIT_MS - MIN_WAIT_MS));
      handle = this.#acquire(byte, options.shared === true);
    }
    try {
      return { held: true, value: await work(waited) };
    } finally {
      this.#release(handle, byte);
    }
  }

  #acquire(byte: number, shared: boolean): Handle | null {
    if (this.#register.has(byte)) return null;
    const { locks } = this.#host;
    for (let attempt = 0; attempt < REOPENINGS; attempt += 1) {
      const handle = this.#current;
      if (!locks.tryLock(handle.fd, { offset: byte, length: 1, shared })) return null;
      try {
        if (this.#isInPlace(handle) || !this.#reopen()) return this.#take(handle, byte);
      } catch (error) {
        // A look that fails must not keep the byte from everybody else.
        this.#giveBack(handle, byte);
        throw error;
      }
      this.#giveBack(handle, byte);
    }
    return null;
  }

  #take(handle: Handle, byte: number): Handle {
    handle.held.add(byte);
    this.#register.add(byte);
    return handle;
  }

  /** A lock on a file that was deleted or replaced excludes nobody: what is open must be what the path names. */
  #isInPlace({ inode, device }: Handle): boolean {
    const there = this.#host.files.lstat(this.#path);
    return there !== null && there.inode === inode && there.device === device;
  }

  /** Opens the file that is in place now, made again if need be. False: the old one goes on for this process. */
  #reopen(): boolean {
    try {
      // Private state may be deleted at any time, its folder included.
      this.#host.files.makeDirectories(dirname(this.#path));
      this.#current = this.#open();
      return true;
    } catch (error) {
      // Best effort: who cannot open the new file excludes the tasks of this process only.
      if (errnoOf(error) === null) throw error;
      return false;
    }
  }

  #release(handle: Handle, byte: number): void {
    this.#register.delete(byte);
    handle.held.delete(byte);
    this.#giveBack(handle, byte);
  }

  /**
   * Best effort: what was done under the lock is done. A byte that cannot be unlocked goes with its descriptor, which is
   * closed as soon as nothing else is held through it; worst effect: until then nobody else gets the byte.
   */
  #giveBack(handle: Handle, byte: number): void {
    try {
      this.#host.locks.unlock(handle.fd, { offset: byte, length: 1 });
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      if (handle === this.#current) this.#reopen();
    }
    if (handle !== this.#current && handle.held.size === 0) this.#closeQuietly(handle);
  }

  /** May be called again. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closeQuietly(this.#current);
  }

  /** Best effort: the kernel gives a descriptor back even where it reports that closing it failed. */
  #closeQuietly({ fd }: Handle): void {
    try {
      this.#host.files.close(fd);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
    }
  }
}
