import { dirname } from 'node:path';
import { CacheError } from '../model/error.js';
import type { Field } from '../model/fingerprint.js';
import { interpreterFolders, type ProgramDescription } from './program.js';

/** What the declared environment is made of. */
export interface EnvironmentRequest {
  /** The caller's environment. */
  readonly caller: Readonly<Record<string, string>>;
  readonly program: ProgramDescription;
  /** Absolute paths of `--tool` programs. */
  readonly tools: readonly string[];
  /** Variables of the caller that the preset lets through, if they are set. */
  readonly presetVariables: readonly string[];
  /** The words of `--env`: `NAME` or `NAME=VALUE`; a later one replaces an earlier one. */
  readonly requested: readonly string[];
}

/** Variables that the runner sets to the worker directory, and which are no fields. */
export const WORKER_VARIABLES = ['HOME', 'TMPDIR'] as const;
export type WorkerVariable = (typeof WORKER_VARIABLES)[number];

/** The environment of a compilation in declared use. */
export interface DeclaredEnvironment {
  readonly variables: Readonly<Record<string, string>>;
  /** One `env/<NAME>` per variable; what `--env` leaves unset has none. */
  readonly fields: readonly Field[];
  /** Those of {@link WORKER_VARIABLES} that `--env` did not replace: the runner sets them. */
  readonly workerVariables: readonly WorkerVariable[];
}

const SYSTEM_FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin'] as const;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * DESIGN 6, environment: exactly PATH, LC_ALL, TZ, SOURCE_DATE_EPOCH if set, what the preset lets through, and the
 * names of `--env`, which replace any of these.
 * @throws CacheError `usage` for a name that is none.
 */
export function declareEnvironment(request: EnvironmentRequest): DeclaredEnvironment {
  const variables = new Map<string, string>([
    ['PATH', declaredPath(request)],
    ['LC_ALL', 'C.UTF-8'],
    ['TZ', 'UTC'],
  ]);
  for (const name of ['SOURCE_DATE_EPOCH', ...request.presetVariables]) {
    const value = valueOf(request.caller, name);
    if (value !== undefined) variables.set(name, value);
  }
  const replaced = new Set<string>();
  for (const word of request.requested) replaced.add(replaceVariable(variables, word, request.caller));
  return {
    variables: Object.fromEntries(variables),
    fields: [...variables].map(([name, text]) => ({ name: `env/${name}`, kind: 'secret', text })),
    workerVariables: WORKER_VARIABLES.filter((name) => !replaced.has(name) && !variables.has(name)),
  };
}

/** Own properties only: `--env constructor` is a variable that is not set. */
function valueOf(caller: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(caller, name) ? caller[name] : undefined;
}

function replaceVariable(
  variables: Map<string, string>,
  word: string,
  caller: Readonly<Record<string, string>>,
): string {
  const end = word.indexOf('=');
  const name = end < 0 ? word : word.slice(0, end);
  if (!NAME.test(name)) {
    throw new CacheError('usage', `expected --env NAME or NAME=VALUE, got "${word}"`, {
      hint: 'A name consists of letters, digits and underscores and does not begin with a digit.',
    });
  }
  const value = end < 0 ? valueOf(caller, name) : word.slice(end + 1);
  if (value === undefined) variables.delete(name);
  else variables.set(name, value);
  return name;
}

/**
 * The folder where the program was found, its interpreter's, each tool's, then the system's. A folder with a colon
 * cannot stand in PATH; the program itself is started by its path.
 */
function declaredPath(request: EnvironmentRequest): string {
  const { program, tools } = request;
  const folders = [
    dirname(program.path),
    ...interpreterFolders(program),
    ...tools.map((tool) => dirname(tool)),
    ...SYSTEM_FOLDERS,
  ];
  return [...new Set(folders)].filter((folder) => !folder.includes(':')).join(':');
}
