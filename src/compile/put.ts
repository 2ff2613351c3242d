import { isUint8Array } from 'node:util/types';
import { hashChunks } from '../host/hash.js';
import { CacheError } from '../model/error.js';
import { digestOfBytes, type Fingerprint } from '../model/fingerprint.js';
import type { Degraded, Uncacheable } from '../model/lifecycle.js';
import { decodeRecord, encodeRecord } from '../model/record.js';
import { type ArtifactRecord, MAX_RECORD_BYTES } from '../model/record-head.js';
import { DEFAULT_LOCK_TIMEOUT_MS, fingerprintByte } from '../store/lock-file.js';
import type { Artifact } from '../store/tier.js';
import { createWorkerDirectory } from '../store/worker-directory.js';
import type { CacheSession, Home } from './session.js';
import { storeArtifact, storeFailure } from './store-artifact.js';

/** What a record tells of a payload that was put by hand. */
export interface PutDetails {
  /** Base name of the output; the fingerprint unless set. */
  readonly name?: string;
  readonly executable?: boolean;
  readonly compiler?: string;
  readonly command?: readonly string[];
  /** What it took to make it: what a later hit spares. */
  readonly wallSeconds?: number;
  /** Replace a valid entry that is there already. */
  readonly replace?: boolean;
  /** How long to wait for somebody who publishes the same fingerprint; ten minutes unless set. */
  readonly lockTimeoutMs?: number;
}

export type PutResult =
  /** `kept`: a valid entry was there already, and stays. */
  | { readonly stored: true; readonly kept: boolean }
  | { readonly stored: false; readonly reason: Uncacheable | Degraded };

/**
 * Stores a payload as one output under a fingerprint that the caller computed. Trouble of the cache is a value.
 * @throws CacheError usage for a payload of another type, and for details that nobody could read again.
 */
export async function put(
  session: CacheSession,
  content: { readonly fingerprint: Fingerprint; readonly payload: Uint8Array },
  details: PutDetails,
): Promise<PutResult> {
  // Before anything is waited for: the caller may go on using its bytes.
  const artifact = artifactOf(session, content, details);
  const access = await session.openHome();
  if (!access.ok) {
    session.addDegraded(access.problem);
    return { stored: false, reason: access.problem.reason };
  }
  const { home } = access;
  await session.sweep(home);
  const { fingerprint } = content;
  const waiting = { timeoutMs: details.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS };
  try {
    const held = await home.lock.hold(fingerprintByte(fingerprint), waiting, async () =>
      publish(session, home, { artifact, replace: details.replace === true }),
    );
    return held.held ? held.value : { stored: false, reason: 'lock-timeout' };
  } catch (error) {
    return { stored: false, reason: storeFailure(session, { what: 'an artifact', fingerprint, error }) };
  }
}

async function publish(
  session: CacheSession,
  home: Home,
  made: { readonly artifact: Artifact; readonly replace: boolean },
): Promise<PutResult> {
  const worker = createWorkerDirectory(session.host, home.paths, made.artifact.fingerprint);
  try {
    const place = { staging: worker.path, replace: made.replace };
    const stored = await storeArtifact(session, home, made.artifact, place);
    return stored.notStored === null
      ? { stored: true, kept: stored.kept }
      : { stored: false, reason: stored.notStored };
  } finally {
    worker.remove();
  }
}

function artifactOf(
  session: CacheSession,
  { fingerprint, payload }: { readonly fingerprint: Fingerprint; readonly payload: Uint8Array },
  details: PutDetails,
): Artifact {
  const { host } = session;
  if (!isUint8Array(payload))
    throw new CacheError('usage', `expected a Uint8Array as payload, got "${typeof payload}"`);
  const own = Buffer.from(payload);
  const digest = digestOfBytes(hashChunks(host.hash, [own]));
  const record: ArtifactRecord = {
    fingerprint,
    payloadDigest: digest,
    payloadBytes: own.byteLength,
    createdAtMs: host.clock.nowMs(),
    fields: [],
    outputs: [{ name: details.name ?? fingerprint, executable: details.executable === true }],
    compiler: details.compiler ?? '',
    command: details.command ?? [],
    cost: { wallSeconds: details.wallSeconds ?? 0, cpuSeconds: null, peakMemoryBytes: null },
    stdout: new Uint8Array(0),
    stderr: new Uint8Array(0),
  };
  demandReadable(session, record);
  return { fingerprint, payload: own, digest, record, recordMiss: null };
}

/** A record that does not decode is damage for everybody who reads it. One that is too large is never written. */
function demandReadable({ host }: CacheSession, record: ArtifactRecord): void {
  const hash = (chunks: readonly Uint8Array[]): Uint8Array => hashChunks(host.hash, chunks);
  const encoded = Buffer.from(encodeRecord(record, hash));
  if (encoded.byteLength > MAX_RECORD_BYTES) return;
  const decoded = decodeRecord(encoded, hash);
  if (!decoded.ok)
    throw new CacheError('usage', `expected details that a record can hold: ${decoded.reason}`);
}
