import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { findTool, has } from './tools.js';

/** Ways to a mount namespace of one's own: as root, or through a user namespace. */
const WAYS = [['--mount'], ['--mount', '--map-root-user']] as const;

/** What is missing where {@link mountingWords} finds no way. */
export const NO_MOUNTS =
  'needs leave to mount file systems in a namespace (root, or unprivileged user namespaces)';

/** The words in front of a shell command that let it mount file systems which vanish with it; null where that is not allowed. */
export function mountingWords(): readonly string[] | null {
  const unshare = findTool('unshare');
  if (unshare === null) return null;
  for (const way of WAYS) {
    const tried = spawnSync(unshare, [...way, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    if (tried.status === 0) return [unshare, ...way, 'sh', '-ec'];
  }
  return null;
}

/** The same for a test, which is skipped by name and reason where the system does not allow it. */
export function mountNamespace(t: TestContext): readonly string[] | null {
  if (!has(t, 'unshare')) return null;
  const words = mountingWords();
  if (words === null) t.skip(NO_MOUNTS);
  return words;
}
