import { isUtf8 } from 'node:buffer';
import { decoding, mismatch, parseJson, Reader, type Decoded } from './decoder.js';
import {
  isDigest,
  isFingerprint,
  toHex,
  type Digest,
  type Fingerprint,
  type HashChunks,
  type ShownField,
} from './fingerprint.js';
import type { Failure, FailureLimit } from './failure.js';

const RECORD_SCHEMA = 'vyre-cache.record/1';
const SCHEMA_PREFIX = 'vyre-cache.record/';

/** A record above 1 MiB is neither written nor believed. */
export const MAX_RECORD_BYTES = 1_048_576;

/** Replay is byte-exact or not at all: stdout and stderr above 256 KiB together are delivered and not stored. */
export const MAX_CAPTURED_BYTES = 262_144;

export interface RecordedOutput {
  /** Base name of the output, for people and for `get --extract`. */
  readonly name: string;
  readonly executable: boolean;
}

export interface Cost {
  readonly wallSeconds: number;
  /** Null where the platform cannot tell. */
  readonly cpuSeconds: number | null;
  readonly peakMemoryBytes: number | null;
}

/** Where a record comes from, and what the compiler said. */
export interface Provenance {
  readonly fingerprint: Fingerprint;
  readonly createdAtMs: number;
  readonly fields: readonly ShownField[];
  readonly compiler: string;
  /** The command with its placeholders. */
  readonly command: readonly string[];
  readonly cost: Cost;
  /** Captured streams, base64 in the file. */
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** What lies beside an entry: what delivery needs besides the payload, provenance and cost. */
export interface ArtifactRecord extends Provenance {
  readonly payloadDigest: Digest;
  readonly payloadBytes: number;
  /** In the order of the request; one output is stored raw, several as ustar members `1`, `2`, … */
  readonly outputs: readonly RecordedOutput[];
}

/** What a delivery needs of a record. */
export type ArtifactSummary = Omit<ArtifactRecord, 'fields'>;

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

/** What stands before the schema of a record, and between schema and checksum; the schema is no longer than that. */
const BEFORE_SCHEMA = '{"schema":"';
const BEFORE_CHECKSUM = '","checksum":"';
const MAX_SCHEMA_CHARACTERS = 100;

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

/** Null for bytes that do not begin like a record. */
export function splitChecksum(
  bytes: Buffer,
): { readonly head: Buffer; readonly sum: string; readonly rest: Buffer } | null {
  const text = bytes.toString('latin1', 0, 256);
  const schemaEnd = text.indexOf('"', BEFORE_SCHEMA.length);
  if (!text.startsWith(BEFORE_SCHEMA) || !text.startsWith(BEFORE_CHECKSUM, schemaEnd)) return null;
  const start = schemaEnd + BEFORE_CHECKSUM.length;
  const end = text.indexOf('"', start);
  const sum = text.slice(start, end);
  const isSum = end === start || (end > start && isDigest(sum));
  if (!isSum || schemaEnd > BEFORE_SCHEMA.length + MAX_SCHEMA_CHARACTERS) return null;
  return { head: bytes.subarray(0, start), sum, rest: bytes.subarray(end) };
}

function isSealed(bytes: Buffer, hash: HashChunks): boolean {
  const parts = splitChecksum(bytes);
  return parts !== null && parts.sum === toHex(hash([parts.head, parts.rest]));
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

/** Where the fields begin, as {@link encodeRecord} writes them: inside a string the quotes would be escaped. */
const FIELDS = Buffer.from(',"fields":[', 'latin1');

/**
 * What a delivery needs of the record of an artifact, without its fields, which are most of it: checked by the checksum
 * and not decoded. Null for a failure, and for what {@link decodeRecord} has to judge.
 */
export function decodeSummary(bytes: Buffer, hash: HashChunks): ArtifactSummary | null {
  const end = bytes.indexOf(FIELDS);
  if (bytes.byteLength > MAX_RECORD_BYTES || end < 0 || !isSealed(bytes, hash)) return null;
  const decoded = decoding(() => {
    const reader = new Reader(parseJson(`${decodeUtf8(bytes.subarray(0, end))}}`), 'record');
    const head = readHead(reader);
    reader.end();
    return summaryOf(head);
  });
  return decoded.ok ? decoded.value : null;
}

function unreadable(reason: string): DecodedRecord {
  return { ok: false, miss: 'unreadable', reason };
}

function decodeUtf8(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) return mismatch('not UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function isNewer(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('schema' in value)) return false;
  const { schema } = value;
  if (typeof schema !== 'string' || !schema.startsWith(SCHEMA_PREFIX)) return false;
  const version = schema.slice(SCHEMA_PREFIX.length);
  return /^[1-9][0-9]{0,8}$/.test(version) && Number(version) > 1;
}

/** Null for a failure, and for what is neither. */
function summaryOf(head: ReturnType<typeof readHead>): ArtifactSummary | null {
  const { payloadDigest, payloadBytes, failure } = head;
  if (payloadDigest === null || payloadBytes === null || failure !== null) return null;
  return {
    fingerprint: head.fingerprint,
    createdAtMs: head.createdAtMs,
    compiler: head.compiler,
    command: head.command,
    cost: head.cost,
    stdout: head.stdout,
    stderr: head.stderr,
    outputs: head.outputs,
    payloadDigest,
    payloadBytes,
  };
}

/** All but the fields and the mac. */
function readHead(reader: Reader) {
  const schema = reader.text('schema');
  if (schema !== RECORD_SCHEMA) mismatch(`unknown schema "${schema}"`);
  reader.text('checksum');
  const digest = reader.textOrNull('payloadDigest');
  return {
    fingerprint: readFingerprint(reader.text('fingerprint')),
    createdAtMs: reader.count('createdAtMs'),
    compiler: reader.text('compiler'),
    command: reader.texts('command'),
    cost: reader.objectOrNull('cost', readCost) ?? mismatch('record.cost is null'),
    stdout: readBytes(reader.text('stdout')),
    stderr: readBytes(reader.text('stderr')),
    payloadDigest: digest === null ? null : readDigest(digest),
    payloadBytes: reader.countOrNull('payloadBytes'),
    outputs: reader.list('outputs', readOutput),
    failure: reader.objectOrNull('failure', readFailure),
  };
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

function readFailure(reader: Reader): Failure {
  const failure: Failure = {
    kind: readOneOf(reader.text('kind'), ['deterministic', 'transient'] as const),
    count: reader.count('count'),
    lastAtMs: reader.count('lastAtMs'),
    status: reader.countOrNull('status'),
    signal: reader.textOrNull('signal'),
    limit: reader.objectOrNull('limit', readLimit),
  };
  reader.end();
  const { count, status, signal, limit } = failure;
  if (count === 0) mismatch('record.failure.count is 0');
  if (status !== null && (status === 0 || status > MAX_STATUS))
    mismatch('record.failure.status is no status');
  if (signal !== null && !SIGNAL.test(signal)) mismatch('record.failure.signal is no signal');
  const ends = [status, signal, limit].filter((end) => end !== null).length;
  return ends === 1 ? failure : mismatch('record.failure does not end in one way');
}

const MAX_STATUS = 255;
const SIGNAL = /^SIG[A-Z][A-Z0-9]{0,15}$/;

function readLimit(reader: Reader): FailureLimit {
  const limit = {
    kind: readOneOf(reader.text('kind'), ['timeout', 'memory'] as const),
    value: reader.count('value'),
  };
  reader.end();
  return limit;
}

function readOneOf<T extends string>(text: string, words: readonly T[]): T {
  return words.find((word) => word === text) ?? mismatch(`unknown word "${text}"`);
}

function readFingerprint(text: string): Fingerprint {
  return isFingerprint(text) ? text : mismatch('record.fingerprint is not 64 lowercase hex digits');
}

function readDigest(text: string): Digest {
  return isDigest(text) ? text : mismatch('not 64 lowercase hex digits');
}

function readBytes(text: string): Uint8Array {
  if (text === '') return Buffer.alloc(0);
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : mismatch('not base64');
}

function readOutput(value: unknown, path: string): RecordedOutput {
  const reader = new Reader(value, path);
  const output = { name: reader.text('name'), executable: reader.flag('executable') };
  reader.end();
  return output;
}

function readCost(reader: Reader): Cost {
  const cost = {
    wallSeconds: reader.amount('wallSeconds'),
    cpuSeconds: reader.amountOrNull('cpuSeconds'),
    peakMemoryBytes: reader.countOrNull('peakMemoryBytes'),
  };
  reader.end();
  return cost;
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
