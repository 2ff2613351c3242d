import { depfilePrerequisites } from '../depfile.js';

/** gas escapes blanks and dollars, and leaves `#` as it is: it never writes a comment. */
export function assemblerReads(list: string): readonly string[] {
  return depfilePrerequisites(list.replaceAll('#', '\\#'));
}

const CONTINUATION = ' \\';

/**
 * ld escapes nothing: `target: \` and one name in each line, two blanks before it and ` \` behind all but the last.
 * A name with a line end in it cannot be told; its pieces lead to no file. Null when the list has another form.
 */
export function linkerReads(list: string): readonly string[] | null {
  const [head = '', ...lines] = list.split('\n');
  const found = new Set<string>();
  if (!head.endsWith(`:${CONTINUATION}`)) return null;
  for (const line of lines) {
    if (!line.startsWith('  ')) break;
    const continues = line.endsWith(CONTINUATION);
    found.add(continues ? line.slice(2, -CONTINUATION.length) : line.slice(2));
    if (!continues) break;
  }
  return [...found];
}
