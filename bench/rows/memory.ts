import { makeEntries } from '../data/entries.js';
import { formatCount } from '../../src/model/units.js';
import { reportFigure } from '../measure.js';
import type { Group } from '../row.js';

const COUNT = 1_000_000;
const PAYLOAD_BYTES = 64;
const FILE_BYTES = 4096;
const BOUND_BYTES = 268_435_456;

/** What the commands that look at everything hold in memory. */
export const memory: Group = {
  rows: ['memory'],
  needs: [],
  spaceBytes: (scale) => scale * COUNT * (FILE_BYTES + 512),
  async measure(site) {
    const count = site.count(COUNT);
    const home = site.path('home');
    await makeEntries(site, home, { count, payloadBytes: PAYLOAD_BYTES, oldestDays: 14 });
    for (const args of [['verify'], ['prune', '--dry-run', '--ttl', '7d'], ['stats']]) {
      const name = args.slice(0, 2).join(' ');
      site.setting.reporter.step(`memory: ${name}`);
      const value = await site.peakOf(async () => site.time(site.ours([...args, home])));
      reportFigure(site, {
        id: 'memory',
        title: `peak memory of ${name}, ${formatCount(count)} entries`,
        of: null,
        unit: 'bytes',
        value: value ?? Number.NaN,
        bound: { kind: 'at-most', value: BOUND_BYTES },
      });
    }
  },
};
