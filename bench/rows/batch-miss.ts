import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { formatCount } from '../../src/model/units.js';
import { makeSources, ordinaryUnit, tinyUnit, unitName } from '../data/c-sources.js';
import { floorCommand } from '../data/floors.js';
import { compileLine, writeManifest } from '../data/manifest.js';
import { measureRow } from '../measure.js';
import type { Group, RowId } from '../row.js';
import type { Site } from '../site.js';

const COUNT = 200;
/** Sources, objects and entries of one unit. */
const UNIT_BYTES = 131_072;
const LANES = 2;

export const batchMiss = groupOf({
  id: 'batch-miss',
  kind: 'C files of 200 lines',
  text: ordinaryUnit,
  bound: 1.15,
});

export const batchMissTiny = groupOf({
  id: 'batch-miss-tiny',
  kind: 'C files of three lines',
  text: tinyUnit,
  bound: null,
});

interface Kind {
  readonly id: RowId;
  readonly kind: string;
  readonly text: (index: number) => string;
  readonly bound: number | null;
}

function groupOf({ id, kind, text, bound }: Kind): Group {
  return {
    rows: [id],
    needs: ['gcc'],
    spaceBytes: (scale) => Math.max(1, scale * COUNT) * UNIT_BYTES,
    async measure(site) {
      const count = site.count(COUNT);
      await makeSources(site, site.path('src'), { count, text });
      writeManifest(site.path('manifest'), count);
      writeFileSync(
        site.path('names'),
        Array.from({ length: count }, (_, index) => `${unitName(index)}\n`).join(''),
      );
      const args = ['compile', '--manifest', 'manifest', '--jobs', String(LANES), '--cache-dir', 'home'];
      const line = `xargs -P${LANES} -I{} ${compileLine('{}')} < names`;
      const words = [site.setting.peers.get('gcc')?.path ?? 'gcc', String(LANES), 'names'];
      await measureRow(site, {
        id,
        title: `batch miss, ${formatCount(count)} ${kind}, ${LANES} lanes`,
        ours: {
          name: 'vyre-cache compile --manifest',
          needs: [],
          run: async () => fromNothing(site, () => site.ours(args)),
        },
        rivals: [
          {
            name: `xargs -P${LANES} gcc`,
            bound,
            needs: ['xargs'],
            run: async () => fromNothing(site, () => site.shell(line)),
          },
        ],
        floors: [
          {
            name: 'least under Node: gcc alone',
            needs: [],
            absent: null,
            run: async () => fromNothing(site, () => floorCommand(site, 'batch-miss.cjs', words)),
          },
        ],
      });
    },
  };
}

/** An empty cache and no objects, for both. */
async function fromNothing(site: Site, command: () => ReturnType<Site['command']>): Promise<number> {
  rmSync(site.path('home'), { recursive: true, force: true });
  rmSync(site.path('out'), { recursive: true, force: true });
  mkdirSync(site.path('out'));
  return site.time(command());
}
