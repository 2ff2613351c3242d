import { CacheError } from '../../model/error.js';
import { hasOption, valuesOf, wordsFor, type GccArguments } from './gcc-arguments.js';
import { writtenByGcc } from './gcc-outputs.js';
import type { CommandLine, Facts } from './preset.js';
import { isDeclaredOutput } from './written.js';

/**
 * Options of which none lets the working directory or the folder of the output reach a byte. Found by compiling in two
 * folders of different length with outputs in two others, for -c, -S and linking with gcc 12; whatever is not listed
 * counts as reaching them. Not listed on purpose, because the bytes differed: -g* (the folder is DW_AT_comp_dir),
 * --coverage and -fprofile-* (name of the .gcno or .gcda), -flto (options and folder are kept in the object), `-E -g`
 * (a line names the folder), -Wa,-a (the listing names the temporary file), -fprofile-use (a warning names the .gcda).
 */
const HARMLESS = new RegExp(
  `^(?:${[
    '-c',
    '-S',
    '-E',
    '-P',
    '-C',
    '-CC',
    '-O[0-3sgz]?',
    '-Ofast',
    '-w',
    '-W(?![lap],)[A-Za-z0-9+=_-]*',
    '-g0',
    '-s',
    '-ansi',
    '-pedantic(?:-errors)?',
    '-std=.+',
    '--std=.+',
    '-pipe',
    '-pthread',
    '-pg',
    '-p',
    '-nostdinc(?:\\+\\+)?',
    '-nostdlib',
    '-nodefaultlibs',
    '-nostartfiles',
    '-nolibc',
    '-shared',
    '-static',
    '-static-pie',
    '-static-libgcc',
    '-static-libstdc\\+\\+',
    '-pie',
    '-no-pie',
    '-rdynamic',
    '-undef',
    '-traditional(?:-cpp)?',
    '-trigraphs',
    '-m[a-z0-9].*',
    '-MM?D',
    '-MP',
    '-dM',
    '-dD',
    '-dN',
    '-dI',
    '-f(?:no-)?(?:PIC|pic|PIE|pie|plt|common|exceptions|rtti|builtin|builtin-.+|ident|inline.*|wrapv|trapv)',
    '-f(?:no-)?(?:omit-frame-pointer|strict-aliasing|strict-overflow|semantic-interposition|section-anchors)',
    '-f(?:no-)?(?:fast-math|math-errno|signed-zeros|trapping-math|reciprocal-math|associative-math|finite-math-only)',
    '-f(?:no-)?(?:unsafe-math-optimizations|rounding-math|signaling-nans|cx-limited-range|freestanding|hosted)',
    '-f(?:no-)?(?:unroll-.*|tree-.*|ipa-.*|gcse.*|if-conversion.*|peephole2?|reorder-.*|schedule-.*|sched-.*|split-.*)',
    '-f(?:no-)?(?:stack-protector.*|stack-clash-protection|cf-protection.*|zero-call-used-regs=.+|hardened)',
    '-f(?:no-)?(?:asynchronous-unwind-tables|unwind-tables|non-call-exceptions|delete-null-pointer-checks)',
    '-f(?:no-)?(?:function-sections|data-sections|merge-(?:all-)?constants|short-enums|short-wchar|jump-tables)',
    '-f(?:no-)?(?:signed-char|unsigned-char|signed-bitfields|unsigned-bitfields|permissive|openmp.*|openacc|gnu-tm)',
    '-f(?:no-)?(?:keep-.*|toplevel-reorder|threadsafe-statics|sized-deallocation|aligned-new.*|char8_t|coroutines)',
    '-f(?:no-)?(?:concepts.*|gnu-keywords|gnu89-inline|ms-extensions|plan9-extensions|lax-vector-conversions)',
    '-f(?:no-)?(?:strict-enums|elide-constructors|enforce-eh-specs|implicit-templates|operator-names|weak|zero-.*)',
    '-f(?:no-)?(?:visibility-.*|caller-saves|crossjumping|cse-follow-jumps|defer-pop|devirtualize.*|dce|dse|expensive-.*)',
    '-f(?:no-)?(?:align-.*|code-hoisting|hoist-adjacent-loads|isolate-.*|ivopts|loop-.*|lra-.*|modulo-sched.*|move-loop.*)',
    '-f(?:no-)?(?:optimize-.*|partial-inlining|peel-loops|predictive-commoning|prefetch-loop-arrays|rename-registers)',
    '-f(?:no-)?(?:shrink-wrap.*|ssa-.*|store-merging|strict-volatile-bitfields|thread-jumps|vect-cost-model.*|web)',
    '-fvisibility=.+',
    '-ftls-model=.+',
    '-ffp-contract=.+',
    '-fexcess-precision=.+',
    '-falign-.+',
    '-fpack-struct.*',
    '-ftrivial-auto-var-init=.+',
    '-fpatchable-function-entry=.+',
    '-fmessage-length=.+',
    '-fmax-errors=.+',
    '-fabi-version=.+',
    '-ftemplate-depth=.+',
    '-fconstexpr-.+=.+',
    '-finput-charset=.+',
    '-fexec-charset=.+',
    '-fdiagnostics-(?:color|show|generate|column|urls).*',
    '-fno-diagnostics-show-.*',
    '-fstrict-flex-arrays.*',
    '-fsanitize=.+',
    '-fno-sanitize.*',
    '-fsanitize-.+',
    '-finstrument-functions',
    '-fanalyzer',
    '-fverbose-asm',
  ].join('|')})$`,
);
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
/** Words for the linker that keep an output relocatable; tested as {@link HARMLESS} was. */
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
    machineModel: hasOption(parsed, /^-m(?:arch|tune|cpu|fpu)=native$/),
  };
}

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

