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

/**
 * Only their owner changes counters, not even root: a file of root's in a folder of somebody else's would lock its owner
 * out.
 * @throws CacheError environment when the folder of private state belongs to somebody else.
 */
export function demandOwnFolder({ host, root }: MaintainedRoot, folder: string): void {
  const there = host.files.lstat(folder);
  if (there?.uid === host.user.uid) return;
  throw new CacheError(
    'environment',
    `expected counters of yours, but "${folder}" belongs to user ${there?.uid ?? 'nobody'}`,
    { hint: `Run the command as the owner of "${root}".` },
  );
}

/**
 * What a newer version wrote it may also lock in another way, and call garbage by another rule.
 * @throws CacheError environment when the root is the home of a newer version.
 */
export function demandKnownFormat(root: MaintainedRoot): void {
  if (root.kind() !== 'newer-home') return;
  throw new CacheError(
    'environment',
    `expected a cache of this version, but "${root.root}" was written by a newer version of vyre-cache`,
    { hint: 'Run the command with that version.' },
  );
}

/** True when the root belongs to the user of this process, root's privileges aside. */
export function isOwner({ host, root }: MaintainedRoot): boolean {
  return host.files.stat(root)?.uid === host.user.uid;
}
