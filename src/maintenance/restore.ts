import { join } from 'node:path';
import { lstatOrNull } from '../host/files.js';
import { CacheError, errnoOf } from '../model/error.js';
import { HomeLocks } from './home-locks.js';
import type { MaintainedRoot } from './maintained-root.js';
import { demandKnownFormat, demandOwner } from './owner.js';
import { findQuarantined, REASON_FILE, restoreQuarantined } from './quarantine.js';

export interface RestoredArtifact {
  /** The folder of the quarantine that it lay in. */
  readonly id: string;
  /** Absolute: where it lies again. */
  readonly path: string;
  /** Why it was moved away. */
  readonly reason: string;
}

/**
 * Brings back what was moved into the quarantine of a home, by its name there or the beginning of it. Replaces nothing.
 * @throws CacheError usage when the name fits nothing or several; environment when it cannot be brought back.
 */
export async function restoreArtifact(root: MaintainedRoot, name: string): Promise<RestoredArtifact> {
  demandOwner(root);
  demandKnownFormat(root);
  const { host, paths } = root;
  const found = findQuarantined(host, paths, name);
  if (found.why.root !== null) demandOwnReason(root, found.id, found.why.root);
  const { format, stem, folder, reason } = found.why;
  const home = found.why.root === null ? root.root : null;
  const locks = new HomeLocks(root, { make: false });
  try {
    const held = await locks.tryHold({ format, stem, home }, () => restoreQuarantined(host, paths, found));
    if (held.held) return { id: found.id, path: held.value, reason };
    throw new CacheError(
      'environment',
      `"${found.id}" cannot be brought back: it is being compiled at this moment`,
      {
        hint: 'Try again when that is done.',
      },
    );
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    const where = found.why.root ?? root.root;
    throw new CacheError(
      'environment',
      `"${found.id}" cannot be brought back to "${where}/${folder}" (${errno})`,
      {
        cause: error,
      },
    );
  }
}

/**
 * What came from elsewhere goes back to where its reason says: so that reason has to be this user's own, and a cache has
 * to be there still.
 * @throws CacheError environment.
 */
function demandOwnReason({ host, paths }: MaintainedRoot, id: string, origin: string): void {
  const folder = paths.quarantined(id);
  const ways = [paths.root, paths.quarantine, folder, join(folder, REASON_FILE)];
  const foreign = ways.find((path) => lstatOrNull(host.files, path)?.uid !== host.user.uid);
  if (foreign !== undefined) {
    throw new CacheError(
      'environment',
      `expected a quarantine of yours, but "${foreign}" is somebody else's`,
      {
        hint: `It would be brought back to "${origin}"; run the command as its owner.`,
      },
    );
  }
  if (lstatOrNull(host.files, origin)?.type === 'directory') return;
  throw new CacheError(
    'environment',
    `expected the directory "${origin}", to which "${id}" belongs, found nothing`,
    {
      hint: `Move it by hand from "${folder}".`,
    },
  );
}
