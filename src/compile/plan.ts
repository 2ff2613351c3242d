import { dirname, resolve } from 'node:path';
import type { Host } from '../host/host.js';
import { CacheError, errnoOf } from '../model/error.js';
import type { Uncacheable } from '../model/lifecycle.js';
import { folderError } from './delivery.js';
import { pathOf, resolved } from './file-names.js';
import { environmentFiles, type DeclaredEnvironment } from './environment.js';
import type { Tool } from './identity.js';
import { namesDepfile, namesOutput, type Template } from './placeholders.js';
import {
  isUtf8Text,
  lineOf,
  planCommand,
  type CommandPattern,
  type PlannedCommand,
} from './planned-command.js';
import type { Facts, Preset } from './presets/preset.js';
import type { ProgramDescription } from './program.js';
import type { CompileRequest } from './request.js';
import type { Found, SharedPlans } from './shared-plans.js';

/** A file of a request: its name there, and where it is. */
export interface NamedFile {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
}

export interface PlannedOutput extends NamedFile {
  /** True for the file that takes the compiler's stdout. */
  readonly isStdout: boolean;
}

/** A request that was checked, with everything that is known before a byte is hashed. */
export interface Plan {
  readonly request: CompileRequest;
  readonly command: PlannedCommand;
  /** The arguments without the program. */
  readonly templates: readonly Template[];
  readonly program: ProgramDescription;
  readonly preset: Preset | null;
  readonly facts: Facts | null;
  /** Shared by all plans of a batch that differ in the names of their files only; null for one that was made by itself. */
  readonly pattern: CommandPattern | null;
  readonly environment: DeclaredEnvironment;
  readonly tools: readonly Tool[];
  readonly inputs: readonly NamedFile[];
  readonly outputs: readonly PlannedOutput[];
  /** Files of `--deps` and files that arguments name. */
  readonly dependencies: readonly NamedFile[];
  /** Neither the working directory nor the output folders reach the bytes: they are not hashed. */
  readonly relocatable: boolean;
  /** Outputs are made in the worker directory; else at their real places. */
  readonly inWorker: boolean;
  readonly uncacheable: { readonly word: Uncacheable; readonly detail: string } | null;
}

/**
 * Checks a request and finds out everything about it that needs no hashing. `shared` is what the batch of this request
 * has in common.
 * @throws CacheError usage, not-found or not-executable; nothing was written then.
 */
export function makePlan(host: Host, request: CompileRequest, shared: SharedPlans | null = null): Plan {
  const looks = shared ?? looksOf(host);
  const inputs = request.inputs.map((name) => regularFile(looks, { name, cwd: request.cwd, what: 'input' }));
  const outputs = plannedOutputs(looks, request);
  const taken = demandDistinct(inputs, outputs);
  const plan = (): PlannedCommand => planCommand(host, request);
  const { command, pattern } =
    shared === null ? { command: plan(), pattern: null } : shared.command(request, plan);
  const { templates, program, preset, environment, tools } = command;
  // A plan has no command line of its own: a hit of a batch needs none.
  const facts = pattern === null ? (preset?.facts(lineOf({ request, command })) ?? null) : pattern.facts;
  const relocatable = request.relocatable || facts?.relocatable === true;
  const named = outputs.every((output, index) => output.isStdout || namesOutput(templates, index));
  return {
    request,
    command,
    templates,
    program,
    preset,
    facts,
    pattern,
    environment,
    tools,
    inputs,
    outputs,
    dependencies: [
      ...declaredDependencies(looks, request),
      ...argumentFiles(looks, { command, taken }),
      ...variableFiles(host, { request, environment, files: [...inputs, ...outputs] }),
    ],
    relocatable,
    inWorker: relocatable && named,
    uncacheable: judge({ request, outputs, facts, isUtf8: command.isUtf8 }),
  };
}

/** True where a compilation tells which further files it read. */
export function discovers(plan: Plan): boolean {
  if (plan.pattern !== null) return plan.pattern.discovers || namesDepfile(plan.templates);
  const listing = plan.preset?.listing(lineOf(plan)) ?? null;
  return namesDepfile(plan.templates) || listing !== null;
}

/** How a plan looks at files: for itself, or with the others of its batch. */
type Looks = Pick<SharedPlans, 'typeAt' | 'isFolder'>;

function looksOf(host: Host): Looks {
  return { typeAt: (path) => typeAt(host, path), isFolder: (path) => isFolder(host, path) };
}

function regularFile(
  looks: Looks,
  file: { readonly name: string; readonly cwd: string; readonly what: 'input' | 'dependency' },
): NamedFile {
  const path = pathOf(file.cwd, file.name);
  const type = looks.typeAt(path);
  if (type === 'file' || type === 'unseen') return { name: file.name, path };
  const found =
    type === null ? 'no such file' : type === 'directory' ? 'it is a directory' : 'it is no regular file';
  throw new CacheError('usage', `expected a file for the ${file.what} "${file.name}": ${found}`, {
    hint: `Paths are relative to "${file.cwd}".`,
  });
}

