import { basename } from 'node:path';

/** How far gcc goes. `query` only prints something (`--version`, `-print-prog-name=cc1`). */
export type GccStage = 'preprocess' | 'compile' | 'assemble' | 'syntax' | 'link' | 'query';

/** `assembler-with-cpp` is preprocessed, `assembler` is not; `preprocessed` is C that is not preprocessed again. */
export type GccLanguage =
  | 'c'
  | 'c++'
  | 'objc'
  | 'assembler'
  | 'assembler-with-cpp'
  | 'preprocessed'
  | 'other';

export interface GccSource {
  /** As given; `-` is stdin. */
  readonly path: string;
  readonly language: GccLanguage;
  /** A header is compiled to `<name>.gch`. */
  readonly header: boolean;
}

/** One option. Options with a value are split, however they were written: `-Iinc` and `-I inc` are the same. */
export interface GccOption {
  readonly name: string;
  readonly value: string | null;
  /** Index of the option in the arguments. */
  readonly index: number;
}

export interface GccArguments {
  readonly stage: GccStage;
  /** The value of `-o`. */
  readonly output: string | null;
  readonly sources: readonly GccSource[];
  /** Objects, archives, libraries by path, linker scripts: all that is no source. */
  readonly linkInputs: readonly string[];
  readonly options: readonly GccOption[];
  /** Arguments that begin with `@`. */
  readonly responseFiles: readonly string[];
}

/** Options whose value is the rest of the argument or the next argument. */
const JOINED_OR_SEPARATE = [
  '-isystem',
  '-iquote',
  '-idirafter',
  '-include',
  '-imacros',
  '-isysroot',
  '-iprefix',
  '-iwithprefixbefore',
  '-iwithprefix',
  '-imultilib',
  '-imultiarch',
  '-MF',
  '-MT',
  '-MQ',
  '-aux-info',
  '-dumpbase-ext',
  '-dumpbase',
  '-dumpdir',
  '-Xlinker',
  '-Xassembler',
  '-Xpreprocessor',
  '-wrapper',
  '--param',
  '--sysroot',
  '-specs',
  '--specs',
] as const;
const ONE_LETTER = ['-o', '-I', '-D', '-U', '-x', '-L', '-l', '-B', '-T', '-u', '-z', '-A', '-e'] as const;
/** Of those above, the ones that take their value behind `=` as well. */
const WITH_EQUALS: ReadonlySet<string> = new Set(['--param', '--sysroot', '-specs', '--specs']);
/** Of those above, the ones whose value never follows directly. */
const SEPARATE_ONLY: ReadonlySet<string> = new Set([
  '-Xlinker',
  '-Xassembler',
  '-Xpreprocessor',
  '-wrapper',
  '-aux-info',
  '-dumpbase',
  '-dumpdir',
  '-dumpbase-ext',
  '--param',
  '--sysroot',
  '-specs',
  '--specs',
]);
const COMMA = ['-Wl,', '-Wa,', '-Wp,'] as const;

const LANGUAGE_OF_EXTENSION: ReadonlyMap<string, GccLanguage> = new Map<string, GccLanguage>([
  ...['c', 'h'].map((name) => [name, 'c'] as const),
  ...'cc cp cxx cpp CPP c++ C hh H hp hxx hpp HPP h++ tcc'.split(' ').map((name) => [name, 'c++'] as const),
  ...['m', 'mm', 'M'].map((name) => [name, 'objc'] as const),
  ...['i', 'ii', 'mi', 'mii'].map((name) => [name, 'preprocessed'] as const),
  ['s', 'assembler'],
  ['S', 'assembler-with-cpp'],
  ['sx', 'assembler-with-cpp'],
  ...'f for ftn F FOR fpp FPP FTN f90 f95 f03 f08 F90 F95 F03 F08 go d di dd ads adb mod'
    .split(' ')
    .map((name) => [name, 'other'] as const),
]);
const HEADER_EXTENSIONS: ReadonlySet<string> = new Set('h hh H hp hxx hpp HPP h++ tcc'.split(' '));

const LANGUAGE_OF_NAME: ReadonlyMap<string, GccLanguage> = new Map<string, GccLanguage>([
  ['c', 'c'],
  ['c-header', 'c'],
  ['c++', 'c++'],
  ['c++-header', 'c++'],
  ['c++-system-header', 'c++'],
  ['c++-user-header', 'c++'],
  ['cpp-output', 'preprocessed'],
  ['c++-cpp-output', 'preprocessed'],
  ['assembler', 'assembler'],
  ['assembler-with-cpp', 'assembler-with-cpp'],
  ['objective-c', 'objc'],
  ['objective-c++', 'objc'],
]);

const QUERIES: ReadonlySet<string> = new Set(
  '--version --help --target-help -dumpversion -dumpfullversion -dumpmachine -dumpspecs'.split(' '),
);
const QUERY_BEGINNINGS = ['--help=', '-print-', '--print-'] as const;

function isQuery(name: string): boolean {
  return QUERIES.has(name) || QUERY_BEGINNINGS.some((text) => name.startsWith(text));
}

