import { resolve } from 'node:path';
import type { CacheSession } from '../../compile/session.js';
import type { GcReport } from '../../maintenance/gc.js';
import type { RemovalReport } from '../../maintenance/reports.js';
import { CacheError, errnoOf } from '../../model/error.js';
import { formatBytes, formatCount } from '../../model/units.js';
import type { Call, CliCommand } from '../command.js';
import { demandSomebodyToAsk, isConsented } from '../consent.js';
import { openContext, paintFor, rootOf, withSession, type Context } from '../context.js';
import { EXIT, problemLines } from '../failure.js';
import { directoryOf } from '../positional-directory.js';
import { withReadableRoot } from '../readable-root.js';
import { renderGc } from '../rendering/gc.js';
import { renderRemovalFailures, renderRemovals, renderRemovalsJson } from '../rendering/removals.js';
import { plural } from '../rendering/text.js';

export const gcCommand: CliCommand = {
  name: 'gc',
  synopsis: '[dir] [options]',
  description:
    'Removes garbage, never an artifact: worker directories of dead processes, temporary files and expired locks of all ' +
    'known writers, records and statistics without an artifact, expired failures, notes that nobody has used for 90 ' +
    'days, what was quarantined 30 days ago. What is in use or young stays. ' +
    'Exit 3: something could not be removed or read.\n\n' +
    'With --restart, on a directory of a PVF host: removes *.pvf, wasmtime_* and worker-dir* from its top level, as the ' +
    'host does when it starts. The node must be stopped.',
  positionals: { syntax: '[dir]', doc: 'a cache directory' },
  options: [
    { flags: '--dry-run', doc: 'show what would be removed, and remove nothing' },
    {
      flags: '--stale-compilers',
      doc: 'also remove what compilers made of which a newer version has been used since, after a week',
    },
    { flags: '--restart', doc: 'do what a PVF host does at its start in [dir]; the node must be stopped' },
    { flags: '-y, --yes', doc: 'with --restart: do not ask' },
  ],
  settings: [],
  takesCommand: false,
  examples: [
    'vyre-cache gc',
    'vyre-cache gc --dry-run',
    'vyre-cache gc --restart /var/lib/node/pvf-artifacts',
  ],
  cleansUp: false,
  run,
};

async function run(call: Call): Promise<number> {
  const context = await openContext(call);
  if (call.options.flag('restart') && call.options.flag('staleCompilers')) {
    throw new CacheError('usage', 'expected --restart or --stale-compilers, got both');
  }
  if (call.options.flag('restart')) return restart(context);
  if (call.options.flag('yes')) {
    throw new CacheError('usage', 'expected --yes with --restart only: gc asks nothing without it');
  }
  const { collectGarbage } = await import('../../maintenance/gc.js');
  const dryRun = call.options.flag('dryRun');
  const report = await withReadableRoot(
    context,
    directoryOf(call),
    async (session) =>
      collectGarbage(session, { dryRun, staleCompilers: call.options.flag('staleCompilers') }),
    { anyLayout: true },
  );
  if (!report.isBusy || context.json) return show(context, report);
  sayBusy(context, report);
  return EXIT.ok;
}

function sayBusy({ call, quiet }: Context, { root }: GcReport): void {
  if (quiet) return;
  const line = `another process cleans up "${root}" at this moment; nothing was done here`;
  call.terminal.stderr.write(problemLines(line));
}

async function restart(context: Context): Promise<number> {
  const { call } = context;
  const directory = directoryOf(call);
  if (directory === null) {
    throw new CacheError('usage', 'expected the directory of a PVF host with --restart, got none', {
      hint: 'It is never guessed: name it, such as /var/lib/node/pvf-artifacts.',
    });
  }
  const dryRun = call.options.flag('dryRun');
  if (!dryRun) demandSomebodyToAsk(context, '--restart');
  const root = { path: realDirectory(context, directory), typed: true };
  return withSession(context, { root }, async (session) => restartIn(context, session, dryRun));
}

async function restartIn(context: Context, session: CacheSession, dryRun: boolean): Promise<number> {
  const { sweepAsAtStart } = await import('../../maintenance/restart.js');
  const preview = await sweepAsAtStart(session, { dryRun: true });
  if (dryRun || preview.removedCount + preview.failures.length === 0)
    return show(context, { ...preview, dryRun });
  const what = `${plural(formatCount(preview.removedCount), 'item', 'items')}, ${formatBytes(preview.removedBytes)}`;
  const question = `Remove ${what} from "${session.root}"? Its node must be stopped.`;
  if (!(await isConsented(context, question))) return EXIT.negative;
  return show(context, await sweepAsAtStart(session, { dryRun: false }));
}

/** As typed, links resolved: unlike for a cache, a folder called `pipelines` means itself. */
function realDirectory(context: Context, directory: string): string {
  const { host, cwd } = context.call;
  // For its complaints about what was typed.
  rootOf(context, directory);
  try {
    return host.files.realpath(resolve(cwd, directory));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    const path = resolve(cwd, directory);
    const found = errno === 'ENOENT' ? 'nothing' : `what cannot be read (${errno})`;
    throw new CacheError('environment', `expected a directory, found ${found} at "${path}"`, {
      cause: error,
    });
  }
}

async function show(
  context: Context,
  report: RemovalReport & { readonly isBusy?: boolean },
): Promise<number> {
  const { call, json, quiet, verbose } = context;
  const { stdout, stderr } = call.terminal;
  if (json) {
    for (const piece of renderRemovalsJson('vyre-cache.gc/1', report, { busy: report.isBusy === true }))
      stdout.write(piece);
  } else {
    if ((report.dryRun || verbose) && !quiet) {
      for (const piece of renderRemovals(report, { paint: await paintFor(context), verbose }))
        stdout.write(piece);
    }
    for (const line of renderRemovalFailures(report)) stderr.write(problemLines(line));
    if (!quiet) stdout.write(renderGc(report));
  }
  return report.failures.length > 0 ? EXIT.environment : EXIT.ok;
}
