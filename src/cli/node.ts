import { programHost } from '../host/program-host.js';
import type { Host } from '../host/host.js';
import { main as mainOn } from './main.js';
import { whileOff } from './settings/environment.js';

/**
 * Of mimalloc, with which the addon for BLAKE3 comes: it would ask for huge pages when it is loaded, and get one of 2 MiB
 * for some kilobytes. To clear that takes the kernel as long as all the rest of the load.
 */
const HUGE_PAGES = 'MIMALLOC_ALLOW_LARGE_OS_PAGES';

/** The program under Node. */
export async function main(): Promise<void> {
  await mainOn(makeHost);
}

/** The addon is loaded before the first wait. */
async function makeHost(): Promise<Host> {
  return whileOff(HUGE_PAGES, programHost);
}
