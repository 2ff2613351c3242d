/** 64 lowercase hex digits: the key of an entry, BLAKE3 of the complete description of a compilation. */
export type Fingerprint = string & { readonly kind: 'fingerprint' };

/** 64 lowercase hex digits: BLAKE3 of bytes. */
export type Digest = string & { readonly kind: 'digest' };

/** 32 bytes of BLAKE3 over the given chunks, in order. Comes from `host/hash.ts`. */
export type HashChunks = (chunks: readonly Uint8Array[]) => Uint8Array;

export const HEX_LENGTH = 64;
/** The shortest prefix of a fingerprint that a person may type. */
export const MIN_PREFIX_LENGTH = 8;

const [ZERO, NINE, LOWER_A, LOWER_F] = [0x30, 0x39, 0x61, 0x66];
const PREFIX = /^[0-9a-f]{8,64}$/;

export function isFingerprint(text: string): text is Fingerprint {
  return isHex64(text);
}

export function isDigest(text: string): text is Digest {
  return isHex64(text);
}

function isHex64(text: string): boolean {
  if (text.length !== HEX_LENGTH) return false;
  for (let index = 0; index < HEX_LENGTH; index += 1) {
    const code = text.charCodeAt(index);
    const isDigit = (code >= ZERO && code <= NINE) || (code >= LOWER_A && code <= LOWER_F);
    if (!isDigit) return false;
  }
  return true;
}

/** True for 8 to 64 lowercase hex digits. */
export function isFingerprintPrefix(text: string): boolean {
  return PREFIX.test(text);
}

export function toHex(bytes: Uint8Array): string {
  const buffer =
    bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('hex');
}

/** The digest for 32 raw bytes. */
export function digestOfBytes(bytes: Uint8Array): Digest {
  if (bytes.byteLength * 2 !== HEX_LENGTH)
    throw new Error(`expected a 32-byte BLAKE3 value, got ${bytes.byteLength} bytes`);
  // Lowercase hex digits by construction.
  return toHex(bytes) as Digest;
}
