import { dirname, resolve } from 'node:path';
import { readFollowing } from './file-text.js';
import type { FailedRun, Listed } from './preset.js';

/** A shader that may include more than this is not worth remembering. */
const MAX_CANDIDATES = 10_000;

/** Between `#` and `include`, and behind it: blanks and comments. */
const GAP = String.raw`(?:[ \t]|/\*[\s\S]*?\*/)*`;
const INCLUDE = String.raw`#${GAP}include\b${GAP}(?:"([^"\n]*)"|<([^>\n]*)>)?`;
const ANYWHERE = new RegExp(INCLUDE, 'g');
const DIRECTIVE = new RegExp(`^${GAP}${INCLUDE}`, 'gm');

/**
 * glslangValidator writes no depfile when it fails. Its preprocessor takes literal names only, so every file that any
 * include in any of these files could mean, in any folder that could be searched, is what it can have read at most.
 */
export async function glslangFailedReads(
  run: FailedRun,
  arguments_: { readonly sources: readonly string[]; readonly includeFolders: readonly string[] },
): Promise<Listed> {
  // -D, and -P of newer versions, put text in front of a shader.
  if (run.line.args.some((argument) => argument.includes('#')))
    return unlisted('an argument may include files');
  const files = new Set(arguments_.sources);
  const folders = new Set([...arguments_.sources.map((path) => dirname(path)), ...arguments_.includeFolders]);
  const names = new Set<string>();
  const absent = new Set<string>();
  const scanned = new Set<string>();
  for (let before = -1; before !== files.size + folders.size + names.size;) {
    before = files.size + folders.size + names.size;
    for (const file of files) {
      if (scanned.has(file)) continue;
      scanned.add(file);
      const text = readFollowing(run.files, resolve(run.line.cwd, file));
      const found = text === null ? null : namesOf(text, ANYWHERE);
      if (found === null) return unlisted(`what "${file}" includes is not known`);
      for (const name of found) names.add(name);
      folders.add(dirname(file));
    }
    if (names.size * folders.size > MAX_CANDIDATES) return unlisted('too many files may be included');
    for (const name of names) {
      for (const folder of folders) {
        const candidate = folder === '.' ? name : `${folder}/${name}`;
        const type = typeOf(run, resolve(run.line.cwd, candidate));
        if (type === null) absent.add(candidate);
        else if (type === 'file') files.add(candidate);
        else return unlisted(`"${candidate}" is no file`);
      }
    }
  }
  return { ok: true, files: [...files], absent: [...absent] };
}

/** What the directives of a shader name; null where a name is no literal. */
export function includedNames(text: string): readonly string[] | null {
  return namesOf(text, DIRECTIVE);
}

function namesOf(text: string, pattern: RegExp): readonly string[] | null {
  const names: string[] = [];
  for (const match of text.replace(/\\\r?\n/g, '').matchAll(pattern)) {
    const name = match[1] ?? match[2];
    if (name === undefined || name === '') return null;
    names.push(name.replaceAll('\\', '/'));
  }
  return names;
}

function typeOf(run: FailedRun, path: string): string | null {
  try {
    return run.files.stat(path)?.type ?? (run.files.lstat(path) === null ? null : 'other');
  } catch {
    // Best effort: a path that the system refuses is no file for the compiler, either; it stays out of the memory.
    return 'other';
  }
}

function unlisted(detail: string): Listed {
  return { ok: false, word: 'preset:unlisted-read', detail };
}
