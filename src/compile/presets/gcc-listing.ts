import { basename, resolve } from 'node:path';
import { statOrNull } from '../../host/files.js';
import { depfilePrerequisites } from '../depfile.js';
import { assemblerReads, linkerReads } from './binutils-lists.js';
import { readFollowing } from './file-text.js';
import { hasOption, wordsFor, type GccArguments } from './gcc-arguments.js';
import { gccFacts } from './gcc-facts.js';
import {
  assemblerFailed,
  changesOptions,
  linkerMayHaveRun,
  preprocessingDiffers,
  readsInAssembler,
  wholeList,
} from './gcc-failed.js';
import { GccReads, type GccReadsOptions } from './gcc-reads.js';
import { linkerShadows } from './gcc-link-search.js';
import type { FailedRun, Listed, Listing, ListingRun } from './preset.js';

/** What gcc is asked to write, and where. */
interface Plan {
  /** `-MD -MF`: one source, and no -M option of the user's. Else `gcc -M` runs afterwards. */
  readonly preprocessor: boolean;
  /** gas `--MD`: names what `.incbin` and `.include` read. */
  readonly assembler: boolean;
  /** ld `--dependency-file`. */
  readonly linker: boolean;
}

const PREPROCESSED_LANGUAGES: ReadonlySet<string> = new Set(['c', 'c++', 'objc', 'assembler-with-cpp']);

/**
 * How gcc lists what it reads. Compiled with and without these options, output and streams were the same for -c, -S,
 * -E, -g, --coverage, -frecord-gcc-switches, -fverbose-asm and linking; except that with -flto the object keeps the
 * arguments of the assembler, so gas is not asked then, and `.incbin` is uncacheable.
 */
export function gccListing(
  parsed: GccArguments,
  { plusPlus, isGnu }: { readonly plusPlus: boolean; readonly isGnu: boolean },
): Listing | null {
  if (parsed.stage === 'query') return null;
  const plan = planOf(parsed, isGnu);
  return {
    augment: (args, listPath) => [...args, ...listOptions(plan, listPath)],
    collect: async (run) => collect(run, { parsed, plan, plusPlus }),
    collectFailed: async (run) => collectFailed(run, { parsed, plan, plusPlus }),
  };
}

function planOf(parsed: GccArguments, isGnu: boolean): Plan {
  const { stage, sources } = parsed;
  const lto = hasOption(parsed, /^-flto/);
  const usesM =
    hasOption(parsed, /^-M/) ||
    wordsFor(parsed, '-Wp,', '-Xpreprocessor').some((word) => word.startsWith('-M'));
  const assembles = stage === 'assemble' || stage === 'link';
  const ownMd = wordsFor(parsed, '-Wa,', '-Xassembler').some((word) => word.startsWith('--MD'));
  return {
    preprocessor: !usesM && sources.length === 1 && isPreprocessed(parsed),
    assembler: isGnu && assembles && sources.length === 1 && !lto && !ownMd,
    linker: stage === 'link' && !sources.some((source) => source.header) && isBfd(parsed),
  };
}

function isPreprocessed(parsed: GccArguments): boolean {
  return parsed.sources.some((source) => PREPROCESSED_LANGUAGES.has(source.language));
}

/** Other linkers name their dependency file otherwise or not at all; a file of the user's must stay the only one. */
function isBfd(parsed: GccArguments): boolean {
  const words = wordsFor(parsed, '-Wl,', '-Xlinker');
  return (
    !words.some((word) => /^--?dependency-file/.test(word)) &&
    parsed.options.every(({ name }) => !name.startsWith('-fuse-ld=') || name === '-fuse-ld=bfd')
  );
}

function listOptions(plan: Plan, listPath: string): readonly string[] {
  return [
    ...(plan.preprocessor ? ['-MD', '-MF', listPath] : []),
    // -Xassembler and not -Wa: the path may hold a comma.
    ...(plan.assembler ? ['-Xassembler', '--MD', '-Xassembler', `${listPath}.as`] : []),
    ...(plan.linker ? ['-Xlinker', `--dependency-file=${listPath}.ld`] : []),
  ];
}

interface Collecting {
  readonly parsed: GccArguments;
  readonly plan: Plan;
  readonly plusPlus: boolean;
}

function unlisted(detail: string): Listed {
  return { ok: false, word: 'preset:unlisted-read', detail };
}

async function collect(run: ListingRun, collecting: Collecting): Promise<Listed> {
  const { parsed, plan } = collecting;
  const preprocessed = await preprocessedFiles(run, collecting);
  if (preprocessed === null) return unlisted('gcc wrote no list of the files that it read');
  const assembled = plan.assembler ? readFollowing(run.files, `${run.listPath}.as`) : null;
  const linkerList = plan.linker ? readFollowing(run.files, `${run.listPath}.ld`) : null;
  const linked = linkerList === null ? null : linkerReads(linkerList);
  if (parsed.stage === 'link' && linked === null)
    return unlisted('the linker wrote no list of the files that it read');
  const asked = !plan.preprocessor && isPreprocessed(parsed);
  const objection = asked ? changesOptions : () => null;
  return complete(run, collecting, { preprocessed, assembled, linked, objection });
}

/** What the passes of a compilation have read, each by its own list. */
interface Passes {
  readonly preprocessed: readonly string[];
  readonly assembled: string | null;
  readonly linked: readonly string[] | null;
  readonly objection: GccReadsOptions['objection'];
}

