import type { Host } from '../host/host.js';
import { readRegularFile } from '../host/regular-file.js';
import { mismatch, type Reader } from '../model/decoder.js';
import { decodeDocument } from '../store/checked-file.js';
import {
  checkedPart,
  decodeArtifact,
  decodeLooks,
  isOwnFolder,
  isYoung,
  withChecksum,
  type KnownArtifact,
} from './shortcut.js';

export const BATCH_SHORTCUT_SCHEMA = 'vyre-cache.batch-shortcut/1';
/** Some 700 bytes a job. */
export const MAX_BATCH_SHORTCUT_BYTES = 134_217_728;
const NEWLINE = 0x0a;

/** What a job of a batch came to, and what was looked at for it alone. */
export interface KnownJob extends KnownArtifact {
  /** In the manifest, from 0. */
  readonly index: number;
  /** What messages call it. */
  readonly name: string;
  /** As {@link isAsSeen} reads them. */
  readonly looks: string;
}

/**
 * What a batch came to: a job comes to the same while everything that was looked at for all of them, and for this one, is
 * as it was.
 */
export interface BatchShortcut {
  /** Milliseconds since 1970. */
  readonly leftAtMs: number;
  /** Jobs of the manifest. */
  readonly total: number;
  /** For all of them. */
  readonly looks: string;
  /** Of the manifest those that may be taken. */
  readonly jobs: readonly KnownJob[];
}

type Head = Omit<BatchShortcut, 'jobs'>;

/** Null where there is none, where it is damaged or old, and where others may write. */
export function readBatchShortcut(
  host: Host,
  { folder, name }: { readonly folder: string; readonly name: string },
): BatchShortcut | null {
  if (!isOwnFolder(host, folder)) return null;
  const read = readRegularFile(host.files, `${folder}/${name}`, MAX_BATCH_SHORTCUT_BYTES);
  const part = read.ok ? checkedPart(host, read.bytes) : null;
  if (part === null) return null;
  const [head, ...jobs] = linesOf(part);
  const begun = head === undefined ? null : decodeDocument(head, decodeHead);
  if (begun === null || !isYoung(host, begun)) return null;
  const known = jobs.map((line) => decodeDocument(line, decodeJob));
  return known.every((job) => job !== null) ? { ...begun, jobs: known } : null;
}

function linesOf(bytes: Buffer): readonly string[] {
  const lines: string[] = [];
  for (let start = 0; start < bytes.byteLength;) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.byteLength : newline;
    lines.push(bytes.toString('utf8', start, end));
    start = end + 1;
  }
  return lines;
}

/** A line for what all jobs have in common, one for each job, and the checksum of them. */
export function batchShortcutBytes(host: Host, { jobs, ...head }: BatchShortcut): Buffer {
  const lines = [{ schema: BATCH_SHORTCUT_SCHEMA, ...head }, ...jobs].map((line) => JSON.stringify(line));
  return withChecksum(host, lines.join('\n'));
}

function decodeHead(reader: Reader): Head {
  if (reader.text('schema') !== BATCH_SHORTCUT_SCHEMA) mismatch('unknown schema');
  const head = {
    leftAtMs: reader.count('leftAtMs'),
    total: reader.count('total'),
    looks: decodeLooks(reader),
  };
  reader.end();
  return head;
}

function decodeJob(reader: Reader): KnownJob {
  const job = {
    index: reader.count('index'),
    name: reader.text('name'),
    ...decodeArtifact(reader),
    looks: decodeLooks(reader),
  };
  reader.end();
  return job;
}
