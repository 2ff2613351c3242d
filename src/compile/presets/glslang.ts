import { dirname, resolve } from 'node:path';
import { statOrNull } from '../../host/files.js';
import { depfilePrerequisites } from '../depfile.js';
import { readFollowing } from './file-text.js';
import { glslangFailedReads, includedNames } from './glslang-failed.js';
import type { CommandLine, Facts, Listed, Listing, ListingRun, Preset } from './preset.js';
import { isDeclaredOutput } from './written.js';

const NAME = /^(?:glslangValidator|glslang)(?:-[0-9.]+)?$/;

/** Options whose value is the next argument. */
const WITH_VALUE: ReadonlySet<string> = new Set([
  '-o',
  '-S',
  '-e',
  '--entry-point',
  '--source-entrypoint',
  '--sep',
  '--depfile',
  '--vn',
  '--variable-name',
  '--client',
  '--target-env',
  '--glsl-version',
  '--define-macro',
  '--D',
  '--undef-macro',
  '--U',
  '-D',
  '-P',
  '--preamble-text',
  '--uniform-base',
  '--spirv-val-target',
]);
/**
 * Options of glslang 12 with which neither the working directory nor the output's folder reached a byte, compiled in
 * two folders: -g and -gVS keep the source's name as it was given, and stdout begins with it.
 */
const HARMLESS =
  /^(?:-[VG][0-9]*|-H|-I.*|-[DU].+|-O[ds]|-R|-C|-d|-f.+|-g(?:0|V|VS)?|-i|-l|-q|-r|-s|-t|-w|-x|-u.+|--(?!depfile|stdin|dump).+)$/;

const STAGES = 'vert tesc tese geom frag comp mesh task rgen rint rahit rchit rmiss rcall'.split(' ');

interface GlslangArguments {
  readonly sources: readonly string[];
  readonly output: string | null;
  readonly depfile: string | null;
  readonly stage: string | null;
  readonly includeFolders: readonly string[];
  readonly binary: boolean;
  readonly known: boolean;
}

function parse(args: readonly string[]): GlslangArguments {
  const values = new Map<string, string>();
  const options: string[] = [];
  const sources: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? '';
    const next = args[index + 1];
    if (WITH_VALUE.has(argument) && next !== undefined) {
      values.set(argument, next);
      index += 1;
    } else if (argument.startsWith('-')) options.push(argument);
    else sources.push(argument);
  }
  return {
    sources,
    output: values.get('-o') ?? null,
    depfile: values.get('--depfile') ?? null,
    stage: values.get('-S') ?? null,
    includeFolders: options.filter((option) => option.startsWith('-I')).map((option) => option.slice(2)),
    binary:
      options.some((option) => /^-(?:[VG][0-9]*|H)$/.test(option)) ||
      values.has('--client') ||
      values.has('--target-env'),
    known: options.every((option) => HARMLESS.test(option)),
  };
}

/** The shader stage that names the default output: `a.frag` and `a.frag.glsl` are `frag`. */
function stageOf(source: string): string | null {
  const parts = source.split('.');
  const last = parts.at(-1) ?? '';
  const extension = last === 'glsl' || last === 'hlsl' ? (parts.at(-2) ?? '') : last;
  return STAGES.includes(extension) ? extension : null;
}

function written(parsed: GlslangArguments): readonly string[] {
  const depfile = parsed.depfile === null ? [] : [parsed.depfile];
  if (!parsed.binary) return depfile;
  if (parsed.output !== null) return [parsed.output, ...depfile];
  const stages = parsed.stage === null ? parsed.sources.map(stageOf) : [parsed.stage];
  return [...new Set(stages.flatMap((stage) => (stage === null ? [] : [`${stage}.spv`]))), ...depfile];
}

function facts(line: CommandLine): Facts {
  const parsed = parse(line.args);
  const depfile = parsed.depfile;
  return {
    // A depfile holds the output's path.
    relocatable: parsed.known && line.outputs.every((path) => path === parsed.output && path !== depfile),
    furtherOutputs: written(parsed).filter((path) => !isDeclaredOutput(line, path)),
    uncacheable: line.args.some((argument) => argument === '--dump-builtin-symbols' || argument === '-m')
      ? { word: 'embeds-path', detail: 'the arguments print addresses of this run' }
      : null,
    machineModel: false,
  };
}

/** `--depfile` changes no byte of the output and nothing on stdout; it names the sources and what they include. */
function listing(line: CommandLine): Listing | null {
  const parsed = parse(line.args);
  if (parsed.sources.length === 0) return null;
  // Where the user's own depfile was really written: in the worker directory if the outputs are made there.
  let depfile = parsed.depfile;
  return {
    augment: (args, listPath) => {
      depfile = parse(args).depfile;
      return depfile === null ? [...args, '--depfile', listPath] : args;
    },
    collect: async (run) =>
      collect(run, parsed, depfile === null ? run.listPath : resolve(run.line.cwd, depfile)),
    collectFailed: async (run) => glslangFailedReads(run, parsed),
  };
}

async function collect(run: ListingRun, parsed: GlslangArguments, listPath: string): Promise<Listed> {
  const { cwd } = run.line;
  const list = readFollowing(run.files, listPath);
  if (list === null) return unlisted('glslangValidator wrote no list');
  const files = [...new Set([...depfilePrerequisites(list), ...parsed.sources])];
  const names = new Set<string>();
  for (const file of files) {
    const text = readFollowing(run.files, resolve(cwd, file));
    if (text === null) return unlisted(`"${file}" cannot be read`);
    const included = includedNames(text);
    if (included === null) return unlisted(`an include of "${file}" is computed`);
    for (const name of included) names.add(name);
  }
  return { ok: true, files, absent: shadows(run, { names, files, folders: parsed.includeFolders }) };
}

/**
 * A name is looked for in the folders of all files on the way to it, innermost first, then in those of -I. Which files
 * those were is not listed, so every folder counts.
 */
function shadows(
  run: ListingRun,
  searched: {
    readonly names: ReadonlySet<string>;
    readonly files: readonly string[];
    readonly folders: readonly string[];
  },
): readonly string[] {
  const folders = new Set([...searched.files.map((file) => dirname(file)), ...searched.folders]);
  const absent: string[] = [];
  for (const name of searched.names) {
    for (const folder of folders) {
      const candidate = folder === '.' ? name : `${folder}/${name}`;
      if (statOrNull(run.files, resolve(run.line.cwd, candidate)) === null) absent.push(candidate);
    }
  }
  return absent;
}

function unlisted(detail: string): Listed {
  return { ok: false, word: 'preset:unlisted-read', detail };
}

/** Khronos' reference compiler. */
export const glslang: Preset = {
  name: 'glslangValidator',
  matches: (baseName) => NAME.test(baseName),
  facts,
  delegates: async () => [],
  versionArgs: ['--version'],
  environment: [],
  keepsOldOutputs: () => true,
  transientWords: [],
  listing,
};
