import { systemHost } from '../host/host.js';
import { main as mainOn } from './main.js';

/** The program under Node. */
export async function main(): Promise<void> {
  await mainOn(systemHost);
}
