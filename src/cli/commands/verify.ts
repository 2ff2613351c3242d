import { resolve } from 'node:path';
import type { CacheSession } from '../../compile/session.js';
import type { VerifyReport } from '../../maintenance/reports.js';
import { CacheError } from '../../model/error.js';
import { isFingerprint, isFingerprintPrefix, type Fingerprint } from '../../model/fingerprint.js';
import type { Call, CliCommand } from '../command.js';
import { openContext, paintFor, type Context } from '../context.js';
import { EXIT } from '../failure.js';
import { resolvePrefix } from '../fingerprint-arguments.js';
import { startProgress } from '../progress.js';
import { withReadableRoot } from '../readable-root.js';
import { renderVerify, renderVerifyJson } from '../rendering/verify.js';

export const verifyCommand: CliCommand = {
  name: 'verify',
  synopsis: '[dir] [options]\n       vyre-cache verify <fingerprint...> [options]',
  description:
    'Reads every byte of every artifact, or of the named ones, and compares it with its checksum. Changes nothing. ' +
    'Exit 0: all valid; 1: damage found; 3: something could not be read.',
  positionals: { syntax: '[dir-or-fingerprints...]', doc: 'a cache directory, or fingerprints of entries' },
  options: [],
  settings: [],
  takesCommand: false,
  examples: ['vyre-cache verify', 'vyre-cache verify ~/.cache/vyre --json'],
  cleansUp: false,
  run,
};

async function run(call: Call): Promise<number> {
  const context = await openContext(call);
  const target = readTarget(call);
  const report = await withReadableRoot(context, target.directory, async (session) =>
    verifyWithProgress(context, session, await resolveAll(session, target.words)),
  );
  const paint = await paintFor(context);
  call.terminal.stdout.write(
    context.json ? renderVerifyJson(report) : renderVerify(report, { paint, quiet: context.quiet }),
  );
  return exitCode(report);
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
  fingerprints: Fingerprint[] | null,
): Promise<VerifyReport> {
  const { verify } = await import('../../maintenance/verify.js');
  const progress = await startProgress(context, 'verifying');
  try {
    return await verify(session, {
      fingerprints,
      onProgress: (figures) => {
        progress.show(figures);
      },
    });
  } finally {
    progress.done();
  }
}

function exitCode(report: VerifyReport): number {
  if (report.unreadable > 0) return EXIT.environment;
  return report.problems.length > 0 || report.damaged > 0 ? EXIT.negative : EXIT.ok;
}
