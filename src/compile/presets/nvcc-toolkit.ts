import { resolve } from 'node:path';
import type { Files } from '../../host/files.js';
import type { Captured } from '../../host/processes.js';
import { CacheError } from '../../model/error.js';
import { resolveProgram } from '../program.js';
import { gccDelegates } from './gcc-delegates.js';
import { asGccArguments, nvccValues, type NvccArguments } from './nvcc-arguments.js';
import type { CommandLine, Delegate, DelegateContext } from './preset.js';

/** Where nvcc finds its parts, as `nvcc --dryrun` tells. */
export interface Toolkit {
  /** The folder of ptxas, cudafe++, fatbinary, nvlink. */
  readonly bin: string;
  /** The folder of cicc. */
  readonly cicc: string;
  readonly libdevice: string;
  /** Folders of CUDA's headers, in order. */
  readonly includeFolders: readonly string[];
  /** Absolute path of the host compiler, or null when it is not found. */
  readonly hostCompiler: string | null;
}

type Ask = (argv: readonly string[]) => Promise<Captured>;

/** Asks nvcc what it would do with a file that need not exist. Null when the answer has another form. */
export async function askToolkit(
  line: CommandLine,
  parsed: NvccArguments,
  ask: Ask,
  files: Files,
): Promise<Toolkit | null> {
  const host = nvccValues(parsed, 'ccbin').flatMap((value) => ['-ccbin', value]);
  const target = nvccValues(parsed, 'target-dir').flatMap((value) => ['-target-dir', value]);
  const answer = await ask([line.program, ...host, ...target, '--dryrun', '-E', 'vyre-cache-question.cu']);
  const text = answer.stdout.toString('utf8') + answer.stderr.toString('utf8');
  const variable = (name: string): string | null =>
    new RegExp(`^#\\$ ${name}=(.*)$`, 'm').exec(text)?.[1]?.trim() ?? null;
  const bin = variable('_HERE_');
  const cicc = variable('CICC_PATH');
  const libdevice = variable('NVVMIR_LIBRARY_DIR');
  if (bin === null || cicc === null || libdevice === null) return null;
  const included = `${variable('INCLUDES') ?? ''} ${variable('SYSTEM_INCLUDES') ?? ''}`;
  const words = [...included.matchAll(/"([^"]*)"/g)].map((match) => (match[1] ?? '').replace(/^-I/, ''));
  const compiler = /^#\$ (?:"([^"]+)"|(\S+)) .*-E -x c\+\+/m.exec(text);
  return {
    bin,
    cicc,
    libdevice,
    includeFolders: words.filter((word) => word !== '-isystem' && word !== ''),
    hostCompiler: findCompiler(line, compiler?.[1] ?? compiler?.[2] ?? null, files),
  };
}

function findCompiler(line: CommandLine, typed: string | null, files: Files): string | null {
  if (typed === null) return null;
  try {
    return resolveProgram({ typed, searchPath: line.environment['PATH'], cwd: line.cwd, files });
  } catch (error) {
    if (error instanceof CacheError) return null;
    throw error;
  }
}

const BIN_PARTS = ['nvcc', 'nvcc.profile', 'cudafe++', 'ptxas', 'fatbinary', 'nvlink', 'bin2c'] as const;
const LINK_PARTS = ['crt/link.stub', 'crt/prelink.stub'] as const;

/** The parts of the toolkit, and those of the host compiler with its own. */
export async function nvccDelegates(
  context: DelegateContext,
  parsed: NvccArguments,
): Promise<readonly Delegate[]> {
  const { line, files } = context;
  // A wrapper may lead to another toolkit tomorrow: its answer is never kept beyond this process.
  const toolkit = await askToolkit(line, parsed, async (argv) => context.memoised(argv, []), files);
  if (toolkit === null) return [];
  const parts = [
    ...[...BIN_PARTS, ...LINK_PARTS].map((name) => ({ name, path: resolve(toolkit.bin, name) })),
    { name: 'cicc', path: resolve(toolkit.cicc, 'cicc') },
    { name: 'libdevice.10.bc', path: resolve(toolkit.libdevice, 'libdevice.10.bc') },
  ].filter(({ path }) => files.stat(path)?.type === 'file');
  if (toolkit.hostCompiler === null) return parts;
  const program = toolkit.hostCompiler;
  const host = await gccDelegates({ ...context, line: { ...line, program } }, asGccArguments(parsed));
  return [...parts, { name: 'host-compiler', path: program }, ...host];
}
