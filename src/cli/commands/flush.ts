import type { FlushReport } from '../../maintenance/reports.js';
import type { Call, CliCommand } from '../command.js';
import { openContext, type Context } from '../context.js';
import { EXIT, problemLines } from '../failure.js';
import { directoryOf } from '../positional-directory.js';
import { withReadableRoot } from '../readable-root.js';
import { renderFlush, renderFlushJson, renderListProblem, renderNotSynced } from '../rendering/flush.js';

export const flushCommand: CliCommand = {
  name: 'flush',
  synopsis: '[dir] [options]',
  description:
    'Makes entries durable: what was stored before survives a power cut afterwards. Deletes nothing; `prune` and `rm` ' +
    'do. Exit 3: something could not be synced; it stays pending, and the next flush tries again.',
  positionals: { syntax: '[dir]', doc: 'a cache directory' },
  options: [],
  settings: [],
  takesCommand: false,
  examples: ['vyre-cache flush', 'vyre-cache flush ~/.cache/vyre --json'],
  cleansUp: false,
  run,
};

async function run(call: Call): Promise<number> {
  const context = await openContext(call);
  const report = await withReadableRoot(context, directoryOf(call), async (session) => {
    const { flush } = await import('../../maintenance/flush.js');
    return flush(session);
  });
  tellProblems(context, report);
  if (context.json) call.terminal.stdout.write(renderFlushJson(report));
  else if (!context.quiet) call.terminal.stdout.write(renderFlush(report));
  return isIncomplete(report) ? EXIT.environment : EXIT.ok;
}

function tellProblems({ call, quiet }: Context, report: FlushReport): void {
  const { stderr } = call.terminal;
  for (const line of renderNotSynced(report)) stderr.write(problemLines(line));
  if (report.listProblem === null || (quiet && report.listProblem.kind !== 'failed')) return;
  const hint =
    report.listProblem.error === 'ENOSPC'
      ? 'Nothing is lost; make room and run `vyre-cache flush` again.'
      : null;
  stderr.write(problemLines(renderListProblem(report, report.listProblem), hint));
}

/** A list that may not be written loses nothing: all that it names was synced. */
function isIncomplete({ failures, listProblem }: FlushReport): boolean {
  return failures.length > 0 || listProblem?.kind === 'failed';
}
