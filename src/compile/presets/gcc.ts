import { basename } from 'node:path';
import { parseGccArguments, type GccArguments } from './gcc-arguments.js';
import { gccDelegates } from './gcc-delegates.js';
import { gccFacts } from './gcc-facts.js';
import { gccListing } from './gcc-listing.js';
import type { CommandLine, Preset } from './preset.js';

/** `gcc`, `gcc-12`, `x86_64-linux-gnu-gcc-12`, `cc`, `c99`. */
const C_NAME = /^(?:[a-z0-9_]+-(?:[a-z0-9_.]+-)*)?gcc(?:-[0-9][0-9.]*)?$|^(?:cc|c89|c99)$/;
const PLUS_NAME = /^(?:[a-z0-9_]+-(?:[a-z0-9_.]+-)*)?(?:g\+\+)(?:-[0-9][0-9.]*)?$|^c\+\+$/;

/** Names that may stand for clang, whose assembler has other options than GNU's. */
const ANY_COMPILER: ReadonlySet<string> = new Set(['cc', 'c++', 'c89', 'c99']);

/** gcc and collect2 end with status 1 when a program that they started was killed; gas catches its own crash. */
export const GCC_TRANSIENT = [
  'signal terminated program',
  'terminated with signal',
  'internal compiler error',
  'Internal error (',
] as const;

/**
 * In declared use gcc gets none of its own variables (CPATH, GCC_EXEC_PREFIX, …): `--env` names them where they are
 * wanted. `cc` may be another compiler and `c99` is a script: both are asked for their version.
 */
function gccPreset(name: 'gcc' | 'g++'): Preset {
  const plusPlus = name === 'g++';
  // Several questions about one command line follow each other.
  let last: { readonly args: CommandLine['args']; readonly parsed: GccArguments } | null = null;
  const parse = ({ args }: CommandLine): GccArguments => {
    if (last?.args !== args) last = { args, parsed: parseGccArguments(args, plusPlus) };
    return last.parsed;
  };
  return {
    name,
    matches: (baseName) => baseName === name || (plusPlus ? PLUS_NAME : C_NAME).test(baseName),
    facts: (line) => gccFacts(line, parse(line)),
    likeness: { endingOf, isIndifferent: (line, beginning) => isIndifferent(parse(line), beginning) },
    delegates: async (context) => gccDelegates(context, parse(context.line)),
    versionArgs: ['--version'],
    environment: [],
    // With -S, -E, -pipe and when it links it removes them.
    keepsOldOutputs: () => false,
    transientWords: GCC_TRANSIENT,
    listing: (line) => gccListing(parse(line), { plusPlus, isGnu: !ANY_COMPILER.has(basename(line.typed)) }),
  };
}

/** What begins like an option or a response file is one, and devices are outputs that nobody has to declare. */
function endingOf(name: string): string | null {
  if (name.startsWith('-') || name.startsWith('@') || name.startsWith('/dev/')) return null;
  const dot = name.lastIndexOf('.');
  return dot > name.lastIndexOf('/') ? name.slice(dot) : '';
}

/** As sources, and as the output. */
function isIndifferent({ options }: GccArguments, beginning: string): boolean {
  return options.every(
    ({ name, value }) => !name.includes(beginning) && (name === '-o' || value?.includes(beginning) !== true),
  );
}

export const gcc = gccPreset('gcc');
export const gPlusPlus = gccPreset('g++');
