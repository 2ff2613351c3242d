/** The codes of the two digits of each byte, as one number for both. */
const PAIRS = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, '0')).readUInt16BE(0),
);

/** Writes bytes as lowercase hex digits, from `at` on: for text that nobody needs as such. */
export function writeDigits(
  bytes: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
  target: DataView,
  at: number,
): void {
  for (let index = start; index < end; index += 1)
    target.setUint16(at + 2 * (index - start), PAIRS[bytes[index] ?? 0] ?? 0);
}
