import { CacheError } from '../model/error.js';
import type { MaintainedRoot } from './maintained-root.js';

/**
 * Only the owner of a root removes from it, or root.
 * @throws CacheError environment when the root belongs to somebody else.
 */
export function demandOwner(root: MaintainedRoot): void {
  const { uid } = root.host.user;
  const stat = root.host.files.stat(root.root);
  if (stat === null || uid === 0 || stat.uid === uid) return;
  throw new CacheError(
    'environment',
    `expected a cache of yours, but "${root.root}" belongs to user ${stat.uid}`,
    { hint: `Run the command as the owner of "${root.root}".` },
  );
}

/** True when the root belongs to the user of this process, root's privileges aside. */
export function isOwner({ host, root }: MaintainedRoot): boolean {
  return host.files.stat(root)?.uid === host.user.uid;
}
