import { CacheError, errnoOf } from '../model/error.js';
import { HomeLocks } from './home-locks.js';
import type { MaintainedRoot } from './maintained-root.js';
import { demandKnownFormat, demandOwner } from './owner.js';
import { findQuarantined, restoreQuarantined } from './quarantine.js';

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
