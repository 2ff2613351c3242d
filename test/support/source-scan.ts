/**
 * Reads the imports of a TypeScript source. TypeScript 7 has no compiler API and esbuild drops `import type` before it
 * reports, so this is a scanner: it knows comments, strings, templates and regular expressions, and nothing of grammar.
 */

/** How a module is named: by a statement, `import()`, `require()`, or `new URL(…, import.meta.url)` for a worker. */
export type ImportForm = 'static' | 'dynamic' | 'require' | 'url';

export interface ImportSite {
  readonly form: ImportForm;
  /** Null for an `import()` of something that is no literal. */
  readonly specifier: string | null;
  /** From 1. */
  readonly line: number;
}

export interface ScannedSource {
  /** The text with every comment and the inside of every literal blanked, so that positions stay the same. */
  readonly code: string;
  readonly imports: readonly ImportSite[];
}

interface Blanked {
  readonly code: string;
  /** What stands between the quotes, by the position of the opening quote; templates with `${` are left out. */
  readonly literals: ReadonlyMap<number, string>;
}

const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"|[\p{ID_Start}$_][\p{ID_Continue}$]*|\s+|[\s\S]/uy;
const TEMPLATE_PART = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{|$)/y;
const REGULAR_EXPRESSION = /\/(?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;

/** After these a slash starts a regular expression; after any other word, a closing bracket or a literal it divides. */
const BEFORE_EXPRESSION: ReadonlySet<string> = new Set(
  'await case delete do else extends in instanceof new of return throw typeof void yield'.split(' '),
);

function matchAt(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

function startsExpression(previous: string): boolean {
  if (BEFORE_EXPRESSION.has(previous)) return true;
  return previous === '' || !/[\p{ID_Continue}$)\]}'"`/]$/u.test(previous);
}

function spaces(text: string): string {
  return text.replaceAll(/[^\n]/g, ' ');
}

/** Blanks the inside, keeps `edges` characters at the start and `tail` at the end. */
function hollow(token: string, tail: number): string {
  return token.charAt(0) + spaces(token.slice(1, token.length - tail)) + token.slice(token.length - tail);
}

class Blanker {
  readonly #text: string;
  readonly #literals = new Map<number, string>();
  /** For each open `${`: how many braces are open inside it. */
  readonly #substitutions: number[] = [];
  #at = 0;
  #code = '';
  #previous = '';

  constructor(text: string) {
    this.#text = text;
  }

  run(): Blanked {
    while (this.#at < this.#text.length) this.#step();
    return { code: this.#code, literals: this.#literals };
  }

  #step(): void {
    const expression = startsExpression(this.#previous)
      ? matchAt(REGULAR_EXPRESSION, this.#text, this.#at)
      : null;
    if (expression !== null) return this.#take(expression, hollow(expression, 1));
    const token = matchAt(TOKEN, this.#text, this.#at) ?? this.#text.charAt(this.#at);
    if (/^\s/.test(token)) return this.#skip(token);
    if (token.startsWith('//') || token.startsWith('/*')) return this.#skip(spaces(token));
    if (token === '`') return this.#template();
    if (token.length > 1 && /^['"]/.test(token)) return this.#string(token);
    return this.#punctuation(token);
  }

  #skip(blank: string): void {
    this.#code += blank;
    this.#at += blank.length;
  }

  #take(token: string, code: string): void {
    this.#code += code;
    this.#at += token.length;
    this.#previous = token;
  }

  #string(token: string): void {
    this.#literals.set(this.#at, token.slice(1, -1));
    this.#take(token, hollow(token, 1));
  }

  #template(): void {
    const start = this.#at;
    const part = matchAt(TEMPLATE_PART, this.#text, start + 1) ?? '';
    if (part.endsWith('`')) this.#literals.set(start, part.slice(0, -1));
    this.#templatePart(`\`${part}`);
  }

  /** `part` starts with a backtick or with the brace that ends a substitution. */
  #templatePart(part: string): void {
    const opens = part.endsWith('${');
    if (opens) this.#substitutions.push(0);
    this.#take(part, hollow(part, opens ? 2 : 1));
    if (opens) this.#previous = '(';
  }

  #punctuation(token: string): void {
    const depth = this.#substitutions.at(-1);
    if (depth === undefined || (token !== '{' && token !== '}')) return this.#take(token, token);
    this.#substitutions.pop();
    if (token === '}' && depth === 0) {
      const rest = matchAt(TEMPLATE_PART, this.#text, this.#at + 1) ?? '';
      return this.#templatePart(`}${rest}`);
    }
    this.#substitutions.push(depth + (token === '{' ? 1 : -1));
    return this.#take(token, token);
  }
}

/** Each pattern ends where the specifier's quote is expected. `from` before a quote occurs in no other statement. */
const FORMS: readonly { readonly form: ImportForm; readonly pattern: RegExp }[] = [
  { form: 'static', pattern: /(?<![\w$.])(?:from|import)\s*(?=['"])/g },
  { form: 'dynamic', pattern: /(?<![\w$.])import\s*\(\s*/g },
  { form: 'require', pattern: /(?<![\w$.])require(?:\.resolve)?\s*\(\s*(?=['"`])/g },
  { form: 'require', pattern: /\bcreateRequire\s*\([^()]*\)(?:\.resolve)?\s*\(\s*(?=['"`])/g },
  { form: 'require', pattern: /\bimport\s*\.\s*meta\s*\.\s*resolve\s*\(\s*(?=['"`])/g },
  { form: 'url', pattern: /\bnew\s+URL\s*\(\s*(?=['"`])/g },
];

/** The line, from 1, of a position in `text`. */
export function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}

function sitesOf(blanked: Blanked, form: ImportForm, pattern: RegExp): ImportSite[] {
  const { code, literals } = blanked;
  return Array.from(code.matchAll(pattern), (match) => ({
    form,
    specifier: literals.get(match.index + match[0].length) ?? null,
    line: lineAt(code, match.index),
  }));
}

/** The imports of `text`, in the order of their lines. */
export function scanSource(text: string): ScannedSource {
  const blanked = new Blanker(text).run();
  const imports = FORMS.flatMap(({ form, pattern }) => sitesOf(blanked, form, pattern));
  return { code: blanked.code, imports: imports.toSorted((a, b) => a.line - b.line) };
}
