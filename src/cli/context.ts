import { resolve } from 'node:path';
import { openSession, type CacheSession } from '../compile/session.js';
import type { Signing } from '../model/signing.js';
import type { MemoryBudget } from '../store/memory-tier.js';
import type { Call } from './command.js';
import { loadPaint, type Paint } from './color.js';
import { problemLines } from './failure.js';
import { sweepHome } from './session-parts.js';
import { stateDirectory } from './settings/environment.js';
import { chooseRoot, type ChosenRoot } from './settings/root.js';
import { loadSettings, type Settings } from './settings/settings.js';
import type { OutputStream } from './streams.js';

/** A call with its settings. */
export interface Context {
  readonly call: Call;
  readonly settings: Settings;
  readonly json: boolean;
  /** Stronger than verbose. */
  readonly quiet: boolean;
  readonly verbose: boolean;
}

export interface ContextOptions {
  /** No notice of ours on stderr unless asked for: a configure script compares what a compiler says there. */
  readonly silent?: boolean;
}

/** Loads the settings and says what is wrong with them. @throws CacheError `usage`. */
export async function openContext(call: Call, options: ContextOptions = {}): Promise<Context> {
  const { flags, host, environment, cwd } = call;
  const configFile = call.options.text('config');
  const settings = await loadSettings({ flags, host, environment, cwd, configFile });
  const quiet = call.options.flag('quiet');
  const verbose = settings.verbose && !quiet;
  const context = { call, settings, json: call.options.flag('json'), quiet, verbose };
  if (options.silent === true && !verbose && !settings.strict) return context;
  for (const { level, message, hint } of settings.notices) {
    if (level === 'error' || !quiet) call.terminal.stderr.write(problemLines(message, hint));
  }
  return context;
}

/** The root of this call. @throws CacheError `usage`. */
export function rootOf(context: Context, positional: string | null = null): ChosenRoot {
  const { host, environment, cwd } = context.call;
  return chooseRoot({ host, environment, cwd, settings: context.settings, positional });
}

export interface SessionUse {
  readonly root: ChosenRoot;
  /** Trouble and notes stay off stderr unless asked for. */
  readonly silent?: boolean;
  /** vyre's budget unless set. */
  readonly memory?: MemoryBudget;
  /** Where trouble and notes go; the stderr of the process unless set. */
  readonly stderr?: OutputStream;
}

/** Opens a session, runs `work` with it, and writes the counters whatever happens. */
export async function withSession<T>(
  context: Context,
  use: SessionUse,
  work: (session: CacheSession) => Promise<T>,
): Promise<T> {
  const signing = await signingOf(context, use.root);
  const session = openSession({
    root: use.root.path,
    stateDirectory: stateDirectory(context.call.environment),
    maxPayloadBytes: context.settings.maxPayloadBytes,
    host: context.call.host,
    signing,
    ...(use.memory === undefined ? {} : { memory: use.memory }),
    care: async (closing) => {
      const { care } = await import('../maintenance/care.js');
      await care(closing, { maxBytes: context.settings.careMaxBytes, signal: context.call.signal });
    },
    sweep: sweepHome,
  });
  report(context, session, use);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** Loaded where a key is configured only: nobody else pays for it. @throws CacheError `usage` for a refused key. */
async function signingOf({ call, settings }: Context, root: ChosenRoot): Promise<Signing | null> {
  const files = settings.keyFiles;
  if (files === null) return null;
  const { loadSigning } = await import('../store/key-files.js');
  const locate = (path: string): string => resolve(call.cwd, path);
  return loadSigning(call.host, {
    keyFile: locate(files.keyFile),
    acceptedKeyFiles: files.acceptedKeyFiles.map(locate),
    root: root.path,
  });
}

/** Shows trouble once per kind, and notes, as they come. */
function report(context: Context, session: CacheSession, use: SessionUse): void {
  const { settings, call, quiet, verbose } = context;
  const { silent = false, stderr = call.terminal.stderr } = use;
  const shown = new Set<string>();
  const showsTrouble = settings.strict || verbose || (!quiet && !silent);
  session.onTrouble = ({ kind, message }) => {
    if (!showsTrouble || shown.has(kind)) return;
    shown.add(kind);
    stderr.write(problemLines(message));
  };
  session.onNote = (line) => {
    if (verbose || (!quiet && !silent)) stderr.write(problemLines(line));
  };
  // What went wrong while the session was opened, before anybody listened.
  for (const trouble of session.troubles) session.onTrouble(trouble);
}

/** Colours for stdout. */
export async function paintFor(context: Context): Promise<Paint> {
  const { environment, terminal } = context.call;
  return loadPaint({ setting: context.settings.color, environment, isTerminal: terminal.stdout.isTerminal });
}
