import type { Host } from '../host/host.js';
import { readRegularFile } from '../host/regular-file.js';
import { mismatch, type Reader } from '../model/decoder.js';
import { decodeDocument } from '../store/checked-file.js';
import type { Looks } from './looks.js';
import {
  checkedText,
  decodeArtifact,
  decodeLooks,
  isOwnFolder,
  isYoung,
  withChecksum,
  type KnownArtifact,
} from './shortcut.js';

export const BATCH_SHORTCUT_SCHEMA = 'vyre-cache.batch-shortcut/1';
/** Some 500 bytes a job. */
export const MAX_BATCH_SHORTCUT_BYTES = 134_217_728;

/** What a job of a batch came to, and what was looked at for it alone. */
export interface KnownJob extends KnownArtifact, Looks {
  /** In the manifest, from 0. */
  readonly index: number;
  /** What messages call it. */
  readonly name: string;
}

/**
 * What a batch came to: a job comes to the same while everything that was looked at for all of them, and for this one, is
 * as it was.
 */
export interface BatchShortcut extends Looks {
  /** Milliseconds since 1970. */
  readonly leftAtMs: number;
  /** Jobs of the manifest. */
  readonly total: number;
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
  const text = read.ok ? checkedText(host, read.bytes) : null;
  if (text === null) return null;
  const [head, ...jobs] = text.split('\n');
  const begun = head === undefined ? null : decodeDocument(head, decodeHead);
  if (begun === null || !isYoung(host, begun)) return null;
  const known = jobs.map((line) => decodeDocument(line, decodeJob));
  return known.every((job) => job !== null) ? { ...begun, jobs: known } : null;
}

/** A line for what all jobs have in common, one for each job, and the checksum of them. */
export function batchShortcutBytes(host: Host, { jobs, ...head }: BatchShortcut): Buffer {
  let text = JSON.stringify({ schema: BATCH_SHORTCUT_SCHEMA, ...head });
  for (const job of jobs) text += `\n${JSON.stringify(job)}`;
  return withChecksum(host, text);
}

function decodeHead(reader: Reader): Head {
  if (reader.text('schema') !== BATCH_SHORTCUT_SCHEMA) mismatch('unknown schema');
  const head = {
    leftAtMs: reader.count('leftAtMs'),
    total: reader.count('total'),
    ...decodeLooks(reader),
  };
  reader.end();
  return head;
}

function decodeJob(reader: Reader): KnownJob {
  const job = {
    index: reader.count('index'),
    name: reader.text('name'),
    ...decodeArtifact(reader),
    ...decodeLooks(reader),
  };
  reader.end();
  return job;
}
