/** The bit that no digit has. */
const NO_DIGIT = 16;

/** What a lowercase hex digit stands for, by the code of its character. */
const DIGITS = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(code));
  return digit < 0 ? NO_DIGIT : digit;
});

/** True when the `length` characters of a text from `start` on are lowercase hex digits. */
export function hasHexAt(text: string, start: number, length: number): boolean {
  const end = start + length;
  if (text.length < end) return false;
  for (let index = start; index < end; index += 1) {
    if ((DIGITS[text.charCodeAt(index)] ?? NO_DIGIT) === NO_DIGIT) return false;
  }
  return true;
}

/**
 * Writes the bytes of the first `length` lowercase hex digits of a text, two digits each, from `start` on.
 * @returns false when they are not pairs of them: what was written by then means nothing.
 */
export function writeHex(text: string, target: Uint8Array, start: number, length: number): boolean {
  if (length % 2 !== 0 || length > text.length) return false;
  for (let index = 0; index < length; index += 2) {
    const high = DIGITS[text.charCodeAt(index)] ?? NO_DIGIT;
    const low = DIGITS[text.charCodeAt(index + 1)] ?? NO_DIGIT;
    if (((high | low) & NO_DIGIT) !== 0) return false;
    target[start + (index >> 1)] = (high << 4) | low;
  }
  return true;
}
