import type { LayeredStore } from '../store/layered-store.js';
import type { FoundArtifact } from '../store/tier.js';
import type { Member } from '../model/archive.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { MissReason } from '../model/lifecycle.js';
import type { ArtifactSummary } from '../model/record.js';
import { unpackOutputs } from './stored-outputs.js';

/** A verified artifact, taken apart into its outputs. */
export interface FoundOutputs {
  readonly hit: true;
  readonly tier: 'memory' | 'disk';
  readonly artifact: FoundArtifact;
  readonly record: ArtifactSummary;
  readonly outputs: readonly Member[];
}

type Read = FoundOutputs | { readonly hit: false; readonly reason: MissReason };

/** The artifact of a fingerprint with its record, for so many outputs. */
export async function readArtifact(
  store: LayeredStore,
  fingerprint: Fingerprint,
  outputCount: number,
): Promise<Read> {
  const read = await store.get(fingerprint);
  return read.hit ? takeApart(read, outputCount) : read;
}

/** An artifact that was found, with its record, for so many outputs. */
function takeApart({ artifact, tier }: Pick<FoundOutputs, 'artifact' | 'tier'>, outputCount: number): Read {
  const { record } = artifact;
  if (record === null) {
    return { hit: false, reason: artifact.recordMiss === 'newer-format' ? 'newer-format' : 'no-record' };
  }
  const outputs = unpackOutputs(artifact.payload, record);
  if (outputs === null || outputs.length !== outputCount) return { hit: false, reason: 'record-mismatch' };
  return { hit: true, tier, artifact, record, outputs };
}
