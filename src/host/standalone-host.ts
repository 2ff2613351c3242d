import { hostWith, type Host } from './runtime-host.js';
import { lazyBlake3 } from './standalone-hash.js';
import { StandaloneLocks } from './standalone-locks.js';
import { startThread, type Threads } from './threads.js';

/** The executable has one script, which in a thread does what a thread of ours does. */
const standaloneThreads: Threads = {
  start: () => startThread(Bun.main),
};

/** The real outside, in the standalone executable: Bun runs it, and all that is native is inside it. */
export function standaloneHost(): Host {
  return hostWith({
    hash: lazyBlake3(),
    // Inside the runtime, where BLAKE3 has to be loaded first: that takes a sixth of a hit.
    checksum: (bytes) => Bun.SHA256.hash(bytes, 'hex'),
    locks: new StandaloneLocks(),
    threads: standaloneThreads,
  });
}