/** Option names that were judged: a batch asks for the same ones again and again. */
const JUDGED = new Map<string, boolean>();
const MAX_JUDGED = 1024;

function isHarmless(name: string): boolean {
  const known = JUDGED.get(name);
  if (known !== undefined) return known;
  const harmless = HARMLESS.test(name);
  if (JUDGED.size < MAX_JUDGED) JUDGED.set(name, harmless);
  return harmless;
}

type Reason = NonNullable<Facts['uncacheable']>;

/** Rows: what makes a result uncacheable, and what to say. Order is the order of the checks. */
const UNCACHEABLE_OPTIONS: readonly (readonly [RegExp, Reason['word'], string])[] = [
  [/^-wrapper$/, 'preset:runs-program', 'starts a program of its own choice'],
  [/^-f(?:plugin|plugin-arg-.*)(?:=.*)?$/, 'preset:runs-program', 'loads code into the compiler'],
  [
    /^-f(?:modules-ts|module-.+|modules)$/,
    'preset:unlisted-read',
    'reads compiled modules that no list names',
  ],
  [
    /^-f(?:profile-use|branch-probabilities|auto-profile|profile-partial-training)(?:=.*)?$/,
    'preset:unlisted-read',
    'reads profiles that no list names',
  ],
  [/^-(?:v|###|-verbose|Q|H-)$/, 'embeds-path', 'prints the names of temporary files'],
  [/^-f(?:time-report.*|mem-report.*)$/, 'embeds-path', 'prints what this run has cost'],
  [/^-fdump-(?!passes).*$/, 'undeclared-output', 'writes files whose names cannot be foreseen'],
  [
    /^-d(?!umpversion$|umpfullversion$|umpmachine$|umpspecs$|[MDNIUPAp]$).*$/,
    'undeclared-output',
    'writes files whose names cannot be foreseen',
  ],
  [
    /^-(?:-save-temps|save-temps)=?(?!obj$|cwd$|$).*$/,
    'undeclared-output',
    'writes files whose names cannot be foreseen',
  ],
  [
    /^-fdiagnostics-(?:add-output|set-output|format=(?:json|sarif)-file).*$/,
    'undeclared-output',
    'writes its messages into files',
  ],
  [/^-fcompare-debug.*$/, 'undeclared-output', 'compiles twice and writes dumps'],
  [
    /^--(?!(?:coverage|std=.*|param|sysroot|specs|save-temps|version|help|verbose|print-.*|target-help)$).*$/,
    'preset:unlisted-read',
    'is not understood in this long form',
  ],
];

function uncacheable(parsed: GccArguments): Facts['uncacheable'] {
  const passed = [
    ...wordsFor(parsed, '-Wl,', '-Xlinker'),
    ...wordsFor(parsed, '-Wa,', '-Xassembler'),
    ...wordsFor(parsed, '-Wp,', '-Xpreprocessor'),
  ];
  const file = parsed.responseFiles[0] ?? passed.find((word) => word.startsWith('@'));
  if (file !== undefined)
    return { word: 'preset:response-file', detail: `"${file}" holds further arguments` };
  for (const [pattern, word, why] of UNCACHEABLE_OPTIONS) {
    const found = parsed.options.find((option) => pattern.test(option.name));
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
