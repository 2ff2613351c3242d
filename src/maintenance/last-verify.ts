import { join } from 'node:path';
import { readChecked, writeChecked } from '../store/checked-file.js';
import type { MaintainedRoot } from './maintained-root.js';

const SCHEMA = 'vyre-cache.verified/1';
const MAX_BYTES = 4096;

/** What the last verification of a whole root found. */
export interface LastVerify {
  readonly atMs: number;
  readonly damaged: number;
  readonly damagedBytes: number;
}

/** Notes it in the state directory: a verification writes nothing into the root. Best effort, as a figure may be. */
export function noteVerified(root: MaintainedRoot, found: Omit<LastVerify, 'atMs'>): void {
  const folder = root.stateFolder();
  if (folder === null) return;
  const { host } = root;
  const file = {
    path: join(folder, 'verified'),
    folder,
    staged: join(folder, `verified.${host.random.hex(8)}`),
  };
  writeChecked(host, file, { schema: SCHEMA, atMs: host.clock.nowMs(), ...found });
}

/** Null when it was never noted, or what was noted is damaged. */
export function readLastVerify(root: MaintainedRoot): LastVerify | null {
  const folder = root.stateFolder();
  if (folder === null) return null;
  return readChecked(root.host, { path: join(folder, 'verified'), maxBytes: MAX_BYTES }, (reader) => ({
    atMs: reader.count('atMs'),
    damaged: reader.count('damaged'),
    damagedBytes: reader.count('damagedBytes'),
  }));
}
