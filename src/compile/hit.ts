import { rememberSet } from './dependency-sets.js';
import type { Description } from './description.js';
import type { Job } from './job.js';
import type { Found, NotFound } from './lookup-store.js';
import { productOf, type Produced } from './product.js';

/** A dependency set this far from the front is put there when it is used: half of those that are kept. */
const RENEWED_AGE = 4;

/**
 * How far a caller goes for an artifact: `look` only takes what the cache has, `try` compiles unless somebody else is
 * at it, `wait` waits for who is. What it does not do is `deferred`.
 */
export type Effort = 'look' | 'try' | 'wait';

/**
 * The miss of a caller who looked when it asked, and when that was, in milliseconds since 1970. Null for who looks under
 * the lock only, and for a refresh, which looks nowhere.
 */
export interface Asked {
  readonly first: NotFound | null;
  readonly atMs: number;
}

/** A request that was described and looked up. */
export interface Looked {
  readonly description: Description;
  readonly first: NotFound;
}

/** Notes the use of what was found. */
export function hit(job: Job, found: Found, waited: boolean): Produced {
  const { session, home, description } = job;
  home.disk.markUsed(found.fingerprint, found.artifact.usedAtMs);
  // Sets are dropped by the age of their use; one far back comes to the front before it is.
  if (found.setAge >= RENEWED_AGE) rememberSet(session.host, home.paths, description.primary, found.set);
  return { product: productOf(found), waited, degraded: false };
}
