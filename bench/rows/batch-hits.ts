import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatCount } from '../../src/model/units.js';
import { BenchError } from '../bench-error.js';
import { makeSources, tinyUnit, unitName } from '../data/c-sources.js';
import { ccacheEnvironment, demandDirectHits } from '../data/ccache.js';
import { floorCommand, NO_SHORTCUTS, withoutAddons } from '../data/floors.js';
import { compileLine, writeManifest, writeScript } from '../data/manifest.js';
import { measureRow } from '../measure.js';
import type { Floor, Group, Rival } from '../row.js';
import type { Site } from '../site.js';

const COUNT = 10_000;
/** Of the inputs, those that ccache is asked for: a hit takes it the same time, whichever it is. */
const SAMPLE = 500;
/** Sources, objects, entries, records and notes of one unit. */
const UNIT_BYTES = 32_768;

export const batchHits: Group = {
  rows: ['batch-hits', 'batch-hits-long'],
  needs: ['gcc'],
  spaceBytes: (scale) => Math.max(1, scale * COUNT) * UNIT_BYTES,
  async measure(site) {
    const count = site.count(COUNT);
    const sample = Math.min(count, SAMPLE);
    await makeSources(site, site.path('src'), { count, text: tinyUnit });
    mkdirSync(site.path('out'));
    writeManifest(site.path('manifest'), count);
    const names = Array.from({ length: sample }, (_, index) => unitName(index));
    writeFileSync(site.path('names'), names.map((name) => `${name}\n`).join(''));
    writeScript(
      site.path('one-by-one'),
      names.map((name) => compileLine(name, 'ccache')),
    );
    site.setting.reporter.step(`batch-hits: ${count} compilations fill the cache`);
    const { stdout } = await site.run(site.ours([...ARGS, '--json'], { captures: true }));
    writeJobs(site, stdout);
    const rivals = (bound: number | null): readonly Rival[] => [
      ccache(site, { name: 'ccache, one by one', line: 'sh one-by-one', sample, bound }),
      ccache(site, {
        name: 'ccache, xargs -P2',
        line: `xargs -P2 -I{} ${compileLine('{}', 'ccache')} < names`,
        sample,
        bound: null,
      }),
    ];
    const title = `batch hits, ${formatCount(count)} inputs in one process, per hit`;
    if (site.wants('batch-hits')) {
      await sleep(SETTLED_MS);
      await hitAll(site, count);
      await measureRow(site, {
        id: 'batch-hits',
        title,
        ours: { name: 'vyre-cache compile --manifest', needs: [], run: async () => hitAll(site, count) },
        rivals: rivals(0.06),
        floors: [
          leastHits(site, { name: 'least under Node', threads: 1, count }),
          leastHits(site, { name: 'least under Node, two threads', threads: 2, count }),
        ],
      });
    }
    if (site.wants('batch-hits-long')) {
      const run = async (): Promise<number> => hitAll(site, count, NO_SHORTCUTS);
      await measureRow(site, {
        id: 'batch-hits-long',
        title: 'the same without a shortcut',
        ours: { name: 'vyre-cache compile --manifest', needs: [], run },
        rivals: rivals(null),
      });
    }
  },
};

/** What was written less than two seconds ago is in no shortcut; the next batch leaves it. */
const SETTLED_MS = 2500;

const ARGS = ['compile', '--manifest', 'manifest', '--jobs', '2', '--cache-dir', 'home'];

/** @throws BenchError when one of them was no hit. */
async function hitAll(site: Site, count: number, env = {}): Promise<number> {
  const command = site.ours(ARGS, { captures: true, env });
  const { seconds, stdout } = await site.run(command);
  if (!stdout.includes(count === 1 ? ' 1 hit' : ` ${formatCount(count)} hits`))
    throw new BenchError(`expected ${count} hits, got "${stdout.trim()}"`);
  return seconds / count;
}

interface Wrapped {
  readonly name: string;
  readonly line: string;
  readonly sample: number;
  readonly bound: number | null;
}

function ccache(site: Site, { name, line, sample, bound }: Wrapped): Rival {
  const env = ccacheEnvironment(site);
  let isFilled = false;
  const run = async (): Promise<number> => {
    if (!isFilled) await site.time(site.shell('sh one-by-one', { env }));
    const seconds = await site.time(site.shell(line, { env }));
    if (!isFilled) await demandDirectHits(site, env, sample);
    isFilled = true;
    return seconds / sample;
  };
  return { name, bound, needs: ['ccache', 'xargs'], run };
}

/** What the floor asks for: each source as it is now, and what was made of it. */
function writeJobs(site: Site, report: string): void {
  const { jobs }: { readonly jobs: readonly { readonly fingerprint: string }[] } = JSON.parse(report);
  const lines = jobs.map(({ fingerprint }, index) => {
    const source = `src/${unitName(index)}.c`;
    const { ino, size, mtimeMs, ctimeMs } = statSync(site.path(source));
    return [source, ino, size, mtimeMs, ctimeMs, fingerprint, `out/${unitName(index)}.o`].join('\t');
  });
  writeFileSync(site.path('jobs'), `${lines.join('\n')}\n`);
}

function leastHits(
  site: Site,
  { name, threads, count }: { readonly name: string; readonly threads: number; readonly count: number },
): Floor {
  const command = floorCommand(site, 'batch-hits.cjs', [String(threads), 'home', 'jobs']);
  const run = async (): Promise<number> => (await site.time(command)) / count;
  return { name, needs: [], absent: withoutAddons(), run };
}
