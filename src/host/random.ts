import { closeSync, openSync, readSync } from 'node:fs';

/** Randomness enters the program here and nowhere else. */
export interface Random {
  /** `bytes` random bytes as lowercase hex. */
  hex(bytes: number): string;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  fraction(): number;
}

/** Names are drawn from a pool: a call for each costs as much as writing a small file. */
const POOL_BYTES = 4096;
let pool: Buffer | null = null;

function draw(bytes: number): Buffer {
  return fromKernel(bytes) ?? process.getBuiltinModule('node:crypto').randomBytes(bytes);
}

function take(bytes: number): Buffer {
  const from = pool !== null && bytes <= pool.byteLength ? pool : draw(Math.max(bytes, POOL_BYTES));
  const taken = from.subarray(0, bytes);
  pool = from.subarray(bytes);
  return taken;
}

export const systemRandom: Random = {
  hex: (bytes) => take(bytes).toString('hex'),
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
