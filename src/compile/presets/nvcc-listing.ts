import { hasNvccOption, nvccValues, type NvccArguments } from './nvcc-arguments.js';
import type { NvccListingPlan } from './nvcc-lists.js';
import type { Listing } from './preset.js';

/**
 * `-MD -MF` names what every pass has read, host and each GPU architecture, and changes no byte of -ptx, -cubin and
 * -fatbin. nvcc refuses it together with -E, and a user's -M option is left alone.
 */
export function nvccListing(parsed: NvccArguments): Listing | null {
  if (parsed.stage === 'query') return null;
  const usesM = hasNvccOption(parsed, 'M', 'MM', 'MD', 'MMD', 'MF');
  const links = parsed.stage === 'link' && !hasNvccOption(parsed, 'lib', 'dlink');
  const ownList = nvccValues(parsed, 'Xlinker').some((word) => /^--?dependency-file/.test(word));
  return {
    augment: (args, listPath) => [...args, ...listOptions(planFor(listPath), listPath)],
    collect: async (run) => (await import('./nvcc-lists.js')).collect(run, parsed, planFor(run.listPath)),
    collectFailed: async (run) =>
      (await import('./nvcc-lists.js')).collectFailed(run, parsed, planFor(run.listPath)),
  };
  function planFor(listPath: string): NvccListingPlan {
    return {
      preprocessor: !usesM && parsed.stage !== 'preprocess' && parsed.sources.length === 1,
      // nvcc splits the linker's options at commas.
      linker: links && !ownList && !listPath.includes(','),
    };
  }
}

function listOptions(plan: NvccListingPlan, listPath: string): readonly string[] {
  return [
    ...(plan.preprocessor ? ['-MD', '-MF', listPath] : []),
    ...(plan.linker ? ['-Xlinker', `--dependency-file=${listPath}.ld`] : []),
  ];
}
