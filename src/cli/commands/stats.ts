import type { CacheSession } from '../../compile/session.js';
import type { StatsReport } from '../../maintenance/reports.js';
import { CacheError } from '../../model/error.js';
import type { Call, CliCommand } from '../command.js';
import { openContext, paintFor, type Context } from '../context.js';
import { EXIT, problemLines } from '../failure.js';
import { directoryOf } from '../positional-directory.js';
import { withReadableRoot } from '../readable-root.js';
import { renderPrometheus } from '../rendering/prometheus.js';
import { renderStatsJson } from '../rendering/stats-json.js';
import { renderStats } from '../rendering/stats.js';
import { printable } from '../rendering/text.js';

/** Between two looks of `--watch`. */
const WATCH_MS = 2000;

export const statsCommand: CliCommand = {
  name: 'stats',
  synopsis: '[dir] [options]',
  description:
    'Shows trouble first, then the hit rate and the time saved, sizes and ages, and the counters behind them. ' +
    'With -v also what each compiler keeps here, and the largest and the costliest entries; that reads every record.',
  positionals: { syntax: '[dir]', doc: 'a cache directory' },
  options: [
    { flags: '--prometheus', doc: 'print metrics in the text format of Prometheus' },
    { flags: '--zero', doc: 'start the counters again at zero, and print what they were' },
    { flags: '--watch', doc: 'show the figures anew every two seconds, on a terminal' },
  ],
  settings: [],
  takesCommand: false,
  examples: [
    'vyre-cache stats',
    'vyre-cache stats --json',
    'vyre-cache stats --prometheus > vyre-cache.prom',
  ],
  // Nothing has to be cleaned up: a signal ends the process at once, also in the middle of --watch.
  cleansUp: false,
  run,
};

async function run(call: Call): Promise<number> {
  const context = await openContext(call);
  checkOptions(context);
  if (call.options.flag('watch')) return watch(context);
  const isZeroing = call.options.flag('zero');
  const report = await collect(context, isZeroing);
  call.terminal.stdout.write(await render(context, report));
  if (isZeroing && isForPeople(context)) call.terminal.stdout.write(`\n${zeroedLine(report)}\n`);
  for (const { path, error } of report.unreadable) {
    call.terminal.stderr.write(problemLines(`"${printable(path)}" cannot be looked at (${error})`));
  }
  return report.unreadable.length > 0 ? EXIT.environment : EXIT.ok;
}

function isForPeople({ json, call }: Context): boolean {
  return !json && !call.options.flag('prometheus');
}

/** @throws CacheError `usage`. */
function checkOptions({ json, call }: Context): void {
  const { options, terminal, environment } = call;
  const isWatching = options.flag('watch');
  const given = [
    ...(isWatching ? ['--watch'] : []),
    ...(options.flag('prometheus') ? ['--prometheus'] : []),
    ...(json ? ['--json'] : []),
    ...(isWatching && options.flag('zero') ? ['--zero'] : []),
  ];
  const [one, other] = given;
  if (other !== undefined) throw new CacheError('usage', `expected ${one} or ${other}, got both`);
  if (isWatching && (!terminal.stdout.isTerminal || environment['TERM'] === 'dumb')) {
    throw new CacheError('usage', 'expected a terminal for --watch, got another output', {
      hint: 'Run `vyre-cache stats` again and again instead, or scrape --prometheus.',
    });
  }
}

async function collect(context: Context, isZeroing: boolean): Promise<StatsReport> {
  const { collectStats, countDeadWorkers } = await import('../../maintenance/stats.js');
  const work = async (session: CacheSession): Promise<StatsReport> => {
    const { careMaxBytes } = context.settings;
    const report = await collectStats(session, {
      limitBytes: careMaxBytes === 0 ? null : careMaxBytes,
      ttlMs: context.settings.prune.ttlMs,
      // Metrics have no place for them.
      details: context.verbose && !context.call.options.flag('prometheus'),
    });
    const litter = { ...report.litter, deadWorkers: await countDeadWorkers(session) };
    if (!isZeroing) return { ...report, litter };
    const { zeroCounters } = await import('../../maintenance/zero.js');
    // What others counted since the report was made was set to zero as well.
    return { ...report, litter, counters: await zeroCounters(session) };
  };
  return withReadableRoot(context, directoryOf(context.call), work, { isEnough, anyLayout: true });
}

/** Calls that could not use a root were counted elsewhere: what they met is told, whatever lies there. */
function isEnough(session: CacheSession): boolean {
  return session.states().some((state) => state.readCounters() !== null);
}

async function render(context: Context, report: StatsReport): Promise<string> {
  if (context.json) return renderStatsJson(report);
  if (context.call.options.flag('prometheus')) return renderPrometheus(report);
  return renderStats(report, await paintFor(context));
}

function zeroedLine({ counters }: StatsReport): string {
  return counters === null ? 'nothing was counted yet' : 'these counters now start again at zero';
}

/** Cursor to the first place; to the end of each line; to the end of the screen. Nothing to restore when it ends. */
const HOME = '\u001B[H';
const CLEAR_LINE = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';

/** Until a signal ends the process. */
async function watch(context: Context): Promise<number> {
  const { host, signal, terminal } = context.call;
  const paint = await paintFor(context);
  while (!signal.aborted) {
    const text = renderStats(await collect(context, false), paint);
    const shown = `${text}\n${paint.faint('every 2 s; Ctrl-C ends')}\n`;
    terminal.stdout.write(`${HOME}${shown.replaceAll('\n', `${CLEAR_LINE}\n`)}${CLEAR_BELOW}`);
    await terminal.stdout.flush();
    await host.clock.sleep(WATCH_MS);
  }
  return EXIT.ok;
}
