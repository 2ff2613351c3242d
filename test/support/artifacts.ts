import { hashChunks } from '../../src/host/hash.js';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import {
  digestOfBytes,
  isFingerprint,
  type Digest,
  type Fingerprint,
  type HashChunks,
} from '../../src/model/fingerprint.js';
import type { Failure } from '../../src/model/failure.js';
import type { FailureRecord } from '../../src/model/record.js';
import type { ArtifactRecord } from '../../src/model/record-head.js';
import type { Artifact } from '../../src/store/tier.js';

/** A fingerprint of 64 times the same digit, or of these first digits and zeros. */
export function fingerprintFrom(digits: string): Fingerprint {
  const text = digits.length === 1 ? digits.repeat(64) : digits.padEnd(64, '0');
  if (!isFingerprint(text)) throw new Error(`expected lowercase hex digits, got "${digits}"`);
  return text;
}

/** BLAKE3 by the implementation that the product does not use where it has the native one. */
export const hashOf: HashChunks = (chunks) => hashChunks(portableBlake3, chunks);

export function digestOf(bytes: Uint8Array): Digest {
  return digestOfBytes(hashChunks(portableBlake3, [bytes]));
}

/** A file as vyre writes it. */
export function entryBytes(payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([bytes, Buffer.from(digestOf(bytes), 'hex')]);
}

export function makeRecord(
  fingerprint: Fingerprint,
  payload: Uint8Array,
  changed: Partial<ArtifactRecord> = {},
): ArtifactRecord {
  return {
    fingerprint,
    payloadDigest: digestOf(payload),
    payloadBytes: payload.byteLength,
    createdAtMs: 1_700_000_000_000,
    fields: [],
    outputs: [{ name: 'a.o', executable: false }],
    compiler: 'cc',
    command: ['cc', '{input:a.c}'],
    cost: { wallSeconds: 1.5, cpuSeconds: null, peakMemoryBytes: null },
    stdout: new Uint8Array(0),
    stderr: new Uint8Array(0),
    ...changed,
  };
}

/** A failure of a compiler that ended with status 1, at 1.7e12 ms since 1970. */
export function makeFailure(fingerprint: Fingerprint, changed: Partial<Failure> = {}): FailureRecord {
  const lastAtMs = changed.lastAtMs ?? 1_700_000_000_000;
  return {
    fingerprint,
    createdAtMs: lastAtMs,
    fields: [],
    compiler: 'cc',
    command: ['cc', '{input:a.c}'],
    cost: { wallSeconds: 1.5, cpuSeconds: null, peakMemoryBytes: null },
    stdout: new Uint8Array(0),
    stderr: Buffer.from('a.c: nonsense\n'),
    failure: {
      kind: 'deterministic',
      count: 1,
      lastAtMs,
      status: 1,
      signal: null,
      limit: null,
      ...changed,
    },
  };
}

/** An artifact with its record. */
export function makeArtifact(
  fingerprint: Fingerprint,
  text: string | Uint8Array,
  changed: Partial<ArtifactRecord> = {},
): Artifact {
  const payload = Buffer.from(text);
  const record = makeRecord(fingerprint, payload, changed);
  return { fingerprint, payload, digest: digestOf(payload), record, recordMiss: null };
}
