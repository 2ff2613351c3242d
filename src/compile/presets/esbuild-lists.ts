import { resolve } from 'node:path';
import { EsbuildReads } from './esbuild-reads.js';
import { readFollowing } from './file-text.js';
import { decodeMetafile, type Metafile } from './metafile.js';
import type { FailedRun, Listed, ListingRun } from './preset.js';

/** Only for the list: the build itself goes to stdout. */
export async function buildAgain(run: ListingRun): Promise<void> {
  const { line, listPath } = run;
  await run.capture([line.program, ...line.args, `--outfile=${listPath}.js`, `--metafile=${listPath}`]);
}

/** What a run that succeeded has read, by its metafile. */
export async function collect(run: ListingRun, path: string): Promise<Listed> {
  const text = readFollowing(run.files, path);
  const metafile = text === null ? null : decodeMetafile(text);
  if (metafile === null) return unlisted('esbuild wrote no metafile');
  const undeclared = metafile.outputs.find((output) => !isKnownOutput(run, output));
  if (undeclared !== undefined) {
    return {
      ok: false,
      word: 'undeclared-output',
      detail: `esbuild also wrote "${undeclared}"; declare it with -o`,
    };
  }
  return readsOf(run, metafile);
}

/**
 * esbuild writes no metafile when it fails. Without --bundle it resolves no import: strace showed that it reads its
 * entry points and what {@link EsbuildReads} adds to each of them. What a bundle that failed has read is not known.
 */
export async function collectFailed(run: FailedRun): Promise<Listed> {
  const { args } = run.line;
  if (args.some((argument) => /^--(?:bundle|inject|alias|external|packages|plugin)\b/.test(argument)))
    return unlisted('esbuild does not tell which imports it has followed');
  // A named entry point `name=path`; and options that take no value begin with a hyphen.
  const entries = args.filter((argument) => !argument.startsWith('-'));
  const reads = new EsbuildReads(run);
  for (const entry of entries) reads.addInput({ path: entry.replace(/^[^=./]+=/, ''), imports: [] });
  reads.addOptions();
  const detail = reads.problem;
  return detail === null ? { ok: true, files: reads.files, absent: reads.absent } : unlisted(detail);
}

function unlisted(detail: string): Listed {
  return { ok: false, word: 'preset:unlisted-read', detail };
}

function isKnownOutput(run: ListingRun, output: string): boolean {
  const { line, workerDirectory } = run;
  if (output === '<stdout>') return true;
  const absolute = resolve(line.cwd, output);
  if (absolute.startsWith(`${workerDirectory}/`) || absolute.startsWith('/dev/')) return true;
  return line.outputs.some((declared) => resolve(line.cwd, declared) === absolute);
}

function readsOf(run: ListingRun, metafile: Metafile): Listed {
  const reads = new EsbuildReads(run);
  for (const input of metafile.inputs) reads.addInput(input);
  reads.addOptions();
  const detail = reads.problem;
  if (detail !== null) return unlisted(detail);
  return { ok: true, files: reads.files, absent: reads.absent };
}
