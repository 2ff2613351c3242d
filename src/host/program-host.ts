import { loadNativeBlake3 } from './hash.js';
import { lazyLocks } from './locks.js';
import { hostWith, type Host } from './runtime-host.js';
import { systemThreads } from './threads.js';

/** The real outside, for the program under Node: the portable hash is loaded where the native one is missing. */
export async function programHost(): Promise<Host> {
  return hostWith({
    hash: loadNativeBlake3() ?? (await import('./portable-hash.js')).portableBlake3,
    locks: lazyLocks(),
    threads: systemThreads,
  });
}
