import { basename } from 'node:path';
import { valuesOf, type GccArguments } from './gcc-arguments.js';
import { answersDependOn, steering } from './gcc-delegates.js';
import { ShadowSearch } from './include-search.js';
import { ask } from './questions.js';
import type { ListingRun } from './preset.js';

/**
 * Libraries and start files that would be linked instead of those that were, if they existed in an earlier folder:
 * -L, then gcc's own, then the linker's. In one folder `libx.so` comes before `libx.a`.
 */
export async function linkerShadows(
  run: ListingRun,
  parsed: GccArguments,
  linked: readonly string[],
): Promise<readonly string[]> {
  const folders = [...valuesOf(parsed, '-L'), ...(await gccFolders(run, parsed))];
  const search = new ShadowSearch(run.missing, { cwd: run.line.cwd, quoted: [], folders }, linked);
  for (const path of linked) {
    const name = basename(path);
    const library = /^(lib.+)\.(?:so|a)$/.exec(name)?.[1];
    const folder = path.slice(0, path.length - name.length);
    search.addRead(path, []);
    if (library === undefined) continue;
    const other = name.endsWith('.so') ? `${library}.a` : `${library}.so`;
    if (name.endsWith('.a')) search.addIfAbsent(`${folder}${library}.so`);
    search.addRead(`${folder}${other}`, []);
  }
  return search.absent;
}

async function gccFolders(run: ListingRun, parsed: GccArguments): Promise<readonly string[]> {
  const { program } = run.line;
  const dependsOn = answersDependOn(run.line, parsed);
  const answer = await ask(run, [program, ...steering(parsed), '-print-search-dirs'], dependsOn);
  const gcc = /^libraries: =?(.*)$/m.exec(answer)?.[1] ?? '';
  const verbose = await ask(
    run,
    [program, ...steering(parsed), '-Wl,--verbose', '-nostdlib', '-r', '-o', '/dev/null'],
    dependsOn,
  );
  const linker = [...verbose.matchAll(/SEARCH_DIR\("=?([^"]*)"\)/g)].map((match) => match[1] ?? '');
  return [...gcc.split(':'), ...linker]
    .filter((folder) => folder !== '')
    .map((folder) => folder.replace(/(.)\/$/, '$1'));
}
