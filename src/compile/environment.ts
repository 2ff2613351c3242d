import { dirname, resolve } from 'node:path';
import { statOrNull, type Files } from '../host/files.js';
import { CacheError } from '../model/error.js';
import type { Field } from '../model/fields.js';
import {
  describeProgram,
  hasSameInterpreters,
  interpreterFolders,
  searchedInterpreterFolders,
  type ProgramDescription,
} from './program.js';

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
  /** Folders that stand in PATH before all others; none unless {@link declareProgram} says so. */
  readonly leadingFolders?: readonly string[];
}

/** Variables that the runner sets to the worker directory, and which are no fields. */
export const WORKER_VARIABLES = ['HOME', 'TMPDIR'] as const;
export type WorkerVariable = (typeof WORKER_VARIABLES)[number];

/** The environment of a compilation in declared use. */
export interface DeclaredEnvironment {
  readonly variables: Readonly<Record<string, string>>;
  /**
   * One `env/<NAME>` per variable. What `--env` names and the caller does not have is `env/<NAME>#unset`: not the same
   * as a variable that is empty, or that nobody asked for.
   */
  readonly fields: readonly Field[];
  /** Those of {@link WORKER_VARIABLES} that `--env` did not replace: the runner sets them. */
  readonly workerVariables: readonly WorkerVariable[];
}

/** Where the C library looks for programs without a PATH. */
const DEFAULT_SEARCH_PATH = '/bin:/usr/bin';
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
    fields: [
      ...[...variables].map(([name, text]): Field => ({ name: `env/${name}`, kind: 'secret', text })),
      ...[...replaced]
        .filter((name) => !variables.has(name))
        .map((name): Field => ({ name: `env/${name}#unset`, kind: 'absent' })),
    ],
    workerVariables: WORKER_VARIABLES.filter((name) => !replaced.has(name) && !variables.has(name)),
  };
}

/** A program together with the environment that it will have. */
export interface DeclaredProgram {
  readonly program: ProgramDescription;
  readonly environment: DeclaredEnvironment;
}

/**
 * Describes a program with the interpreters that will really run it, and declares its environment so that they are
 * those of the bare command (`docs/decisions/interpreter-path.md`). `path` is absolute.
 */
export function declareProgram(
  path: string,
  request: Omit<EnvironmentRequest, 'program' | 'leadingFolders'> & {
    readonly cwd: string;
    readonly files: Files;
  },
): DeclaredProgram {
  const { cwd, files, caller } = request;
  const searchPath = valueOf(caller, 'PATH') ?? DEFAULT_SEARCH_PATH;
  const bare = describeProgram(path, { files, searchPath, cwd });
  const declared = (leadingFolders: readonly string[]): DeclaredProgram => {
    const environment = declareEnvironment({ ...request, program: bare, leadingFolders });
    if (bare.kind === 'elf') return { program: bare, environment };
    const declaredSearch = environment.variables['PATH'] ?? DEFAULT_SEARCH_PATH;
    return { program: describeProgram(path, { files, searchPath: declaredSearch, cwd }), environment };
  };
  const plain = declared([]);
  if (hasSameInterpreters(plain.program, bare)) return plain;
  return declared(searchedInterpreterFolders(bare, { searchPath, cwd }));
}

/** A file that the value of a variable names. */
export interface EnvironmentFile {
  /** As it stands in the value. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
}

/** The loader separates the names in this variable by blanks, too. */
const BLANK_SEPARATED = 'LD_PRELOAD';

/**
 * The regular files that the values of `--env` variables name, whole or between colons (`LD_PRELOAD`, `GCONV_PATH`,
 * `CC`), each once. Relative names are relative to `cwd`; paths of `known` (inputs, outputs) are left out.
 */
export function environmentFiles(request: {
  readonly environment: DeclaredEnvironment;
  /** The words of `--env`. */
  readonly requested: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  readonly files: Files;
  /** Absolute paths that are described elsewhere. */
  readonly known: ReadonlySet<string>;
}): readonly EnvironmentFile[] {
  const { environment, cwd, files, known } = request;
  const found = new Map<string, EnvironmentFile>();
  for (const variable of new Set(request.requested.map(nameOf))) {
    const value = valueOf(environment.variables, variable);
    if (value === undefined) continue;
    const pieces = value.split(variable === BLANK_SEPARATED ? /[: \t]/ : ':');
    for (const name of [value, ...pieces]) {
      if (name === '' || name.includes('\0')) continue;
      const path = resolve(cwd, name);
      if (!known.has(path) && statOrNull(files, path)?.type === 'file') found.set(name, { name, path });
    }
  }
  return [...found.values()];
}

/** The name in a word of `--env`. */
function nameOf(word: string): string {
  const end = word.indexOf('=');
  return end < 0 ? word : word.slice(0, end);
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
  const name = nameOf(word);
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
 * The leading folders, the folder where the program was found, its interpreter's, each tool's, then the system's. A folder with a colon
 * cannot stand in PATH; the program itself is started by its path.
 */
function declaredPath(request: EnvironmentRequest): string {
  const { program, tools } = request;
  const folders = [
    ...(request.leadingFolders ?? []),
    dirname(program.path),
    ...interpreterFolders(program),
    ...tools.map((tool) => dirname(tool)),
    ...SYSTEM_FOLDERS,
  ];
  return [...new Set(folders)].filter((folder) => !folder.includes(':')).join(':');
}
