import { CacheError } from '../../model/error.js';
import { valuesOf, wordsFor, type GccArguments } from './gcc-arguments.js';
import { isHarmless } from './gcc-harmless.js';
import { writtenByGcc } from './gcc-outputs.js';
import type { CommandLine, Facts } from './preset.js';
import { isDeclaredOutput } from './written.js';

/** Options with a value, the value as given being part of the fingerprint. */
const HARMLESS_WITH_VALUE: ReadonlySet<string> = new Set([
  '-o',
  '-I',
  '-isystem',
  '-iquote',
  '-idirafter',
  '-include',
  '-imacros',
  '-isysroot',
  '--sysroot',
  '-D',
  '-U',
  '-A',
  '-x',
  '-L',
  '-l',
  '-z',
  '-u',
  '--param',
  '-MF',
  '-MT',
  '-MQ',
]);
/** Words for the linker that keep an output relocatable; found as {@link isHarmless} was. */
const HARMLESS_WORD =
  /^(?:-O[0-9]?|-s|-S|-x|-z.+|-?-rpath(?:-link)?=.+|-?-soname=.+|-h.+|--(?:no-)?as-needed|--gc-sections|--build-id(?:=.*)?|--hash-style=.+|--no-undefined|--(?:start|end)-group|--(?:no-)?whole-archive|--exclude-libs=.+|-Bsymbolic.*|-Bstatic|-Bdynamic|-E|--export-dynamic|--strip-all|--strip-debug|--(?:en|dis)able-new-dtags)$/;
const HARMLESS_WORD_WITH_VALUE = /^(?:-z|-?-rpath(?:-link)?|-?-soname|-h|--hash-style|--exclude-libs)$/;
const HARMLESS_CPP_WORD = /^-[DU].+$/;
const SAFE_LANGUAGES: ReadonlySet<string> = new Set(['c', 'c++', 'assembler-with-cpp', 'preprocessed']);

/** The facts half of the preset. `plusPlus`: the program is g++. */
export function gccFacts(line: CommandLine, parsed: GccArguments): Facts {
  if (parsed.sources.some((source) => source.path === '-')) throw readsStdin();
  const written = writtenByGcc(parsed);
  return {
    relocatable: isRelocatable(line, parsed),
    furtherOutputs: written.filter((path) => !isDeclaredOutput(line, path)),
    uncacheable: uncacheable(parsed),
    machineModel: parsed.options.some(({ name }) => NATIVE.has(name)),
  };
}

/** Options by which the code depends on the machine. */
const NATIVE: ReadonlySet<string> = new Set([
  '-march=native',
  '-mtune=native',
  '-mcpu=native',
  '-mfpu=native',
]);

/** The source would be empty, and the result of nothing at all. */
function readsStdin(): CacheError {
  return new CacheError('usage', 'expected a source file, got "-": the stdin of a cached compiler is empty', {
    hint: 'Write the source to a file and name it as an input.',
  });
}

/**
 * An assembler source may carry `.loc` or `.file` lines, with which gas writes the folder even without -g; `-S -g`
 * makes such files. Headers become .gch files, which differ between any two runs.
 */
function isRelocatable(line: CommandLine, parsed: GccArguments): boolean {
  if (parsed.stage === 'query' || parsed.stage === 'syntax') return false;
  if (parsed.sources.some((source) => !SAFE_LANGUAGES.has(source.language) || source.header)) return false;
  if (parsed.sources.some((source) => source.language === 'assembler-with-cpp')) return false;
  if (parsed.sources.some((source) => source.language === 'preprocessed')) return false;
  const harmless = parsed.options.every((option) => {
    if (option.value === null) return isHarmless(option.name);
    if (option.name === '-Wl,' || option.name === '-Xlinker') return true;
    if (option.name === '-Wp,') return option.value.split(',').every((word) => HARMLESS_CPP_WORD.test(word));
    return HARMLESS_WITH_VALUE.has(option.name);
  });
  // A depfile or another further output holds paths.
  const linker = wordsFor(parsed, '-Wl,', '-Xlinker').every(
    (word, index, words) =>
      HARMLESS_WORD.test(word) ||
      HARMLESS_WORD_WITH_VALUE.test(word) ||
      HARMLESS_WORD_WITH_VALUE.test(words[index - 1] ?? ''),
  );
  return harmless && linker && line.outputs.every((path) => path === parsed.output);
}

