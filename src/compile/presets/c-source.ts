/** What the text of a C or C++ source says about the files that it looks for. */
export interface CSource {
  readonly includes: readonly CInclude[];
  /** `#include MACRO`: the name is known to the preprocessor only. */
  readonly hasComputedInclude: boolean;
  /** The operands of `__has_include` that are literal. */
  readonly probes: readonly CInclude[];
  /** An operand of `__has_include` that is none. */
  readonly hasComputedProbe: boolean;
  /** Files whose lines the messages of the compiler show: `#line 3 "x.y"` and the markers of preprocessed sources. */
  readonly lineFiles: readonly string[];
  /** `__DATE__` or `__TIME__`: the bytes depend on the clock, unless SOURCE_DATE_EPOCH is set. */
  readonly usesTime: boolean;
  /** `__TIMESTAMP__` and `#pragma GCC dependency`: the time of the file's last change. */
  readonly usesFileTime: boolean;
  /** `.incbin`: a file that the assembler reads. */
  readonly hasIncbin: boolean;
  /** `.loc` or `.file 1`: the assembler writes the working directory even without -g. */
  readonly hasDebugDirective: boolean;
}

export interface CInclude {
  readonly name: string;
  /** `"name"`: the folder of the including file comes first. */
  readonly quoted: boolean;
  /** `#include_next` begins behind the folder of the including file. */
  readonly next: boolean;
}

/** Reads the text of a source. Comments do not count; a text with raw strings is taken as it is. */
export function scanCSource(text: string): CSource {
  const plain = (text.includes('R"') ? text : withoutComments(text)).replace(/^\uFEFF/, '');
  const code = logicalLines(plain);
  return {
    ...scanIncludes(code),
    ...scanProbes(code),
    lineFiles: scanLineFiles(code),
    usesTime: /\b__(?:DATE|TIME)__\b/.test(code),
    usesFileTime: /\b__TIMESTAMP__\b|#\s*pragma\s+GCC\s+dependency\b/.test(code),
    hasIncbin: code.includes('.incbin') || /\bincbin\b/i.test(code),
    hasDebugDirective: /\.loc\s|\.file\s+[0-9]/.test(code),
  };
}

/** Lines that end in a backslash are joined with the next one; gcc passes over blanks behind it. */
export function logicalLines(text: string): string {
  return text.replace(/\\[ \t\f\v]*\r?\n/g, '');
}

/** Comments become a blank; strings and character literals stay. */
function withoutComments(text: string): string {
  return text.replace(
    /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'|\/\/(?:[^\\\n]|\\[\s\S])*|\/\*[\s\S]*?(?:\*\/|$)/g,
    (match) => (match.startsWith('/') ? ' ' : match),
  );
}

function scanIncludes(code: string): Pick<CSource, 'includes' | 'hasComputedInclude'> {
  const includes: CInclude[] = [];
  let hasComputedInclude = false;
  for (const match of code.matchAll(
    /^[ \t\f\v]*(?:#|%:)[ \t\f\v]*(include|include_next|import|embed)\b[ \t\f\v]*(.*)$/gm,
  )) {
    const include = literalOf(match[2] ?? '', match[1] === 'include_next');
    if (include === null) hasComputedInclude = true;
    else includes.push(include);
  }
  return { includes, hasComputedInclude };
}

function literalOf(text: string, next: boolean): CInclude | null {
  const match = /^(?:"([^"\n]+)"|<([^>\n]+)>)/.exec(text.trim());
  if (match === null) return null;
  const [, quoted, angled] = match;
  if (quoted !== undefined) return { name: quoted, quoted: true, next };
  return angled === undefined ? null : { name: angled, quoted: false, next };
}

/** `#ifdef __has_include` and `defined(__has_include)` ask for the operator, not for a file. */
const PROBE =
  /(\b(?:ifdef|ifndef|elifdef|elifndef|defined)[ \t\f\v]*\(?[ \t\f\v]*)?\b__has_(include|include_next|embed)(?:__)?\b(?:[ \t\f\v]*\([ \t\f\v]*("[^"\n]+"|<[^>\n]+>))?/g;

function scanProbes(code: string): Pick<CSource, 'probes' | 'hasComputedProbe'> {
  const probes: CInclude[] = [];
  let hasComputedProbe = false;
  for (const match of code.matchAll(PROBE)) {
    const [, asksForOperator, operator, operand] = match;
    if (asksForOperator !== undefined) continue;
    // Without a literal it asks for what a macro says, or it is what a macro stands for: `#define HAS __has_include`.
    const probe = operand === undefined ? null : literalOf(operand, operator === 'include_next');
    if (probe === null) hasComputedProbe = true;
    else probes.push(probe);
  }
  return { probes, hasComputedProbe };
}

function scanLineFiles(code: string): readonly string[] {
  const files = new Set<string>();
  for (const match of code.matchAll(/^[ \t]*#[ \t]*(?:line[ \t]+)?[0-9]+[ \t]+"((?:[^"\\\n]|\\.)+)"/gm)) {
    const name = (match[1] ?? '').replace(/\\(.)/g, '$1');
    if (!name.startsWith('<')) files.add(name);
  }
  return [...files];
}
