import { unpackMembers, type Member } from '../model/archive.js';
import type { ArtifactSummary } from '../model/record-head.js';

/** The outputs inside a payload; null when record and payload do not fit. */
export function unpackOutputs(
  payload: Buffer,
  record: Pick<ArtifactSummary, 'outputs'>,
): readonly Member[] | null {
  const [only] = record.outputs;
  if (record.outputs.length === 1 && only !== undefined)
    return [{ bytes: payload, executable: only.executable }];
  const unpacked = unpackMembers(payload);
  return unpacked.ok && unpacked.value.length === record.outputs.length ? unpacked.value : null;
}
