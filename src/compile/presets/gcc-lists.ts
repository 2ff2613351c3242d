import { basename, resolve } from 'node:path';
import { statOrNull } from '../../host/files.js';
import { depfilePrerequisites } from '../depfile.js';
import { assemblerReads, linkerReads } from './binutils-lists.js';
import { readFollowing } from './file-text.js';
import { isPreprocessed, type GccArguments } from './gcc-arguments.js';
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
import type { FailedRun, Listed, ListingRun } from './preset.js';

/** What gcc is asked to write, and where. */
export interface GccListingPlan {
  /** `-MD -MF`: one source, and no -M option of the user's. Else `gcc -M` runs afterwards. */
  readonly preprocessor: boolean;
  /** gas `--MD`: names what `.incbin` and `.include` read. */
  readonly assembler: boolean;
  /** ld `--dependency-file`. */
  readonly linker: boolean;
}

/** A listing, to be collected. */
export interface GccLists {
  readonly parsed: GccArguments;
  readonly plan: GccListingPlan;
  readonly plusPlus: boolean;
}

function unlisted(detail: string): Listed {
  return { ok: false, word: 'preset:unlisted-read', detail };
}

/** What a run that succeeded has read. */
export async function collect(run: ListingRun, lists: GccLists): Promise<Listed> {
  const { parsed, plan } = lists;
  const preprocessed = await preprocessedFiles(run, lists);
  if (preprocessed === null) return unlisted('gcc wrote no list of the files that it read');
  const assembled = plan.assembler ? readFollowing(run.files, `${run.listPath}.as`) : null;
  const linkerList = plan.linker ? readFollowing(run.files, `${run.listPath}.ld`) : null;
  const linked = linkerList === null ? null : linkerReads(linkerList);
  if (parsed.stage === 'link' && linked === null)
    return unlisted('the linker wrote no list of the files that it read');
  const asked = !plan.preprocessor && isPreprocessed(parsed);
  const objection = asked ? changesOptions : () => null;
  return complete(run, lists, { preprocessed, assembled, linked, objection });
}

/** What the passes of a compilation have read, each by its own list. */
interface Passes {
  readonly preprocessed: readonly string[];
  readonly assembled: string | null;
  readonly linked: readonly string[] | null;
  readonly objection: GccReadsOptions['objection'];
}

async function complete(run: ListingRun, lists: GccLists, passes: Passes): Promise<Listed> {
  const { parsed } = lists;
  const { preprocessed, assembled, linked, objection } = passes;
  const own = (path: string): boolean => isOwn(run, path);
  const assembledFiles =
    assembled === null
      ? []
      : assemblerReads(assembled).filter((path) => !own(path) && !isFileDirective(run, parsed, path));
  const linkedFiles = linked === null ? [] : linked.filter((path) => !own(path));
  const reads = new GccReads(run, {
    ...lists,
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
export async function collectFailed(run: FailedRun, lists: GccLists): Promise<Listed> {
  const { parsed, plan } = lists;
  if (assemblerFailed(run)) return unlisted('the assembler failed, and does not tell what it has read');
  const linkerList = plan.linker ? readFollowing(run.files, `${run.listPath}.ld`) : null;
  const linked = linkerList === null ? null : linkerReads(linkerList);
  if (parsed.stage === 'link' && linked === null && linkerMayHaveRun(run))
    return unlisted('the linker failed, and does not tell what it has read');
  const own = plan.preprocessor ? wholeList(readFollowing(run.files, run.listPath)) : null;
  const asked = own === null && isPreprocessed(parsed);
  const preprocessed = own === null ? await askPreprocessor(run, lists) : depfilePrerequisites(own);
  if (preprocessed === null) return unlisted('gcc does not tell what it has read');
  const difference = asked ? preprocessingDiffers(run, parsed, preprocessed) : null;
  if (difference !== null) return unlisted(difference);
  const assembled = plan.assembler ? wholeList(readFollowing(run.files, `${run.listPath}.as`)) : null;
  const mayAssemble = assembled === null && (parsed.stage === 'assemble' || parsed.stage === 'link');
  return complete(run, lists, {
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
async function preprocessedFiles(run: ListingRun, lists: GccLists): Promise<readonly string[] | null> {
  const { parsed, plan } = lists;
  if (!plan.preprocessor || !isPreprocessed(parsed)) return askPreprocessor(run, lists);
  const list = readFollowing(run.files, run.listPath);
  return list === null ? null : depfilePrerequisites(list);
}

/** What `gcc -M` lists; null when it fails. */
async function askPreprocessor(run: ListingRun, { parsed }: GccLists): Promise<readonly string[] | null> {
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
