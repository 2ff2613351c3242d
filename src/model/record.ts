import { decoding, mismatch, parseJson, Reader, type Decoded } from './decoder.js';
import { toHex, type HashChunks } from './fingerprint.js';
import type { ShownField } from './fields.js';
import type { Failure } from './failure.js';
import {
  decodeUtf8,
  isSealed,
  MAX_RECORD_BYTES,
  readDigest,
  readHead,
  splitChecksum,
  type ArtifactRecord,
  type Provenance,
} from './record-head.js';
import { RECORD_SCHEMA } from './record-begin.js';

const SCHEMA_PREFIX = 'vyre-cache.record/';

/** Replay is byte-exact or not at all: stdout and stderr above 256 KiB together are delivered and not stored. */
export const MAX_CAPTURED_BYTES = 262_144;

/** What lies in the place of a record where the compiler has failed. It has no entry. */
export interface FailureRecord extends Provenance {
  readonly failure: Failure;
}

export type StoredRecord = ArtifactRecord | FailureRecord;

export function isFailureRecord(record: StoredRecord): record is FailureRecord {
  return 'failure' in record;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

export interface RecordSigner {
  /** Fills in the MAC of a record whose MAC and checksum are empty strings. */
  signRecord(bytes: Buffer): Buffer;
}

/**
 * UTF-8 JSON with a final newline, MAC and checksum filled in; without `signing` the MAC is null. The caller checks
 * {@link MAX_RECORD_BYTES}.
 */
export function encodeRecord(
  record: StoredRecord,
  hash: HashChunks,
  signing: RecordSigner | null = null,
): Uint8Array {
  const artifact = isFailureRecord(record) ? null : record;
  const document = {
    schema: RECORD_SCHEMA,
    checksum: '',
    fingerprint: record.fingerprint,
    payloadDigest: artifact?.payloadDigest ?? null,
    payloadBytes: artifact?.payloadBytes ?? null,
    createdAtMs: record.createdAtMs,
    compiler: record.compiler,
    command: record.command,
    outputs: artifact?.outputs ?? [],
    cost: record.cost,
    failure: isFailureRecord(record) ? failureDocument(record.failure) : null,
    stdout: base64(record.stdout),
    stderr: base64(record.stderr),
    fields: record.fields,
    mac: signing === null ? null : '',
  };
  const bytes = Buffer.from(`${JSON.stringify(document)}\n`, 'utf8');
  return sealRecord(signing === null ? bytes : signing.signRecord(bytes), hash);
}

/** In the order of the format, whatever else an object carries. */
function failureDocument({ kind, count, lastAtMs, status, signal, limit }: Failure): unknown {
  const limited = limit === null ? null : { kind: limit.kind, value: limit.value };
  return { kind, count, lastAtMs, status, signal, limit: limited };
}

/**
 * Fills in the checksum: BLAKE3 of all bytes of the record with an empty checksum. A record's streams and modes leave
 * the cache, so they are checked like a payload. Bytes that do not begin like a record come back as they are.
 */
export function sealRecord(bytes: Buffer, hash: HashChunks): Buffer {
  const parts = splitChecksum(bytes);
  if (parts === null) return bytes;
  return Buffer.concat([
    parts.head,
    Buffer.from(toHex(hash([parts.head, parts.rest])), 'latin1'),
    parts.rest,
  ]);
}

export type RecordMiss = 'unreadable' | 'newer-format';
export type DecodedRecord =
  | { readonly ok: true; readonly record: StoredRecord }
  | { readonly ok: false; readonly miss: RecordMiss; readonly reason: string };

/** Decodes the bytes of a record file. A schema above ours is `newer-format`: it is never overwritten. */
export function decodeRecord(bytes: Buffer, hash: HashChunks): DecodedRecord {
  if (bytes.byteLength > MAX_RECORD_BYTES) return unreadable('larger than 1 MiB');
  const parsed: Decoded<unknown> = decoding(() => parseJson(decodeUtf8(bytes)));
  if (!parsed.ok) return unreadable(parsed.reason);
  if (isNewer(parsed.value)) return { ok: false, miss: 'newer-format', reason: 'written by a newer version' };
  if (!isSealed(bytes, hash)) return unreadable('bad checksum');
  const decoded = decoding(() => readRecord(new Reader(parsed.value, 'record')));
  return decoded.ok ? { ok: true, record: decoded.value } : unreadable(decoded.reason);
}

function unreadable(reason: string): DecodedRecord {
  return { ok: false, miss: 'unreadable', reason };
}

function isNewer(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('schema' in value)) return false;
  const { schema } = value;
  if (typeof schema !== 'string' || !schema.startsWith(SCHEMA_PREFIX)) return false;
  const version = schema.slice(SCHEMA_PREFIX.length);
  return /^[1-9][0-9]{0,8}$/.test(version) && Number(version) > 1;
}

function readRecord(reader: Reader): StoredRecord {
  const { payloadDigest, payloadBytes, outputs, failure, ...about } = readHead(reader);
  const provenance: Provenance = { ...about, fields: reader.list('fields', readField) };
  reader.textOrNull('mac');
  reader.end();
  if (failure !== null) {
    if (payloadDigest !== null || payloadBytes !== null || outputs.length > 0)
      mismatch('record.failure has a payload');
    return { ...provenance, failure };
  }
  if (payloadDigest === null || payloadBytes === null)
    return mismatch('record has neither payload nor failure');
  return { ...provenance, payloadDigest, payloadBytes, outputs };
}

function readField(value: unknown, path: string): ShownField {
  const reader = new Reader(value, path);
  const digest = reader.textOrNull('digest');
  const field = {
    name: reader.text('name'),
    value: reader.textOrNull('value'),
    digest: digest === null ? null : readDigest(digest),
  };
  reader.end();
  return field;
}
