import type { Call, CliCommand } from '../command.js';
import { openContext, paintFor } from '../context.js';
import { EXIT } from '../failure.js';
import { directoryOf } from '../positional-directory.js';
import { withReadableRoot } from '../readable-root.js';
import { renderList, renderListJson } from '../rendering/list.js';

export const lsCommand: CliCommand = {
  name: 'ls',
  synopsis: '[dir] [options]',
  description:
    'Lists the entries: the start of the fingerprint, size, last use, compiler and outputs; all of it with -v.',
  positionals: { syntax: '[dir]', doc: 'a cache directory' },
  options: [],
  settings: [],
  takesCommand: false,
  examples: ['vyre-cache ls', 'vyre-cache ls --json'],
  cleansUp: false,
  run,
};

async function run(call: Call): Promise<number> {
  const context = await openContext(call);
  const { listEntries } = await import('../../maintenance/list.js');
  const report = await withReadableRoot(context, directoryOf(call), async (session) => listEntries(session));
  const { verbose, quiet } = context;
  const text = context.json
    ? renderListJson(report)
    : renderList(report, { paint: await paintFor(context), verbose, quiet });
  call.terminal.stdout.write(text);
  return EXIT.ok;
}
