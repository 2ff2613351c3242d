import { basename } from 'node:path';
import type { Host } from '../host/host.js';
import { CacheError } from '../model/error.js';
import { declareProgram, type DeclaredEnvironment } from './environment.js';
import { pathOf } from './file-names.js';
import type { Tool } from './identity.js';
import { expand, parseTemplate, type Template } from './placeholders.js';
import type { CommandLine, Facts, Preset } from './presets/preset.js';
import { presetFor } from './presets/registry.js';
import { resolveProgram, type ProgramDescription } from './program.js';
import type { CompileRequest } from './request.js';

/** Of a command what the names of inputs and outputs do not change. */
export interface PlannedCommand {
  readonly words: readonly Template[];
  /** The words without the program. */
  readonly templates: readonly Template[];
  readonly typed: string;
  readonly program: ProgramDescription;
  readonly environment: DeclaredEnvironment;
  readonly tools: readonly Tool[];
  readonly preset: Preset | null;
  /** False where something in the words, the folder or the environment is not UTF-8. */
  readonly isUtf8: boolean;
  /** What words without a placeholder may name. */
  readonly candidates: readonly { readonly name: string; readonly path: string }[];
}

/** @throws CacheError usage, not-found or not-executable. */
export function planCommand(host: Host, request: CompileRequest): PlannedCommand {
  const { cwd } = request;
  const words = parseCommand(request);
  const [typed] = expandBare(words, request);
  if (typed === undefined) throw emptyCommand();
  const searchPath = request.environment['PATH'];
  const find = (name: string): string => resolveProgram({ typed: name, searchPath, cwd, files: host.files });
  const path = find(typed);
  const tools = request.tools.map((tool) => ({ typed: tool, path: find(tool) }));
  const preset = presetFor(basename(typed));
  const declared = declareProgram(path, {
    caller: request.environment,
    tools: tools.map((tool) => tool.path),
    presetVariables: preset?.environment ?? [],
    requested: request.env,
    cwd,
    files: host.files,
  });
  const templates = words.slice(1);
  const texts = [...request.command, cwd, ...Object.values(declared.environment.variables)];
  return {
    words,
    templates,
    typed,
    ...declared,
    tools,
    preset,
    isUtf8: texts.every(isUtf8Text),
    candidates: candidatesIn(templates, cwd),
  };
}

/** What a JavaScript string holds where the bytes were not UTF-8. */
const REPLACEMENT = '\uFFFD';

export function isUtf8Text(text: string): boolean {
  return !text.includes(REPLACEMENT);
}

/** A request and its command. */
interface Planned {
  readonly request: CompileRequest;
  readonly command: PlannedCommand;
}

/** The command line of a request as a person would type it without us. */
export function lineOf({ request, command }: Planned): CommandLine {
  const { inputs, outputs, cwd } = request;
  return {
    typed: command.typed,
    program: command.program.path,
    args: expandBare(command.templates, request),
    inputs,
    outputs,
    cwd,
    environment: command.environment.variables,
  };
}

/** The error for a missing command. */
function emptyCommand(): CacheError {
  return new CacheError('usage', 'expected a command after "--", got nothing', {
    hint: 'For example: vyre-cache compile a.c -o a.o -- gcc -c {input} -o {output}',
  });
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

/** Words as a person would type them without us. */
export function expandBare(words: readonly Template[], request: CompileRequest): readonly string[] {
  const counts = { inputs: request.inputs.length, outputs: request.outputs.length };
  return expand(words, counts, {
    input: (index) => request.inputs[index] ?? '',
    output: (index) => request.outputs[index] ?? '',
    depfile: () => '/dev/null',
    text: (text) => text,
  });
}

/** The text of a word without a placeholder; null for others. */
export function literalOf(word: Template | undefined): string | null {
  const [piece, ...rest] = word ?? [];
  return piece?.kind === 'text' && rest.length === 0 ? piece.text : null;
}

function candidatesIn(templates: readonly Template[], cwd: string): PlannedCommand['candidates'] {
  return templates
    .flatMap((word) => namesIn(literalOf(word) ?? ''))
    .map((name) => ({ name, path: pathOf(cwd, name) }));
}

/** An argument, and what follows its first `=` or a leading `@`. */
function namesIn(argument: string): readonly string[] {
  const names = [argument];
  const equals = argument.indexOf('=');
  if (equals >= 0) names.push(argument.slice(equals + 1));
  if (argument.startsWith('@')) names.push(argument.slice(1));
  return names.filter((name) => name !== '' && !name.includes('\0'));
}

/**
 * What holds for all commands of one program, in one folder and environment, that differ in the names of their files
 * only: they have the same compiler, too.
 */
export interface CommandPattern {
  readonly facts: Facts;
  /** As of {@link discovers}. */
  readonly discovers: boolean;
}

/** Before each name that stands for others. No argument holds it, so it shows in whatever was made of such a name. */
const STAND_IN = '\0';

/**
 * The ends of the names of a request, by which one pattern is told from another; null where the preset looks at more
 * than the end of a name.
 */
export function endingsOf({ likeness }: Preset, { inputs, outputs }: CompileRequest): string | null {
  if (likeness === undefined) return null;
  let endings = '';
  for (const names of [inputs, outputs]) {
    for (const name of names) {
      const ending = likeness.endingOf(name);
      if (ending === null) return null;
      endings += `${ending}/`;
    }
  }
  return endings;
}

/** Null where the names decide something: then each command is looked at by itself. */
export function patternOf(command: PlannedCommand, request: CompileRequest): CommandPattern | null {
  const { preset } = command;
  if (preset?.likeness === undefined) return null;
  const { endingOf, isIndifferent } = preset.likeness;
  const standIn = (name: string, index: number): string => `${STAND_IN}${index}${endingOf(name) ?? ''}`;
  const inputs = request.inputs.map(standIn);
  const outputs = request.outputs.map(standIn);
  const line = lineOf({ command, request: { ...request, inputs, outputs } });
  if (!isIndifferent(line, STAND_IN)) return null;
  const facts = preset.facts(line);
  // What is written besides may be declared under one name and not under another.
  if (facts.furtherOutputs.length > 0 || facts.uncacheable !== null) return null;
  return { facts, discovers: preset.listing(line) !== null };
}
