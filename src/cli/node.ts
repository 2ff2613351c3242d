import { programHost } from '../host/program-host.js';
import { main as mainOn } from './main.js';

/** The program under Node. */
export async function main(): Promise<void> {
  await mainOn(programHost);
}
