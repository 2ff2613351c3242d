import { resolve } from 'node:path';
import type { CommandLine, Facts, Listing, Preset } from './preset.js';
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
    collect: async (run) => {
      const listPath = depfile === null ? run.listPath : resolve(run.line.cwd, depfile);
      return (await import('./glslang-lists.js')).collect(run, parsed, listPath);
    },
    collectFailed: async (run) => (await import('./glslang-failed.js')).glslangFailedReads(run, parsed),
  };
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
