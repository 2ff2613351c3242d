import { basename, resolve } from 'node:path';
import type { Host } from '../host/host.js';
import type { Captured } from '../host/processes.js';
import { CacheError } from '../model/error.js';
import { textField, type Field } from '../model/fingerprint.js';
import type { Uncacheable } from '../model/lifecycle.js';
import { CommandMemo } from './command-memo.js';
import type { FileDigests } from './file-digests.js';
import { IdentityFields } from './identity-fields.js';
import { Libraries } from './libraries.js';
import { findPackage } from './package-version.js';
import type { CommandLine, Facts, Preset } from './presets/preset.js';
import { describeGpus, describeProcessor } from './processor.js';
import { describeProgram, hasOwnIdentity, isInterpreterName, statQuietly, type ProgramDescription } from './program.js';

/** A `--tool`. */
export interface Tool {
  /** As it was typed. */
  readonly typed: string;
  /** Absolute path of the program that was found. */
  readonly path: string;
}

export interface IdentityRequest {
  readonly line: CommandLine;
  readonly program: ProgramDescription;
  readonly preset: Preset | null;
  /** What the preset knows about the command line; null without a preset. */
  readonly facts: Facts | null;
  readonly tools: readonly Tool[];
  /** The shell command of `--compiler-version`. */
  readonly compilerVersion: string | null;
}

export interface Identity {
  /** `compiler/…` */
  readonly fields: readonly Field[];
  /** One line that says what the fingerprint does not cover and names `--deps` and `--tool`; null when it covers all. */
  readonly uncovered: string | null;
  /** Set when the machine cannot tell what the bytes depend on. */
  readonly uncacheable: { readonly word: Uncacheable; readonly detail: string } | null;
}

/** How much of a failed version command is shown. */
const MAX_SHOWN_CHARACTERS = 2000;

/** Finds out what identifies a compiler. One per process: version commands and library searches are remembered. */
export class Identifier {
  readonly #host: Host;
  readonly #digests: FileDigests;
  readonly #memo: CommandMemo;
  readonly #libraries: Libraries;

  constructor(host: Host, digests: FileDigests) {
    this.#host = host;
    this.#digests = digests;
    this.#memo = new CommandMemo(host, digests.stamps);
    this.#libraries = new Libraries(host.files, digests.stamps);
  }

  /**
   * DESIGN 6, compiler identity.
   * @throws CacheError `usage` when the command of `--compiler-version` fails or prints nothing.
   */
  async identify(request: IdentityRequest): Promise<Identity> {
    const { line, program, preset, facts, tools, compilerVersion } = request;
    const fields = new IdentityFields(this.#digests, this.#libraries, line.environment['LD_LIBRARY_PATH']);
    fields.addProgram('program', program.path);
    for (const path of program.interpreters) fields.addProgram(`interpreter/${basename(path)}`, path);
    if (preset !== null) await this.#addDelegates(fields, line, preset);
    for (const tool of tools) this.#addTool(fields, tool, line);
    let covered = hasOwnIdentity(program) || tools.length > 0;
    const version = compilerVersion === null ? null : await this.#requestedVersion(compilerVersion, line);
    if (version !== null) fields.add(textField('compiler/version', version));
    covered = version !== null || covered;
    if (!hasOwnIdentity(program)) {
      const known = this.#addPackage(fields, request) || (await this.#addPresetVersion(fields, request));
      covered = known || covered;
    }
    const machine = await this.#addMachine(fields, line, facts);
    return { fields: fields.list, uncovered: covered ? null : uncoveredLine(line), uncacheable: unreadable(fields) ?? machine };
  }

  /** For runs of a compiler that only ask: the answers that {@link identify} gets are shared. */
  async ask(line: CommandLine, argv: readonly string[], dependsOn: readonly string[]): Promise<Captured> {
    return this.#ask(argv, line, dependsOn);
  }

  async #addDelegates(fields: IdentityFields, line: CommandLine, preset: Preset): Promise<void> {
    const delegates = await preset.delegates({
      line,
      files: this.#host.files,
      memoised: async (argv, dependsOn) => this.#ask(argv, line, dependsOn),
    });
    for (const { name, path } of delegates) fields.addProgram(`tool/${name}`, path);
  }

