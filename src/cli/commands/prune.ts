import type { CacheSession } from '../../compile/session.js';
import { prune, type NumberedPruneReport, type PruneOptions } from '../../maintenance/prune.js';
import { LAYOUT_NAMES, type LayoutName } from '../../layouts/layout.js';
import { CacheError } from '../../model/error.js';
import { NO_RULES, type RetentionRules } from '../../model/retention.js';
import { formatBytes, formatCount } from '../../model/units.js';
import type { Call, CliCommand } from '../command.js';
import { demandSomebodyToAsk, isConsented } from '../consent.js';
import { openContext, paintFor, type Context } from '../context.js';
import { EXIT, problemLines } from '../failure.js';
import { directoryOf } from '../positional-directory.js';
import { startProgress } from '../progress.js';
import { withReadableRoot } from '../readable-root.js';
import { renderPrune, renderPruneWarnings } from '../rendering/prune.js';
import { renderNumberedRemovals, renderRemovalFailures, renderRemovalsJson } from '../rendering/removals.js';
import { plural, printable } from '../rendering/text.js';
import { PRUNE_KEYS, type PruneSettings } from '../settings/settings.js';

export const pruneCommand: CliCommand = {
  name: 'prune',
  synopsis: '[dir] [options]',
  description:
    'Removes valid entries: first those older than --ttl, then, where a limit is exceeded, the least recently used, ' +
    'until every limit holds. Entries in use stay. Rules of the settings hold as well. ' +
    'Exit 3: something could not be removed.',
  positionals: { syntax: '[dir]', doc: 'a cache directory' },
  options: [
    { flags: '--all', doc: 'remove every entry; asks, or needs --yes' },
    {
      flags: '--layout <name>',
      doc: `only what belongs to ${LAYOUT_NAMES.join(', ')}; repeatable`,
      repeatable: true,
    },
    { flags: '--dry-run', doc: 'show what would be removed and why, and remove nothing' },
    { flags: '-y, --yes', doc: 'do not ask' },
  ],
  settings: PRUNE_KEYS,
  takesCommand: false,
  examples: [
    'vyre-cache prune --ttl 7d --max-size 5GiB --dry-run',
    'vyre-cache prune --max-size 5GiB --low-water 70%',
    'vyre-cache prune --all --yes',
  ],
  cleansUp: true,
  run,
};

async function run(call: Call): Promise<number> {
  const context = await openContext(call);
  const rules = readRules(context);
  const layouts = readLayouts(call);
  if (rules.all && !call.options.flag('dryRun')) demandSomebodyToAsk(context, '--all');
  const report = await withReadableRoot(
    context,
    directoryOf(call),
    async (session) => pruneWithLeave(context, session, { rules, layouts }),
    { anyLayout: true },
  );
  if (report === null) return EXIT.negative;
  await show(context, report);
  return report.failures.length > 0 ? EXIT.environment : EXIT.ok;
}

/** @throws CacheError `usage` when no rule is given, or rules that exclude each other. */
function readRules(context: Context): RetentionRules {
  const { call } = context;
  const typed = PRUNE_KEYS.filter((key) => call.flags.has(key));
  if (call.options.flag('all')) {
    if (typed.length > 0) throw new CacheError('usage', 'expected --all alone, got another rule beside it');
    return ALL;
  }
  const { vyreVariables, ...rules } = context.settings.prune;
  const isLimited = rules.maxBytes !== null || rules.maxEntries !== null;
  if (rules.ttlMs === null && !isLimited && rules.minFree === null) throw noRule();
  if (typed.includes('prune.low_water') && !isLimited)
    throw new CacheError('usage', 'expected --max-size or --max-entries with --low-water, got neither');
  sayOrigin(context, vyreVariables);
  return { all: false, ...rules };
}

/** Null: all. @throws CacheError `usage` for one that is not known. */
function readLayouts({ options }: Call): readonly LayoutName[] | null {
  const names = options.list('layout');
  if (names.length === 0) return null;
  return names.map((name) => {
    const known = LAYOUT_NAMES.find((each) => each === name);
    if (known !== undefined) return known;
    throw new CacheError('usage', `expected one of ${LAYOUT_NAMES.join(', ')} for --layout, got "${name}"`);
  });
}

const ALL: RetentionRules = { ...NO_RULES, all: true };

function noRule(): CacheError {
  return new CacheError('usage', 'expected a rule, got none', {
    hint:
      'Name one with --ttl, --max-size, --max-entries, --min-free or --all, or set ttl, max_size, max_entries or ' +
      'min_free below [prune] in a settings file.',
  });
}

function sayOrigin({ call, quiet }: Context, names: PruneSettings['vyreVariables']): void {
  if (names.length === 0 || quiet) return;
  const message = `goes by ${names.join(' and ')}, for nothing else sets ${names.length === 1 ? 'that rule' : 'those rules'}`;
  call.terminal.stderr.write(problemLines(message));
}

/** Null when the user was asked and does not want it. */
async function pruneWithLeave(
  context: Context,
  session: CacheSession,
  wanted: { readonly rules: RetentionRules; readonly layouts: readonly LayoutName[] | null },
): Promise<NumberedPruneReport | null> {
  const { options, signal } = context.call;
  const { rules } = wanted;
  const dryRun = options.flag('dryRun');
  if (rules.all && !dryRun && !options.flag('yes')) {
    const planned = await pruneWithProgress(context, session, { ...wanted, dryRun: true, signal });
    const entries = plural(formatCount(planned.removedCount), 'entry', 'entries');
    const question = `Remove ${entries}, ${formatBytes(planned.removedBytes)}, from ${printable(planned.root)}?`;
    if (!(await isConsented(context, question))) return null;
  }
  return pruneWithProgress(context, session, { ...wanted, dryRun, signal });
}

async function pruneWithProgress(
  context: Context,
  session: CacheSession,
  options: PruneOptions,
): Promise<NumberedPruneReport> {
  const progress = await startProgress(context, 'looking at');
  try {
    return await prune(session, {
      ...options,
      onProgress: (figures) => {
        progress.show(figures);
      },
    });
  } finally {
    progress.done();
  }
}

async function show(context: Context, report: NumberedPruneReport): Promise<void> {
  const { call, json, quiet, verbose } = context;
  const { stdout, stderr } = call.terminal;
  for (const line of renderRemovalFailures(report)) stderr.write(problemLines(line));
  if (!quiet) for (const line of renderPruneWarnings(report)) stderr.write(problemLines(line));
  if (json) {
    await writePieces(context, renderRemovalsJson('vyre-cache.prune/1', report));
    return;
  }
  const paint = await paintFor(context);
  if (report.dryRun || verbose)
    await writePieces(context, renderNumberedRemovals(report.removed, { paint, verbose }));
  if (!quiet) stdout.write(renderPrune(report));
}

/** One piece at a time: a slow reader must not make us hold all of them. */
async function writePieces({ call }: Context, pieces: Iterable<string>): Promise<void> {
  for (const piece of pieces) {
    call.terminal.stdout.write(piece);
    await call.terminal.stdout.flush();
  }
}
