import { basename } from 'node:path';
import { compile } from '../../compile/compile.js';
import { presetFor } from '../../compile/presets/registry.js';
import { RecordedLooks } from '../../compile/recorded-looks.js';
import type { CompileRequest, CompileResult } from '../../compile/request.js';
import { CacheError } from '../../model/error.js';
import { bareRun } from '../bare-run.js';
import { withHost, type Call, type CliCommand } from '../command.js';
import {
  bareRequest,
  compileOptions,
  compilerStream,
  EXAMPLE,
  isLauncherUse,
  readRequest,
  REQUEST_OPTIONS,
  requireCommand,
} from '../compile-request.js';
import { openContext, rootOf, withSession, type Context } from '../context.js';
import { EXIT, problemLines } from '../failure.js';
import { NO_MEMORY } from '../session-parts.js';

/** Settings of a manifest's jobs. */
const BATCH_SETTINGS = ['jobs', 'jobs_hard'] as const;

export const compileCommand: CliCommand = {
  name: 'compile',
  synopsis: '[inputs...] [options] -- command...\n       vyre-cache compile --manifest <file> [options]',
  description:
    'Looks up what the command would make from these inputs, and delivers it; or runs the command and keeps the result. ' +
    'In the command {input}, {input:N}, {output}, {output:N} and {depfile} stand for the files; {{x}} is literal. ' +
    'The exit code is the one of the command; of a manifest 1 when a job failed.',
  positionals: { syntax: '[inputs...]', doc: 'the files that the command compiles' },
  options: [
    ...REQUEST_OPTIONS,
    { flags: '--refresh', doc: 'compile even though there is an entry, and replace it' },
    { flags: '--retry-failed', doc: 'run the command even though it is remembered that it fails' },
    { flags: '--no-cache', doc: 'neither look up nor store; the command runs as in a miss' },
    { flags: '--manifest <file>', doc: 'compile all jobs of this file instead of a command; - is stdin' },
    { flags: '--priority <class>', doc: 'normal or critical, for jobs of the manifest that name none' },
  ],
  settings: ['timeout', 'memory', 'lock_timeout', ...BATCH_SETTINGS],
  takesCommand: true,
  examples: [
    EXAMPLE,
    'vyre-cache compile m.wat -o m.wasm -- wat2wasm {input} -o {output}',
    "vyre-cache compile api.json --deps 'api/*' --stdout api.h -- ./gen {input}",
    'vyre-cache compile --manifest warm.json --jobs 8',
  ],
  cleansUp: true,
  run,
};

async function run(call: Call): Promise<number> {
  const manifest = call.options.text('manifest');
  if (manifest !== null) {
    const { runManifest } = await import('../compile-batch.js');
    return runManifest(call, manifest);
  }
  refuseBatchOptions(call);
  const program = requireCommand(call)[0] ?? '';
  const launcher = isLauncherUse(call);
  const looks = launcher ? null : new RecordedLooks(call.host);
  const watched = looks === null ? call : withHost(call, looks.host);
  const context = await openContext(watched, { silent: launcher });
  if (context.settings.disable) return runDisabled(context, launcher);
  if (launcher) return runLauncher(context, program);
  const request = await readRequest(context.call);
  const use = { root: rootOf(context), memory: NO_MEMORY };
  const { result, troubled } = await withSession(context, use, async (session) => ({
    result: await compile(session, request, {
      ...compileOptions(context),
      onFound: () => looks?.stop(),
    }),
    troubled: session.troubles.length > 0,
  }));
  await deliver(context, result);
  if (looks !== null && !troubled)
    await leaveShortcut(context, { looks, request, result, root: use.root.path });
  return exitCode(context, result, troubled);
}

/**
 * The next call of these words begins where this one ended. Not where more was said than the compiler's words, nor where
 * the answer depends on what no look sees.
 */
async function leaveShortcut(
  context: Context,
  done: {
    readonly looks: RecordedLooks;
    readonly request: CompileRequest;
    readonly result: CompileResult;
    readonly root: string;
  },
): Promise<void> {
  const { settings, json, verbose } = context;
  const { result, request } = done;
  const isPlain = result.outcome === 'disk' && result.exitCode === 0 && !json && !verbose;
  const isSilent = settings.notices.length === 0 && settings.keyFiles === null;
  if (!settings.shortcuts || !isPlain || !isSilent || request.deps.length > 0) return;
  const { rememberCall } = await import('../remembered-call.js');
  rememberCall(context, done);
}

/** They would do nothing. */
function refuseBatchOptions({ flags, options }: Call): void {
  const typed = BATCH_SETTINGS.find((key) => flags.has(key))?.replace('_', '-');
  const name = options.text('priority') === null ? typed : 'priority';
  if (name !== undefined) throw new CacheError('usage', `expected --manifest with --${name}, got none`);
}

/** The cache is switched off: the command runs as if we were not there, its placeholders replaced. */
async function runDisabled(context: Context, launcher: boolean): Promise<number> {
  const { call } = context;
  const result = await bareRun(context, launcher ? bareRequest(call) : await readRequest(call));
  await deliver(context, result);
  return exitCode(context, result, false);
}

/** The command line of a known compiler as it is: until that is understood, it runs untouched and is counted. */
async function runLauncher(context: Context, program: string): Promise<number> {
  if (presetFor(basename(program)) === null) {
    throw new CacheError(
      'usage',
      `expected inputs and outputs for a program that is not known, got "${program}"`,
      {
        hint: `Say what it reads and makes. For example: ${EXAMPLE}`,
      },
    );
  }
  const use = { root: rootOf(context), silent: true };
  const { result, troubled } = await withSession(context, use, async (session) => {
    session.tally.add('uncacheable:launcher-unsupported');
    const bare = await bareRun(context, bareRequest(context.call));
    return {
      result: { ...bare, notStored: 'launcher-unsupported' as const },
      troubled: session.troubles.length > 0,
    };
  });
  await deliver(context, result);
  return exitCode(context, result, troubled);
}

/** The compiler's own words byte by byte; ours only where they were asked for. */
async function deliver(context: Context, result: CompileResult): Promise<void> {
  const { json, verbose } = context;
  const { stdout, stderr } = context.call.terminal;
  compilerStream(context, 'stdout').write(result.stdout);
  stderr.write(result.stderr);
  if (result.error !== null) stderr.write(problemLines(result.error));
  if (!verbose && !json) return;
  const { renderCompileJson, renderCompileLine } = await import('../rendering/compile.js');
  if (verbose) stderr.write(`${renderCompileLine(result)}\n`);
  if (json) stdout.write(renderCompileJson([result]));
}

function exitCode({ settings }: Context, result: CompileResult, troubled: boolean): number {
  if (settings.strict && troubled) return EXIT.environment;
  // The compiler may have succeeded; a build that goes on without the output must not.
  return result.exitCode === 0 && result.error !== null ? EXIT.negative : result.exitCode;
}
