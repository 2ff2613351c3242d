/** vyre: an entry is the payload followed by its BLAKE3, without header. */
export const FOOTER_BYTES = 32;

/** vyre: the largest payload that its reader accepts, 64 MiB. */
export const DEFAULT_MAX_PAYLOAD_BYTES = 67_108_864;

export type EntryVerdict =
  | { readonly ok: true; readonly payloadBytes: number }
  | { readonly ok: false; readonly reason: 'truncated' | 'oversized' };

/** Judges an entry by the size of its file alone. `maxPayloadBytes` is inclusive. */
export function judgeEntrySize(fileBytes: number, maxPayloadBytes: number): EntryVerdict {
  if (fileBytes < FOOTER_BYTES) return { ok: false, reason: 'truncated' };
  const payloadBytes = fileBytes - FOOTER_BYTES;
  if (payloadBytes > maxPayloadBytes) return { ok: false, reason: 'oversized' };
  return { ok: true, payloadBytes };
}

/** The entry for a payload and its 32-byte BLAKE3, as the pieces that are written in order. */
export function entryChunks(payload: Uint8Array, footer: Uint8Array): readonly Uint8Array[] {
  if (footer.byteLength !== FOOTER_BYTES) {
    throw new Error(`expected a footer of ${FOOTER_BYTES} bytes, got ${footer.byteLength}`);
  }
  return [payload, footer];
}

/** Splits the bytes of an entry. The caller has judged the size before. */
export function splitEntry(bytes: Buffer): { readonly payload: Buffer; readonly footer: Buffer } {
  const end = bytes.byteLength - FOOTER_BYTES;
  return { payload: bytes.subarray(0, end), footer: bytes.subarray(end) };
}
