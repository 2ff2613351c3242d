// The program of hit.cjs as Bun compiles it, with the same arguments. The addon for BLAKE3 is attached to the executable and
// loaded from a file in memory, as nothing may be unpacked; locks are fcntl(2) itself.
import { dlopen } from 'bun:ffi';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { hit } from './hit.cjs';

/** Behind the addon: how long it is, as u32le. */
const TRAILER_BYTES = 4;
const MFD_CLOEXEC = 1;
/** `F_OFD_SETLK`, and `struct flock` of 64-bit Linux: type and whence in 2 bytes each, start and length in 8. */
const SET_LOCK = 37;
const FLOCK_BYTES = 32;
const EXCLUSIVE = 1;
const NONE = 2;

const { symbols: libc } = dlopen('libc.so.6', {
  fcntl: { args: ['i32', 'i32', 'ptr'], returns: 'i32' },
  memfd_create: { args: ['ptr', 'i32'], returns: 'i32' },
  sendfile: { args: ['i32', 'i32', 'ptr', 'u64'], returns: 'i64_fast' },
});

function attachedAddon() {
  const own = openSync('/proc/self/exe', 'r');
  const { size } = fstatSync(own);
  const trailer = Buffer.alloc(TRAILER_BYTES);
  readSync(own, trailer, 0, TRAILER_BYTES, size - TRAILER_BYTES);
  const bytes = trailer.readUInt32LE();
  const memory = libc.memfd_create(Buffer.from('addon\0'), MFD_CLOEXEC);
  const position = new BigInt64Array([BigInt(size - TRAILER_BYTES - bytes)]);
  if (libc.sendfile(memory, own, position, bytes) !== bytes)
    throw new Error('expected to copy the whole addon');
  closeSync(own);
  const loaded = { exports: {} };
  process.dlopen(loaded, `/proc/self/fd/${memory}`);
  closeSync(memory);
  return loaded.exports;
}

const flock = new DataView(new ArrayBuffer(FLOCK_BYTES));
const flockBytes = new Uint8Array(flock.buffer);

function setLock(fd, byte, type) {
  flock.setInt16(0, type, true);
  flock.setBigInt64(8, BigInt(byte), true);
  flock.setBigInt64(16, 1n, true);
  if (libc.fcntl(fd, SET_LOCK, flockBytes) !== 0) throw new Error('expected a lock');
}

hit(
  {
    hash: attachedAddon().blake3UrlSafeBase64,
    lock: (fd, byte) => setLock(fd, byte, EXCLUSIVE),
    unlock: (fd, byte) => setLock(fd, byte, NONE),
  },
  process.argv.slice(2),
);
// oxlint-disable-next-line unicorn/no-process-exit -- without taking the heap apart.
process.exit();
