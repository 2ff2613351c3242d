import { openSession, type CacheSession } from '../compile/session.js';
import type { Host } from '../host/host.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../model/entry.js';
import type { Saving } from '../store/savings.js';
import { NO_MEMORY, sweepHome } from './session-parts.js';
import { stateDirectory, type Environment } from './settings/environment.js';

/** Counts a hit that the log of its home does not take. */
export async function countHit(
  host: Host,
  root: string,
  environment: Environment,
  hit: Saving,
): Promise<void> {
  const session = openShortSession(host, root, environment);
  session.addHit(hit);
  await session.close();
}

/** Removes from a home what dead processes have left in it. */
export async function sweepAlone(host: Host, root: string, environment: Environment): Promise<void> {
  const session = openShortSession(host, root, environment);
  await session.openHome();
  await session.close();
}

/** A session for what a shortcut meets seldom: it neither looks anything up nor stores anything. */
function openShortSession(host: Host, root: string, environment: Environment): CacheSession {
  return openSession({
    host,
    root,
    stateDirectory: stateDirectory(environment),
    maxPayloadBytes: DEFAULT_MAX_PAYLOAD_BYTES,
    memory: NO_MEMORY,
    sweep: sweepHome,
  });
}
