import { basename } from 'node:path';
import {
  hasBeginning,
  hasOption,
  valuesOf,
  withoutExtension,
  wordsFor,
  type GccArguments,
  type GccSource,
} from './gcc-arguments.js';

/**
 * Every file that the bare command writes, as far as its name follows from the arguments (tested with gcc 12). Names
 * that do not follow are `undeclared-output` instead.
 */
export function writtenByGcc(parsed: GccArguments): readonly string[] {
  if (parsed.stage === 'query') return [];
  return [
    ...mainOutputs(parsed),
    ...depfiles(parsed),
    ...parsed.sources.flatMap((source) => auxiliaries(parsed, source)),
    ...valuesOf(parsed, '-aux-info'),
    ...reports(parsed),
    ...passedOutputs(parsed),
  ];
}

function mainOutputs(parsed: GccArguments): readonly string[] {
  if (parsed.stage === 'syntax') return [];
  if (parsed.output !== null) return parsed.output === '-' ? [] : [parsed.output];
  switch (parsed.stage) {
    case 'query':
    case 'preprocess':
      return [];
    case 'link':
      return parsed.sources.some((source) => source.header) ? parsed.sources.map(gchOf) : ['a.out'];
    case 'compile':
      return parsed.sources.map((source) => (source.header ? gchOf(source) : `${baseOf(source)}.s`));
    case 'assemble':
      return parsed.sources.map((source) => (source.header ? gchOf(source) : `${baseOf(source)}.o`));
    default:
      return parsed.stage satisfies never;
  }
}

function gchOf(source: GccSource): string {
  return `${source.path}.gch`;
}

function baseOf(source: GccSource): string {
  return source.path === '-' ? '-' : withoutExtension(basename(source.path));
}

/** -MD and -MMD: the name of -MF, else the output's with `.d`, else the source's. */
function depfiles(parsed: GccArguments): readonly string[] {
  const named = valuesOf(parsed, '-MF');
  const words = wordsFor(parsed, '-Wp,', '-Xpreprocessor');
  const passed = words.flatMap((word, index) => (/^-MM?D$/.test(word) ? (words[index + 1] ?? []) : []));
  if (named.length > 0) return [...named, ...passed];
  if (!hasOption(parsed, '-MD') && !hasOption(parsed, '-MMD')) return passed;
  if (parsed.output !== null && parsed.output !== '-')
    return [`${withoutExtension(parsed.output)}.d`, ...passed];
  return [...parsed.sources.map((source) => `${baseOf(source)}.d`), ...passed];
}

const COVERAGE = ['--coverage', '-coverage', '-ftest-coverage'] as const;

/** The files beside the output: coverage notes, stack usage, call graph, split debug information, temporary files. */
function auxiliaries(parsed: GccArguments, source: GccSource): readonly string[] {
  const extensions: string[] = [];
  if (COVERAGE.some((name) => hasOption(parsed, name))) extensions.push('gcno');
  if (hasOption(parsed, '-fstack-usage')) extensions.push('su');
  if (hasBeginning(parsed, '-fcallgraph-info')) extensions.push('ci');
  if (hasOption(parsed, '-gsplit-dwarf') && parsed.stage !== 'compile') extensions.push('dwo');
  if (hasBeginning(parsed, '-save-temps') || hasBeginning(parsed, '--save-temps'))
    extensions.push(...temporaryExtensions(parsed, source));
  const base = auxiliaryBase(parsed, source);
  const saved = hasOption(parsed, '-fsave-optimization-record')
    ? [`${base}.${basename(source.path).split('.').at(-1) ?? ''}.opt-record.json.gz`]
    : [];
  return [...extensions.map((extension) => `${base}.${extension}`), ...saved];
}

function temporaryExtensions(parsed: GccArguments, source: GccSource): readonly string[] {
  if (source.language === 'assembler') return parsed.stage === 'link' ? ['o'] : [];
  const preprocessed = source.language === 'c++' ? 'ii' : 'i';
  if (parsed.stage === 'compile') return [preprocessed];
  return parsed.stage === 'link' ? [preprocessed, 's', 'o'] : [preprocessed, 's'];
}

/**
 * -c and -S: the output without its extension. Linking: the output, a dash and the source, unless there is one source
 * of the same name. Devices as outputs count as none.
 */
function auxiliaryBase(parsed: GccArguments, source: GccSource): string {
  const output = parsed.output === null || parsed.output.startsWith('/dev/') ? null : parsed.output;
  if (parsed.stage !== 'link') return output === null ? baseOf(source) : withoutExtension(output);
  const program = (output ?? 'a.out').replace(/\.(?:exe|out)$/, '');
  if (parsed.sources.length === 1 && basename(program) === baseOf(source)) return program;
  return `${program}-${baseOf(source)}`;
}

/** -fopt-info…=FILE writes a report; without a file it goes to stderr. */
function reports(parsed: GccArguments): readonly string[] {
  return parsed.options.flatMap(({ name }) => {
    const file = !name.startsWith('-fopt-info') ? undefined : /^-fopt-info[^=]*=(.+)$/.exec(name)?.[1];
    return file === undefined ? [] : [file];
  });
}

/** Files that the linker and the assembler write besides their output. */
function passedOutputs(parsed: GccArguments): readonly string[] {
  const linker = wordsFor(parsed, '-Wl,', '-Xlinker');
  const assembler = wordsFor(parsed, '-Wa,', '-Xassembler');
  return [
    ...namedBy(linker, /^--?(?:Map|dependency-file|out-implib|output-def)$/),
    ...namedBy(assembler, /^--MD$/),
    ...listings(assembler),
  ];
}

/** `--name=FILE`, or `--name` and the next word. */
function namedBy(words: readonly string[], option: RegExp): readonly string[] {
  return words.flatMap((word, index) => {
    const end = word.indexOf('=');
    if (end > 0 && option.test(word.slice(0, end))) return [word.slice(end + 1)];
    return option.test(word) ? (words[index + 1] ?? []) : [];
  });
}

function listings(words: readonly string[]): readonly string[] {
  return words.flatMap((word) => /^-a[a-z]*=(.+)$/.exec(word)?.[1] ?? []);
}
