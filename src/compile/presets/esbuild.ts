import { basename, dirname, join } from 'node:path';
import type { Files } from '../../host/files.js';
import { esbuildListing } from './esbuild-listing.js';
import type { CommandLine, Delegate, DelegateContext, Facts, Preset } from './preset.js';
import { isDeclaredOutput } from './written.js';

/** The value of the last `--name=value`, or null. */
function flagValue(args: readonly string[], name: string): string | null {
  const prefix = `--${name}=`;
  return args.findLast((argument) => argument.startsWith(prefix))?.slice(prefix.length) ?? null;
}

/** The paths of the entry points; `name=path` gives an entry point a name. */
function entryPoints(args: readonly string[]): readonly string[] {
  return args
    .filter((argument) => !argument.startsWith('-'))
    .map((argument) => argument.replace(/^[^=./]+=/, ''));
}

function uncacheable(args: readonly string[]): Facts['uncacheable'] {
  const watching = args.find((argument) => /^--(?:watch|serve|servedir)(?:=|$|-)/.test(argument));
  if (watching !== undefined)
    return { word: 'preset:watch', detail: `"${watching}" goes on until it is ended` };
  const cache = flagValue(args, 'mangle-cache');
  if (cache === null) return null;
  return { word: 'undeclared-output', detail: `"${cache}" is read and written` };
}

/**
 * Files beside the output as far as the arguments tell; what a bundle writes besides (assets, style sheets, chunks) is
 * seen in the metafile afterwards.
 */
function written(args: readonly string[]): readonly string[] {
  const metafile = flagValue(args, 'metafile');
  const map = args.findLast((argument) => /^--sourcemap(?:=|$)/.test(argument));
  const beside = [
    ...(map !== undefined && map !== '--sourcemap=inline' && map !== '--sourcemap=false' ? ['.map'] : []),
    ...(/^(?:linked|external)$/.test(flagValue(args, 'legal-comments') ?? '') ? ['.LEGAL.txt'] : []),
  ];
  const main = mainOutputs(args);
  // esbuild leaves out an empty file of comments: that one is known afterwards only.
  return [
    ...main,
    ...main.flatMap((output) => beside.slice(0, 1).map((end) => output + end)),
    ...(metafile === null ? [] : [metafile]),
  ];
}

function mainOutputs(args: readonly string[]): readonly string[] {
  const outfile = flagValue(args, 'outfile');
  if (outfile !== null) return [outfile];
  const outdir = flagValue(args, 'outdir');
  const entries = entryPoints(args);
  const [entry] = entries;
  // Several entries are named by their lowest common folder, and --entry-names says it in its own way.
  if (outdir === null || entry === undefined || entries.length > 1 || flagValue(args, 'entry-names') !== null)
    return [];
  const extension = flagValue(args, 'out-extension:.js') ?? (entry.endsWith('.css') ? '.css' : '.js');
  return [join(outdir, basename(entry).replace(/\.[^.]*$/, '') + extension)];
}

/**
 * Never relocatable, although a bundle without source map was the same in two folders: tsconfig.json, package.json and
 * node_modules are looked for in every folder above, and a deeper folder has more of them; and the summary on stderr
 * names the output.
 */
function facts(line: CommandLine): Facts {
  return {
    relocatable: false,
    furtherOutputs: written(line.args).filter((path) => !isDeclaredOutput(line, path)),
    uncacheable: uncacheable(line.args),
    machineModel: false,
  };
}

/** npm's `esbuild` is a script that starts the binary of a platform package beside it, or is that binary itself. */
async function delegates({ line, files }: DelegateContext): Promise<readonly Delegate[]> {
  const found: Delegate[] = [];
  for (let folder = dirname(files.realpath(line.program)); ; folder = dirname(folder)) {
    for (const name of platformPackages(files, join(folder, 'node_modules/@esbuild'))) {
      const path = join(folder, 'node_modules/@esbuild', name, 'bin/esbuild');
      if (files.stat(path)?.type === 'file') found.push({ name: `@esbuild/${name}`, path });
    }
    if (folder === dirname(folder)) return found;
  }
}

function platformPackages(files: Files, folder: string): readonly string[] {
  if (files.stat(folder)?.type !== 'directory') return [];
  return files.readNames(folder);
}

/** The crash of a Go program, and of the Node.js script that starts it. */
const ESBUILD_TRANSIENT = ['fatal error:', 'panic:', 'signal:', 'SIGKILL', 'SIGTERM'] as const;

/** esbuild of npm, as a script or a binary. Plug-ins do not exist on its command line. */
export const esbuild: Preset = {
  name: 'esbuild',
  matches: (baseName) => baseName === 'esbuild',
  facts,
  delegates,
  versionArgs: ['--version'],
  environment: [],
  keepsOldOutputs: () => true,
  transientWords: ESBUILD_TRANSIENT,
  listing: (line) => esbuildListing(line),
};
