import { basename, dirname } from 'node:path';
import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import { CacheError, errnoOf } from '../model/error.js';
import { toHex } from '../model/fingerprint.js';
import { ACTIVE_VARIABLE } from '../store/worker-directory.js';
import type { Plan } from './plan.js';
import type { CompileOptions } from './request.js';
import type { CacheSession } from './session.js';

/** Outputs lock bytes of their own, beyond those of the fingerprints (2^20 to 2^20 + 2^48). */
const FIRST_OUTPUT_BYTE = 2 ** 49;
const HEX_DIGITS = 12;

/**
 * Runs `work` while no other compilation or delivery through this home writes the same files. A compilation at the real
 * places is read from there: bytes that another process put there meanwhile would be stored under its fingerprint.
 * Without a usable home, and inside a compilation that may hold these files itself, there is nothing to exclude.
 * @throws CacheError environment when another process makes one of the files for longer than the lock timeout.
 */
export async function withOutputsHeld<T>(
  session: CacheSession,
  request: { readonly plan: Plan; readonly options: Pick<CompileOptions, 'lockTimeoutMs' | 'signal'> },
  work: () => Promise<T>,
): Promise<T> {
  const { plan, options } = request;
  const lock = session.openLock();
  const isNested = (plan.request.environment[ACTIVE_VARIABLE] ?? '') !== '';
  if (lock === null || isNested) return work();
  const bytes = [...new Set(plan.outputs.flatMap((output) => outputBytes(session.host, output.path)))];
  const waiting =
    options.signal === undefined
      ? { timeoutMs: options.lockTimeoutMs }
      : { timeoutMs: options.lockTimeoutMs, signal: options.signal };
  const isAborted = (): boolean => options.signal?.aborted === true;
  // In the order of the bytes, and always after a fingerprint: no two processes wait for each other.
  const hold = async (rest: readonly number[]): Promise<T> => {
    const [byte, ...others] = rest;
    if (byte === undefined || isAborted()) return work();
    const held = await lock.hold(byte, waiting, async () => hold(others));
    if (held.held) return held.value;
    if (isAborted()) return work();
    throw taken(plan);
  };
  return hold(bytes.toSorted((a, b) => a - b));
}

function taken(plan: Plan): CacheError {
  const names = plan.outputs.map((output) => `"${output.name}"`).join(', ');
  return new CacheError(
    'environment',
    `another process has been making ${names} for longer than the lock timeout`,
    {
      hint: 'Let only one build at a time write a file, or raise --lock-timeout.',
    },
  );
}

/** The byte of the file that a path leads to; none for devices and pipes, which everybody may write. */
function outputBytes(host: Host, path: string): readonly number[] {
  const real = realPathOf(host, path);
  if (real === null) return [];
  const digest = toHex(hashChunks(host.hash, [Buffer.from(real, 'utf8')]));
  return [FIRST_OUTPUT_BYTE + Number.parseInt(digest.slice(0, HEX_DIGITS), 16)];
}

function realPathOf(host: Host, path: string): string | null {
  const { files } = host;
  try {
    const there = files.stat(path);
    if (there !== null) return there.type === 'file' ? files.realpath(path) : null;
    return `${files.realpath(dirname(path))}/${basename(path)}`;
  } catch (error) {
    // A path that cannot be followed: the write itself will say what is wrong.
    if (errnoOf(error) === null) throw error;
    return null;
  }
}
