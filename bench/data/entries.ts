import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { entryChunks } from '../../src/model/entry.js';
import { hashChunks, loadNativeBlake3, type Blake3 } from '../../src/host/hash.js';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import type { Site } from '../site.js';

const DAY_SECONDS = 86_400;

export interface EntriesOfHome {
  readonly count: number;
  readonly payloadBytes: number;
  /** The ages are spread evenly up to here. */
  readonly oldestDays: number;
}

/**
 * Makes `<root>/pipelines/<64 hex digits>.bin` as vyre-runtime writes them: a payload, then its BLAKE3. Every payload
 * and every name differs; all come out the same on every run.
 */
export async function makeEntries(site: Site, root: string, entries: EntriesOfHome): Promise<void> {
  mkdirSync(join(root, 'pipelines'), { recursive: true, mode: 0o700 });
  await addEntries(site, root, { ...entries, from: 0, to: entries.count });
}

/** Those from one number up to, and without, another. */
export async function addEntries(
  site: Site,
  root: string,
  {
    from,
    to,
    payloadBytes,
    oldestDays,
  }: Omit<EntriesOfHome, 'count'> & { readonly from: number; readonly to: number },
): Promise<void> {
  const store = join(root, 'pipelines');
  const hash = loadNativeBlake3() ?? portableBlake3;
  const payload = noise(hash, payloadBytes);
  const nowSeconds = Date.now() / 1000;
  await site.forEach(to - from, (at) => {
    const index = from + at;
    payload.writeUInt32LE(index, 0);
    const path = join(store, `${nameOf(hash, index)}.bin`);
    writeFileSync(path, Buffer.concat(entryChunks(payload, hashChunks(hash, [payload]))), { mode: 0o600 });
    const seconds = nowSeconds - ((at + 0.5) / (to - from)) * oldestDays * DAY_SECONDS;
    utimesSync(path, seconds, seconds);
  });
}

/** 64 hex digits for a number, in no order. */
export function nameOf(hash: Blake3, index: number): string {
  return Buffer.from(hashChunks(hash, [Buffer.from(`bench ${index}`)])).toString('hex');
}

/** Bytes that no file system packs. */
export function noise(hash: Blake3, bytes: number): Buffer {
  const chunks = Math.ceil(bytes / 32);
  const blocks = Array.from({ length: chunks }, (_, index) =>
    hashChunks(hash, [Buffer.from(`noise ${index}`)]),
  );
  return Buffer.concat(blocks).subarray(0, bytes);
}
