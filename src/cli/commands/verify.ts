import { resolve } from 'node:path';
import type { CacheSession } from '../../compile/session.js';
import type { VerifyReport } from '../../maintenance/reports.js';
import type { Treatment } from '../../maintenance/treatment.js';
import type { VerifyOptions } from '../../maintenance/verify.js';
import { CacheError } from '../../model/error.js';
import { isFingerprint, isFingerprintPrefix, type Fingerprint } from '../../model/fingerprint.js';
import { formatCount } from '../../model/units.js';
import { resolveRoot } from '../../store/root-path.js';
import type { Call, CliCommand } from '../command.js';
import { demandSomebodyToAsk, isConsented } from '../consent.js';
import { openContext, paintFor, type Context } from '../context.js';
import { EXIT, problemLines } from '../failure.js';
import { resolvePrefix } from '../fingerprint-arguments.js';
import { startProgress } from '../progress.js';
import { withReadableRoot } from '../readable-root.js';
import { plural, printable } from '../rendering/text.js';
import { renderRestoredJson, renderVerify, renderVerifyJson } from '../rendering/verify.js';
import { defaultCacheDirectory } from '../settings/environment.js';

export const verifyCommand: CliCommand = {
  name: 'verify',
  synopsis:
    '[dir] [options]\n       vyre-cache verify <fingerprint...> [options]\n       vyre-cache verify [dir] --restore <name>',
  description:
    'Reads every byte of every artifact, of all systems, or of the named entries, and compares it with its checksum. ' +
    'Changes nothing unless it is told to. Exit 0: nothing is damaged; 1: damage was found; 3: something could not be ' +
    'read, moved or deleted.',
  positionals: { syntax: '[dir-or-fingerprints...]', doc: 'a cache directory, or fingerprints of entries' },
  options: [
    {
      flags: '--quarantine',
      doc: 'move what is damaged out of the way, each artifact whole and with its reason',
    },
    {
      flags: '--restore <name>',
      doc: 'bring back what --quarantine moved, by its name there or the start of it',
    },
    { flags: '--delete', doc: 'delete what is damaged; asks, or needs --yes' },
    {
      flags: '--seal',
      doc: 'note the digests of what carries no checksum, so that later runs find what changed',
    },
    { flags: '-y, --yes', doc: 'with --delete: do not ask' },
  ],
  settings: [],
  takesCommand: false,
  examples: [
    'vyre-cache verify',
    'vyre-cache verify ~/.cache/wasmtime --seal',
    'vyre-cache verify ~/.cache/vyre --quarantine --json',
  ],
  cleansUp: false,
  run,
};

async function run(call: Call): Promise<number> {
  const context = await openContext(call);
  const wanted = wantedOf(context);
  if (wanted.restore !== null) return restore(context, wanted.restore);
  const target = readTarget(call);
  if (target.words !== null && wanted.seals) {
    throw new CacheError('usage', 'expected --seal with a directory or none, got fingerprints');
  }
  if (wanted.deletes) demandSomebodyToAsk(context, '--delete', 'Without --delete it shows what is damaged.');
  const report = await withReadableRoot(
    context,
    target.directory,
    async (session) => verifyRoot(context, session, { target, wanted }),
    { anyLayout: target.words === null },
  );
  if (report === null) return EXIT.negative;
  const paint = await paintFor(context);
  call.terminal.stdout.write(
    context.json ? renderVerifyJson(report) : renderVerify(report, { paint, quiet: context.quiet }),
  );
  if (report.sealError !== null) call.terminal.stderr.write(problemLines(report.sealError));
  return exitCode(report);
}

/** What is asked for besides a report. */
interface Wanted {
  readonly quarantines: boolean;
  readonly deletes: boolean;
  readonly seals: boolean;
  readonly restore: string | null;
}

/** @throws CacheError `usage` for options that exclude each other. */
function wantedOf({ call }: Context): Wanted {
  const { options } = call;
  const wanted = {
    quarantines: options.flag('quarantine'),
    deletes: options.flag('delete'),
    seals: options.flag('seal'),
    restore: options.text('restore'),
  };
  const exclusive = [
    ...(wanted.quarantines ? ['--quarantine'] : []),
    ...(wanted.deletes ? ['--delete'] : []),
    ...(wanted.restore === null ? [] : ['--restore']),
  ];
  if (wanted.restore !== null && wanted.seals) exclusive.push('--seal');
  const [one, other] = exclusive;
  if (other !== undefined) throw new CacheError('usage', `expected ${one} or ${other}, got both`);
  if (options.flag('yes') && !wanted.deletes) {
    throw new CacheError('usage', 'expected --yes with --delete only: verify asks nothing without it');
  }
  return wanted;
}

