/** A payload of this many consecutive integers, one a line, shows by itself whether it is whole. */
const COUNT = 2000;

/** Prints the integers that follow its own process id: other bytes at each run. */
export const PRINT_CONSECUTIVE = ['sh', '-c', `exec seq $$ $(($$ + ${COUNT - 1}))`] as const;

/** True for what one run of {@link PRINT_CONSECUTIVE} prints, and for nothing else. */
export function isWhole(payload: Uint8Array): boolean {
  const text = Buffer.from(payload).toString('latin1');
  const first = Number.parseInt(text, 10);
  if (!Number.isSafeInteger(first)) return false;
  const expected = Array.from({ length: COUNT }, (_, index) => `${first + index}\n`);
  return text === expected.join('');
}
