import { loadNativeBlake3 } from './hash.js';
import { lazyLocks } from './locks.js';
import { portableBlake3 } from './portable-hash.js';
import { hostWith, type Host } from './runtime-host.js';
import { systemThreads } from './threads.js';

export type { Host } from './runtime-host.js';

/** The real outside, under Node. */
export function systemHost(): Host {
  return hostWith({
    hash: loadNativeBlake3() ?? portableBlake3,
    locks: lazyLocks(),
    threads: systemThreads,
  });
}
