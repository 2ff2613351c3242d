import { lstatOrNull } from '../host/files.js';
import { partName } from '../layouts/examination.js';
import { entryFormat } from '../layouts/vyre/entry-format.js';
import { StorePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import { isFingerprint } from '../model/fingerprint.js';
import { ALLOWED_DRIFT_MS } from '../model/retention.js';
import { DiskTier } from '../store/disk-tier.js';
import { lookNow, removeArtifact } from './artifact-files.js';
import type { HomeLocks } from './home-locks.js';
import { artifactAt, below, pathOf, type Inventory, type NamedArtifact } from './inventory.js';
import type { MaintainedRoot } from './maintained-root.js';
import type { Removals } from './removals.js';

/** A version that was used within a week is in use, beside whatever other one: machines have several. */
const STALE_AGE_MS = 7 * 86_400_000;

/** The field of a fingerprint that has the digest of the compiler's own file. */
const PROGRAM_FIELD = 'compiler/program';

/** One version of a compiler, as far as artifacts tell. */
interface Version {
  readonly compiler: string;
  /** The last use of any of its artifacts, those apart whose time is a broken clock's; -Infinity where all are. */
  usedAtMs: number;
}

/**
 * Removes the artifacts of compilers that were replaced: of each compiler the version that was used last stays, and every
 * one that was used within a week. Reads every record: only they tell which compiler of ours made an entry.
 */
export async function removeStaleCompilers(
  root: MaintainedRoot,
  inventory: Inventory,
  options: { readonly locks: HomeLocks; readonly removals: Removals },
): Promise<void> {
  const reader = new VersionReader(root);
  const versions = new Map<string, Version>();
  const ofRow: (string | null)[] = [];
  for (let row = 0; row < inventory.artifacts.count; row += 1) {
    const note = (artifact: NamedArtifact): string | null => noteVersion(root, reader, versions, artifact);
    ofRow.push(await tryEach(root, inventory, { row, removals: options.removals }, note));
  }
  const stale = staleVersions(versions, root.host.clock.nowMs());
  for (const [row, version] of ofRow.entries()) {
    if (version === null || !stale.has(version)) continue;
    await tryEach(root, inventory, { row, removals: options.removals }, async (artifact) =>
      removeStale(root, artifact, options),
    );
  }
}

/** Null, and a row of the report, for an artifact that cannot be looked at: it stays. */
async function tryEach<T>(
  { root }: MaintainedRoot,
  inventory: Inventory,
  { row, removals }: { readonly row: number; readonly removals: Removals },
  work: (artifact: NamedArtifact) => T | Promise<T>,
): Promise<T | null> {
  try {
    return await work(artifactAt(inventory, row));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    removals.fail(below(root, pathOf(inventory, row)), errno);
    return null;
  }
}

/** @returns the version that made an artifact; null where nothing tells. */
function noteVersion(
  { host }: MaintainedRoot,
  reader: VersionReader,
  versions: Map<string, Version>,
  artifact: NamedArtifact,
): string | null {
  const state = artifact.format.isPrunable ? lookNow(host, artifact) : null;
  const made = state === null ? null : reader.versionOf(artifact);
  if (state === null || made === null) return null;
  // What a failed compilation left is nobody's artifact, and garbage by itself.
  if (artifact.format.emptyIsLitter === true && state.bytes === 0) return null;
  const key = `${made.compiler}\n${made.version}`;
  const isFarAhead = state.usedAtMs - host.clock.nowMs() > ALLOWED_DRIFT_MS;
  const usedAtMs = isFarAhead ? -Infinity : state.usedAtMs;
  const known = versions.get(key);
  if (known === undefined) versions.set(key, { compiler: made.compiler, usedAtMs });
  else known.usedAtMs = Math.max(known.usedAtMs, usedAtMs);
  return key;
}

function staleVersions(versions: ReadonlyMap<string, Version>, nowMs: number): ReadonlySet<string> {
  const latest = new Map<string, number>();
  for (const { compiler, usedAtMs } of versions.values())
    latest.set(compiler, Math.max(latest.get(compiler) ?? -Infinity, usedAtMs));
  // Of what only has times of a broken clock nothing is known: it stays.
  const isStale = ({ compiler, usedAtMs }: Version): boolean =>
    usedAtMs !== -Infinity &&
    usedAtMs < (latest.get(compiler) ?? usedAtMs) &&
    nowMs - usedAtMs > STALE_AGE_MS;
  return new Set([...versions].filter(([, version]) => isStale(version)).map(([key]) => key));
}

async function removeStale(
  { host }: MaintainedRoot,
  artifact: NamedArtifact,
  { locks, removals }: { readonly locks: HomeLocks; readonly removals: Removals },
): Promise<void> {
  const { format, folder, stem } = artifact;
  const path = `${folder}/${partName(format, format.removal[0] ?? 0, stem)}`;
  const stat = lstatOrNull(host.files, path);
  const state = lookNow(host, artifact);
  if (stat === null || state === null) return;
  const garbage = { path, reason: 'stale-compiler', stat, bytes: state.bytes };
  const held = await locks.tryHold(artifact, async () => {
    if (locks.isHeldElsewhere(artifact)) return false;
    await removals.take(garbage, () => {
      if (lookNow(host, artifact)?.usedAtMs !== state.usedAtMs) return false;
      removeArtifact(host, artifact);
      return true;
    });
    return true;
  });
  if (!held.held || !held.value) removals.keepInUse(state.bytes);
}

/** Tells which compiler made an artifact, in which version. */
class VersionReader {
  readonly #root: MaintainedRoot;

  constructor(root: MaintainedRoot) {
    this.#root = root;
  }

  versionOf({
    format,
    folder,
    stem,
  }: NamedArtifact): { readonly compiler: string; readonly version: string } | null {
    if (format !== entryFormat) {
      const made = format.compiler?.(folder) ?? null;
      return made === null ? null : { compiler: `${format.name} ${made.name}`, version: made.version };
    }
    if (!isFingerprint(stem)) return null;
    const { host, maxPayloadBytes } = this.#root;
    const store = new DiskTier(host, { paths: new StorePaths(folder), maxPayloadBytes, lock: null });
    const read = store.readRecord(stem);
    if (!read.ok) return null;
    // The program alone: which other parts of a compiler are fields depends on what was asked of it.
    const program = read.record.fields.find(({ name }) => name === PROGRAM_FIELD);
    const version = program?.digest ?? program?.value ?? null;
    return version === null ? null : { compiler: `entry ${read.record.compiler}`, version };
  }
}
