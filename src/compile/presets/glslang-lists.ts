import { dirname, resolve } from 'node:path';
import { statOrNull } from '../../host/files.js';
import { depfilePrerequisites } from '../depfile.js';
import { readFollowing } from './file-text.js';
import { includedNames } from './glslang-failed.js';
import type { Listed, ListingRun } from './preset.js';

/** What a run that succeeded has read, by the list at `listPath`. */
export async function collect(
  run: ListingRun,
  parsed: { readonly sources: readonly string[]; readonly includeFolders: readonly string[] },
  listPath: string,
): Promise<Listed> {
  const { cwd } = run.line;
  const list = readFollowing(run.files, listPath);
  if (list === null) return unlisted('glslangValidator wrote no list');
  const files = [...new Set([...depfilePrerequisites(list), ...parsed.sources])];
  const names = new Set<string>();
  for (const file of files) {
    const text = readFollowing(run.files, resolve(cwd, file));
    if (text === null) return unlisted(`"${file}" cannot be read`);
    const included = includedNames(text);
    if (included === null) return unlisted(`an include of "${file}" is computed`);
    for (const name of included) names.add(name);
  }
  return { ok: true, files, absent: shadows(run, { names, files, folders: parsed.includeFolders }) };
}

/**
 * A name is looked for in the folders of all files on the way to it, innermost first, then in those of -I. Which files
 * those were is not listed, so every folder counts.
 */
function shadows(
  run: ListingRun,
  searched: {
    readonly names: ReadonlySet<string>;
    readonly files: readonly string[];
    readonly folders: readonly string[];
  },
): readonly string[] {
  const folders = new Set([...searched.files.map((file) => dirname(file)), ...searched.folders]);
  const absent: string[] = [];
  for (const name of searched.names) {
    for (const folder of folders) {
      const candidate = folder === '.' ? name : `${folder}/${name}`;
      if (statOrNull(run.files, resolve(run.line.cwd, candidate)) === null) absent.push(candidate);
    }
  }
  return absent;
}

function unlisted(detail: string): Listed {
  return { ok: false, word: 'preset:unlisted-read', detail };
}
