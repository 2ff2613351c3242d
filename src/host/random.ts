import { closeSync, openSync, readSync } from 'node:fs';

/** Randomness enters the program here and nowhere else. */
export interface Random {
  /** `bytes` random bytes as lowercase hex. */
  hex(bytes: number): string;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  fraction(): number;
}

export const systemRandom: Random = {
  hex: (bytes) =>
    (fromKernel(bytes) ?? process.getBuiltinModule('node:crypto').randomBytes(bytes)).toString('hex'),
  fraction: () => Math.random(),
};

/** What node:crypto would ask the kernel for, without its thirty modules. Null where there is no such device. */
function fromKernel(bytes: number): Buffer | null {
  let fd: number;
  try {
    fd = openSync('/dev/urandom', 'r');
  } catch {
    // Best effort: a sandbox without devices; the caller has another source.
    return null;
  }
  try {
    const buffer = Buffer.allocUnsafe(bytes);
    return readSync(fd, buffer, 0, bytes, null) === bytes ? buffer : null;
  } finally {
    closeSync(fd);
  }
}
