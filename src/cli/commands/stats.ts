import type { CacheSession } from '../../compile/session.js';
import type { StatsReport } from '../../maintenance/reports.js';
import type { Call, CliCommand } from '../command.js';
import { openContext, paintFor } from '../context.js';
import { EXIT } from '../failure.js';
import { directoryOf } from '../positional-directory.js';
import { withReadableRoot } from '../readable-root.js';
import { renderStats, renderStatsJson } from '../rendering/stats.js';

export const statsCommand: CliCommand = {
  name: 'stats',
  synopsis: '[dir] [options]',
  description:
    'Shows trouble first, then the hit rate and the time saved, the counters behind them, sizes and ages.',
  positionals: { syntax: '[dir]', doc: 'a cache directory' },
  options: [],
  settings: [],
  takesCommand: false,
  examples: ['vyre-cache stats', 'vyre-cache stats --json'],
  cleansUp: false,
  run,
};

/** Calls that could not use a root were counted elsewhere: what they met is told, whatever lies there. */
function isEnough(session: CacheSession): boolean {
  return session.states().some((state) => state.readCounters() !== null);
}

async function run(call: Call): Promise<number> {
  const context = await openContext(call);
  const { collectStats } = await import('../../maintenance/stats.js');
  const work = async (session: CacheSession): Promise<StatsReport> => collectStats(session);
  const report = await withReadableRoot(context, directoryOf(call), work, { isEnough });
  const text = context.json ? renderStatsJson(report) : renderStats(report, await paintFor(context));
  call.terminal.stdout.write(text);
  return EXIT.ok;
}
