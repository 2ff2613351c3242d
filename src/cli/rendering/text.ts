import { formatCount } from '../../model/units.js';

/** C0, DEL, C1, and what reorders or hides text: a file's name must not steer a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const PLAIN = /^[ -~]*$/;
/** Enough to be unique among millions of entries, and accepted wherever a fingerprint is. */
export const SHOWN_HEX = 16;

/** A text from outside as it may be shown: what no terminal should get stands as `\u{1b}`. */
export function printable(text: string): string {
  // Nearly every name; looking for each class of characters takes ten times as long.
  if (PLAIN.test(text)) return text;
  return text.replaceAll(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** `1,204 entries`, `1 entry`. */
export function plural(count: string, one: string, many: string): string {
  return `${count} ${count === '1' ? one : many}`;
}

/** `1,204 damaged`, with the words behind the count; nothing for none. */
export function counted(count: number, one: string, many = one): readonly string[] {
  return count === 0 ? [] : [plural(formatCount(count), one, many)];
}

/** The first digits of a fingerprint. */
export function shortFingerprint(fingerprint: string): string {
  return fingerprint.slice(0, SHOWN_HEX);
}

/** The text within `width` characters; what is cut away leaves a `…`. */
export function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Words in lines of at most `width` characters, each indented and with its end; a longer word stands alone. */
export function wrap(text: string, options: { readonly width: number; readonly indent: number }): string {
  const indent = ' '.repeat(options.indent);
  const found: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line === '' || indent.length + longer.length <= options.width) {
      line = longer;
      continue;
    }
    found.push(line);
    line = word;
  }
  return [...found, line].map((each) => `${indent}${each}\n`).join('');
}
