import { HEX_LENGTH, type Digest, type Fingerprint } from './fingerprint.js';

export const RECORD_SCHEMA = 'vyre-cache.record/1';

/** What stands before the schema of a record, and between schema and checksum. */
export const BEFORE_SCHEMA = '{"schema":"';
export const BEFORE_CHECKSUM = '","checksum":"';

/** What a record says first. */
export interface RecordedPayload {
  readonly fingerprint: Fingerprint;
  readonly digest: Digest;
  readonly bytes: number;
}

/** In which the words of {@link beginsRecordOf} have room. */
export const MAX_RECORD_BEGIN_BYTES = 512;

/**
 * True for a text that begins as the record of a payload does. That is all that who wants nothing but the payload needs to
 * know: what follows may be damaged, for a record that cannot be read is as good to them as none.
 */
export function beginsRecordOf(text: string, { fingerprint, digest, bytes }: RecordedPayload): boolean {
  const before = `${BEFORE_SCHEMA}${RECORD_SCHEMA}${BEFORE_CHECKSUM}`;
  const behind = `","fingerprint":"${fingerprint}","payloadDigest":"${digest}","payloadBytes":${bytes},`;
  return text.startsWith(before) && text.startsWith(behind, before.length + HEX_LENGTH);
}
