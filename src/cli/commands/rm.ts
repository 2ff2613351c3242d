import type { CacheSession } from '../../compile/session.js';
import type { RemovedEntry, RemoveReport } from '../../maintenance/reports.js';
import type { Fingerprint } from '../../model/fingerprint.js';
import type { Call, CliCommand } from '../command.js';
import { openContext } from '../context.js';
import { EXIT, problemLines } from '../failure.js';
import { requirePrefix, resolvePrefix } from '../fingerprint-arguments.js';
import { withReadableRoot } from '../readable-root.js';
import { renderNotRemoved, renderRemoved, renderRemoveJson } from '../rendering/remove.js';

export const rmCommand: CliCommand = {
  name: 'rm',
  synopsis: '<fingerprint...> [options]',
  description:
    'Removes entries with their records. At least eight digits of a fingerprint are enough where one entry begins so. ' +
    'Exit 1: one was absent; 3: one could not be removed.',
  positionals: { syntax: '<fingerprint...>', doc: 'fingerprints of entries, or how they begin' },
  options: [],
  settings: [],
  takesCommand: false,
  examples: ['vyre-cache rm 3f2a9c1b'],
  cleansUp: true,
  run,
};

async function run(call: Call): Promise<number> {
  const context = await openContext(call);
  const words = call.positionals.map(requirePrefix);
  const report = await withReadableRoot(context, null, async (session) => remove(session, words));
  const { stdout, stderr } = call.terminal;
  if (context.json) {
    stdout.write(renderRemoveJson(report));
  } else {
    for (const line of renderNotRemoved(report)) stderr.write(problemLines(line));
    const removedAny = report.entries.some((entry) => entry.result === 'removed');
    if (removedAny && !context.quiet) stdout.write(renderRemoved(report));
  }
  return exitCode(report);
}

/** Every word is resolved before the first entry goes: a mistake in the last one removes nothing. */
async function remove(session: CacheSession, words: readonly string[]): Promise<RemoveReport> {
  const found = new Set<Fingerprint>();
  const absent: RemovedEntry[] = [];
  for (const word of words) {
    const fingerprint = await resolvePrefix(session, word);
    if (fingerprint === null) absent.push({ fingerprint: word, result: 'absent', bytes: 0, error: null });
    else found.add(fingerprint);
  }
  const { removeEntries } = await import('../../maintenance/remove.js');
  const report = await removeEntries(session, [...found]);
  return { ...report, entries: [...report.entries, ...absent] };
}

function exitCode({ entries }: RemoveReport): number {
  if (entries.some(({ result }) => result === 'in-use' || result === 'failed')) return EXIT.environment;
  return entries.some(({ result }) => result === 'absent') ? EXIT.negative : EXIT.ok;
}
