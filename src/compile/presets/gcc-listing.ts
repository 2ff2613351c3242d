import { hasBeginning, isPreprocessed, wordsFor, type GccArguments } from './gcc-arguments.js';
import type { GccListingPlan } from './gcc-lists.js';
import type { Listing } from './preset.js';

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
  const lists = { parsed, plan, plusPlus };
  return {
    augment: (args, listPath) => [...args, ...listOptions(plan, listPath)],
    collect: async (run) => (await import('./gcc-lists.js')).collect(run, lists),
    collectFailed: async (run) => (await import('./gcc-lists.js')).collectFailed(run, lists),
  };
}

function planOf(parsed: GccArguments, isGnu: boolean): GccListingPlan {
  const { stage, sources } = parsed;
  const lto = hasBeginning(parsed, '-flto');
  const usesM =
    hasBeginning(parsed, '-M') ||
    wordsFor(parsed, '-Wp,', '-Xpreprocessor').some((word) => word.startsWith('-M'));
  const assembles = stage === 'assemble' || stage === 'link';
  const ownMd = wordsFor(parsed, '-Wa,', '-Xassembler').some((word) => word.startsWith('--MD'));
  return {
    preprocessor: !usesM && sources.length === 1 && isPreprocessed(parsed),
    assembler: isGnu && assembles && sources.length === 1 && !lto && !ownMd,
    linker: stage === 'link' && !sources.some((source) => source.header) && isBfd(parsed),
  };
}

/** Other linkers name their dependency file otherwise or not at all; a file of the user's must stay the only one. */
function isBfd(parsed: GccArguments): boolean {
  const words = wordsFor(parsed, '-Wl,', '-Xlinker');
  return (
    !words.some((word) => /^--?dependency-file/.test(word)) &&
    parsed.options.every(({ name }) => !name.startsWith('-fuse-ld=') || name === '-fuse-ld=bfd')
  );
}

function listOptions(plan: GccListingPlan, listPath: string): readonly string[] {
  return [
    ...(plan.preprocessor ? ['-MD', '-MF', listPath] : []),
    // -Xassembler and not -Wa: the path may hold a comma.
    ...(plan.assembler ? ['-Xassembler', '--MD', '-Xassembler', `${listPath}.as`] : []),
    ...(plan.linker ? ['-Xlinker', `--dependency-file=${listPath}.ld`] : []),
  ];
}
