import { makeEntries } from '../data/entries.js';
import { floorCommand } from '../data/floors.js';
import { formatCount } from '../../src/model/units.js';
import { measureRow } from '../measure.js';
import { FOOTER_BYTES } from '../../src/model/entry.js';
import type { Floor, Group, Rival, Side } from '../row.js';
import type { Site } from '../site.js';

const COUNT = 200_000;
const PAYLOAD_BYTES = 1024;
const FILE_BYTES = 4096;
const OLDEST_DAYS = 14;
const WEEK_MS = 7 * 86_400_000;
const BOUND = 1.5;

/** What looks at every file and reads none. */
export const store: Group = {
  rows: ['stats', 'prune', 'prune-order'],
  needs: [],
  spaceBytes: (scale) => scale * COUNT * (FILE_BYTES + 512),
  async measure(site) {
    const count = site.count(COUNT);
    await makeEntries(site, site.path('home'), {
      count,
      payloadBytes: PAYLOAD_BYTES,
      oldestDays: OLDEST_DAYS,
    });
    if (site.wants('stats')) {
      const row = {
        id: 'stats',
        title: `stats, ${formatCount(count)} entries`,
        ours: ours(site, ['stats']),
      } as const;
      const floors = [leastWalk(site, { count, args: [] })];
      await measureRow(site, { ...row, rivals: [find(site, BOUND)], floors });
    }
    if (site.wants('prune')) {
      // As a CI step has it: what is older than a week goes, and all that is left is far below the limit.
      const args = ['prune', '--dry-run', '--ttl', '7d', '--max-size', '5GiB'];
      const title = `prune --dry-run by age, ${formatCount(count)} entries, half of them too old`;
      const floors = [leastWalk(site, { count, args: [String(Date.now() - WEEK_MS)] })];
      const rivals = [find(site, BOUND)];
      await measureRow(site, { id: 'prune', title, ours: ours(site, args), rivals, floors });
    }
    if (site.wants('prune-order')) {
      const args = ['prune', '--dry-run', '--max-size', `${Math.round((count * PAYLOAD_BYTES) / 2)}B`];
      const title = `prune --dry-run by size, ${formatCount(count)} entries, half of them too many`;
      await measureRow(site, {
        id: 'prune-order',
        title,
        ours: ours(site, args),
        rivals: [find(site, BOUND)],
      });
    }
  },
};

function ours(site: Site, args: readonly string[]): Side {
  const command = site.ours([...args, site.path('home')]);
  return { name: `vyre-cache ${args.join(' ')}`, needs: [], run: async () => site.time(command) };
}

function find(site: Site, bound: number): Rival {
  const line = String.raw`find home -printf '%s %T@ %p\n'`;
  return { name: 'find -printf', bound, needs: ['find'], run: async () => site.time(site.shell(line)) };
}

/** Looks at every file; with a time also prints what was used before. */
function leastWalk(site: Site, { count, args }: { count: number; args: readonly string[] }): Floor {
  const bytes = count * (PAYLOAD_BYTES + FOOTER_BYTES);
  const words = ['home/pipelines', String(count), String(bytes), ...args];
  return {
    name: 'least under Node, two threads',
    needs: [],
    absent: null,
    run: async () => site.time(floorCommand(site, 'stats.cjs', words)),
  };
}
