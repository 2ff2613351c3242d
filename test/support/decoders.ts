import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decodeJob } from '../../src/cli/manifest/manifest-schema.js';
import { parseManifest } from '../../src/cli/manifest/parse-manifest.js';
import { readSettingsFile } from '../../src/cli/settings/files.js';
import { readTrusted } from '../../src/cli/settings/trust.js';
import { readSets } from '../../src/compile/dependency-sets.js';
import { depfilePrerequisites, parseDepfile } from '../../src/compile/depfile.js';
import { decodeElfFacts, encodeElfFacts, readElf } from '../../src/compile/elf.js';
import { readHistory } from '../../src/compile/request-history.js';
import { Stamps } from '../../src/compile/stamps.js';
import { wasUnstoredSince } from '../../src/compile/unstored-mark.js';
import type { Host } from '../../src/host/host.js';
import { HomePaths, StorePaths } from '../../src/layouts/vyre/home-paths.js';
import { readUsages } from '../../src/layouts/wasmtime/module-stats.js';
import { ZstdStream } from '../../src/layouts/wasmtime/zstd/zstd-stream.js';
import { readReason } from '../../src/maintenance/quarantine.js';
import { packMembers, unpackMembers } from '../../src/model/archive.js';
import { decodeCounterPage, encodeCounterPage } from '../../src/model/counters.js';
import { CacheError } from '../../src/model/error.js';
import { isFingerprint, isFingerprintPrefix } from '../../src/model/fingerprint.js';
import { decodeRecord, encodeRecord, sealRecord } from '../../src/model/record.js';
import { decodeSummary } from '../../src/model/record-head.js';
import { decodeCount, decodeDuration, decodeSize } from '../../src/model/units.js';
import { DiskTier } from '../../src/store/disk-tier.js';
import { decodeNotes } from '../../src/store/pending-list.js';
import { PrivateState } from '../../src/store/private-state.js';
import { findWorkers } from '../../src/store/worker-directory.js';
import { entryBytes, fingerprintFrom, hashOf } from './artifacts.js';
import { fakeHost } from './fake-host.js';

/** Where the bytes of a decoder lie that reads a file. */
export interface DecoderPlace {
  readonly host: Host;
  readonly home: HomePaths;
  readonly folder: string;
}

/** One decoder of the product, as a function of bytes that somebody else may have written. */
export interface KnownDecoder {
  /** That of its corpus. */
  readonly name: string;
  /** Never throws, but what the user can fix where that is its contract. */
  decode(bytes: Buffer, place: DecoderPlace): unknown;
  /** Makes the checksum of a format fit again, so that what is behind it is decoded. */
  seal?(bytes: Buffer): Buffer;
  /** What the encoder makes of the decoded bytes; null for what was refused. */
  encode?(bytes: Buffer, place: DecoderPlace): Uint8Array | null;
}

const FINGERPRINT = fingerprintFrom('ab');
const MAX_PAYLOAD_BYTES = 1_000_000;
const FOOTER_BYTES = 32;