  /** What a script or a proxy answers depends on files that nobody names: it is forgotten with the process. */
  async #ask(argv: readonly string[], line: CommandLine, dependsOn: readonly string[]): Promise<Captured> {
    const question = { argv, cwd: line.cwd, environment: line.environment };
    const { files } = this.#host;
    const program = describeProgram(argv[0] ?? '', { files, searchPath: line.environment['PATH'], cwd: line.cwd });
    return this.#memo.ask(question, hasOwnIdentity(program) ? dependsOn : []);
  }

  /** A tool that is a script brings its interpreter and its package. */
  #addTool(fields: IdentityFields, tool: Tool, line: CommandLine): void {
    const name = basename(tool.path);
    fields.addProgram(`tool/${name}`, tool.path);
    const described = describeProgram(tool.path, {
      files: this.#host.files,
      searchPath: line.environment['PATH'],
      cwd: line.cwd,
    });
    for (const path of described.interpreters) fields.addProgram(`interpreter/${basename(path)}`, path);
    if (described.kind === 'elf') return;
    const found = findPackage(this.#host.files, described.realPath);
    if (found !== null) fields.addPackage(`tool/${name}/package`, found);
  }

  /** The package of a script, or of the script that an interpreter is told to run. */
  #addPackage(fields: IdentityFields, request: IdentityRequest): boolean {
    const script =
      request.program.kind === 'script' ? request.program.realPath : this.#scriptArgument(request.line);
    const found = script === null ? null : findPackage(this.#host.files, script);
    if (found === null) return false;
    fields.addPackage('package', found);
    return true;
  }

  /** The first argument that is a file, and none when code comes from the command line. */
  #scriptArgument(line: CommandLine): string | null {
    const { files } = this.#host;
    if (!isInterpreterName(basename(line.program))) return null;
    for (const argument of line.args) {
      if (/^-[A-Za-z]*[ce]$|^--?(?:eval|print|command)\b/.test(argument)) return null;
      if (argument.startsWith('-')) continue;
      const path = resolve(line.cwd, argument);
      return statQuietly(files, path)?.type === 'file' ? files.realpath(path) : null;
    }
    return null;
  }

  async #addPresetVersion(fields: IdentityFields, request: IdentityRequest): Promise<boolean> {
    const { line, preset } = request;
    if (preset === null || preset.versionArgs === null) return false;
    const answer = await this.#ask([line.program, ...preset.versionArgs], line, []);
    const text = answer.stdout.toString('utf8');
    if (answer.status !== 0 || text.trim() === '') return false;
    fields.add(textField('compiler/preset-version', text));
    return true;
  }

  async #requestedVersion(command: string, line: CommandLine): Promise<string> {
    const answer = await this.#ask(['/bin/sh', '-c', command], line, []);
    const text = answer.stdout.toString('utf8') + answer.stderr.toString('utf8');
    if (answer.status === 0 && text.trim() !== '') return text;
    const ending = answer.status === null ? 'was ended' : `ended with status ${answer.status}`;
    const shown =
      text.trim() === '' ? 'printed nothing' : `printed "${text.trim().slice(0, MAX_SHOWN_CHARACTERS)}"`;
    throw new CacheError(
      'usage',
      `expected --compiler-version to print a version, got "${command}": it ${ending} and ${shown}`,
      {
        hint: 'Give a command that prints what identifies the compiler and ends with status 0.',
      },
    );
  }

  async #addMachine(
    fields: IdentityFields,
    line: CommandLine,
    facts: Facts | null,
  ): Promise<Identity['uncacheable']> {
    if (facts?.machineModel === true) {
      const model = describeProcessor(this.#host.files);
      if (model === null)
        return { word: 'unknown-identity', detail: 'the processor of this machine is not known' };
      fields.add(textField('compiler/processor', model));
    }
    if (facts?.gpuModel !== true) return null;
    const model = await describeGpus(this.#host.files, async (argv) => this.#ask(argv, line, []));
    if (model === null) return { word: 'unknown-identity', detail: 'the GPU of this machine is not known' };
    fields.add(textField('compiler/gpu', model));
    return null;
  }
}

function unreadable(fields: IdentityFields): Identity['uncacheable'] {
  const path = fields.unreadable;
  return path === null ? null : { word: 'unknown-identity', detail: `"${path}" may be executed and not read` };
}

function uncoveredLine(line: CommandLine): string {
  return `what "${line.typed}" runs is not part of the fingerprint: name its files with --deps, or the program with --tool or --compiler-version`;
}
