import { basename } from 'node:path';
import type { GccArguments, GccOption, GccSource } from './gcc-arguments.js';

/** What nvcc makes; `link` also for libraries and device linking. */
export type NvccStage =
  | 'preprocess'
  | 'cuda'
  | 'ptx'
  | 'cubin'
  | 'fatbin'
  | 'optixir'
  | 'ltoir'
  | 'object'
  | 'link'
  | 'query';

export interface NvccArguments {
  readonly stage: NvccStage;
  readonly output: string | null;
  readonly sources: readonly string[];
  /** Objects, libraries, PTX: what is not preprocessed. */
  readonly linkInputs: readonly string[];
  /** By short name without dash (`o`, `I`, `arch`), values split at commas where nvcc does. */
  readonly options: readonly NvccOption[];
  readonly responseFiles: readonly string[];
}

export interface NvccOption {
  readonly name: string;
  readonly value: string | null;
  /** Index of the option in the arguments. */
  readonly index: number;
  /** The value stood in the next argument. */
  readonly separate: boolean;
}

/** Long names (nvcc 13 --help) and their short ones; those in the second table take a value. */
const SHORT =
  'cuda:cuda cubin:cubin fatbin:fatbin ptx:ptx optix-ir:optix-ir ltoir:ltoir preprocess:E generate-dependencies:M ' +
  'generate-nonsystem-dependencies:MM generate-dependencies-with-compile:MD ' +
  'generate-nonsystem-dependencies-with-compile:MMD generate-dependency-targets:MP compile:c device-c:dc ' +
  'device-w:dw device-link:dlink link:link lib:lib run:run dryrun:dryrun verbose:v keep:keep save-temps:keep ' +
  'clean-targets:clean device-debug:G debug:g generate-line-info:lineinfo source-in-ptx:src-in-ptx version:V help:h ' +
  'shared:shared list-gpu-code:code-ls list-gpu-arch:arch-ls dependency-output:MF output-file:o pre-include:include ' +
  'library:l define-macro:D undefine-macro:U include-path:I system-include:isystem library-path:L ' +
  'output-directory:odir compiler-bindir:ccbin archiver-binary:arbin cudart:cudart cudadevrt:cudadevrt ' +
  'libdevice-directory:ldir target-directory:target-dir optimization-info:opt-info optimize:O Ofast-compile:Ofc ' +
  'dopt:dopt std:std x:x machine:m compiler-options:Xcompiler linker-options:Xlinker archive-options:Xarchive ' +
  'ptxas-options:Xptxas nvlink-options:Xnvlink threads:t keep-dir:keep-dir time:time run-args:run-args ' +
  'dependency-target-name:MT gpu-architecture:arch gpu-code:code generate-code:gencode ' +
  'relocatable-device-code:rdc entries:e maxrregcount:maxrregcount fdevice-time-trace:fdevice-time-trace ' +
  'options-file:optf';
const WITH_VALUE =
  'MF o include l D U I isystem L odir ccbin arbin cudart cudadevrt ldir target-dir opt-info O Ofc dopt ' +
  'ftemplate-backtrace-limit ftemplate-depth std x m Xcompiler Xlinker Xarchive Xptxas Xnvlink ' +
  'static-global-template-stub device-entity-has-hidden-visibility t split-compile split-compile-extended ' +
  'fdevice-time-trace keep-dir time run-args input-drive-prefix idp dependency-drive-prefix ddp drive-prefix dp MT ' +
  'arch code gencode rdc e maxrregcount ftz prec-div prec-sqrt fmad default-stream Werror diag-error ' +
  'diag-suppress diag-warn host-linker-script hls brief-diagnostics brief-diag jump-table-density jtd ' +
  'device-stack-protector compress-mode frandom-seed sanitize optf';
/** Of those, the ones whose value may follow directly. */
const JOINED = ['I', 'D', 'U', 'L', 'l', 'O', 'm'] as const;
const LISTS: ReadonlySet<string> = new Set(
  'include l D U I isystem L Xcompiler Xlinker Xptxas Xnvlink code optf'.split(' '),
);

interface Names {
  readonly short: ReadonlyMap<string, string>;
  readonly withValue: ReadonlySet<string>;
}

let madeNames: Names | null = null;