async function complete(run: ListingRun, collecting: Collecting, passes: Passes): Promise<Listed> {
  const { parsed } = collecting;
  const { preprocessed, assembled, linked, objection } = passes;
  const own = (path: string): boolean => isOwn(run, path);
  const assembledFiles =
    assembled === null
      ? []
      : assemblerReads(assembled).filter((path) => !own(path) && !isFileDirective(run, parsed, path));
  const linkedFiles = linked === null ? [] : linked.filter((path) => !own(path));
  const reads = new GccReads(run, {
    ...collecting,
    program: run.line.program,
    systemFolders: [],
    relocatable: gccFacts(run.line, parsed).relocatable,
    listsIncbin: assembled !== null,
    objection,
  });
  await reads.add({ preprocessed, assembled: assembledFiles });
  if (reads.problem !== null) return reads.problem;
  return {
    ok: true,
    files: [...new Set([...reads.files, ...linkedFiles, ...optionFiles(run)])],
    absent: [...reads.absent, ...(linked === null ? [] : await linkerShadows(run, parsed, linkedFiles))],
  };
}

/**
 * gcc 8 and later write the list of -MD although the source has errors, but not when it is killed or stops at the first
 * error. Then `gcc -M` is asked, whose list holds for sources that look the same to both.
 */
async function collectFailed(run: FailedRun, collecting: Collecting): Promise<Listed> {
  const { parsed, plan } = collecting;
  if (assemblerFailed(run)) return unlisted('the assembler failed, and does not tell what it has read');
  const linkerList = plan.linker ? readFollowing(run.files, `${run.listPath}.ld`) : null;
  const linked = linkerList === null ? null : linkerReads(linkerList);
  if (parsed.stage === 'link' && linked === null && linkerMayHaveRun(run))
    return unlisted('the linker failed, and does not tell what it has read');
  const own = plan.preprocessor ? wholeList(readFollowing(run.files, run.listPath)) : null;
  const asked = own === null && isPreprocessed(parsed);
  const preprocessed = own === null ? await askPreprocessor(run, collecting) : depfilePrerequisites(own);
  if (preprocessed === null) return unlisted('gcc does not tell what it has read');
  const difference = asked ? preprocessingDiffers(run, parsed, preprocessed) : null;
  if (difference !== null) return unlisted(difference);
  const assembled = plan.assembler ? wholeList(readFollowing(run.files, `${run.listPath}.as`)) : null;
  const mayAssemble = assembled === null && (parsed.stage === 'assemble' || parsed.stage === 'link');
  return complete(run, collecting, {
    preprocessed,
    assembled,
    linked,
    objection: (text) => {
      if (mayAssemble && readsInAssembler(text)) return 'the assembler may have read a file';
      return asked ? changesOptions(text) : null;
    },
  });
}

/** Temporary files of this compilation: below its worker directory, which is its TMPDIR, or below `/tmp` by name. */
function isOwn(run: ListingRun, path: string): boolean {
  const absolute = resolve(run.line.cwd, path);
  if (absolute.startsWith(`${run.workerDirectory}/`)) return true;
  const folder = run.line.environment['TMPDIR'] ?? '/tmp';
  return absolute.startsWith(`${folder}/cc`) && run.files.lstat(absolute) === null;
}

/** gas also lists the name in the `.file` directive of its input: the source's base name, which is no file of its own. */
function isFileDirective(run: ListingRun, parsed: GccArguments, path: string): boolean {
  const isSource = parsed.sources.some((source) => basename(source.path) === path);
  return isSource && run.files.lstat(resolve(run.line.cwd, path)) === null;
}

/** Null when the list is missing. */
async function preprocessedFiles(run: ListingRun, collecting: Collecting): Promise<readonly string[] | null> {
  const { parsed, plan } = collecting;
  if (!plan.preprocessor || !isPreprocessed(parsed)) return askPreprocessor(run, collecting);
  const list = readFollowing(run.files, run.listPath);
  return list === null ? null : depfilePrerequisites(list);
}

/** What `gcc -M` lists; null when it fails. */
async function askPreprocessor(run: ListingRun, { parsed }: Collecting): Promise<readonly string[] | null> {
  if (!isPreprocessed(parsed)) return [];
  const answer = await run.capture([run.line.program, ...argumentsForM(run.line.args, parsed), '-M']);
  return answer.status === 0 ? depfilePrerequisites(answer.stdout.toString('utf8')) : null;
}

const DROPPED_FOR_M = /^(?:-c|-S|-E|-o|-M.*|-save-temps.*|--save-temps.*|-Wl,|-Wa,|-Xlinker|-Xassembler)$/;

/** The arguments of a run that only lists: without stages, outputs and the user's own -M options. */
function argumentsForM(args: readonly string[], parsed: GccArguments): readonly string[] {
  const dropped = new Set<number>();
  for (const { name, value, index } of parsed.options) {
    const ownM = name === '-Wp,' && value !== null && value.includes('-M');
    if (!DROPPED_FOR_M.test(name) && !ownM) continue;
    dropped.add(index);
    if (value !== null && args[index] === name) dropped.add(index + 1);
  }
  const objects = new Set(parsed.linkInputs);
  return args.filter((argument, index) => !dropped.has(index) && !objects.has(argument));
}

/** Files that options name in their own ways: `-Wl,--version-script=x`, `-T x`, `-specs=x`. */
function optionFiles(run: ListingRun): readonly string[] {
  const { cwd, args, outputs } = run.line;
  const words = args.flatMap((argument) => argument.split(',').concat(argument.split(/[=,]/).slice(1)));
  return words.filter((word) => {
    if (word === '' || word.startsWith('-') || word.includes('\0') || outputs.includes(word)) return false;
    return statOrNull(run.files, resolve(cwd, word))?.type === 'file' && !isOwn(run, word);
  });
}