/** Splits the arguments of gcc and its relatives. `plusPlus`: C sources are C++ (g++). */
export function parseGccArguments(args: readonly string[], plusPlus: boolean): GccArguments {
  const options: GccOption[] = [];
  const sources: GccSource[] = [];
  const linkInputs: string[] = [];
  let language: string | null = null;
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? '';
    if (argument.startsWith('-') && argument !== '-') {
      const option = splitOption(argument, args[index + 1], index);
      options.push(option.option);
      if (option.tookNext) index += 1;
      if (option.option.name === '-x') language = option.option.value === 'none' ? null : option.option.value;
      continue;
    }
    const source = sourceOf(argument, language, plusPlus);
    if (source === null) linkInputs.push(argument);
    else sources.push(source);
  }
  return {
    stage: stageOf(options, sources.length + linkInputs.length),
    output: options.findLast((option) => option.name === '-o')?.value ?? null,
    sources,
    linkInputs,
    options,
    responseFiles: args.filter((argument) => argument.startsWith('@')),
  };
}

function splitOption(
  argument: string,
  next: string | undefined,
  index: number,
): { readonly option: GccOption; readonly tookNext: boolean } {
  for (const name of [...JOINED_OR_SEPARATE, ...ONE_LETTER]) {
    if (!argument.startsWith(name)) continue;
    if (argument === name)
      return { option: { name, value: next ?? null, index }, tookNext: next !== undefined };
    if (WITH_EQUALS.has(name) && argument[name.length] === '=')
      return joined(name, argument.slice(name.length + 1), index);
    if (SEPARATE_ONLY.has(name) || isOtherOption(name, argument)) continue;
    return joined(name, argument.slice(name.length), index);
  }
  for (const name of COMMA) {
    if (argument.startsWith(name)) return joined(name, argument.slice(name.length), index);
  }
  return { option: { name: argument, value: null, index }, tookNext: false };
}

function joined(
  name: string,
  value: string,
  index: number,
): { readonly option: GccOption; readonly tookNext: boolean } {
  return { option: { name, value, index }, tookNext: false };
}

/** `-include-pch`, `-Ttext`, `-entry` … begin with a known letter and are something else. */
function isOtherOption(name: string, argument: string): boolean {
  return name === '-e' || (name === '-o' && argument.startsWith('-objc'));
}

function stageOf(options: readonly GccOption[], inputs: number): GccStage {
  const has = (...names: readonly string[]): boolean => options.some((option) => names.includes(option.name));
  if (options.some((option) => isQuery(option.name)) || inputs === 0) return 'query';
  if (has('-E', '-M', '-MM')) return 'preprocess';
  if (has('-fsyntax-only')) return 'syntax';
  if (has('-S')) return 'compile';
  return has('-c') ? 'assemble' : 'link';
}

function sourceOf(path: string, language: string | null, plusPlus: boolean): GccSource | null {
  if (language !== null) {
    const known = LANGUAGE_OF_NAME.get(language) ?? 'other';
    return { path, language: known, header: language.endsWith('-header') };
  }
  const name = basename(path);
  const dot = name.lastIndexOf('.');
  const extension = dot < 0 ? '' : name.slice(dot + 1);
  const known = path === '-' ? 'c' : LANGUAGE_OF_EXTENSION.get(extension);
  if (known === undefined) return null;
  return {
    path,
    language: known === 'c' && plusPlus ? 'c++' : known,
    header: HEADER_EXTENSIONS.has(extension),
  };
}

/** The values of every option of one of these names, in order. */
export function valuesOf(parsed: GccArguments, ...names: readonly string[]): readonly string[] {
  return parsed.options.flatMap((option) =>
    names.includes(option.name) && option.value !== null ? [option.value] : [],
  );
}

/** True when an option of this name, or one that matches, was given. */
export function hasOption(parsed: GccArguments, wanted: string | RegExp): boolean {
  return parsed.options.some((option) =>
    typeof wanted === 'string' ? option.name === wanted : wanted.test(option.name),
  );
}

/** True when an option was given whose name begins like this. An expression would have to be compiled by each process. */
export function hasBeginning(parsed: GccArguments, text: string): boolean {
  return parsed.options.some((option) => option.name.startsWith(text));
}

/** The words that reach another program: `-Wl,a,b -Xlinker c` are `a`, `b`, `c`. */
export function wordsFor(
  parsed: GccArguments,
  comma: '-Wl,' | '-Wa,' | '-Wp,',
  separate: string,
): readonly string[] {
  return parsed.options.flatMap((option) => {
    if (option.value === null) return [];
    if (option.name === comma) return option.value.split(',');
    return option.name === separate ? [option.value] : [];
  });
}

/** A path without the extension of its last part, as gcc cuts it; `.o` alone keeps its dot. */
export function withoutExtension(path: string): string {
  const name = basename(path);
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? path : path.slice(0, path.length - (name.length - dot));
}

const PREPROCESSED_LANGUAGES: ReadonlySet<string> = new Set(['c', 'c++', 'objc', 'assembler-with-cpp']);

/** True when a source goes through the preprocessor. */
export function isPreprocessed(parsed: GccArguments): boolean {
  return parsed.sources.some((source) => PREPROCESSED_LANGUAGES.has(source.language));
}
