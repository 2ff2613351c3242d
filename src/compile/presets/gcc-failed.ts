import { dirname, resolve } from 'node:path';
import { statOrNull } from '../../host/files.js';
import { logicalLines } from './c-source.js';
import { hasOption, valuesOf, type GccArguments } from './gcc-arguments.js';
import type { FailedRun } from './preset.js';

/** A list whose writer was not killed in the middle of it: its last line is complete. Null for any other. */
export function wholeList(text: string | null): string | null {
  return text !== null && text.endsWith('\n') && !/\\\r?\n$/.test(text) ? text : null;
}

/** gas writes its list only when it succeeds, and this line before its first error. */
export function assemblerFailed({ said }: FailedRun): boolean {
  return said.includes('Assembler messages:');
}

/** A linker that fails is named on stderr, by itself or by collect2; one that was killed may not be. */
export function linkerMayHaveRun({ said, endedByItself }: FailedRun): boolean {
  return !endedByItself || /\bld\b|collect2|lto/i.test(said);
}

/** True for a source that makes the assembler read a file: `asm(".include \"x\"")`, also in several strings. */
export function readsInAssembler(text: string): boolean {
  return /\.inc(?:lude|bin)\b/.test(logicalLines(text).replace(/"\s*"/g, ''));
}

const OPTIONS_PRAGMA =
  /\b(?:GCC|clang)\b.*\b(?:target|optimize|push_options|pop_options|reset_options|attribute)\b/;

/** Why a run that only preprocesses may define other macros, and so include other files; null when it does not. */
export function changesOptions(text: string): string | null {
  return OPTIONS_PRAGMA.test(logicalLines(text)) ? 'a pragma changes options in the middle of it' : null;
}

/**
 * Why a run that only preprocesses may read other files than the one that failed: modules, and precompiled headers,
 * which are read only where something is compiled. Null when nothing speaks against it.
 */
export function preprocessingDiffers(
  run: FailedRun,
  parsed: GccArguments,
  listed: readonly string[],
): string | null {
  if (hasOption(parsed, /^-fmodule/)) return 'modules are read only where something is compiled';
  if (valuesOf(parsed, '-include').length > 0) return 'what -include names may be precompiled';
  const { cwd } = run.line;
  const folders = [
    ...valuesOf(parsed, '-I', '-iquote', '-isystem', '-idirafter'),
    ...parsed.sources.map((source) => dirname(source.path)),
  ].map((folder) => resolve(cwd, folder));
  for (const path of listed.map((name) => resolve(cwd, name))) {
    const places = folders.filter((folder) => path.startsWith(`${folder}/`));
    const names = places.flatMap((place) => folders.map((folder) => folder + path.slice(place.length)));
    const precompiled = [path, ...names].find((name) => statOrNull(run.files, `${name}.gch`) !== null);
    if (precompiled !== undefined) return `"${precompiled}.gch" is read only where something is compiled`;
  }
  return null;
}
