import { findByPrefix } from '../compile/stored-entry.js';
import type { CacheSession } from '../compile/session.js';
import { CacheError } from '../model/error.js';
import {
  HEX_LENGTH,
  isFingerprint,
  isFingerprintPrefix,
  MIN_PREFIX_LENGTH,
  type Fingerprint,
} from '../model/fingerprint.js';

/** As many candidates as a person compares at a glance. */
const SHOWN_CANDIDATES = 8;

/** A word that is, or was meant to be, a fingerprint or the start of one. @throws CacheError `usage` for any other. */
export function requirePrefix(text: string): string {
  if (isFingerprintPrefix(text)) return text;
  const expected = `${HEX_LENGTH} lowercase hex digits, or at least the first ${MIN_PREFIX_LENGTH}`;
  throw new CacheError('usage', `expected a fingerprint of ${expected}, got "${text}"`, {
    hint: 'Run `vyre-cache ls` to see the fingerprints.',
  });
}

/** The entry that a fingerprint or prefix names; null when none begins so. @throws CacheError `usage` when several do. */
export async function resolvePrefix(session: CacheSession, text: string): Promise<Fingerprint | null> {
  if (isFingerprint(text)) return text;
  const found = findByPrefix(session, text);
  if (found.length <= 1) return found[0] ?? null;
  const candidates = found.slice(0, SHOWN_CANDIDATES).join(', ');
  const more = found.length > SHOWN_CANDIDATES ? `, and ${found.length - SHOWN_CANDIDATES} more` : '';
  throw new CacheError('usage', `expected the start of one fingerprint, got "${text}" of ${found.length}`, {
    hint: `Type more digits: ${candidates}${more}.`,
  });
}
