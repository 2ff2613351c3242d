import { errnoOf, troubleKind } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { Uncacheable } from '../model/lifecycle.js';
import type { PublishResult } from '../store/disk-tier.js';
import { notePending, syncEntry, syncFiles } from '../store/pending-list.js';
import type { Artifact } from '../store/tier.js';
import type { CacheSession, Home } from './session.js';

export type Stored =
  /** `kept`: a valid entry was there already, and stays. */
  { readonly notStored: null; readonly kept: boolean } | { readonly notStored: Uncacheable };

/**
 * Publishes an artifact: noted as pending, renamed into place, counted. The caller holds the lock of its fingerprint.
 * @throws the errno error of a failed write.
 */
export async function storeArtifact(
  session: CacheSession,
  home: Home,
  artifact: Artifact,
  options: {
    /** An existing folder of ours in the home. */
    readonly staging: string;
    readonly replace: boolean;
  },
): Promise<Stored> {
  const { host } = session;
  const { fingerprint } = artifact;
  let mustSync = false;
  const published = await home.disk.publish(artifact, {
    ...options,
    beforeRename: async (staged) => {
      mustSync = !(await notePending(host, home, fingerprint));
      // What nobody will sync later is durable before it is visible: a kill in between leaves it whole or absent.
      if (mustSync) syncFiles(host, staged);
    },
  });
  if (!published.stored) return { notStored: refusal(session, published, fingerprint) };
  home.memory.forget(fingerprint);
  if (mustSync && !published.kept) syncEntry(host, home.disk.paths, fingerprint);
  if (published.nondeterministic) reportNondeterminism(session, fingerprint);
  session.tally.add('puts');
  return { notStored: null, kept: published.kept };
}

function refusal(
  session: CacheSession,
  { reason }: PublishResult & { readonly stored: false },
  fingerprint: Fingerprint,
): Uncacheable {
  session.tally.add('rejectedPuts');
  if (reason === 'payload-too-large' || reason === 'output-too-large') return reason;
  const { root } = session;
  const message =
    reason === 'not-a-file'
      ? `a directory lies in the place of an entry in "${root}" and cannot be replaced; remove it by hand`
      : `an entry of a newer version of vyre-cache lies in "${root}" and is not overwritten`;
  session.addTrouble({ kind: reason, message: `${message}: ${fingerprint}` }, fingerprint);
  return 'store-failed';
}

function reportNondeterminism(session: CacheSession, fingerprint: Fingerprint): void {
  session.addEvent({
    kind: 'nondeterministic',
    reason: 'nondeterministic',
    fingerprint,
    message: 'the same fingerprint gave other bytes than before',
  });
}

/** Counts and tells a failed write. @throws what is no errno error. */
export function storeFailure(
  session: CacheSession,
  failed: {
    readonly what: 'an artifact' | 'a failure';
    readonly fingerprint: Fingerprint;
    readonly error: unknown;
  },
): 'store-failed' {
  const { what, fingerprint, error } = failed;
  const errno = errnoOf(error);
  if (errno === null) throw error;
  session.tally.add('rejectedPuts');
  const kind = troubleKind(errno);
  const message = `${what} could not be stored in "${session.root}" (${errno})`;
  session.addTrouble({ kind, message }, fingerprint);
  return 'store-failed';
}
