import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BenchError } from '../bench-error.js';
import { hashChunks, loadNativeBlake3, type Blake3 } from '../../src/host/hash.js';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import { entryChunks } from '../../src/model/entry.js';
import { isDigest, isFingerprint } from '../../src/model/fingerprint.js';
import { decodeRecord, encodeRecord, isFailureRecord } from '../../src/model/record.js';
import type { ArtifactRecord } from '../../src/model/record-head.js';
import type { Site } from '../site.js';
import { nameOf, noise } from './entries.js';
import { makeHome } from './home.js';

/** A home with entries and records like that of the one compilation that makes it a home. */
export async function makeRecordedEntries(
  site: Site,
  root: string,
  { count, payloadBytes }: { readonly count: number; readonly payloadBytes: number },
): Promise<void> {
  const hash = loadNativeBlake3() ?? portableBlake3;
  const hashAll = (chunks: readonly Uint8Array[]): Uint8Array => hashChunks(hash, chunks);
  await makeHome(site, root);
  const store = join(root, 'pipelines');
  const model = recordIn(store, hash);
  const payload = noise(hash, payloadBytes);
  await site.forEach(count, (index) => {
    payload.writeUInt32LE(index, 0);
    const footer = hashAll([payload]);
    const fingerprint = nameOf(hash, index);
    const payloadDigest = Buffer.from(footer).toString('hex');
    if (!isFingerprint(fingerprint) || !isDigest(payloadDigest)) throw new Error('expected hex digits');
    const record = encodeRecord({ ...model, fingerprint, payloadDigest, payloadBytes }, hashAll);
    writeFileSync(join(store, `${fingerprint}.json`), record, { mode: 0o600 });
    writeFileSync(join(store, `${fingerprint}.bin`), Buffer.concat(entryChunks(payload, footer)), {
      mode: 0o600,
    });
  });
}

/** The record of the only compilation of a home. */
function recordIn(store: string, hash: Blake3): ArtifactRecord {
  const name = readdirSync(store).find((candidate) => candidate.endsWith('.json'));
  if (name === undefined) throw new BenchError('expected the compilation to be stored with a record');
  const decoded = decodeRecord(readFileSync(join(store, name)), (chunks) => hashChunks(hash, chunks));
  if (!decoded.ok || isFailureRecord(decoded.record))
    throw new BenchError('expected the record of an artifact');
  return decoded.record;
}
