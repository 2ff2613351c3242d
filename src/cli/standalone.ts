import { standaloneHost } from '../host/standalone-host.js';
import { main } from './main.js';

// The script of the standalone executable: the program, and in a thread that it started the work of that thread.
if (Bun.isMainThread) {
  await main(standaloneHost);
} else {
  const { waitAsLane } = await import('../maintenance/bulk-lane.js');
  waitAsLane(standaloneHost);
}
