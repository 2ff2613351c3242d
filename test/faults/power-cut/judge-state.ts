import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openCache, type Cache } from '../../../src/index.js';
import { failingFiles, FakeClock, fakeHost } from '../../support/fake-host.js';
import type { Tally } from '../experiment.js';
import type { Promised } from './story.js';

/** Nobody cuts the power of the disk on which the states are made. */
const WITHOUT_SYNC = failingFiles({ sync: () => undefined, syncBeside: async () => undefined });

/** A home as it was found after a power cut. */
export interface FoundHome {
  readonly root: string;
  readonly promised: readonly Promised[];
  /** What repeats it. */
  readonly title: string;
}

/**
 * Looks at a home as the next user does: `get` of each fingerprint and `verify`, which must agree, then the next run,
 * which stores what is missing, and after which everything is as it should be.
 */
export async function judgeState(home: FoundHome, tally: Tally): Promise<void> {
  try {
    await withCache(home.root, async (cache) => judgeFound(home, cache, tally));
    await withCache(home.root, async (cache) => repair(home, cache));
    await withCache(home.root, async (cache) => judgeRepaired(home, cache, tally));
  } catch (error) {
    tally.addFailedNextRun(`${home.title}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function withCache(root: string, work: (cache: Cache) => Promise<void>): Promise<void> {
  // Nobody else writes here: what a cache would wait for never comes, and waiting for it takes no time.
  const cache = openCache({ root, host: fakeHost({ files: WITHOUT_SYNC, clock: new FakeClock() }) });
  try {
    await work(cache);
  } finally {
    await cache.close();
  }
  const [trouble] = cache.troubles();
  if (trouble !== undefined) throw new Error(`${trouble.kind}: ${trouble.message}`);
}

async function judgeFound({ root, promised, title }: FoundHome, cache: Cache, tally: Tally): Promise<void> {
  const report = existsSync(root) ? await cache.verify() : null;
  const named = new Set(report?.problems.map(({ fingerprint }) => fingerprint));
  for (const { fingerprint, payloads, isDurable } of promised) {
    const read = await cache.get(fingerprint);
    const what = `${title}, ${fingerprint.slice(0, 8)}`;
    if (read.hit) {
      if (!payloads.some((payload) => read.payload.equals(payload))) tally.addWrongBytes(`${what}: get`);
      if (isDurable && named.has(fingerprint)) tally.addLost(`${what}: its record is damaged`);
      continue;
    }
    if (isDurable) tally.addLost(`${what}: ${read.reason}`);
    const isThere = existsSync(join(root, 'pipelines', `${fingerprint}.bin`));
    if (isThere !== named.has(fingerprint)) {
      tally.addFailedNextRun(
        `${what}: a miss (${read.reason}) that verify ${isThere ? 'calls valid' : 'calls damaged'}`,
      );
    }
  }
}

async function repair({ promised }: FoundHome, cache: Cache): Promise<void> {
  for (const { fingerprint, payloads } of promised) {
    const stored = await cache.put(fingerprint, payloads.at(-1) ?? Buffer.alloc(0), { replace: true });
    if (!stored.stored) throw new Error(`expected a put to store, got ${stored.reason}`);
  }
  const flushed = await cache.flush();
  if (flushed.failed > 0)
    throw new Error(`expected a flush without failures: ${JSON.stringify(flushed.failures)}`);
}

async function judgeRepaired({ promised, title }: FoundHome, cache: Cache, tally: Tally): Promise<void> {
  for (const { fingerprint, payloads } of promised) {
    const read = await cache.get(fingerprint);
    if (!read.hit) throw new Error(`expected a hit after the next run, got ${read.reason}`);
    if (!read.payload.equals(payloads.at(-1) ?? Buffer.alloc(0)))
      tally.addWrongBytes(`${title}: after a repair`);
  }
  const { problems } = await cache.verify();
  if (problems.length > 0) throw new Error(`expected nothing damaged any more: ${JSON.stringify(problems)}`);
}
