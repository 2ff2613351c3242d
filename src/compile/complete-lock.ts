import type { Fingerprint } from '../model/fingerprint.js';
import { fingerprintByte, type Held } from '../store/lock-file.js';
import type { Job } from './job.js';

/**
 * Runs work under the lock of a complete fingerprint. The caller holds that of the primary one, which may be the same.
 * Removal and quarantine lock the complete one only, and only for a moment.
 */
export async function holdComplete<T>(
  { home, description, options }: Job,
  complete: Fingerprint,
  work: () => T | Promise<T>,
): Promise<Held<T>> {
  const byte = fingerprintByte(complete);
  if (byte === fingerprintByte(description.primary)) return { held: true, value: await work() };
  return home.lock.hold(byte, { timeoutMs: options.lockTimeoutMs }, work);
}