type Reason = NonNullable<Facts['uncacheable']>;

/**
 * Rows: what makes a result uncacheable, and what to say. Order is the order of the checks. An expression is compiled at
 * its first use, so that an ordinary command line needs none.
 */
const UNCACHEABLE_OPTIONS: readonly (readonly [(name: string) => boolean, Reason['word'], string])[] = [
  [(name) => name === '-wrapper', 'preset:runs-program', 'starts a program of its own choice'],
  [
    (name) => name.startsWith('-fplugin') && /^-f(?:plugin|plugin-arg-.*)(?:=.*)?$/.test(name),
    'preset:runs-program',
    'loads code into the compiler',
  ],
  [
    (name) => name.startsWith('-fmodule') && /^-f(?:modules-ts|module-.+|modules)$/.test(name),
    'preset:unlisted-read',
    'reads compiled modules that no list names',
  ],
  [
    (name) =>
      name.startsWith('-f') &&
      /^-f(?:profile-use|branch-probabilities|auto-profile|profile-partial-training)(?:=.*)?$/.test(name),
    'preset:unlisted-read',
    'reads profiles that no list names',
  ],
  [(name) => TELLS_OF_FILES.has(name), 'embeds-path', 'prints the names of temporary files'],
  [
    (name) => name.startsWith('-f') && /^-f(?:time-report.*|mem-report.*)$/.test(name),
    'embeds-path',
    'prints what this run has cost',
  ],
  [
    (name) => name.startsWith('-fdump-') && /^-fdump-(?!passes).*$/.test(name),
    'undeclared-output',
    'writes files whose names cannot be foreseen',
  ],
  [
    (name) =>
      name.startsWith('-d') &&
      /^-d(?!umpversion$|umpfullversion$|umpmachine$|umpspecs$|[MDNIUPAp]$).*$/.test(name),
    'undeclared-output',
    'writes files whose names cannot be foreseen',
  ],
  [
    (name) => name.includes('-save-temps') && /^-(?:-save-temps|save-temps)=?(?!obj$|cwd$|$).*$/.test(name),
    'undeclared-output',
    'writes files whose names cannot be foreseen',
  ],
  [
    (name) =>
      name.startsWith('-fdiagnostics-') &&
      /^-fdiagnostics-(?:add-output|set-output|format=(?:json|sarif)-file).*$/.test(name),
    'undeclared-output',
    'writes its messages into files',
  ],
  [
    (name) => name.startsWith('-fcompare-debug') && /^-fcompare-debug.*$/.test(name),
    'undeclared-output',
    'compiles twice and writes dumps',
  ],
  [
    (name) =>
      name.startsWith('--') &&
      /^--(?!(?:coverage|std=.*|param|sysroot|specs|save-temps|version|help|verbose|print-.*|target-help)$).*$/.test(
        name,
      ),
    'preset:unlisted-read',
    'is not understood in this long form',
  ],
];
const TELLS_OF_FILES: ReadonlySet<string> = new Set(['-v', '-###', '--verbose', '-Q', '-H-']);

function uncacheable(parsed: GccArguments): Facts['uncacheable'] {
  const passed = [
    ...wordsFor(parsed, '-Wl,', '-Xlinker'),
    ...wordsFor(parsed, '-Wa,', '-Xassembler'),
    ...wordsFor(parsed, '-Wp,', '-Xpreprocessor'),
  ];
  const file = parsed.responseFiles[0] ?? passed.find((word) => word.startsWith('@'));
  if (file !== undefined)
    return { word: 'preset:response-file', detail: `"${file}" holds further arguments` };
  for (const [isMeant, word, why] of UNCACHEABLE_OPTIONS) {
    const found = parsed.options.find((option) => isMeant(option.name));
    if (found !== undefined) return { word, detail: `"${found.name}" ${why}` };
  }
  const other = parsed.sources.find((source) => source.language === 'other');
  if (other !== undefined) {
    return {
      word: 'preset:unlisted-read',
      detail: `what "${other.path}" reads cannot be listed in its language`,
    };
  }
  if (valuesOf(parsed, '-z').length === 0 && passed.some((word) => /^-?-plugin(?:$|=)/.test(word))) {
    return { word: 'preset:runs-program', detail: 'a linker plugin is code of its own' };
  }
  return null;
}
