import { basename, dirname, resolve } from 'node:path';
import type { FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { CacheError, errnoOf } from '../model/error.js';
import type { Uncacheable } from '../model/lifecycle.js';
import { folderError } from './delivery.js';
import { pathOf } from './file-names.js';
import { declareProgram, environmentFiles, type DeclaredEnvironment } from './environment.js';
import type { Tool } from './identity.js';
import { expand, namesDepfile, namesOutput, parseTemplate, type Template } from './placeholders.js';
import type { CommandLine, Facts, Preset } from './presets/preset.js';
import { presetFor } from './presets/registry.js';
import { resolveProgram, type ProgramDescription } from './program.js';
import type { CompileRequest } from './request.js';

/** What lies at a path; `unseen` cannot be looked at: whoever reads or writes it says what is wrong with it. */
type Found = FileStat['type'] | 'unseen' | null;

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
  /** The arguments without the program. */
  readonly templates: readonly Template[];
  readonly line: CommandLine;
  readonly program: ProgramDescription;
  readonly preset: Preset | null;
  readonly facts: Facts | null;
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

/** What a JavaScript string holds where the bytes were not UTF-8. */
const REPLACEMENT = '\uFFFD';

/** Names that are remembered at most; then they are forgotten together. */
const MAX_NAMES = 4096;

/**
 * What the requests of one batch have in common and is looked at once while all of them are checked: folders, words of
 * command lines that may name files, programs with their environments.
 */
export class SharedPlans {
  readonly #types = new Map<string, FileStat['type'] | null>();
  readonly #programs = new WeakMap<CompileRequest['environment'], Map<string, FoundProgram>>();
  readonly #words = new Map<string, readonly Template[]>();

  /** What lies at a path, links followed. */
  typeOf(path: string, look: () => Found): Found {
    const known = this.#types.get(path);
    if (known !== undefined) return known;
    if (this.#types.size >= MAX_NAMES) this.#types.clear();
    const found = look();
    // The next look may succeed.
    if (found !== 'unseen') this.#types.set(path, found);
    return found;
  }

  program(request: CompileRequest, typed: string, find: () => FoundProgram): FoundProgram {
    const { environment, cwd, tools, env } = request;
    const programs = this.#programs.get(environment) ?? new Map<string, FoundProgram>();
    this.#programs.set(environment, programs);
    const key = JSON.stringify([typed, cwd, tools, env]);
    const found = programs.get(key) ?? find();
    if (programs.size >= MAX_NAMES) programs.clear();
    programs.set(key, found);
    return found;
  }

  words(request: CompileRequest, parse: () => readonly Template[]): readonly Template[] {
    const { inputs, outputs, command } = request;
    const key = JSON.stringify([inputs.length, outputs.length, command]);
    const words = this.#words.get(key) ?? parse();
    if (this.#words.size >= MAX_NAMES) this.#words.clear();
    this.#words.set(key, words);
    return words;
  }
}

/**
 * Checks a request and finds out everything about it that needs no hashing. `shared` is what the batch of this request
 * has in common.
 * @throws CacheError usage, not-found or not-executable; nothing was written then.
 */
export function makePlan(host: Host, request: CompileRequest, shared = new SharedPlans()): Plan {
  const inputs = request.inputs.map((name) => inputFile(host, request, name));
  const outputs = plannedOutputs(host, request, shared);
  checkDistinct(inputs, outputs);
  const words = shared.words(request, () => parseCommand(request));
  const bare = expandBare(words, request);
  const [typed] = bare;
  if (typed === undefined) throw emptyCommand();
  const { program, environment, tools, preset } = shared.program(request, typed, () =>
    findProgram(host, request, typed),
  );
  const line: CommandLine = {
    typed,
    program: program.path,
    args: bare.slice(1),
    inputs: request.inputs,
    outputs: request.outputs,
    cwd: request.cwd,
    environment: environment.variables,
  };
  const facts = preset?.facts(line) ?? null;
  const relocatable = request.relocatable || facts?.relocatable === true;
  const templates = words.slice(1);
  const named = outputs.every((output, index) => output.isStdout || namesOutput(templates, index));
  return {
    request,
    templates,
    line,
    program,
    preset,
    facts,
    environment,
    tools,
    inputs,
    outputs,
    dependencies: [
      ...declaredDependencies(host, request),
      ...argumentFiles(host, { request, templates, inputs, outputs, shared }),
      ...environmentFiles({
        environment,
        requested: request.env,
        cwd: request.cwd,
        files: host.files,
        known: new Set([...inputs, ...outputs].map((file) => file.path)),
      }),
    ],
    relocatable,
    inWorker: relocatable && named,
    uncacheable: judge({ request, outputs, facts, environment }),
  };
}

/** True where a compilation tells which further files it read. */
export function discovers(plan: Plan): boolean {
  const listing = plan.preset?.listing(plan.line) ?? null;
  return namesDepfile(plan.templates) || listing !== null;
}

/** The error for a missing command. */
function emptyCommand(): CacheError {
  return new CacheError('usage', 'expected a command after "--", got nothing', {
    hint: 'For example: vyre-cache compile a.c -o a.o -- gcc -c {input} -o {output}',
  });
}

function inputFile(host: Host, request: CompileRequest, name: string): NamedFile {
  return regularFile(host, { name, cwd: request.cwd, what: 'input' });
}

function regularFile(
  host: Host,
  file: { readonly name: string; readonly cwd: string; readonly what: 'input' | 'dependency' },
): NamedFile {
  const path = pathOf(file.cwd, file.name);
  const type = typeAt(host, path);
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

function plannedOutputs(host: Host, request: CompileRequest, shared: SharedPlans): readonly PlannedOutput[] {
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
    if (name === '' || name.endsWith('/') || isFolder(host, path)) throw folderError(name);
    const folder = dirname(path);
    const found = shared.typeOf(folder, () => typeAt(host, folder));
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

function checkDistinct(inputs: readonly NamedFile[], outputs: readonly PlannedOutput[]): void {
  const taken = new Map<string, string>(
    inputs.map((input) => [resolve(input.path), `the input "${input.name}"`]),
  );
  for (const output of outputs) {
    const path = resolve(output.path);
    const other = taken.get(path);
    if (other !== undefined && path !== '/dev/null') {
      throw new CacheError(
        'usage',
        `expected different files, but the output "${output.name}" is also ${other}`,
      );
    }
    taken.set(path, `the output "${output.name}"`);
  }
}

/** The words of the command, taken apart. @throws CacheError usage. */
export function parseCommand(request: CompileRequest): readonly Template[] {
  const { inputs, outputs, command } = request;
  if (command.length === 0 || command[0] === '') throw emptyCommand();
  const context = {
    inputs: inputs.length,
    outputs: outputs.length,
    strict: inputs.length > 0 || outputs.length > 0,
  };
  return command.map((argument) => parseTemplate(argument, context));
}

/** The command as a person would type it without us. */
export function expandBare(words: readonly Template[], request: CompileRequest): readonly string[] {
  const counts = { inputs: request.inputs.length, outputs: request.outputs.length };
  return expand(words, counts, {
    input: (index) => request.inputs[index] ?? '',
    output: (index) => request.outputs[index] ?? '',
    depfile: () => '/dev/null',
    text: (text) => text,
  });
}

interface FoundProgram {
  readonly program: ProgramDescription;
  readonly environment: DeclaredEnvironment;
  readonly tools: readonly Tool[];
  readonly preset: Preset | null;
}

function findProgram(host: Host, request: CompileRequest, typed: string): FoundProgram {
  const { cwd } = request;
  const searchPath = request.environment['PATH'];
  const find = (name: string): string => resolveProgram({ typed: name, searchPath, cwd, files: host.files });
  const path = find(typed);
  const tools = request.tools.map((tool) => ({ typed: tool, path: find(tool) }));
  const preset = presetFor(basename(typed));
  const { program, environment } = declareProgram(path, {
    caller: request.environment,
    tools: tools.map((tool) => tool.path),
    presetVariables: preset?.environment ?? [],
    requested: request.env,
    cwd,
    files: host.files,
  });
  return { program, environment, tools, preset };
}

function declaredDependencies(host: Host, request: CompileRequest): readonly NamedFile[] {
  return request.deps.map((name) => regularFile(host, { name, cwd: request.cwd, what: 'dependency' }));
}

/** Arguments, or what follows their first `=` or a leading `@`, that name existing files besides inputs and outputs. */
function argumentFiles(
  host: Host,
  known: {
    readonly request: CompileRequest;
    readonly templates: readonly Template[];
    readonly inputs: readonly NamedFile[];
    readonly outputs: readonly PlannedOutput[];
    readonly shared: SharedPlans;
  },
): readonly NamedFile[] {
  const { shared } = known;
  const { cwd } = known.request;
  const taken = new Set([...known.inputs, ...known.outputs].map((file) => resolve(file.path)));
  const found: NamedFile[] = [];
  for (const [piece, ...rest] of known.templates) {
    if (piece?.kind !== 'text' || rest.length > 0) continue;
    for (const name of candidates(piece.text)) {
      const path = pathOf(cwd, name);
      if (taken.has(resolve(path))) continue;
      if (shared.typeOf(path, () => typeAt(host, path)) === 'file') found.push({ name, path });
    }
  }
  return found;
}

function candidates(argument: string): readonly string[] {
  const names = [argument];
  const equals = argument.indexOf('=');
  if (equals >= 0) names.push(argument.slice(equals + 1));
  if (argument.startsWith('@')) names.push(argument.slice(1));
  return names.filter((name) => name !== '' && !name.includes('\0'));
}

function judge(known: Pick<Plan, 'request' | 'outputs' | 'facts' | 'environment'>): Plan['uncacheable'] {
  const { request, outputs, facts, environment } = known;
  const paths = [...request.inputs, ...request.outputs, ...request.deps, request.cwd];
  const words = [...request.command, ...request.keys, ...paths, ...Object.values(environment.variables)];
  if (words.some((word) => word.includes(REPLACEMENT))) {
    return { word: 'not-utf8', detail: 'an argument, a variable or a path is not UTF-8' };
  }
  if (facts === null) return null;
  if (facts.uncacheable !== null) return facts.uncacheable;
  const declared = new Set(outputs.map((output) => resolve(output.path)));
  const undeclared = facts.furtherOutputs.find((name) => !declared.has(resolve(request.cwd, name)));
  if (undeclared === undefined) return null;
  return {
    word: 'undeclared-output',
    detail: `these arguments also write "${undeclared}"; declare it with -o "${undeclared}"`,
  };
}
