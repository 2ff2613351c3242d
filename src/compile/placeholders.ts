import { CacheError } from '../model/error.js';

/** A piece of an argument. Numbers count from 0 here and from 1 on the command line; null means "all". */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'input' | 'output'; readonly index: number | null }
  | { readonly kind: 'depfile' };

/** One argument of the command, taken apart. */
export type Template = readonly Piece[];

const NAMES = ['input', 'output', 'depfile'] as const;

export interface TemplateContext {
  readonly inputs: number;
  /** Outputs that `{output}` may name: those of `-o`, not stdout. */
  readonly outputs: number;
  /** True where an input or output was given: then a word that is nearly a placeholder is a mistake. */
  readonly strict: boolean;
}

/**
 * Takes an argument apart. `{{x}}` is the literal `{x}`, a `{` behind `$` is literal, and so is every other brace.
 * @throws CacheError usage on a misspelt placeholder, a number out of range, or several files inside one argument.
 */
export function parseTemplate(argument: string, context: TemplateContext): Template {
  const pieces: Piece[] = [];
  let text = '';
  const scanner = /\{\{([^{}]*)\}\}|\$\{|\{([^{}]*)\}/g;
  let end = 0;
  for (const match of argument.matchAll(scanner)) {
    text += argument.slice(end, match.index);
    end = match.index + match[0].length;
    const placeholder = match[2] === undefined ? null : parsePlaceholder(match[2], argument, context);
    if (placeholder === null) {
      text += match[1] === undefined ? match[0] : `{${match[1]}}`;
      continue;
    }
    if (text !== '') pieces.push({ kind: 'text', text });
    text = '';
    pieces.push(placeholder);
  }
  text += argument.slice(end);
  if (text !== '' || pieces.length === 0) pieces.push({ kind: 'text', text });
  checkSingle(pieces, argument, context);
  return pieces;
}

function parsePlaceholder(word: string, argument: string, context: TemplateContext): Piece | null {
  const [name = '', ...rest] = word.split(':');
  const number = rest.length === 0 ? null : rest.join(':');
  if (name === 'depfile' && number === null) return { kind: 'depfile' };
  if (name === 'input' || name === 'output') {
    if (number === null) return { kind: name, index: null };
    return { kind: name, index: parseNumber(name, number, argument, context) };
  }
  const meant = NAMES.find((known) => name !== known && isNear(name, known));
  if (meant !== undefined && context.strict) {
    throw new CacheError(
      'usage',
      `expected a placeholder such as {${meant}}, got "{${word}}" in "${argument}"`,
      {
        hint: `Write {${meant}}, or {{${word}}} if the command needs these very characters.`,
      },
    );
  }
  return null;
}

function parseNumber(
  name: 'input' | 'output',
  number: string,
  argument: string,
  context: TemplateContext,
): number {
  const count = name === 'input' ? context.inputs : context.outputs;
  const value = /^[1-9][0-9]{0,5}$/.test(number) ? Number(number) : null;
  if (value === null || value > count) {
    const range = rangeOf(name, count);
    throw new CacheError('usage', `expected ${range}, got "{${name}:${number}}" in "${argument}"`, {
      hint: `Number ${name}s from 1, in the order they were given.`,
    });
  }
  return value - 1;
}

/** Inside an argument `{input}` means exactly one file; alone it means all of them. */
function checkSingle(pieces: Template, argument: string, context: TemplateContext): void {
  for (const piece of pieces) {
    if (piece.kind !== 'input' && piece.kind !== 'output') continue;
    const count = piece.kind === 'input' ? context.inputs : context.outputs;
    if (piece.index !== null || (pieces.length === 1 && count > 0) || count === 1) continue;
    const given = count === 0 ? `no ${piece.kind} was given` : `${count} ${piece.kind}s were given`;
    throw new CacheError('usage', `expected exactly one ${piece.kind} for "${argument}", but ${given}`, {
      hint: count === 0 ? MISSING_HINTS[piece.kind] : severalHint(piece.kind),
    });
  }
}

function rangeOf(name: string, count: number): string {
  if (count === 0) return `no ${name} was given`;
  return count === 1 ? `{${name}:1}` : `{${name}:1} to {${name}:${count}}`;
}

const MISSING_HINTS = {
  input: 'Name the input before "--".',
  output: 'Name the output with -o before "--".',
} as const;

function severalHint(kind: 'input' | 'output'): string {
  return `Write {${kind}:1}, {${kind}:2} and so on, or {${kind}} as an argument of its own.`;
}

/** True at a distance of one insertion, deletion, replacement or swap of neighbours. */
function isNear(word: string, known: string): boolean {
  if (Math.abs(word.length - known.length) > 1) return false;
  let start = 0;
  while (start < word.length && start < known.length && word[start] === known[start]) start += 1;
  const [a, b] = [word.slice(start), known.slice(start)];
  if (a.slice(1) === b.slice(1) || a === b.slice(1) || a.slice(1) === b) return true;
  return a.length === b.length && a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2);
}

export interface Expansion {
  /** What stands for an input, by its number. */
  input(index: number): string;
  output(index: number): string;
  depfile(): string;
  text(text: string): string;
}

/** The arguments with every placeholder replaced. A lone `{input}` becomes one argument per input. */
export function expand(
  templates: readonly Template[],
  counts: { readonly inputs: number; readonly outputs: number },
  expansion: Expansion,
): string[] {
  const words: string[] = [];
  for (const template of templates) {
    const [only] = template;
    const isAlone = template.length === 1 && only !== undefined;
    if (isAlone && only.kind === 'input' && only.index === null) {
      for (let index = 0; index < counts.inputs; index += 1) words.push(expansion.input(index));
    } else if (isAlone && only.kind === 'output' && only.index === null) {
      for (let index = 0; index < counts.outputs; index += 1) words.push(expansion.output(index));
    } else {
      words.push(isAlone ? expandPiece(only, expansion) : expandAll(template, expansion));
    }
  }
  return words;
}

function expandAll(template: Template, expansion: Expansion): string {
  return template.map((piece) => expandPiece(piece, expansion)).join('');
}

function expandPiece(piece: Piece, expansion: Expansion): string {
  switch (piece.kind) {
    case 'text':
      return expansion.text(piece.text);
    case 'input':
      return expansion.input(piece.index ?? 0);
    case 'output':
      return expansion.output(piece.index ?? 0);
    case 'depfile':
      return expansion.depfile();
    default:
      return piece satisfies never;
  }
}

/** True when the command names this output by a placeholder. */
export function namesOutput(templates: readonly Template[], index: number): boolean {
  return templates.some((template) =>
    template.some((piece) => piece.kind === 'output' && (piece.index === null || piece.index === index)),
  );
}

/** True when the command asks for a dependency list of its own. */
export function namesDepfile(templates: readonly Template[]): boolean {
  return templates.some((template) => template.some((piece) => piece.kind === 'depfile'));
}

/**
 * Literal text that would read as a placeholder is doubled, so that no two commands look alike in a fingerprint. Behind
 * `$` nothing reads as one: doubled there, `${input}` would look like `${{input}}`, which holds one.
 */
export function escapeLiteral(text: string): string {
  if (!text.includes('{')) return text;
  return text.replaceAll(/(?<!\$)\{((?:input|output)(?::[^{}]*)?|depfile)\}/g, '{{$1}}');
}
