import { hashChunks } from '../host/hash.js';
import type { Host } from '../host/host.js';
import { withRegularFile } from '../host/regular-file.js';
import { HomePaths, StorePaths } from '../layouts/vyre/home-paths.js';
import { Tally } from '../model/counters.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../model/entry.js';
import { CacheError, errnoOf } from '../model/error.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { decodeSummary, MAX_RECORD_BYTES } from '../model/record-head.js';
import { belongs, markEntryUsed, readEntryFile } from '../store/entry-file.js';
import { LockFile } from '../store/lock-file.js';
import { PrivateState } from '../store/private-state.js';
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
  /** Counts where the home takes no figures. */
  countElsewhere(tally: Tally): Promise<void>;
}

/**
 * Delivers the payload of an entry of a home to a file, and counts a hit. False where anything is in the way or missing,
 * be it a record: then nothing was counted, and the long way finds out.
 */
export async function getPlainly(get: PlainGet, options: PlainGetOptions): Promise<boolean> {
  const { host, root, output } = get;
  const paths = new HomePaths(root);
  let lock: LockFile | null = null;
  try {
    // What is written once more by the long way is whole again; a pipe would have it twice.
    const there = host.files.lstat(output);
    if (there !== null && there.type !== 'file') return false;
    const payload = isUsable(host, paths) ? verifiedPayload(get, new StorePaths(paths.store)) : null;
    if (payload === null) return false;
    const state = new PrivateState(host, paths.private);
    lock = new LockFile(host, state.lockPath);
    await deliver(host, { path: output, executable: false, content: payload }, options);
    await count(state, lock, options);
    return true;
  } catch (error) {
    // What cannot be delivered cannot be delivered the long way either, which says so.
    if (!(error instanceof CacheError) && errnoOf(error) === null) throw error;
    return false;
  } finally {
    lock?.close();
  }
}

/** Null where entry and record are not both there, whole, and of each other. */
function verifiedPayload({ host, fingerprint }: PlainGet, store: StorePaths): Buffer | null {
  const path = store.entry(fingerprint);
  const entry = readEntryFile(host, path, DEFAULT_MAX_PAYLOAD_BYTES);
  if (!entry.ok) return null;
  const file = { path: store.record(fingerprint), maxBytes: MAX_RECORD_BYTES };
  const record = withRegularFile(host.files, file, (read) =>
    read.ok ? decodeSummary(read.bytes, (chunks) => hashChunks(host.hash, chunks)) : null,
  );
  if (record === null || !belongs(record, fingerprint, entry)) return null;
  markEntryUsed(host, path, entry.stat.mtimeMs);
  return entry.payload;
}

async function count(state: PrivateState, lock: LockFile, options: PlainGetOptions): Promise<void> {
  const tally = new Tally();
  for (const name of ['lookups', 'hits', 'outcome:disk'] as const) tally.add(name);
  try {
    if (await state.addToCounters(tally, lock)) return;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
  await options.countElsewhere(tally);
}
