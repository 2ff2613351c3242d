import { basename } from 'node:path';
import type { CommandLine, Facts, Preset } from './preset.js';
import { isDeclaredOutput } from './written.js';

/** Every option of wabt 1.0.32 besides -o; none lets a folder reach the module or the dump that -v and -d print. */
const HARMLESS =
  /^(?:-v+|--verbose|--debug-parser|-d|--dump-module|-r|--relocatable|--no-canonicalize-leb128s|--debug-names|--no-check|--(?:enable|disable)-[a-z0-9-]+)$/;

interface Wat2wasmArguments {
  readonly source: string | null;
  readonly output: string | null;
  readonly known: boolean;
}

function parse(args: readonly string[]): Wat2wasmArguments {
  let source: string | null = null;
  let output: string | null = null;
  let known = true;
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? '';
    if (argument === '-o' || argument === '--output') {
      index += 1;
      output = args[index] ?? null;
    } else if (argument.startsWith('--output=')) output = argument.slice('--output='.length);
    else if (/^-o./.test(argument)) output = argument.slice(2);
    else if (argument.startsWith('-') && argument !== '-') known &&= HARMLESS.test(argument);
    else source = argument;
  }
  return { source, output, known };
}

/** Without -o the module is written to the working directory, under the source's name. */
function written({ source, output }: Wat2wasmArguments): readonly string[] {
  if (output !== null) return output === '-' ? [] : [output];
  if (source === null || source === '-') return [];
  return [`${basename(source).replace(/\.[^.]*$/, '')}.wasm`];
}

function facts(line: CommandLine): Facts {
  const parsed = parse(line.args);
  return {
    relocatable: parsed.known && line.outputs.every((path) => path === parsed.output),
    furtherOutputs: written(parsed).filter((path) => !isDeclaredOutput(line, path)),
    uncacheable: null,
    machineModel: false,
  };
}

/** wabt's wat2wasm reads its source and nothing else. */
export const wat2wasm: Preset = {
  name: 'wat2wasm',
  matches: (baseName) => baseName === 'wat2wasm',
  facts,
  delegates: async () => [],
  versionArgs: ['--version'],
  environment: [],
  keepsOldOutputs: () => true,
  transientWords: [],
  listing: () => null,
};
