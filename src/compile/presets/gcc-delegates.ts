import { resolve } from 'node:path';
import { CacheError } from '../../model/error.js';
import { resolveProgram } from '../program.js';
import { hasOption, type GccArguments } from './gcc-arguments.js';
import type { CommandLine, Delegate, DelegateContext } from './preset.js';

/** Options that change where gcc looks for its parts; they go along with each question. */
const STEERING = /^(?:-B|-specs|--specs|--sysroot|-isysroot|-m(?:32|64|x32|16)|-m.*-abi|-m?abi=.*)$/;

/** Second characters of those: most options need no expression. */
const STEERING_LETTERS: ReadonlySet<string | undefined> = new Set('Bsim-');

/** Folders and files that the user chooses: what lies there decides an answer, too. */
const CHOSEN = ['-B', '-specs', '--specs'] as const;
const CHOSEN_BY_ENVIRONMENT: readonly string[] = ['COMPILER_PATH', 'GCC_EXEC_PREFIX'];

/** The files that decide what gcc answers to a question; none where nobody can name them all. */
export function answersDependOn(line: CommandLine, parsed: GccArguments): readonly string[] {
  const isChosen = CHOSEN_BY_ENVIRONMENT.some((name) => line.environment[name] !== undefined);
  return isChosen || CHOSEN.some((name) => hasOption(parsed, name)) ? [] : [line.program];
}

/** The programs that gcc starts for these arguments, and the files that they load. */
export async function gccDelegates(
  context: DelegateContext,
  parsed: GccArguments,
): Promise<readonly Delegate[]> {
  const names = neededPrograms(parsed);
  const delegates: Delegate[] = [];
  for (const name of names) {
    const path = await askPath(context, parsed, `-print-prog-name=${name}`);
    if (path !== null) delegates.push({ name, path });
  }
  for (const name of neededFiles(parsed)) {
    const path = await askPath(context, parsed, `-print-file-name=${name}`);
    if (path !== null) delegates.push({ name, path });
  }
  return delegates;
}

function neededPrograms(parsed: GccArguments): readonly string[] {
  const { stage, sources } = parsed;
  if (stage === 'query') return [];
  const needed = new Set<string>();
  for (const { language } of sources) {
    if (language === 'c' || language === 'assembler-with-cpp') needed.add('cc1');
    else if (language === 'c++') needed.add('cc1plus');
    else if (language === 'objc') needed.add('cc1obj').add('cc1objplus');
    else if (language === 'preprocessed') needed.add('cc1').add('cc1plus');
  }
  if (stage === 'assemble' || stage === 'link') needed.add('as');
  if (hasOption(parsed, '-gsplit-dwarf')) needed.add('objcopy');
  if (stage !== 'link') return [...needed];
  needed.add('collect2').add(linkerName(parsed)).add('lto-wrapper');
  // Archives may hold LTO objects that nobody announced with -flto.
  return [...needed.add('lto1')];
}

function linkerName(parsed: GccArguments): string {
  for (const { name } of parsed.options) {
    const linker = /^-fuse-ld=(.+)$/.exec(name)?.[1];
    if (linker !== undefined) return `ld.${linker}`;
  }
  return 'ld';
}

/** Files of gcc that the linker or the driver reads and no list names. */
function neededFiles(parsed: GccArguments): readonly string[] {
  if (parsed.stage !== 'link') return [];
  const files = ['liblto_plugin.so'];
  if (hasOption(parsed, /^-f(?:openmp|openacc)|^-ftree-parallelize-loops=/)) files.push('libgomp.spec');
  if (hasOption(parsed, /^-fsanitize=/)) files.push('libsanitizer.spec');
  if (hasOption(parsed, '-fgnu-tm')) files.push('libitm.spec');
  return files;
}

/** Null when gcc does not know it: then it cannot start it either. A bare name is looked for on PATH. */
async function askPath(
  context: DelegateContext,
  parsed: GccArguments,
  question: string,
): Promise<string | null> {
  const { line, files } = context;
  const argv = [line.program, ...steering(parsed), question];
  const answer = await context.memoised(argv, answersDependOn(line, parsed));
  const text = answer.stdout.toString('utf8').trim();
  if (answer.status !== 0 || text === '' || text.includes('\n')) return null;
  if (text.includes('/')) return resolve(line.cwd, text);
  if (question.startsWith('-print-file-name')) return null;
  try {
    return resolveProgram({ typed: text, searchPath: line.environment['PATH'], cwd: line.cwd, files });
  } catch (error) {
    if (error instanceof CacheError) return null;
    throw error;
  }
}

/** The arguments, as given, that change the answers. */
export function steering(parsed: GccArguments): readonly string[] {
  return parsed.options.flatMap(({ name, value }) => {
    if (!STEERING_LETTERS.has(name[1]) || !STEERING.test(name)) return [];
    if (value === null) return [name];
    return name === '-B' || name === '-isysroot' ? [name, value] : [`${name}=${value}`];
  });
}
