import { depfilePrerequisites } from '../depfile.js';
import { linkerReads } from './binutils-lists.js';
import { readFollowing } from './file-text.js';
import {
  assemblerFailed,
  changesOptions,
  linkerMayHaveRun,
  readsInAssembler,
  wholeList,
} from './gcc-failed.js';
import { linkerShadows } from './gcc-link-search.js';
import { GccReads, type GccReadsOptions } from './gcc-reads.js';
import { asGccArguments, type NvccArguments } from './nvcc-arguments.js';
import { askToolkit } from './nvcc-toolkit.js';
import type { FailedRun, Listed, ListingRun } from './preset.js';

/** What nvcc is asked to write. */
export interface NvccListingPlan {
  /** `-MD -MF`; else `nvcc -M` runs afterwards. */
  readonly preprocessor: boolean;
  readonly linker: boolean;
}

function unlisted(detail: string): Listed {
  return { ok: false, word: 'preset:unlisted-read', detail };
}

/** What a run that succeeded has read. */
export async function collect(
  run: ListingRun,
  parsed: NvccArguments,
  plan: NvccListingPlan,
): Promise<Listed> {
  const preprocessed = await preprocessedFiles(run, parsed, plan);
  if (preprocessed === null) return unlisted('nvcc wrote no list of the files that it read');
  const linkerList = plan.linker ? readFollowing(run.files, `${run.listPath}.ld`) : null;
  const linked = linkerList === null ? null : linkerReads(linkerList);
  if (parsed.stage === 'link' && linked === null)
    return unlisted('the linker wrote no list of the files that it read');
  const objection = plan.preprocessor ? () => null : changesOptions;
  return complete(run, parsed, { preprocessed, linked, objection });
}

/** The list is written after all passes of the preprocessor and before anything is compiled. */
export async function collectFailed(
  run: FailedRun,
  parsed: NvccArguments,
  plan: NvccListingPlan,
): Promise<Listed> {
  const list = plan.preprocessor ? wholeList(readFollowing(run.files, run.listPath)) : null;
  if (list === null && parsed.sources.length > 0) return unlisted('nvcc does not tell what it has read');
  if (assemblerFailed(run)) return unlisted('the assembler failed, and does not tell what it has read');
  const linkerList = plan.linker ? readFollowing(run.files, `${run.listPath}.ld`) : null;
  const linked = linkerList === null ? null : linkerReads(linkerList);
  if (parsed.stage === 'link' && linked === null && linkerMayHaveRun(run))
    return unlisted('the linker failed, and does not tell what it has read');
  return complete(run, parsed, {
    preprocessed: list === null ? [] : depfilePrerequisites(list),
    linked,
    objection: (text) => (readsInAssembler(text) ? 'the assembler may have read a file' : null),
  });
}

/** What the passes of a compilation have read, each by its own list. */
interface Passes {
  readonly preprocessed: readonly string[];
  readonly linked: readonly string[] | null;
  readonly objection: GccReadsOptions['objection'];
}

async function complete(run: ListingRun, parsed: NvccArguments, passes: Passes): Promise<Listed> {
  const { preprocessed, linked, objection } = passes;
  const toolkit = await askToolkit(run.line, parsed, async (argv) => run.capture(argv), run.files);
  if (toolkit === null || toolkit.hostCompiler === null)
    return unlisted('nvcc does not tell where its headers are');
  const inner: ListingRun = { ...run, line: { ...run.line, program: toolkit.hostCompiler } };
  const gcc = asGccArguments(parsed);
  const reads = new GccReads(inner, {
    parsed: gcc,
    plusPlus: true,
    program: toolkit.hostCompiler,
    systemFolders: toolkit.includeFolders,
    relocatable: false,
    listsIncbin: false,
    objection,
  });
  await reads.add({ preprocessed, assembled: [] });
  if (reads.problem !== null) return reads.problem;
  const linkedFiles = linked === null ? [] : linked.filter((path) => !isTemporary(run, path));
  return {
    ok: true,
    files: [...new Set([...reads.files, ...parsed.linkInputs, ...linkedFiles])],
    absent: [...reads.absent, ...(linked === null ? [] : await linkerShadows(inner, gcc, linkedFiles))],
  };
}

/** nvcc's own temporary files: `tmpxft_…` below TMPDIR, which is in the worker directory. */
function isTemporary(run: ListingRun, path: string): boolean {
  return path.startsWith(`${run.workerDirectory}/`) || /\/tmpxft_[^/]*$/.test(path);
}

async function preprocessedFiles(
  run: ListingRun,
  parsed: NvccArguments,
  plan: NvccListingPlan,
): Promise<readonly string[] | null> {
  if (parsed.sources.length === 0) return [];
  if (plan.preprocessor) {
    const list = readFollowing(run.files, run.listPath);
    return list === null ? null : depfilePrerequisites(list);
  }
  const answer = await run.capture([run.line.program, ...argumentsForM(run.line.args, parsed), '-M']);
  return answer.status === 0 ? depfilePrerequisites(answer.stdout.toString('utf8')) : null;
}

const DROPPED_FOR_M =
  /^(?:E|M|MM|MD|MMD|MF|MT|MP|cuda|ptx|cubin|fatbin|optix-ir|ltoir|c|dc|dw|dlink|lib|link|shared|o|odir|Xlinker)$/;

function argumentsForM(args: readonly string[], parsed: NvccArguments): readonly string[] {
  const dropped = new Set<number>();
  for (const { name, index, separate } of parsed.options) {
    if (!DROPPED_FOR_M.test(name)) continue;
    dropped.add(index);
    if (separate) dropped.add(index + 1);
  }
  const objects = new Set(parsed.linkInputs);
  return args.filter((argument, index) => !dropped.has(index) && !objects.has(argument));
}
