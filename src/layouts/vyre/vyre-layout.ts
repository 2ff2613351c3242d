import { isFingerprint, type Fingerprint } from '../../model/fingerprint.js';
import type { Classified, Layout } from '../layout.js';
import { CACHE_TAG, PRIVATE_FOLDER, STORE_FOLDER, VYRE_SECTIONS, WORKER_PREFIX } from './home-paths.js';

const QUARANTINE_FOLDER = 'quarantine';

const ENTRY = /^([0-9a-f]{64})\.bin$/;
const RECORD = /^([0-9a-f]{64})\.json$/;
/** DiskCache: `.<hex>-<n>.bin.tmp`; vyre-aot: `.<hex>.bin.tmp`; the G8 module: `<hex>.bin.tmp`. */
const FLAT_TEMPORARY = /^\.?[0-9a-f]{64}(?:-[0-9]+)?\.bin\.tmp$/;
/** The driver's DiskPipelineCache: `<2hex>/<64hex>.bin`, raw bytes, and its `<hex>.bin.tmp.<pid>.<n>`. */
const SHARD = /^[0-9a-f]{2}$/;
const SHARD_TEMPORARY = /^[0-9a-f]{64}\.bin\.tmp\.[0-9]+\.[0-9]+$/;

const ALIEN: Classified = { kind: 'alien' };

function fingerprintIn(pattern: RegExp, name: string): Fingerprint | null {
  const text = pattern.exec(name)?.[1];
  return text !== undefined && isFingerprint(text) ? text : null;
}

/** A name in a flat folder of entries. */
export function classifyStoreName(name: string): Classified {
  const entry = fingerprintIn(ENTRY, name);
  if (entry !== null) return { kind: 'entry', fingerprint: entry };
  const record = fingerprintIn(RECORD, name);
  if (record !== null) return { kind: 'record', fingerprint: record };
  return FLAT_TEMPORARY.test(name) ? { kind: 'litter' } : ALIEN;
}

function classifyInStore(rest: readonly string[]): Classified {
  const [first = '', second] = rest;
  if (rest.length === 1) return classifyStoreName(first);
  if (rest.length !== 2 || second === undefined || !SHARD.test(first)) return ALIEN;
  if (SHARD_TEMPORARY.test(second)) return { kind: 'litter' };
  return ENTRY.test(second) && second.startsWith(first) ? { kind: 'unverifiable' } : ALIEN;
}

/** A home as vyre's writers and we fill it. Sections of other writers are counted, not checked. */
export const vyreLayout: Layout = {
  name: 'vyre',
  classify(segments) {
    const [top = '', ...rest] = segments;
    if (isPrivate(top, rest)) return { kind: 'private' };
    if (rest.length === 0) return ALIEN;
    if (top === STORE_FOLDER) return classifyInStore(rest);
    return VYRE_SECTIONS.some((section) => section === top) ? { kind: 'unverifiable' } : ALIEN;
  },
  enters: (segments) => !isPrivate(segments[0] ?? '', ['']),
};

function isPrivate(top: string, rest: readonly string[]): boolean {
  if (rest.length === 0) return top === CACHE_TAG;
  return top === PRIVATE_FOLDER || top === QUARANTINE_FOLDER || top.startsWith(WORKER_PREFIX);
}

/** Any other flat folder of entries: vyre's DiskCache takes every root. */
export const storeLayout: Layout = {
  name: 'vyre-store',
  classify: (segments) => (segments.length === 1 ? classifyStoreName(segments[0] ?? '') : ALIEN),
  enters: () => true,
};
