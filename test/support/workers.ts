import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../src/host/host.js';
import type { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import type { Owner } from '../../src/store/worker-directory.js';
import { fingerprintFrom } from './artifacts.js';

/** An owner file's document as this process would write it. */
export function ownerOf(host: Host): Owner & { readonly schema: string } {
  const { pid, place } = host.processes;
  return {
    schema: 'vyre-cache.owner/1',
    pid,
    startTicks: host.processes.info(pid)?.startTicks ?? null,
    ...place,
    locked: true,
    fingerprint: fingerprintFrom('a'),
    startedAtMs: Date.now(),
  };
}

/** A worker directory whose owner file holds this text and is locked by nobody. */
export function placeWorker(paths: HomePaths, random: string, owner: string): string {
  const path = paths.workerDirectory(random);
  mkdirSync(path, { mode: 0o700 });
  writeFileSync(join(path, 'owner'), owner, { mode: 0o600 });
  return path;
}
