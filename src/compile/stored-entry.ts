import { basename, join } from 'node:path';
import type { DiskTier } from '../store/disk-tier.js';
import { CacheError, errnoOf } from '../model/error.js';
import { unpackMembers } from '../model/archive.js';
import { isFingerprint, type Fingerprint } from '../model/fingerprint.js';
import type { ArtifactRecord } from '../model/record-head.js';
import type { MissReason } from '../model/lifecycle.js';
import { deliver } from './delivery.js';
import type { DeliveredOutput, LookupResult } from './request.js';
import type { CacheSession } from './session.js';
import { unpackOutputs } from './stored-outputs.js';

/** The payload of an entry, verified. Needs no record; one that does not belong to the entry is a miss. */
export async function getEntry(session: CacheSession, fingerprint: Fingerprint): Promise<LookupResult> {
  const disk = openStore(session);
  const read = await disk.get(fingerprint);
  if (!read.hit) {
    const reason = read.reason === 'absent' && disk.isEmpty() ? 'empty-cache' : read.reason;
    return missed(session, reason, fingerprint);
  }
  countHit(session, disk, fingerprint);
  const { payload, record } = read.artifact;
  const none = new Uint8Array(0);
  return {
    hit: true,
    fingerprint,
    tier: 'disk',
    payload,
    stdout: record?.stdout ?? none,
    stderr: record?.stderr ?? none,
  };
}

/** @throws CacheError environment when the root cannot be read at all. */
export function openStore(session: CacheSession): DiskTier {
  try {
    return session.openStore();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    throw new CacheError('environment', `the cache at "${session.root}" cannot be read (${errno})`, {
      cause: error,
    });
  }
}

/** Counts a miss. */
export function missed(
  session: CacheSession,
  reason: MissReason,
  fingerprint: Fingerprint | null,
): LookupResult {
  session.tally.add('lookups');
  session.tally.add('misses');
  session.tally.add(`missReason:${reason}`);
  return { hit: false, fingerprint, reason };
}

/** Notes the use of an entry and counts a hit. */
export function countHit(session: CacheSession, disk: DiskTier, fingerprint: Fingerprint): void {
  disk.markUsed(fingerprint);
  session.tally.add('lookups');
  session.tally.add('hits');
  session.tally.add('outcome:disk');
}

/** Every fingerprint of the store that begins with `prefix`, sorted; remembered failures are among them. */
export function findByPrefix(session: CacheSession, prefix: string): readonly Fingerprint[] {
  const found = new Set<Fingerprint>();
  try {
    session.host.files.scanDirectory(openStore(session).paths.folder, ({ name }) => {
      const stem = name.replace(/\.(?:bin|json)$/, '');
      if (stem !== name && stem.startsWith(prefix) && isFingerprint(stem)) found.add(stem);
      return true;
    });
  } catch (error) {
    // A store that does not exist holds nothing.
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error;
  }
  return [...found].toSorted();
}

/**
 * Writes the outputs of an entry into a folder under their base names, equal ones into numbered subfolders. Without a
 * record the members keep their numbers, and a single output is called by its fingerprint.
 * @throws CacheError environment when the folder cannot be written.
 */
export async function extractOutputs(
  session: CacheSession,
  entry: { readonly fingerprint: Fingerprint; readonly payload: Buffer },
  directory: string,
): Promise<readonly DeliveredOutput[]> {
  const { host } = session;
  const read = openStore(session).readRecord(entry.fingerprint);
  const members = namedMembers(entry, read.ok ? read.record : null);
  const taken = new Set<string>();
  const delivered: DeliveredOutput[] = [];
  for (const [index, { name, bytes, executable }] of members.entries()) {
    const relative = taken.has(name) ? join(String(index + 1), name) : name;
    taken.add(name);
    const path = join(directory, relative);
    makeFolder(session, join(path, '..'));
    await deliver(host, { path, executable, content: bytes });
    delivered.push({ path, bytes: bytes.byteLength, executable });
  }
  return delivered;
}

interface NamedMember {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

function namedMembers(
  entry: { readonly fingerprint: Fingerprint; readonly payload: Buffer },
  record: ArtifactRecord | null,
): readonly NamedMember[] {
  const { fingerprint, payload } = entry;
  if (record !== null) {
    const outputs = unpackOutputs(payload, record);
    if (outputs !== null) {
      return outputs.map((output, index) => ({
        bytes: output.bytes,
        executable: output.executable,
        name: safeName(record.outputs[index]?.name, index),
      }));
    }
  }
  const unpacked = unpackMembers(payload);
  if (!unpacked.ok) return [{ name: fingerprint, bytes: payload, executable: false }];
  return unpacked.value.map(({ bytes, executable }, index) => ({
    name: String(index + 1),
    bytes,
    executable,
  }));
}

/** A record may come from elsewhere: its names never lead out of the folder. */
function safeName(name: string | undefined, index: number): string {
  const base = basename(name ?? '');
  return base === '' || base === '.' || base === '..' || base.includes('\0') ? String(index + 1) : base;
}

function makeFolder(session: CacheSession, folder: string): void {
  try {
    session.host.files.makeDirectories(folder, 0o777);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    throw new CacheError('environment', `the folder "${folder}" cannot be made (${errno})`, { cause: error });
  }
}
