import { resolve } from 'node:path';
import { statOrNull } from '../../host/files.js';
import { valuesOf, type GccArguments } from './gcc-arguments.js';
import { answersDependOn, steering } from './gcc-delegates.js';
import type { ListingRun } from './preset.js';
import { ask } from './questions.js';

/** Where gcc looks for headers. */
export interface SearchedFolders {
  /** -iquote */
  readonly quoted: readonly string[];
  /** All others in order, folders that do not exist included. */
  readonly folders: readonly string[];
  /** Folders of the compiler and the system that do not exist now. */
  readonly missing: readonly string[];
  /** Absolute folders of the compiler and the system: their files are not searched for directives. */
  readonly system: readonly string[];
}

/** Whom to ask, and with which arguments. */
export interface AskedCompiler {
  readonly parsed: GccArguments;
  readonly plusPlus: boolean;
  /** Absolute path of the compiler. */
  readonly program: string;
  /** Folders that come right before the compiler's own. */
  readonly systemFolders: readonly string[];
}

const NO_STANDARD = /^-nostdinc(?:\+\+)?$|^-stdlib=/;

/** The folders of the options, and those that gcc names itself (`gcc -E -v`). */
export async function includeFolders(run: ListingRun, asked: AskedCompiler): Promise<SearchedFolders> {
  const { line, files } = run;
  const { parsed, systemFolders } = asked;
  const dependsOn = answersDependOn({ ...line, program: asked.program }, parsed);
  const probed = probe(await ask(run, probeCommand(asked), dependsOn));
  const exists = (folder: string): boolean => statOrNull(files, resolve(line.cwd, folder)) !== null;
  // Taken as soon as it is there; the answer does not name it before.
  const besideParts = valuesOf(parsed, '-B').map((folder) => `${folder.replace(/\/$/, '')}/include`);
  // A folder that the remembered answer calls missing and that is there now may have any place: the first is safe.
  const appeared = probed.missing.filter(exists);
  const environment = ['CPATH', 'C_INCLUDE_PATH', 'CPLUS_INCLUDE_PATH', 'OBJC_INCLUDE_PATH'].flatMap((name) =>
    (line.environment[name] ?? '').split(':').filter((folder) => folder !== ''),
  );
  return {
    quoted: foldersOf(parsed, '-iquote'),
    folders: [
      ...appeared,
      ...foldersOf(parsed, '-I'),
      ...environment,
      ...foldersOf(parsed, '-isystem'),
      ...systemFolders,
      ...probed.folders,
      ...foldersOf(parsed, '-idirafter'),
    ],
    missing: [...probed.missing, ...besideParts].filter((folder) => !exists(folder)),
    system: [...systemFolders, ...probed.folders]
      .map((folder) => resolve(line.cwd, folder))
      .filter((folder) => !environment.includes(folder)),
  };
}

/** `-I=inc` and `-I$SYSROOT/inc` are below the system root. */
function foldersOf(parsed: GccArguments, name: string): readonly string[] {
  const root = valuesOf(parsed, '-isysroot').at(-1) ?? valuesOf(parsed, '--sysroot').at(-1) ?? '';
  return valuesOf(parsed, name).map((folder) => folder.replace(/^(?:=|\$SYSROOT)/, () => root));
}

function probeCommand({ parsed, plusPlus, program }: AskedCompiler): readonly string[] {
  const { sources, options } = parsed;
  const language = plusPlus || sources.some((source) => source.language === 'c++') ? 'c++' : 'c';
  const kept = options.filter(({ name }) => NO_STANDARD.test(name)).map(({ name }) => name);
  return [program, ...steering(parsed), ...kept, '-E', '-v', '-x', language, '/dev/null', '-o', '/dev/null'];
}

/** Reads the output of `gcc -E -v`; an output of another form names no folders. */
function probe(text: string): { readonly folders: readonly string[]; readonly missing: readonly string[] } {
  const folders: string[] = [];
  const missing: string[] = [];
  let inside = false;
  for (const row of text.split('\n')) {
    const ignored = /^ignoring nonexistent directory "(.*)"$/.exec(row)?.[1];
    if (ignored !== undefined) missing.push(ignored);
    else if (row.startsWith('#include <...>') || row.startsWith('#include "..."')) inside = true;
    else if (row.startsWith('End of search list')) inside = false;
    else if (inside && row.startsWith(' ')) folders.push(row.slice(1));
  }
  return { folders, missing };
}
