import { join } from 'node:path';
import { hasOption, parseGccArguments } from './gcc-arguments.js';
import { GCC_TRANSIENT } from './gcc.js';
import { gccFacts } from './gcc-facts.js';
import {
  hasNvccOption,
  nvccBase,
  nvccValues,
  parseNvccArguments,
  type NvccArguments,
  type NvccStage,
} from './nvcc-arguments.js';
import { nvccListing } from './nvcc-listing.js';
import type { CommandLine, Facts, Preset } from './preset.js';
import { isDeclaredOutput } from './written.js';

const EXTENSIONS: Readonly<Record<Exclude<NvccStage, 'query' | 'preprocess' | 'link'>, string>> = {
  cuda: '.cu.cpp.ii',
  ptx: '.ptx',
  cubin: '.cubin',
  fatbin: '.fatbin',
  optixir: '.optixir',
  ltoir: '.ltoir',
  object: '.o',
};

function mainOutputs(parsed: NvccArguments): readonly string[] {
  if (parsed.output !== null) return [parsed.output];
  const { stage } = parsed;
  const inputs = [...parsed.sources, ...parsed.linkInputs];
  const folder = nvccValues(parsed, 'odir').at(-1) ?? '';
  if (stage === 'query' || stage === 'preprocess') return [];
  if (stage !== 'link') return inputs.map((input) => join(folder, nvccBase(input) + EXTENSIONS[stage]));
  if (hasNvccOption(parsed, 'lib')) return ['a.a'];
  return hasNvccOption(parsed, 'dlink') ? ['a_dlink.o'] : ['a.out'];
}

function depfiles(parsed: NvccArguments): readonly string[] {
  const named = nvccValues(parsed, 'MF');
  if (named.length > 0) return named;
  if (!hasNvccOption(parsed, 'MD', 'MMD')) return [];
  if (parsed.output !== null) return [`${parsed.output.replace(/\.[^./]*$/, '')}.d`];
  return parsed.sources.map((source) => `${nvccBase(source)}.d`);
}

/** Rows: the option, and why a result with it is not cached. */
const UNCACHEABLE: readonly (readonly [string, NonNullable<Facts['uncacheable']>['word'], string])[] = [
  ['optf', 'preset:response-file', 'names a file with further arguments'],
  ['run', 'preset:runs-program', 'runs what was compiled'],
  ['dryrun', 'embeds-path', 'prints the names of temporary files'],
  ['v', 'embeds-path', 'prints the names of temporary files'],
  ['keep', 'undeclared-output', 'keeps files whose names cannot be foreseen'],
  ['keep-dir', 'undeclared-output', 'keeps files whose names cannot be foreseen'],
  ['clean', 'undeclared-output', 'removes files'],
  ['time', 'undeclared-output', 'writes what this run has cost'],
  ['fdevice-time-trace', 'undeclared-output', 'writes what this run has cost'],
  ['arbin', 'preset:runs-program', 'starts a program of its own choice'],
];

function uncacheable(line: CommandLine, parsed: NvccArguments): Facts['uncacheable'] {
  const file = parsed.responseFiles[0];
  if (file !== undefined)
    return { word: 'preset:response-file', detail: `"${file}" holds further arguments` };
  for (const [name, word, why] of UNCACHEABLE) {
    if (hasNvccOption(parsed, name)) return { word, detail: `the option "-${name}" ${why}` };
  }
  const host = hostArguments(parsed);
  if (
    hasOption(
      host,
      /^-M|^-o$|^-f(?:profile|test-coverage|stack-usage)|^--?coverage$|^-?-save-temps|^-gsplit-dwarf/,
    )
  ) {
    return { word: 'undeclared-output', detail: 'an option for the host compiler writes files of its own' };
  }
  return gccFacts(line, host).uncacheable;
}

/** What the host compiler is told. */
function hostArguments(parsed: NvccArguments): ReturnType<typeof parseGccArguments> {
  return parseGccArguments([...nvccValues(parsed, 'Xcompiler'), '-c', 'host.cpp'], true);
}

/**
 * Never relocatable. Compiled in two folders, -ptx, -cubin and -fatbin were the same for plain kernels, but differed
 * as soon as a name had internal linkage (`_INTERNAL_<hash of the path>`), and with -rdc, -lineinfo, -G and -optix-ir;
 * objects differ between any two runs (`tmpxft_<pid>`).
 */
function facts(line: CommandLine): Facts {
  const parsed = parseNvccArguments(line.args);
  const written = parsed.stage === 'query' ? [] : [...mainOutputs(parsed), ...depfiles(parsed)];
  const native = ['arch', 'code', 'gencode'].some((name) =>
    nvccValues(parsed, name).some((value) => /\bnative\b/.test(value)),
  );
  return {
    relocatable: false,
    furtherOutputs: written.filter((path) => !isDeclaredOutput(line, path)),
    uncacheable: uncacheable(line, parsed),
    machineModel: hasOption(hostArguments(parsed), /^-m(?:arch|tune|cpu)=native$/),
    gpuModel: native,
  };
}

/**
 * A program that was killed shows as the shell's `Killed` and status 137; a crash of cudafe++ or cicc as `died due to
 * signal`; the rest is the host compiler's.
 */
const NVCC_TRANSIENT = [...GCC_TRANSIENT, 'died due to signal', 'Terminated', 'Memory allocation failure'];

/** NVIDIA's compiler driver. NVCC_PREPEND_FLAGS and its like reach it only by `--env`. */
export const nvcc: Preset = {
  name: 'nvcc',
  matches: (baseName) => baseName === 'nvcc' || /^nvcc-[0-9.]+$/.test(baseName),
  facts,
  delegates: async (context) =>
    (await import('./nvcc-toolkit.js')).nvccDelegates(context, parseNvccArguments(context.line.args)),
  versionArgs: ['--version'],
  environment: [],
  // The host compiler writes what is linked or preprocessed.
  keepsOldOutputs: (line) => !/^(?:link|preprocess)$/.test(parseNvccArguments(line.args).stage),
  transientWords: NVCC_TRANSIENT,
  listing: (line) => nvccListing(parseNvccArguments(line.args)),
};