export const DECODERS: readonly KnownDecoder[] = [
  {
    name: 'entry',
    decode: (bytes, place) => {
      put(new StorePaths(place.home.store).entry(FINGERPRINT), bytes);
      return tierOf(place).readEntry(FINGERPRINT);
    },
    seal: sealEntry,
  },
  {
    name: 'record',
    decode: (bytes) => [decodeRecord(bytes, hashOf), decodeSummary(bytes, hashOf)],
    seal: (bytes) => sealRecord(bytes, hashOf),
    encode: (bytes) => {
      const decoded = decodeRecord(bytes, hashOf);
      return decoded.ok ? encodeRecord(decoded.record, hashOf) : null;
    },
  },
  {
    name: 'counters',
    decode: (bytes, place) => {
      put(join(place.home.private, 'counters'), bytes);
      return [
        decodeCounterPage(bytes, hash),
        new PrivateState(place.host, place.home.private).readCounters(),
      ];
    },
    encode: (bytes) => {
      const page = decodeCounterPage(bytes, hash);
      return page === null ? null : encodeCounterPage(page, hash);
    },
  },
  {
    name: 'archive',
    decode: (bytes) => unpackMembers(bytes),
    encode: (bytes) => {
      const members = unpackMembers(bytes);
      return members.ok ? packMembers(members.value) : null;
    },
  },
  {
    name: 'fingerprint',
    decode: (bytes) => [isFingerprint(textOf(bytes)), isFingerprintPrefix(textOf(bytes))],
  },
  {
    name: 'units',
    decode: (bytes) => [decodeDuration, decodeSize, decodeCount].map((decode) => decode(textOf(bytes))),
  },
  { name: 'manifest', decode: decodeManifest },
  {
    name: 'depfile',
    decode: (bytes) => [parseDepfile(textOf(bytes)), depfilePrerequisites(textOf(bytes))],
  },
  {
    name: 'elf',
    decode: (bytes, { host, folder }) => readElf(host.files, put(join(folder, 'program'), bytes)),
  },
  {
    name: 'elf-facts',
    decode: (bytes) => decodeElfFacts(textOf(bytes)),
    encode: (bytes) => {
      const facts = decodeElfFacts(textOf(bytes));
      return facts === undefined ? null : Buffer.from(encodeElfFacts(facts), 'utf8');
    },
  },
  { name: 'pending', decode: (bytes) => decodeNotes(bytes) },
  {
    name: 'events',
    decode: (bytes, { host, home }) => {
      put(join(home.private, 'events'), bytes);
      return new PrivateState(host, home.private).readEvents();
    },
  },
  {
    name: 'savings',
    decode: (bytes, { host, home }) => {
      put(join(home.private, 'savings'), bytes);
      return new PrivateState(host, home.private).readSavings();
    },
  },
  {
    name: 'stamps',
    decode: (bytes, { host, home }) => {
      put(home.stamps, bytes);
      return new Stamps(host, home);
    },
    seal: sealEntry,
  },
  {
    name: 'dependencies',
    decode: (bytes, { host, home }) => {
      put(home.dependencies(FINGERPRINT), bytes);
      return readSets(host, home, FINGERPRINT);
    },
    seal: sealEntry,
  },
  {
    name: 'history',
    decode: (bytes, { host, home }) => {
      put(home.request(FINGERPRINT), bytes);
      return readHistory(host, home, FINGERPRINT);
    },
    seal: sealEntry,
  },
  {
    name: 'unstored',
    decode: (bytes, { host, home }) => {
      put(home.unstored, bytes);
      return wasUnstoredSince(host, home, fingerprintFrom('0'), 0);
    },
  },
  {
    name: 'owner',
    decode: (bytes, { host, home }) => {
      put(join(home.workerDirectory('0123456789abcdef'), 'owner'), bytes);
      return findWorkers(host, home);
    },
  },
  {
    name: 'quarantine',
    decode: (bytes, { host, folder }) => readReason(host, put(join(folder, 'reason.json'), bytes)),
  },
  {
    name: 'trusted',
    decode: (bytes, { host, folder }) => {
      put(join(folder, 'trusted.json'), bytes);
      return readTrusted(host, folder);
    },
  },
  {
    name: 'config',
    decode: async (bytes, { host, folder }) => {
      const path = put(join(folder, 'config.toml'), bytes);
      return orRefused(async () => readSettingsFile(host, { kind: 'named', path, found: true }, {}));
    },
  },
  { name: 'zstd', decode: decodeZstd },
  { name: 'module-stats', decode: (bytes) => readUsages(bytes) },
];

function decodeManifest(bytes: Buffer): unknown {
  return orRefused(() => {
    const { jobs, mistakes } = parseManifest({ name: 'warm.json', folder: '/', text: textOf(bytes) });
    return [mistakes, jobs.map(({ value }) => decodeJob(value))];
  });
}

/** In pieces, as it is read from a file. */
function decodeZstd(bytes: Buffer): unknown {
  let content = 0;
  const stream = new ZstdStream((chunk) => {
    content += chunk.byteLength;
  });
  for (let at = 0; at < bytes.byteLength; at += 1000) {
    const fault = stream.push(bytes.subarray(at, at + 1000));
    if (fault !== null) return fault;
  }
  return stream.end() ?? content;
}

/** A mistake of the user is told by an error, and by no other one. */
function orRefused<T>(work: () => T): T | string {
  try {
    const value = work();
    return value instanceof Promise ? (value.catch(refusal) as T) : value;
  } catch (error) {
    return refusal(error);
  }
}

function refusal(error: unknown): string {
  if (error instanceof CacheError) return error.message;
  throw error;
}

function textOf(bytes: Buffer): string {
  return bytes.toString('utf8');
}

function hash(bytes: Uint8Array): Uint8Array {
  return hashOf([bytes]);
}

/** The last 32 bytes are taken for the checksum of the others. */
function sealEntry(bytes: Buffer): Buffer {
  return entryBytes(bytes.subarray(0, Math.max(0, bytes.byteLength - FOOTER_BYTES)));
}

function put(path: string, bytes: Buffer): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, bytes, { mode: 0o600 });
  return path;
}

function tierOf({ host, home }: DecoderPlace): DiskTier {
  return new DiskTier(host, {
    paths: new StorePaths(home.store),
    maxPayloadBytes: MAX_PAYLOAD_BYTES,
    lock: null,
  });
}

export function decoderPlace(folder: string): DecoderPlace {
  return { host: fakeHost(), home: new HomePaths(join(folder, 'vyre')), folder };
}
