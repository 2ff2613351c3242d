import { join } from 'node:path';
import { loadNativeBlake3 } from '../../src/host/hash.js';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import { addEntries, nameOf } from '../data/entries.js';
import { compileArgs, makeHome } from '../data/home.js';
import type { GrowthPoint } from '../results.js';
import type { Site } from '../site.js';
import { summarise } from '../statistics.js';
import { writeFileSync } from 'node:fs';

const SIZES = [1000, 10_000, 100_000, 1_000_000];
const PAYLOAD_BYTES = 64;
const OLDEST_DAYS = 14;
const FILE_BYTES = 4096 + 512;

export function growthSpaceBytes(scale: number): number {
  return Math.max(...SIZES) * scale * FILE_BYTES;
}

/** Fills one home step by step and measures at every step what its users run. */
export async function measureGrowth(site: Site): Promise<readonly GrowthPoint[]> {
  const { reporter } = site.setting;
  const home = site.path('home');
  await makeHome(site, home);
  writeFileSync(site.path('input'), 'the input of cp');
  const points: GrowthPoint[] = [];
  let from = 0;
  for (const to of SIZES.map((size) => site.count(size))) {
    reporter.step(`growth: making entries up to ${to}`);
    await addEntries(site, home, { from, to, payloadBytes: PAYLOAD_BYTES, oldestDays: OLDEST_DAYS });
    from = to;
    for (const { name, args } of worksIn(home)) {
      reporter.step(`growth: ${name} with ${to} entries`);
      const time = async (): Promise<number> => site.time(site.ours(args));
      const peakBytes = await site.peakOf(time);
      const samples: number[] = [];
      for (let round = 0; round < site.setting.rounds; round += 1) samples.push(await time());
      points.push({ name, entries: to, seconds: summarise(samples), peakBytes });
    }
  }
  return points;
}

interface Work {
  readonly name: string;
  readonly args: readonly string[];
}

function worksIn(home: string): readonly Work[] {
  const some = nameOf(loadNativeBlake3() ?? portableBlake3, 0);
  const compile = ['compile', '--refresh', 'input', '-o', join('out', 'copy'), '--cache-dir', home];
  return [
    { name: 'start (--version)', args: ['--version'] },
    { name: 'lookup (get)', args: ['get', some, '-o', join('out', 'payload'), '--cache-dir', home] },
    { name: 'hit (compile)', args: compileArgs(home) },
    { name: 'sweep and miss (compile cp)', args: [...compile, '--', 'cp', '{input}', '{output}'] },
    { name: 'stats', args: ['stats', home] },
    { name: 'prune --dry-run', args: ['prune', '--dry-run', '--ttl', '7d', home] },
    { name: 'gc --dry-run', args: ['gc', '--dry-run', home] },
    { name: 'verify', args: ['verify', home] },
  ];
}
