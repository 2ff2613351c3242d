import type { SigningKey } from '../model/signing.js';
import { loadAddon, type AddonPackage } from './addon.js';

/** An incremental BLAKE3. `digest` ends it. */
export interface HashState {
  update(bytes: Uint8Array): void;
  /** 32 bytes. */
  digest(): Uint8Array;
}

export interface Blake3 {
  readonly name: 'native' | 'portable';
  create(): HashState;
  /** 32 bytes of BLAKE3 over bytes that are all there: for small ones a tenth of the cost of a state. */
  digest(bytes: Uint8Array): Buffer;
  /** The same as text, in base64url with its padding: without a buffer that nobody needs. */
  text(bytes: Uint8Array): string;
  /** True when the 32 bytes of `footer` from `start` on are the digest of the bytes. Cheaper than a state for small ones. */
  matches(bytes: Uint8Array, footer: Buffer, start?: number): boolean;
  /** Keyed BLAKE3. */
  createKeyed(key: SigningKey): HashState;
}

const PACKAGE: AddonPackage = {
  name: '@napi-rs/blake-hash',
  binary: (platform) => `@napi-rs/blake-hash-${platform}-gnu/blake.${platform}-gnu.node`,
};

interface NativeHasher {
  update(bytes: Uint8Array): unknown;
  digestBuffer(): Uint8Array;
}

interface NativeModule {
  readonly Blake3Hasher: {
    new (): NativeHasher;
    /** Ends the whole process when the key is not 32 bytes. */
    newKeyed(key: Buffer): NativeHasher;
  };
  readonly blake3UrlSafeBase64: (bytes: Uint8Array) => string;
}

function isNativeModule(value: unknown): value is NativeModule {
  return (
    typeof value === 'object' &&
    value !== null &&
    'Blake3Hasher' in value &&
    typeof value.Blake3Hasher === 'function' &&
    'newKeyed' in value.Blake3Hasher &&
    'blake3UrlSafeBase64' in value &&
    typeof value.blake3UrlSafeBase64 === 'function'
  );
}

/** The native implementation, or null where its optional package is not installed for this platform. */
export function loadNativeBlake3(): Blake3 | null {
  // Best effort: without the native package the portable implementation does the same work, slower.
  return nativeBlake3(loadAddon(PACKAGE, isNativeModule));
}

/** The native implementation in a loaded addon; null when it is something else. */
export function nativeBlake3(loaded: unknown): Blake3 | null {
  if (!isNativeModule(loaded)) return null;
  const { Blake3Hasher, blake3UrlSafeBase64 } = loaded;
  return {
    name: 'native',
    create: () => nativeState(new Blake3Hasher()),
    createKeyed: (key) => nativeState(Blake3Hasher.newKeyed(Buffer.from(demandKey(key)))),
    // As text: a buffer that belongs to the addon costs more to make and to free than 4 KiB to hash.
    digest: (bytes) => Buffer.from(blake3UrlSafeBase64(bytes), 'base64url'),
    text: blake3UrlSafeBase64,
    matches: (bytes, footer, start = 0) =>
      blake3UrlSafeBase64(bytes).startsWith(footer.base64urlSlice(start, start + DIGEST_BYTES)),
  };
}

function nativeState(state: NativeHasher): HashState {
  return {
    update(bytes) {
      state.update(bytes);
    },
    digest: () => state.digestBuffer(),
  };
}

/** The last guard, whatever a cast let through. @throws Error for a key of another length. */
function demandKey(key: SigningKey): SigningKey {
  const { byteLength } = key;
  if (byteLength !== BLAKE3_KEY_BYTES)
    throw new Error(`expected a key of ${BLAKE3_KEY_BYTES} bytes, got ${byteLength}`);
  return key;
}

const BLAKE3_KEY_BYTES = 32;
const DIGEST_BYTES = 32;

/** Up to here chunks are joined and hashed at once: joining costs less than a state. */
const MAX_JOINED_BYTES = 65_536;
/** Where they are joined: memory that is taken anew each time has to be given back as well. */
let joined: Buffer | null = null;

function join(chunks: readonly Uint8Array[]): Buffer {
  joined ??= Buffer.allocUnsafeSlow(MAX_JOINED_BYTES);
  let bytes = 0;
  for (const chunk of chunks) {
    joined.set(chunk, bytes);
    bytes += chunk.byteLength;
  }
  return joined.subarray(0, bytes);
}

/** 32 bytes of BLAKE3 over the chunks, in order. */
export function hashChunks(hash: Blake3, chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) return hash.digest(first);
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  if (bytes <= MAX_JOINED_BYTES) return hash.digest(join(chunks));
  const state = hash.create();
  for (const chunk of chunks) state.update(chunk);
  return state.digest();
}

/** 32 bytes of keyed BLAKE3 over the chunks, in order. */
export function keyedHash(hash: Blake3, key: SigningKey, chunks: readonly Uint8Array[]): Uint8Array {
  const state = hash.createKeyed(key);
  for (const chunk of chunks) state.update(chunk);
  return state.digest();
}
