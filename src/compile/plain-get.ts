import type { Host } from '../host/host.js';
import { withFile } from '../host/files.js';
import { HomePaths, StorePaths } from '../layouts/vyre/home-paths.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../model/entry.js';
import { CacheError, errnoOf } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { beginsRecordOf, MAX_RECORD_BEGIN_BYTES } from '../model/record-begin.js';
import { markEntryUsed, readEntryFile } from '../store/entry-file.js';
import { HitLog } from '../store/hit-log.js';
import type { Saving } from '../store/savings.js';
import { isUsable } from '../store/usable-home.js';
import { deliver, type DeliveryOptions } from './delivery.js';

export interface PlainGet {
  readonly host: Host;
  /** Absolute, links resolved. */
  readonly root: string;
  readonly fingerprint: Fingerprint;
  /** Absolute. */
  readonly output: string;
}

export interface PlainGetOptions extends DeliveryOptions {
  /** Counts a hit where the log of the home takes none. */
  countElsewhere(hit: Saving): Promise<void>;
}

/**
 * Delivers the payload of an entry of a home to a file, and counts a hit. False where anything is in the way or missing,
 * be it a record: then nothing was counted, and the long way finds out.
 */
export async function getPlainly(get: PlainGet, options: PlainGetOptions): Promise<boolean> {
  const { host, root, output } = get;
  const paths = new HomePaths(root);
  try {
    // What is written once more by the long way is whole again; a pipe would have it twice.
    const there = host.files.lstat(output);
    if (there !== null && there.type !== 'file') return false;
    const payload = isUsable(host, paths) ? verifiedPayload(get, new StorePaths(paths.store)) : null;
    if (payload === null) return false;
    await deliver(host, { path: output, executable: false, content: payload }, options);
    const hit = { fingerprint: get.fingerprint, savedMs: 0, hits: 1 };
    if (!new HitLog(host, paths.private).add(hit)) await options.countElsewhere(hit);
    return true;
  } catch (error) {
    // What cannot be delivered cannot be delivered the long way either, which says so.
    if (!(error instanceof CacheError) && errnoOf(error) === null) throw error;
    return false;
  }
}

/** Null where the entry is not whole, or no record of it is beside it. @throws the errno error where one cannot be read. */
function verifiedPayload({ host, fingerprint }: PlainGet, store: StorePaths): Buffer | null {
  const path = store.entry(fingerprint);
  const entry = readEntryFile(host, path, DEFAULT_MAX_PAYLOAD_BYTES);
  if (!entry.ok) return null;
  const { payload, digest, stat } = entry;
  const begin = readBegin(host, store.record(fingerprint));
  if (!beginsRecordOf(begin, { fingerprint, digest, bytes: payload.byteLength })) return null;
  markEntryUsed(host, path, stat.mtimeMs);
  return payload;
}

function readBegin({ files }: Host, path: string): string {
  const bytes = Buffer.allocUnsafe(MAX_RECORD_BEGIN_BYTES);
  const length = withFile(files, { path, flags: 'read' }, (fd) =>
    files.readAt(fd, bytes, bytes.byteLength, 0, 1),
  );
  return bytes.subarray(0, length).toString();
}
