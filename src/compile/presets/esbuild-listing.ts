import { resolve } from 'node:path';
import type { CommandLine, Listing } from './preset.js';

/**
 * `--metafile` changes no byte of the outputs, and nothing on stderr; it names the sources of a bundle. What it leaves
 * out is added by `EsbuildReads`.
 */
export function esbuildListing(line: CommandLine): Listing | null {
  if (!line.args.some((argument) => !argument.startsWith('-'))) return null;
  // Where the user's own metafile was really written: in the worker directory if the outputs are made there.
  let metafile: string | null = null;
  // Without a place for its output esbuild refuses --metafile: then it builds once more afterwards, into the list's.
  const toStdout = !line.args.some((argument) => /^--out(?:file|dir)=/.test(argument));
  return {
    augment: (args, listPath) => {
      if (toStdout) return args;
      const own = args.findLast((argument) => argument.startsWith('--metafile='));
      metafile = own?.slice('--metafile='.length) ?? null;
      return own === undefined ? [...args, `--metafile=${listPath}`] : args;
    },
    collect: async (run) => {
      const { buildAgain, collect } = await import('./esbuild-lists.js');
      if (toStdout) await buildAgain(run);
      return collect(run, metafile === null ? run.listPath : resolve(run.line.cwd, metafile));
    },
    collectFailed: async (run) => (await import('./esbuild-lists.js')).collectFailed(run),
  };
}
