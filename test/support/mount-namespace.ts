import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { findTool, has } from './tools.js';

/** Ways to a mount namespace of one's own: as root, or through a user namespace. */
const WAYS = [['--mount'], ['--mount', '--map-root-user']] as const;

/**
 * The words in front of a shell command that let it mount file systems which vanish with it; null, with the test
 * skipped by name and reason, where the system does not allow it.
 */
export function mountNamespace(t: TestContext): readonly string[] | null {
  if (!has(t, 'unshare')) return null;
  const unshare = findTool('unshare') ?? '';
  for (const way of WAYS) {
    const words = [unshare, ...way, 'sh', '-ec'];
    const tried = spawnSync(unshare, [...way, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    if (tried.status === 0) return words;
  }
  t.skip('needs leave to mount file systems in a namespace (root, or unprivileged user namespaces)');
  return null;
}
