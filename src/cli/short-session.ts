import { openSession, type CacheSession } from '../compile/session.js';
import type { Host } from '../host/host.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../model/entry.js';
import { NO_MEMORY, sweepHome } from './session-parts.js';
import { stateDirectory, type Environment } from './settings/environment.js';

/** A session for what a shortcut meets seldom: it neither looks anything up nor stores anything. */
export function openShortSession(host: Host, root: string, environment: Environment): CacheSession {
  return openSession({
    host,
    root,
    stateDirectory: stateDirectory(environment),
    maxPayloadBytes: DEFAULT_MAX_PAYLOAD_BYTES,
    memory: NO_MEMORY,
    sweep: sweepHome,
  });
}
