/** A rule of a depfile. */
export interface DepfileRule {
  readonly targets: readonly string[];
  readonly prerequisites: readonly string[];
}

/**
 * Reads a Make-style dependency file as gcc, nvcc, glslangValidator, gas and ld write it: continuation lines, `\ `,
 * `\#`, `\:` and `$$` escaped. Rules without prerequisites (the phony targets of -MP) are left out. Never throws: what
 * is no rule is passed over.
 */
export function parseDepfile(text: string): readonly DepfileRule[] {
  const rules: DepfileRule[] = [];
  for (const line of logicalLines(text)) {
    const rule = parseRule(line);
    if (rule !== null && rule.prerequisites.length > 0) rules.push(rule);
  }
  return rules;
}

/** Every prerequisite of every rule, each once, in the order of their first appearance. */
export function depfilePrerequisites(text: string): readonly string[] {
  return [...new Set(parseDepfile(text).flatMap((rule) => rule.prerequisites))];
}

function logicalLines(text: string): readonly string[] {
  return text.replace(/\\\r?\n/g, ' ').split(/\r?\n/);
}

function parseRule(line: string): DepfileRule | null {
  const words = splitWords(line);
  if (words === null) return null;
  const { targets, prerequisites } = words;
  return targets.length === 0 ? null : { targets, prerequisites };
}

/** Null for empty lines, comments and lines without a colon. */
function splitWords(line: string): DepfileRule | null {
  const targets: string[] = [];
  const prerequisites: string[] = [];
  let word = '';
  let colon = false;
  const end = (): void => {
    if (word !== '') (colon ? prerequisites : targets).push(word);
    word = '';
  };
  for (let index = 0; index < line.length; index += 1) {
    const character = line[index] ?? '';
    if (character === '\\' || character === '$') {
      const escape = readEscape(line, index);
      word += escape.text;
      index += escape.length - 1;
    } else if (character === ' ' || character === '\t') {
      end();
    } else if (character === '#') {
      break;
    } else if (character === ':' && !colon && isSeparator(line, index)) {
      end();
      colon = true;
      if (line[index + 1] === ':') index += 1;
    } else {
      word += character;
    }
  }
  end();
  return colon ? { targets, prerequisites } : null;
}

/** A colon ends the targets when white space, the line's end or another colon follows: `C:/x` keeps its own. */
function isSeparator(line: string, index: number): boolean {
  const next = line[index + 1];
  return next === undefined || next === ' ' || next === '\t' || next === ':';
}

/**
 * Backslashes before a blank or `#`: half of them stand for themselves, an odd one escapes (GNU make). Elsewhere a
 * backslash is itself. `$$` is a dollar.
 */
function readEscape(line: string, start: number): { readonly text: string; readonly length: number } {
  if (line[start] === '$') return { text: '$', length: line[start + 1] === '$' ? 2 : 1 };
  let end = start;
  while (line[end] === '\\') end += 1;
  const count = end - start;
  const next = line[end];
  if (next === ':' && count === 1) return { text: ':', length: 2 };
  if (next !== ' ' && next !== '\t' && next !== '#') return { text: '\\'.repeat(count), length: count };
  const kept = '\\'.repeat(Math.floor(count / 2));
  return count % 2 === 1 ? { text: kept + next, length: count + 1 } : { text: kept, length: count };
}
