import type { LayeredStore } from '../store/layered-store.js';
import type { FoundArtifact } from '../store/tier.js';
import type { Member } from '../model/archive.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { MissReason } from '../model/lifecycle.js';
import type { ArtifactSummary } from '../model/record-head.js';
import { unpackOutputs } from './stored-outputs.js';

/** A verified artifact, taken apart into its outputs. */
export interface FoundOutputs {
  readonly hit: true;
  readonly tier: 'memory' | 'disk';
  readonly artifact: FoundArtifact;
  readonly record: ArtifactSummary;
  readonly outputs: readonly Member[];
}

export type ArtifactRead = FoundOutputs | { readonly hit: false; readonly reason: MissReason };

/** The artifact of a fingerprint with its record, for so many outputs. */
export async function readArtifact(
  store: LayeredStore,
  fingerprint: Fingerprint,
  outputCount: number,
): Promise<ArtifactRead> {
  const read = await store.get(fingerprint);
  return read.hit ? takeApart(read, outputCount) : read;
}

/** {@link readArtifact} where nothing has to be waited for; null where something has. */
export function readArtifactNow(
  store: LayeredStore,
  fingerprint: Fingerprint,
  outputCount: number,
): ArtifactRead | null {
  const read = store.getNow(fingerprint);
  return read?.hit === true ? takeApart(read, outputCount) : read;
}

/** An artifact that was found, with its record, for so many outputs. */
function takeApart(
  { artifact, tier }: Pick<FoundOutputs, 'artifact' | 'tier'>,
  outputCount: number,
): ArtifactRead {
  const { record } = artifact;
  if (record === null) {
    return { hit: false, reason: artifact.recordMiss === 'newer-format' ? 'newer-format' : 'no-record' };
  }
  const outputs = unpackOutputs(artifact.payload, record);
  if (outputs === null || outputs.length !== outputCount) return { hit: false, reason: 'record-mismatch' };
  return { hit: true, tier, artifact, record, outputs };
}
