import { decoding, mismatch, parseJson, Reader } from './decoder.js';
import {
  isDigest,
  isFingerprint,
  toHex,
  type Digest,
  type Fingerprint,
  type HashChunks,
} from './fingerprint.js';
import type { Failure, FailureLimit } from './failure.js';
import { BEFORE_CHECKSUM, BEFORE_SCHEMA, RECORD_SCHEMA } from './record-begin.js';
import type { ShownField } from './fields.js';

/** A record above 1 MiB is neither written nor believed. */
export const MAX_RECORD_BYTES = 1_048_576;

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

const MAX_SCHEMA_CHARACTERS = 100;

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

export function isSealed(bytes: Buffer, hash: HashChunks): boolean {
  const parts = splitChecksum(bytes);
  return parts !== null && parts.sum === toHex(hash([parts.head, parts.rest]));
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

/** What a decoder puts in the place of bytes that are no UTF-8. */
const REPLACEMENT = '\uFFFD';

/** `isUtf8` of `node:buffer` would have to be loaded: a hit does without. */
export function decodeUtf8(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  // A record may hold the character itself.
  const isWhole = !text.includes(REPLACEMENT) || Buffer.from(text, 'utf8').equals(bytes);
  return isWhole ? text : mismatch('not UTF-8');
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
export function readHead(reader: Reader) {
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

export function readDigest(text: string): Digest {
  return isDigest(text) ? text : mismatch('not 64 lowercase hex digits');
}

function readBytes(text: string): Uint8Array {
  if (text === '') return Buffer.allocUnsafe(0);
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
