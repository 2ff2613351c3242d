import type { Digest, Fingerprint } from '../model/fingerprint.js';
import type { MissReason } from '../model/lifecycle.js';
import type { ArtifactRecord, ArtifactSummary } from '../model/record-head.js';
import type { MacMiss } from '../model/signing.js';

/** A verified payload and what is known about it. */
export interface Artifact {
  readonly fingerprint: Fingerprint;
  readonly payload: Buffer;
  /** BLAKE3 of the payload, checked by the tier that hands it out. */
  readonly digest: Digest;
  /** Null for entries of other writers, and where the record is absent or unreadable. */
  readonly record: ArtifactRecord | null;
  /** Why `record` is null; null when it is not. */
  readonly recordMiss: RecordMiss | null;
}

/** An artifact as a lookup finds it. */
export interface FoundArtifact extends Omit<Artifact, 'record'> {
  readonly record: ArtifactSummary | null;
  /** When it was last used, as far as the tier has seen it; milliseconds since 1970. */
  readonly usedAtMs?: number;
}

/** The last two only where a key is demanded. */
export type RecordMiss = 'absent' | 'unreadable' | 'newer-format' | MacMiss;

export type TierRead =
  | { readonly hit: true; readonly artifact: FoundArtifact }
  | { readonly hit: false; readonly reason: MissReason };

/**
 * A place to look an artifact up. Whatever goes wrong inside is a miss with a reason, never an exception; what comes out has matched its checksum.
 */
export interface Tier {
  readonly name: 'memory' | 'disk';
  get(fingerprint: Fingerprint): Promise<TierRead>;
  /** The same at once, null where something has to be waited for; absent where it always has. */
  readonly getNow?: (fingerprint: Fingerprint) => TierRead | null;
  /** Keeps what a lower tier found, if it can; absent where reading does not fill the tier. */
  readonly keep?: (artifact: FoundArtifact) => void;
}
