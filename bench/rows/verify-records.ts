import { makeRecordedEntries } from '../data/recorded-entries.js';
import { formatCount } from '../../src/model/units.js';
import { measureRow } from '../measure.js';
import type { Group } from '../row.js';

const COUNT = 20_000;
const PAYLOAD_BYTES = 4096;
/** An entry and its record. */
const FILE_BYTES = 8192 + 4096;

/** A home as `compile` leaves it: every record is read, decoded and held against its entry, too. */
export const verifyRecords: Group = {
  rows: ['verify-records'],
  needs: ['gcc'],
  spaceBytes: (scale) => Math.max(1, scale * COUNT) * (FILE_BYTES + 1024),
  async measure(site) {
    const count = site.count(COUNT);
    await makeRecordedEntries(site, site.path('home'), { count, payloadBytes: PAYLOAD_BYTES });
    const line = `find home -name '*.bin' -print0 | xargs -0 b3sum`;
    await measureRow(site, {
      id: 'verify-records',
      title: `verify, ${formatCount(count)} entries of 4 KiB with their records`,
      ours: {
        name: 'vyre-cache verify',
        needs: [],
        run: async () => site.time(site.ours(['verify', site.path('home')])),
      },
      rivals: [
        {
          name: 'find | xargs b3sum, entries alone',
          bound: null,
          needs: ['b3sum', 'find', 'xargs'],
          run: async () => site.time(site.shell(line)),
        },
      ],
    });
  },
};
