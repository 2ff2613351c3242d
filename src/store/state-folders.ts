import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import { toHex } from '../model/fingerprint.js';

/**
 * What calls came to, on whatever root. With the user, for whoever writes to a home must not decide what a call comes to.
 */
export function shortcutsIn(stateDirectory: string): string {
  return `${stateDirectory}/shortcuts`;
}

/** The state folder for a root without private state of ours: `<stateDirectory>/<digest of the root>`. */
export function foreignStateFolder(host: Host, stateDirectory: string, root: string): string {
  const digest = toHex(hashChunks(host.hash, [Buffer.from(root, 'utf8')]));
  return `${stateDirectory}/roots/${digest.slice(0, 32)}`;
}
