import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { findTool, has } from './tools.js';

/** Ways to a mount namespace of one's own: as root, or through a user namespace. */
const WAYS = [['--mount'], ['--mount', '--map-root-user']] as const;

/** The words in front of a shell script that let it mount file systems which vanish with it; null: nobody may. */
export function findMountNamespace(): readonly string[] | null {
  const unshare = findTool('unshare') ?? '';
  for (const way of WAYS) {
    const tried = spawnSync(unshare, [...way, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    if (tried.status === 0) return [unshare, ...way, 'sh', '-ec'];
  }
  return null;
}

/** The same for a test, which is skipped by name and reason where it gets null. */
export function mountNamespace(t: TestContext): readonly string[] | null {
  if (!has(t, 'unshare')) return null;
  const words = findMountNamespace();
  if (words === null)
    t.skip('needs leave to mount file systems in a namespace (root, or unprivileged user namespaces)');
  return words;
}
