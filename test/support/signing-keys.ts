import { writeFileSync } from 'node:fs';
import { systemHost } from '../../src/host/host.js';
import { isSigningKey, type Signing, type SigningKey } from '../../src/model/signing.js';
import { signingWith } from '../../src/store/key-files.js';

/** A key of 32 times the same byte. */
export function keyOf(byte: number): SigningKey {
  const key = Buffer.alloc(32, byte);
  if (!isSigningKey(key)) throw new Error('expected a key of 32 bytes');
  return key;
}

/** Signs with the first of these keys, and accepts all. */
export function signingOf(first: SigningKey, ...others: readonly SigningKey[]): Signing {
  return signingWith(systemHost().hash, [first, ...others]);
}

/** A key file as the program demands it. */
export function writeKey(path: string, byte: number): string {
  writeFileSync(path, keyOf(byte), { mode: 0o600 });
  return path;
}
