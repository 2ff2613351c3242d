import type { CompileOptions, CompileRequest, Waiting } from '../compile/request.js';
import { CacheError } from '../model/error.js';
import { formatDuration } from '../model/units.js';
import type { Call, OptionSpec } from './command.js';
import type { Context } from './context.js';
import { expandDependencies } from './dependency-patterns.js';
import type { OutputStream } from './streams.js';

/** What `compile`, `get` and `fingerprint` take to describe a compilation. */
export const REQUEST_OPTIONS: readonly OptionSpec[] = [
  { flags: '-o, --output <file>', doc: 'a file that the command makes (repeatable)', repeatable: true },
  { flags: '--stdout <file>', doc: 'keep what the command prints on stdout as this output' },
  {
    flags: '--deps <glob>',
    doc: 'further files that it reads; quote the pattern (repeatable)',
    repeatable: true,
  },
  { flags: '--env <name>', doc: 'NAME or NAME=VALUE: pass it on and hash it (repeatable)', repeatable: true },
  { flags: '--key <value>', doc: 'anything else that decides the result (repeatable)', repeatable: true },
  { flags: '--tool <program>', doc: 'a program that the command starts (repeatable)', repeatable: true },
  { flags: '--compiler-version <cmd>', doc: 'a shell command that prints what identifies the compiler' },
  { flags: '--relocatable', doc: 'neither the working directory nor output folders reach the result' },
];

export const EXAMPLE = 'vyre-cache compile a.c -o a.o -- cc -c {input} -o {output}';
const HINT = `For example: ${EXAMPLE}`;

/** `{input}`, `{output:2}`, `{depfile}`; neither `{{input}}` nor `${input}`. */
const PLACEHOLDER = /(?<![{$])\{(?:(?:input|output)(?::[^{}]*)?|depfile)\}/;

/** True where nothing but a command line was given: the command's own words have to say what it reads and makes. */
export function isLauncherUse(call: Call): boolean {
  const { positionals, options, command } = call;
  const declared =
    positionals.length > 0 ||
    options.list('output').length > 0 ||
    options.list('deps').length > 0 ||
    options.text('stdout') !== null;
  return !declared && !(command ?? []).some((word) => PLACEHOLDER.test(word));
}

/** The words of the command. @throws CacheError `usage` without any. */
export function requireCommand(call: Call): readonly string[] {
  const { command } = call;
  if (command === null)
    throw new CacheError('usage', 'expected a command after "--", got no "--"', { hint: HINT });
  if (command.length === 0 || command[0] === '') {
    throw new CacheError('usage', 'expected a command after "--", got nothing', { hint: HINT });
  }
  return command;
}

/** The compilation that was described, patterns expanded. @throws CacheError `usage`. */
export async function readRequest(call: Call): Promise<CompileRequest> {
  const { options, host, cwd } = call;
  const command = requireCommand(call);
  const request = describe(call, command);
  const { outputs, stdoutFile } = request;
  const allOutputs = stdoutFile === null ? outputs : [...outputs, stdoutFile];
  if (allOutputs.length === 0) {
    throw new CacheError('usage', 'expected an output, got neither -o FILE nor --stdout FILE', {
      hint: HINT,
    });
  }
  refuseEmpty('an input', request.inputs);
  refuseEmpty('an output', allOutputs);
  for (const text of request.env) checkVariable(text);
  return { ...request, deps: await expandDependencies({ host, cwd, patterns: options.list('deps') }) };
}

function describe(call: Call, command: readonly string[]): CompileRequest {
  const { options } = call;
  return {
    inputs: call.positionals,
    outputs: options.list('output'),
    stdoutFile: options.text('stdout'),
    command,
    deps: [],
    env: options.list('env'),
    keys: options.list('key'),
    tools: options.list('tool'),
    compilerVersion: options.text('compilerVersion'),
    relocatable: options.flag('relocatable'),
    cwd: call.cwd,
    environment: call.environment,
  };
}

/** A command line as it is, for calls that run untouched. */
export function bareRequest(call: Call): CompileRequest {
  return describe(call, requireCommand(call));
}

function refuseEmpty(what: string, paths: readonly string[]): void {
  if (paths.includes('')) throw new CacheError('usage', `expected ${what}, got ""`, { hint: HINT });
}

/** `NAME` or `NAME=VALUE`. */
export function isVariable(text: string): boolean {
  return text !== '' && !text.startsWith('=');
}

function checkVariable(text: string): void {
  if (isVariable(text)) return;
  throw new CacheError('usage', `expected NAME or NAME=VALUE for --env, got "${text}"`);
}

/** The origin of the monotonic clock: who calls us waits from here on. */
const PROCESS_START_MS = 0;

/** How each compilation of a call is run, from flags and settings. */
export function jobOptions({ settings, call }: Context): CompileOptions {
  return {
    timeoutMs: settings.timeoutMs,
    memoryBytes: settings.memoryBytes,
    lockTimeoutMs: settings.lockTimeoutMs,
    refresh: call.options.flag('refresh'),
    noCache: call.options.refused('cache'),
    failureMemory: settings.failureMemory,
    retryFailed: call.options.flag('retryFailed'),
    signal: call.signal,
  };
}

/** How the one compilation of a call is run: the user waits for it, and hears what it says. */
export function compileOptions(context: Context): CompileOptions {
  return {
    ...jobOptions(context),
    startedAtMs: PROCESS_START_MS,
    onWaiting: (waiting) => {
      showWaiting(context, waiting);
    },
    onOverflow: async (stream, chunk) => writeThrough(compilerStream(context, stream), chunk),
  };
}

/** Holds the compiler back until the bytes are out. What cannot be written is told when the command ends. */
async function writeThrough(output: OutputStream, chunk: Uint8Array): Promise<void> {
  output.write(chunk);
  await output.flush().catch(() => undefined);
}

/** Where the compiler's words go: to the same stream, but never between the lines of a document. */
export function compilerStream({ call, json }: Context, stream: 'stdout' | 'stderr'): OutputStream {
  return json ? call.terminal.stderr : call.terminal[stream];
}

/** A terminal is told why nothing happens. */
function showWaiting({ call, quiet }: Context, { pid, sinceMs }: Waiting): void {
  const { stderr } = call.terminal;
  if (quiet || !stderr.isTerminal) return;
  const who = pid === null ? 'another process' : `process ${pid}`;
  const since =
    sinceMs === null ? '' : ` since ${formatDuration((call.host.clock.nowMs() - sinceMs) / 1000)}`;
  stderr.write(`vyre-cache: waiting for ${who}, which compiles the same thing${since}\n`);
}
