import { statOrNull } from '../host/files.js';
import { basename, resolve } from 'node:path';
import type { Host } from '../host/host.js';
import type { Captured } from '../host/processes.js';
import { CacheError } from '../model/error.js';
import { textField, type Field } from '../model/fields.js';
import type { Uncacheable } from '../model/lifecycle.js';
import { CommandMemo } from './command-memo.js';
import type { FileDigests } from './file-digests.js';
import { IdentityFields, type CompilerFile } from './identity-fields.js';
import { Libraries } from './libraries.js';
import { findPackage, type FoundPackage } from './package-version.js';
import type { CommandLine, Facts, ListingRun, Preset } from './presets/preset.js';
import { describeGpus, describeProcessor } from './processor.js';
import { hasOwnIdentity, isInterpreterName, ProgramMemo, type ProgramDescription } from './program.js';
import type { CacheSession } from './session.js';

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
  /** Ends the questions to the compiler; `identify` then throws its reason. */
  readonly signal?: AbortSignal | null;
}

export interface Identity {
  /** `compiler/…` */
  readonly fields: readonly Field[];
  /** One line that says what the fingerprint does not cover and names `--deps` and `--tool`; null when it covers all. */
  readonly uncovered: string | null;
  /** Set when the machine cannot tell what the bytes depend on. */
  readonly uncacheable: { readonly word: Uncacheable; readonly detail: string } | null;
  /** When the files of the compiler were last looked at, by the clock that never runs backwards. */
  readonly checkedAtMs: number;
}

/** How much of a failed version command is shown. */
const MAX_SHOWN_CHARACTERS = 2000;

/** Finds out what identifies a compiler. One per process: answers of compilers and digests are remembered. */
export class Identifier {
  readonly #host: Host;
  readonly #fields: IdentityFields;
  readonly #memo: CommandMemo;
  readonly #programs = new ProgramMemo();

  constructor(host: Host, digests: FileDigests) {
    this.#host = host;
    this.#memo = new CommandMemo(host, digests.stamps);
    this.#fields = new IdentityFields(host, digests, new Libraries(host.files, digests.stamps));
  }

