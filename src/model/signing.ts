import type { RecordSigner } from './record.js';
import { splitChecksum } from './record-head.js';

/** A key is 32 bytes, whatever they are. */
export const KEY_BYTES = 32;

declare const keyBrand: unique symbol;
export type SigningKey = Uint8Array & { readonly [keyBrand]: true };

/** Every key passes here: the native BLAKE3 ends the whole process when it is given one of another length. */
export function isSigningKey(bytes: Uint8Array): bytes is SigningKey {
  return bytes.byteLength === KEY_BYTES;
}

/** 32 bytes of keyed BLAKE3 over the chunks, in order. */
export type KeyedHash = (key: SigningKey, chunks: readonly Uint8Array[]) => Uint8Array;

/** Why a record is not believed where a key is demanded. */
export type MacMiss = 'unsigned' | 'bad-mac';

const MAC_HEX = 64;
/** The last bytes of a record around its MAC: the MAC stands between the two. */
const BEFORE = Buffer.from(',"mac":"', 'latin1');
const BEHIND = Buffer.from('"}\n', 'latin1');

/**
 * Signs with the first key, and believes what any of the keys has signed. All that is signed begins with its schema, so
 * that nothing passes for a document of another kind.
 */
export class Signing implements RecordSigner {
  readonly keys: readonly [SigningKey, ...SigningKey[]];
  readonly #hash: KeyedHash;

  constructor(keys: readonly [SigningKey, ...SigningKey[]], hash: KeyedHash) {
    this.keys = keys;
    this.#hash = hash;
  }

  mac(chunks: readonly Uint8Array[]): Uint8Array {
    return this.#hash(this.keys[0], chunks);
  }

  accepts(chunks: readonly Uint8Array[], mac: Uint8Array): boolean {
    return this.keys.some((key) => isSame(this.#hash(key, chunks), mac));
  }

  signRecord(bytes: Buffer): Buffer {
    const end = bytes.byteLength - BEHIND.byteLength;
    if (!endsWith(bytes, BEHIND) || !endsWith(bytes.subarray(0, end), BEFORE))
      throw new Error('expected a record with an empty MAC');
    const mac = Buffer.from(Buffer.from(this.mac([bytes])).toString('hex'), 'latin1');
    return Buffer.concat([bytes.subarray(0, end), mac, BEHIND]);
  }

  /** Judges the bytes of a record by its MAC alone; null: one of the keys has signed it. */
  judgeRecord(bytes: Buffer): MacMiss | null {
    const macEnd = bytes.byteLength - BEHIND.byteLength;
    const macStart = macEnd - MAC_HEX;
    if (macStart < BEFORE.byteLength || !endsWith(bytes, BEHIND)) return 'unsigned';
    if (!endsWith(bytes.subarray(0, macStart), BEFORE)) return 'unsigned';
    const hex = bytes.toString('latin1', macStart, macEnd);
    const parts = splitChecksum(bytes);
    if (parts === null || !/^[0-9a-f]{64}$/.test(hex)) return 'bad-mac';
    const rest = parts.rest.subarray(0, parts.rest.byteLength - BEHIND.byteLength - MAC_HEX);
    return this.accepts([parts.head, rest, BEHIND], Buffer.from(hex, 'hex')) ? null : 'bad-mac';
  }
}

function endsWith(bytes: Buffer, end: Buffer): boolean {
  return bytes.subarray(Math.max(0, bytes.byteLength - end.byteLength)).equals(end);
}

/** In the same time wherever they differ: who may try MACs must not learn how much of one fits. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  let difference = 0;
  for (let index = 0; index < a.byteLength; index += 1) difference |= (a[index] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
}