async function verifyRoot(
  context: Context,
  session: CacheSession,
  { target, wanted }: { readonly target: Target; readonly wanted: Wanted },
): Promise<VerifyReport | null> {
  const fingerprints = await resolveAll(session, target.words);
  const verifyBy = async (treatment: Treatment | null): Promise<VerifyReport> =>
    verifyWithProgress(context, session, { fingerprints, treatment, seals: wanted.seals });
  if (wanted.quarantines) return verifyBy({ kind: 'quarantine', home: defaultHome(context) });
  if (!wanted.deletes) return verifyBy(null);
  if (!context.call.options.flag('yes')) {
    const { damaged, root } = await verifyBy(null);
    if (damaged === 0) return verifyBy(null);
    const what = plural(formatCount(damaged), 'damaged artifact', 'damaged artifacts');
    if (!(await isConsented(context, `Delete ${what} in ${printable(root)}?`))) return null;
  }
  return verifyBy({ kind: 'delete' });
}

/** The cache that is used without a typed directory: it keeps the quarantine of all other systems. */
function defaultHome({ call, settings }: Context): string | null {
  const { untyped } = settings.cacheDirectory;
  const named = untyped ?? defaultCacheDirectory(call.environment);
  return named === null ? null : resolveRoot(call.host, resolve(call.cwd, named));
}

async function restore(context: Context, name: string): Promise<number> {
  const { call, json, quiet } = context;
  const { positionals } = call;
  if (positionals.length > 1) {
    throw new CacheError('usage', `expected one directory with --restore, got ${positionals.length}`);
  }
  const { restoreArtifact } = await import('../../maintenance/restore.js');
  const restored = await withReadableRoot(context, positionals[0] ?? null, async (session) =>
    restoreArtifact(session, name),
  );
  if (json) call.terminal.stdout.write(renderRestoredJson(restored));
  else if (!quiet) call.terminal.stdout.write(`Restored ${printable(restored.path)}\n`);
  return EXIT.ok;
}

interface Target {
  readonly directory: string | null;
  /** Fingerprints or their starts; null for the whole root. */
  readonly words: readonly string[] | null;
}

/** Fingerprints, or one directory: the start of a fingerprint is a directory where one is called so. */
function readTarget({ positionals, host, cwd }: Call): Target {
  const [first] = positionals;
  if (first === undefined) return { directory: null, words: null };
  const named = positionals.filter(
    (word) =>
      isFingerprint(word) ||
      (isFingerprintPrefix(word) && host.files.stat(resolve(cwd, word))?.type !== 'directory'),
  );
  if (named.length === positionals.length) return { directory: null, words: positionals };
  if (positionals.length === 1) return { directory: first, words: null };
  const other = positionals.find((word) => !named.includes(word)) ?? first;
  throw new CacheError(
    'usage',
    `expected one directory, or fingerprints only, got "${other}" among ${positionals.length}`,
  );
}

async function resolveAll(
  session: CacheSession,
  words: readonly string[] | null,
): Promise<Fingerprint[] | null> {
  if (words === null) return null;
  const found: Fingerprint[] = [];
  for (const word of words) {
    const fingerprint = await resolvePrefix(session, word);
    if (fingerprint === null)
      throw new CacheError('usage', `expected the start of an entry's fingerprint, got "${word}"`);
    found.push(fingerprint);
  }
  return found;
}

async function verifyWithProgress(
  context: Context,
  session: CacheSession,
  options: Omit<VerifyOptions, 'onProgress'>,
): Promise<VerifyReport> {
  const { verify } = await import('../../maintenance/verify.js');
  const progress = await startProgress(context, 'verifying');
  try {
    return await verify(session, {
      ...options,
      onProgress: (figures) => {
        progress.show(figures);
      },
    });
  } finally {
    progress.done();
  }
}

function exitCode(report: VerifyReport): number {
  if (report.sealError !== null) return EXIT.environment;
  if (
    report.unreadable > 0 ||
    report.treated.some(({ action }) => action === 'failed' || action === 'in-use')
  )
    return EXIT.environment;
  return report.problems.length > 0 || report.damaged > 0 ? EXIT.negative : EXIT.ok;
}
