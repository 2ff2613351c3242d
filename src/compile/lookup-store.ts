import type { DiskTier } from '../store/disk-tier.js';
import { LayeredStore } from '../store/layered-store.js';
import type { HomePaths } from '../layouts/vyre/home-paths.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { sharedBlockOf } from '../model/fields.js';
import type { MissReason } from '../model/lifecycle.js';
import type { FailureRecord } from '../model/record.js';
import {
  currentSets,
  dependencyFields,
  NO_DEPENDENCIES,
  readSets,
  type DependencySet,
  type IsCurrent,
} from './dependency-sets.js';
import { fingerprint, type Description } from './description.js';
import { discovers, type Plan } from './plan.js';
import type { CacheSession } from './session.js';
import type { SharedLooks } from './shared-looks.js';
import { readArtifact, readArtifactNow, type ArtifactRead, type FoundOutputs } from './stored-artifact.js';

/** A verified artifact that answers a request. */
export interface Found extends FoundOutputs {
  readonly fingerprint: Fingerprint;
  /** What the compilation has read. */
  readonly set: DependencySet;
  /** How many sets were used after this one. */
  readonly setAge: number;
}

export interface NotFound {
  readonly hit: false;
  readonly reason: MissReason;
  /** The complete fingerprint, where the dependencies of the request are known. */
  readonly fingerprint: Fingerprint | null;
  /** False when the compiler lists what it reads, lists are known, and none of them is current. */
  readonly discoveredKnown: boolean;
  /** What has failed with these very inputs and dependencies, in force or not. */
  readonly failures: readonly KnownFailure[];
}

/** A failure that is remembered for the complete fingerprint of a request. */
export interface KnownFailure {
  readonly fingerprint: Fingerprint;
  readonly record: FailureRecord;
}

export interface LookupPlace {
  readonly paths: HomePaths;
  readonly store: LayeredStore;
  readonly disk: DiskTier;
}

export interface LookupRequest {
  readonly plan: Plan;
  readonly description: Description;
  readonly looks?: SharedLooks;
}

/**
 * Looks for the artifact of a described request: the first dependency set that is current and has a valid entry. Only
 * where there is none the failures count.
 */
export async function find(
  session: CacheSession,
  place: LookupPlace,
  request: LookupRequest,
): Promise<Found | NotFound> {
  const waitedFor = new Map<Fingerprint, ArtifactRead>();
  for (;;) {
    const found = findAmong(session, { place, waitedFor }, request);
    if (!('mustWait' in found)) return found;
    const { mustWait } = found;
    waitedFor.set(mustWait, await readArtifact(place.store, mustWait, request.plan.outputs.length));
  }
}

/** {@link find} where nothing has to be waited for; null where something has. */
export function findNow(
  session: CacheSession,
  place: LookupPlace,
  request: LookupRequest,
): Found | NotFound | null {
  const found = findAmong(session, { place, waitedFor: NOTHING }, request);
  return 'mustWait' in found ? null : found;
}

/** Name by name: a batch makes thousands, and V8 gives each object that is spread and added to a shape of its own. */
function foundIn(read: FoundOutputs, about: Pick<Found, 'fingerprint' | 'set' | 'setAge'>): Found {
  return {
    hit: true,
    tier: read.tier,
    artifact: read.artifact,
    record: read.record,
    outputs: read.outputs,
    fingerprint: about.fingerprint,
    set: about.set,
    setAge: about.setAge,
  };
}

const NOTHING: ReadonlyMap<Fingerprint, ArtifactRead> = new Map();

function findAmong(
  session: CacheSession,
  where: { readonly place: LookupPlace; readonly waitedFor: ReadonlyMap<Fingerprint, ArtifactRead> },
  request: LookupRequest,
): Found | NotFound | { readonly mustWait: Fingerprint } {
  const { place, waitedFor } = where;
  const { plan, description, looks } = request;
  const { host, knownSets } = session;
  const { cwd } = plan.request;
  const readWith = (
    set: DependencySet,
  ): { readonly complete: Fingerprint; readonly read: ArtifactRead | null } => {
    const complete = completeFingerprint(session, description, set);
    const read = waitedFor.get(complete) ?? readArtifactNow(place.store, complete, plan.outputs.length);
    return { complete, read };
  };
  const look = (): IsCurrent => currentSets(host, session.digests, cwd);
  const isNow = looks === undefined ? look() : looks.from(cwd, look);
  const isListed = discovers(plan);
  const likely = isListed ? (looks?.likelySet(plan) ?? null) : null;
  if (likely !== null && isNow(likely)) {
    const { complete, read } = readWith(likely);
    if (read?.hit === true) return foundIn(read, { fingerprint: complete, set: likely, setAge: 0 });
  }
  const known = isListed ? readSets(host, place.paths, description.primary, knownSets) : [NO_DEPENDENCIES];
  const current = known.filter(isNow);
  let miss: NotFound = {
    hit: false,
    reason: 'absent',
    fingerprint: null,
    discoveredKnown: current.length > 0 || known.length === 0,
    failures: [],
  };
  const failures: KnownFailure[] = [];
  for (const set of current) {
    const { complete, read } = readWith(set);
    if (read === null) return { mustWait: complete };
    if (read.hit) {
      looks?.keepSet(plan, set);
      return foundIn(read, { fingerprint: complete, set, setAge: known.indexOf(set) });
    }
    miss = { hit: false, reason: read.reason, fingerprint: complete, discoveredKnown: true, failures };
    const record = place.disk.readFailure(complete);
    if (record !== null) failures.push({ fingerprint: complete, record });
    if (read.reason !== 'absent') break;
  }
  return miss;
}

/** The same for a root that is only read. @throws the errno error when it cannot be read at all. */
export async function findReadOnly(
  session: CacheSession,
  request: { readonly plan: Plan; readonly description: Description },
): Promise<Found | NotFound> {
  const disk = session.openStore();
  return find(session, { paths: session.paths, disk, store: new LayeredStore([disk]) }, request);
}

/** The fingerprint of a description together with what was discovered. */
export function completeFingerprint(
  session: CacheSession,
  description: Description,
  set: DependencySet,
): Fingerprint {
  const further = sharedBlockOf(dependencyFields(set, description.declared));
  if (further === null) return description.primary;
  return fingerprint(session.host, [...description.blocks, further]);
}
