import type { FileStat } from '../host/files.js';
import type { ForAllJobs } from './looks.js';
import {
  endingsOf,
  literalOf,
  patternOf,
  type CommandPattern,
  type PlannedCommand,
} from './planned-command.js';
import type { CompileRequest } from './request.js';

/** What lies at a path; `unseen` cannot be looked at: whoever reads or writes it says what is wrong with it. */
export type Found = FileStat['type'] | 'unseen' | null;

/** Commands that are remembered at most; then they are forgotten together. */
const MAX_COMMANDS = 4096;

/** A command, and what was found out about it for files of the same endings. */
interface KnownCommand {
  readonly command: PlannedCommand;
  readonly patterns: Map<string, CommandPattern | null>;
}

/**
 * What the requests of one batch have in common and is looked at once while all of them are checked: files and folders,
 * programs with their environments, command lines but for the names in them.
 */
export class SharedPlans {
  /** What lies at a path, links followed. */
  readonly typeAt: (path: string) => Found;
  readonly #forAllJobs: ForAllJobs;
  readonly #commands = new WeakMap<CompileRequest['environment'], Map<string, KnownCommand>>();

  constructor(typeAt: (path: string) => Found, forAllJobs: ForAllJobs = (work) => work()) {
    this.typeAt = typeAt;
    this.#forAllJobs = forAllJobs;
  }

  isFolder(path: string): boolean {
    return this.typeAt(path) === 'directory';
  }

  /** The command of a request, and its pattern from the second request on that has the same command. */
  command(
    request: CompileRequest,
    plan: () => PlannedCommand,
  ): { readonly command: PlannedCommand; readonly pattern: CommandPattern | null } {
    const { environment, cwd, tools, env, inputs, outputs, command, compilerVersion } = request;
    const commands = this.#commands.get(environment) ?? new Map<string, KnownCommand>();
    const key = JSON.stringify([inputs.length, outputs.length, command, cwd, tools, env, compilerVersion]);
    const known = commands.get(key);
    if (known !== undefined) return { command: known.command, pattern: patternFor(known, request) };
    const planned = this.#forAllJobs(plan);
    // Where a file of the request is the program, its name decides more than its place in the command.
    if (literalOf(planned.words[0]) !== null) {
      if (commands.size >= MAX_COMMANDS) commands.clear();
      commands.set(key, { command: planned, patterns: new Map() });
      this.#commands.set(environment, commands);
    }
    return { command: planned, pattern: null };
  }
}

function patternFor({ command, patterns }: KnownCommand, request: CompileRequest): CommandPattern | null {
  const endings = command.preset === null ? null : endingsOf(command.preset, request);
  if (endings === null) return null;
  const known = patterns.get(endings);
  if (known !== undefined) return known;
  const pattern = patternOf(command, request);
  patterns.set(endings, pattern);
  return pattern;
}