  /**
   * DESIGN 6, compiler identity.
   * @throws CacheError `usage` when the command of `--compiler-version` fails or prints nothing; the reason of an abort
   * that came while something was asked.
   */
  async identify(request: IdentityRequest): Promise<Identity> {
    const { line, program, tools, compilerVersion } = request;
    const files = [...programFiles(program), ...(await this.#delegates(request))];
    const texts: Field[] = [];
    for (const tool of tools) this.#addTool(tool, line, { files, texts });
    let covered = hasOwnIdentity(program) || tools.length > 0;
    if (compilerVersion !== null) {
      texts.push(textField('compiler/version', await this.#requestedVersion(compilerVersion, request)));
      covered = true;
    }
    if (!hasOwnIdentity(program)) {
      const known =
        this.#addPackage(request, { files, texts }) || (await this.#addPresetVersion(request, texts));
      covered = known || covered;
    }
    const machine = await this.#addMachine(request, texts);
    const { fields, unreadable, checkedAtMs } = this.#fields.of(files, {
      libraryPath: line.environment['LD_LIBRARY_PATH'],
      cwd: line.cwd,
    });
    return {
      // The array of the files alone stays the same from one request to the next, and is encoded once.
      fields: texts.length === 0 ? fields : [...fields, ...texts],
      uncovered: covered ? null : uncoveredLine(line),
      uncacheable: unreadable === null ? machine : unreadableFile(unreadable),
      checkedAtMs,
    };
  }

  /** For runs of a compiler that only ask: the answers that {@link identify} gets are shared. */
  async ask(line: CommandLine, argv: readonly string[], dependsOn: readonly string[]): Promise<Captured> {
    return this.#ask(argv, { line }, dependsOn);
  }

  async #delegates({ line, preset, signal = null }: IdentityRequest): Promise<readonly CompilerFile[]> {
    if (preset === null) return [];
    const delegates = await preset.delegates({
      line,
      files: this.#host.files,
      memoised: async (argv, dependsOn) => this.#ask(argv, { line, signal }, dependsOn),
    });
    return delegates.map(({ name, path }) => ({ name: `tool/${name}`, path, withLibraries: true }));
  }

  /** What a script or a proxy answers depends on files that nobody names: it is forgotten with the process. */
  async #ask(argv: readonly string[], asker: Asker, dependsOn: readonly string[]): Promise<Captured> {
    const { line, signal = null } = asker;
    const question = { argv, cwd: line.cwd, environment: line.environment, signal };
    const mayBeKept = dependsOn.length > 0 && hasOwnIdentity(this.#describe(argv[0] ?? '', line));
    const answer = await this.#memo.ask(question, mayBeKept ? dependsOn : []);
    signal?.throwIfAborted();
    return answer;
  }

  #describe(path: string, line: CommandLine): ProgramDescription {
    return this.#programs.describe(path, {
      files: this.#host.files,
      searchPath: line.environment['PATH'],
      cwd: line.cwd,
    });
  }

  /** A tool that is a script brings its interpreter and its package. */
  #addTool(tool: Tool, line: CommandLine, found: Found): void {
    const name = `tool/${basename(tool.path)}`;
    const program = this.#describe(tool.path, line);
    found.files.push(...programFiles(program, name));
    if (program.kind === 'script')
      addPackage(findPackage(this.#host.files, program.realPath), `${name}/package`, found);
  }

  /** The package of a script, or of the script that an interpreter is told to run. */
  #addPackage(request: IdentityRequest, found: Found): boolean {
    const script =
      request.program.kind === 'script' ? request.program.realPath : this.#scriptArgument(request.line);
    return script !== null && addPackage(findPackage(this.#host.files, script), 'package', found);
  }

  /** The first argument that is a file, and none when code comes from the command line. */
  #scriptArgument(line: CommandLine): string | null {
    const { files } = this.#host;
    if (!isInterpreterName(basename(line.program))) return null;
    for (const argument of line.args) {
      if (/^-[A-Za-z]*[ce]$|^--?(?:eval|print|command)\b/.test(argument)) return null;
      if (argument.startsWith('-')) continue;
      const path = resolve(line.cwd, argument);
      return statOrNull(files, path)?.type === 'file' ? files.realpath(path) : null;
    }
    return null;
  }

  async #addPresetVersion(request: IdentityRequest, texts: Field[]): Promise<boolean> {
    const { line, preset } = request;
    if (preset === null || preset.versionArgs === null) return false;
    const answer = await this.#ask([line.program, ...preset.versionArgs], request, []);
    const text = answer.stdout.toString('utf8');
    if (answer.status !== 0 || text.trim() === '') return false;
    texts.push(textField('compiler/preset-version', text));
    return true;
  }

  async #requestedVersion(command: string, asker: Asker): Promise<string> {
    const answer = await this.#ask(['/bin/sh', '-c', command], asker, []);
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

  async #addMachine(request: IdentityRequest, texts: Field[]): Promise<Identity['uncacheable']> {
    const { facts } = request;
    if (facts?.machineModel === true) {
      const model = describeProcessor(this.#host.files);
      if (model === null)
        return { word: 'unknown-identity', detail: 'the processor of this machine is not known' };
      texts.push(textField('compiler/processor', model));
    }
    if (facts?.gpuModel !== true) return null;
    const model = await describeGpus(this.#host.files, async (argv) => this.#ask(argv, request, []));
    if (model === null) return { word: 'unknown-identity', detail: 'the GPU of this machine is not known' };
    texts.push(textField('compiler/gpu', model));
    return null;
  }
}

/** On whose behalf a compiler is asked. */
type Asker = Pick<IdentityRequest, 'line' | 'signal'>;

/** What was found so far. */
interface Found {
  readonly files: CompilerFile[];
  readonly texts: Field[];
}

function programFiles(program: ProgramDescription, name = 'program'): CompilerFile[] {
  const own = { name, path: program.path, withLibraries: true };
  const interpreters = program.interpreters.map((path) => {
    return { name: `interpreter/${basename(path)}`, path, withLibraries: true };
  });
  return [own, ...interpreters];
}

function addPackage(found: FoundPackage | null, name: string, { files, texts }: Found): boolean {
  if (found === null) return false;
  files.push({ name, path: found.path, withLibraries: false });
  const field = `compiler/${name}-version`;
  // Two tools of one name: the digest of their package.json gets another name in the same way.
  const same = texts.filter((text) => text.name === field || text.name.startsWith(`${field}#`)).length;
  texts.push(textField(same === 0 ? field : `${field}#${same + 1}`, `${found.name}@${found.version}`));
  return true;
}

function unreadableFile(path: string): Identity['uncacheable'] {
  return { word: 'unknown-identity', detail: `"${path}" may be executed and not read` };
}

function uncoveredLine(line: CommandLine): string {
  return `what "${line.typed}" runs is not part of the fingerprint: name its files with --deps, or the program with --tool or --compiler-version`;
}

const IDENTIFIERS = new WeakMap<CacheSession, Identifier>();

/** What a session knows about compilers. It is no part of the session, which most commands open for other things. */
export function identifierOf(session: CacheSession): Identifier {
  const known = IDENTIFIERS.get(session) ?? new Identifier(session.host, session.digests);
  IDENTIFIERS.set(session, known);
  return known;
}

/** Asks the compiler of a command line what does not change between compilations. */
export function memoisedBy(session: CacheSession, line: CommandLine): NonNullable<ListingRun['memoised']> {
  return async (argv, dependsOn) => identifierOf(session).ask(line, argv, dependsOn);
}