/** Made for the first command line of nvcc: other compilers do not wait for them. */
function knownNames(): Names {
  madeNames ??= {
    short: new Map(
      SHORT.split(' ').map((pair) => {
        const [long = '', short = ''] = pair.split(':');
        return [long, short];
      }),
    ),
    withValue: new Set(WITH_VALUE.split(' ')),
  };
  return madeNames;
}

const SOURCE = /\.(?:cu|cup|c|cc|cpp|cxx|i|ii)$/;

/** Splits the arguments of nvcc. */
export function parseNvccArguments(args: readonly string[]): NvccArguments {
  const options: NvccOption[] = [];
  const inputs: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? '';
    if (argument.startsWith('-') && argument !== '-') {
      const option = splitOption(argument, args[index + 1], index);
      options.push(option);
      if (option.separate) index += 1;
    } else inputs.push(argument);
  }
  const isSource = (path: string): boolean => SOURCE.test(path) || options.some(({ name }) => name === 'x');
  return {
    stage: stageOf(options, inputs.length),
    output: options.findLast(({ name }) => name === 'o')?.value ?? null,
    sources: inputs.filter(isSource),
    linkInputs: inputs.filter((path) => !isSource(path)),
    options,
    responseFiles: args.filter((argument) => argument.startsWith('@')),
  };
}

function splitOption(argument: string, next: string | undefined, index: number): NvccOption {
  const long = argument.startsWith('--');
  const end = argument.indexOf('=');
  const written = argument.slice(long ? 2 : 1, end < 0 ? undefined : end);
  const name = knownNames().short.get(written) ?? written;
  if (end >= 0 && (knownNames().withValue.has(name) || long))
    return { name, value: argument.slice(end + 1), index, separate: false };
  if (knownNames().withValue.has(name))
    return { name, value: next ?? null, index, separate: next !== undefined };
  const joined = long ? undefined : JOINED.find((letter) => argument.startsWith(letter, 1));
  // `-lineinfo`, `-link` and `-lib` are no libraries, `-MD` is no machine.
  if (joined === undefined || /^-(?:lineinfo|link|lib|lto|ltoir|m64)$/.test(argument)) {
    return { name, value: null, index, separate: false };
  }
  return { name: joined, value: argument.slice(2), index, separate: false };
}

const STAGES: ReadonlyMap<string, NvccStage> = new Map<string, NvccStage>([
  ['E', 'preprocess'],
  ['M', 'preprocess'],
  ['MM', 'preprocess'],
  ['cuda', 'cuda'],
  ['ptx', 'ptx'],
  ['cubin', 'cubin'],
  ['fatbin', 'fatbin'],
  ['optix-ir', 'optixir'],
  ['ltoir', 'ltoir'],
  ['c', 'object'],
  ['dc', 'object'],
  ['dw', 'object'],
]);

function stageOf(options: readonly NvccOption[], inputs: number): NvccStage {
  if (inputs === 0 || options.some(({ name }) => /^(?:V|h|code-ls|arch-ls)$/.test(name))) return 'query';
  for (const { name } of options) {
    const stage = STAGES.get(name);
    if (stage !== undefined) return stage;
  }
  return 'link';
}

/** The values of an option, split at commas where nvcc splits them. */
export function nvccValues(parsed: NvccArguments, name: string): readonly string[] {
  return parsed.options.flatMap((option) => {
    if (option.name !== name || option.value === null) return [];
    return LISTS.has(name) ? option.value.split(/(?<!\\),/) : [option.value];
  });
}

export function hasNvccOption(parsed: NvccArguments, ...names: readonly string[]): boolean {
  return parsed.options.some(({ name }) => names.includes(name));
}

/** The same command line in gcc's words, as far as it says what the host compiler's preprocessor reads. */
export function asGccArguments(parsed: NvccArguments): GccArguments {
  const options: GccOption[] = ['I', 'isystem', 'include', 'L'].flatMap((name) =>
    nvccValues(parsed, name).map((value) => ({ name: `-${name}`, value, index: -1 })),
  );
  const sources: GccSource[] = parsed.sources.map((path) => ({ path, language: 'c++', header: false }));
  const stage = parsed.stage === 'link' ? 'link' : parsed.stage === 'object' ? 'assemble' : 'preprocess';
  return { stage, output: parsed.output, sources, linkInputs: parsed.linkInputs, options, responseFiles: [] };
}

/** The base name of a source without its extension. */
export function nvccBase(path: string): string {
  return basename(path).replace(/\.[^.]*$/, '');
}
