import type { SourceTree, Violation } from './import-rules.js';
import { lineAt, scanSource } from './source-scan.js';

interface TextRule {
  readonly pattern: RegExp;
  readonly allowedIn: RegExp;
  readonly message: string;
}

/** `process` under another name, or by a computed key, could hide either of the two; so it is refused too. */
const TEXT_RULES: readonly TextRule[] = [
  {
    pattern: /\bprocess\s*\??\.\s*env\b/g,
    allowedIn: /^src\/cli\/settings(?:[^/]*\.ts$|\/)/,
    message: 'reads process.env: only src/cli/settings may',
  },
  {
    pattern: /\bprocess\s*\??\.\s*(?:exitCode\b|exit\b)/g,
    allowedIn: /^src\/cli\/main\.ts$/,
    message: 'ends the process or sets its status: only src/cli/main.ts may',
  },
  {
    pattern: /\bprocess\s*(?:\?\.\s*)?\[|=\s*process\s*(?:;|$)/gm,
    allowedIn: /^$/,
    message: 'hides a use of process: it is used as process.name',
  },
];

/** Uses of the process's environment and status outside their one module. */
export function wrongProcessUses(tree: SourceTree): Violation[] {
  return Array.from(tree).flatMap(([file, text]) => {
    const { code } = scanSource(text);
    return TEXT_RULES.filter(({ allowedIn }) => !allowedIn.test(file)).flatMap(({ pattern, message }) =>
      Array.from(code.matchAll(pattern), (match) => ({ file, line: lineAt(code, match.index), message })),
    );
  });
}

const NAMES_WITHOUT_CONCEPT = /^(?:utils?|common|helpers?)$/;

/** Files and folders named after nothing, and barrels beside the library's face. */
export function wrongNames(tree: SourceTree): Violation[] {
  return Array.from(tree.keys()).flatMap((file) => {
    const names = file.split('/').map((part) => part.replace(/\..*$/, ''));
    const vague = names.find((name) => NAMES_WITHOUT_CONCEPT.test(name));
    if (vague !== undefined) return [{ file, line: 0, message: `is named "${vague}", after no concept` }];
    if (names.at(-1) !== 'index' || file === 'src/index.ts') return [];
    return [{ file, line: 0, message: 'is a barrel: only src/index.ts is one' }];
  });
}

const MAX_LINES = 400;

/** Files past 400 lines. */
export function longFiles(tree: SourceTree): Violation[] {
  return Array.from(tree).flatMap(([file, text]) => {
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
    if (lines <= MAX_LINES) return [];
    return [{ file, line: 0, message: `has ${lines} lines: expected at most ${MAX_LINES}` }];
  });
}
