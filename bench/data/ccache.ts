import { BenchError } from '../bench-error.js';
import type { Site } from '../site.js';

/**
 * Its own cache, no settings of the user, and what its manual recommends for speed beside its defaults (direct mode):
 * the cache on a local disk, and the inode cache, which spares it to hash headers again. No checks are relaxed.
 */
export function ccacheEnvironment(site: Site): Readonly<Record<string, string>> {
  return {
    CCACHE_DIR: site.path('ccache'),
    CCACHE_CONFIGPATH: site.path('ccache.conf'),
    CCACHE_TEMPDIR: site.path('ccache-tmp'),
    CCACHE_INODECACHE: '1',
  };
}

/** @throws BenchError unless at least so many of its calls so far were hits in direct mode. */
export async function demandDirectHits(
  site: Site,
  env: Readonly<Record<string, string>>,
  count: number,
): Promise<void> {
  const { stdout } = await site.run(site.command(['ccache', '--print-stats'], { env, captures: true }));
  const hits = Number(/^direct_cache_hit\t(\d+)$/m.exec(stdout)?.[1] ?? 0);
  if (hits < count) throw new BenchError(`expected ${count} hits of ccache in direct mode, got ${hits}`);
}