function typeAt({ files }: Host, path: string): Found {
  try {
    return files.stat(path)?.type ?? null;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return 'unseen';
  }
}

function plannedOutputs(looks: Looks, request: CompileRequest): readonly PlannedOutput[] {
  const names = request.outputs.map((name) => ({ name, isStdout: false }));
  if (request.stdoutFile !== null) names.push({ name: request.stdoutFile, isStdout: true });
  if (names.length === 0) {
    throw new CacheError('usage', 'expected at least one output, got none', {
      hint: 'Name each file that the command writes with -o FILE, or take its stdout with --stdout FILE.',
    });
  }
  return names.map(({ name, isStdout }) => {
    const path = pathOf(request.cwd, name);
    if (name === '-') throw standardStream();
    if (name === '' || name.endsWith('/') || looks.isFolder(path)) throw folderError(name);
    const folder = dirname(path);
    const found = looks.typeAt(folder);
    if (found !== 'directory' && found !== 'unseen') {
      throw new CacheError('usage', `expected an existing folder for the output "${name}", got "${folder}"`, {
        hint: `Make it first: mkdir -p "${folder}"`,
      });
    }
    return { name, path, isStdout };
  });
}

/** Whatever else lies there: what cannot be looked at is no folder. */
function isFolder({ files }: Host, path: string): boolean {
  try {
    return files.isDirectory(path);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

function standardStream(): CacheError {
  return new CacheError('usage', 'expected a file for an output, got "-"', {
    hint: 'Name a file; what the command prints on stdout becomes an output with --stdout FILE.',
  });
}

/** What the files are called, by their resolved paths. @throws CacheError usage where one of them is two. */
function demandDistinct(
  inputs: readonly NamedFile[],
  outputs: readonly PlannedOutput[],
): ReadonlyMap<string, string> {
  const taken = new Map<string, string>(
    inputs.map((input) => [resolved(input.path), `the input "${input.name}"`]),
  );
  for (const output of outputs) {
    const path = resolved(output.path);
    const other = taken.get(path);
    if (other !== undefined && path !== '/dev/null') {
      throw new CacheError(
        'usage',
        `expected different files, but the output "${output.name}" is also ${other}`,
      );
    }
    taken.set(path, `the output "${output.name}"`);
  }
  return taken;
}

/** Files that the variables of `--env` name. */
function variableFiles(
  host: Host,
  known: Pick<Plan, 'request' | 'environment'> & { readonly files: readonly NamedFile[] },
): readonly NamedFile[] {
  const { request, environment, files } = known;
  const { env: requested, cwd } = request;
  if (requested.length === 0) return [];
  const paths = new Set(files.map((file) => file.path));
  return environmentFiles({ environment, requested, cwd, files: host.files, known: paths });
}

function declaredDependencies(looks: Looks, request: CompileRequest): readonly NamedFile[] {
  return request.deps.map((name) => regularFile(looks, { name, cwd: request.cwd, what: 'dependency' }));
}

/** Arguments, or what follows their first `=` or a leading `@`, that name existing files besides inputs and outputs. */
function argumentFiles(
  looks: Looks,
  { command, taken }: { readonly command: PlannedCommand; readonly taken: ReadonlyMap<string, string> },
): readonly NamedFile[] {
  return command.candidates.filter(({ path }) => !taken.has(resolved(path)) && looks.typeAt(path) === 'file');
}

function judge(known: {
  readonly request: CompileRequest;
  readonly outputs: readonly PlannedOutput[];
  readonly facts: Facts | null;
  /** Of what the names and keys of the request do not change. */
  readonly isUtf8: boolean;
}): Plan['uncacheable'] {
  const { request, outputs, facts, isUtf8 } = known;
  const texts = [request.inputs, request.outputs, request.deps, request.keys];
  if (!isUtf8 || !texts.every((list) => list.every(isUtf8Text))) {
    return { word: 'not-utf8', detail: 'an argument, a variable or a path is not UTF-8' };
  }
  if (facts === null) return null;
  if (facts.uncacheable !== null) return facts.uncacheable;
  if (facts.furtherOutputs.length === 0) return null;
  const declared = new Set(outputs.map((output) => resolve(output.path)));
  const undeclared = facts.furtherOutputs.find((name) => !declared.has(resolve(request.cwd, name)));
  if (undeclared === undefined) return null;
  return {
    word: 'undeclared-output',
    detail: `these arguments also write "${undeclared}"; declare it with -o "${undeclared}"`,
  };
}
