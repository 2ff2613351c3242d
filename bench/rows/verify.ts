import { makeEntries } from '../data/entries.js';
import { floorCommand, withoutAddons } from '../data/floors.js';
import { formatCount } from '../../src/model/units.js';
import { measureRow } from '../measure.js';
import type { Floor, Group, Rival, Row, RowId, Side } from '../row.js';
import type { Site } from '../site.js';

const HOME_ENTRIES = 'home/pipelines';
const SMALL = { count: 100_000, payloadBytes: 4096 };
const LARGE = { count: 64, payloadBytes: 67_108_864 };
/** Above what a small file and its name occupy on the usual file systems. */
const SMALL_FILE_BYTES = 8192;
/** Linux lets no more characters of arguments pass, names and pointers together, with the usual limit of the stack. */
const ARGUMENT_BYTES = 1_900_000;

export const verifySmall: Group = {
  rows: ['verify-small'],
  needs: [],
  spaceBytes: (scale) => scale * SMALL.count * (SMALL_FILE_BYTES + 512),
  async measure(site) {
    await makeEntries(site, site.path('home'), { ...SMALL, count: site.count(SMALL.count), oldestDays: 14 });
    await measureRow(site, {
      ...rowOver(site, 'verify-small', site.count(SMALL.count)),
      title: `verify, ${formatCount(site.count(SMALL.count))} entries of 4 KiB`,
      rivals: [
        b3sum(site, { name: 'find | xargs b3sum', options: '', bound: 0.6 }),
        b3sum(site, { name: 'the same, xargs -P2', options: '-P2 ', bound: null }),
        b3sum(site, {
          name: 'the same, fewest b3sum',
          options: `-n ${SMALL.count} -s ${ARGUMENT_BYTES} `,
          bound: null,
        }),
      ],
    });
  },
};

export const verifyLarge: Group = {
  rows: ['verify-large'],
  needs: [],
  spaceBytes: (scale) => Math.max(1, scale * LARGE.count) * (LARGE.payloadBytes + 65_536),
  async measure(site) {
    await makeEntries(site, site.path('home'), { ...LARGE, count: site.count(LARGE.count), oldestDays: 14 });
    await measureRow(site, {
      ...rowOver(site, 'verify-large', site.count(LARGE.count)),
      title: `verify, ${formatCount(site.count(LARGE.count))} entries of 64 MiB`,
      rivals: [b3sum(site, { name: 'b3sum', options: '', bound: 0.9 })],
    });
  },
};

function rowOver(site: Site, id: RowId, count: number): Pick<Row, 'id' | 'ours' | 'floors'> {
  const ours: Side = {
    name: 'vyre-cache verify',
    needs: [],
    run: async () => site.time(site.ours(['verify', site.path('home')])),
  };
  const floor: Floor = {
    name: 'least under Node, two threads',
    needs: [],
    absent: withoutAddons(),
    run: async () => site.time(floorCommand(site, 'verify.cjs', [HOME_ENTRIES, String(count)])),
  };
  return { id, ours, floors: [floor] };
}

function b3sum(
  site: Site,
  { name, options, bound }: { name: string; options: string; bound: number | null },
): Rival {
  const line = `find home -name '*.bin' -print0 | xargs -0 ${options}b3sum`;
  return { name, bound, needs: ['b3sum', 'find', 'xargs'], run: async () => site.time(site.shell(line)) };
}
