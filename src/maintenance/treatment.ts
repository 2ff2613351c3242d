import { join, relative } from 'node:path';
import type { FileStat } from '../host/files.js';
import { partName } from '../layouts/examination.js';
import { HomePaths } from '../layouts/vyre/home-paths.js';
import { CacheError, errnoOf } from '../model/error.js';
import { openHome } from '../store/home.js';
import type { HomeLocks } from './home-locks.js';
import type { NamedArtifact } from './inventory.js';
import type { Judge, Judgement } from './judge.js';
import type { MaintainedRoot } from './maintained-root.js';
import { whileNobodyMaintains } from './maintenance-lock.js';
import { demandKnownFormat, demandOwner } from './owner.js';
import { moveIntoQuarantine } from './quarantine.js';
import { areUnchanged } from './removals.js';
import type { TreatedArtifact } from './reports.js';

/** What becomes of damaged artifacts. */
export type Treatment =
  | { readonly kind: 'delete' }
  /** `home`: whose quarantine takes what lies outside of homes, absolute; null where there is none. */
  | { readonly kind: 'quarantine'; readonly home: string | null };

/** Judged as damaged, with the reason. */
export interface DamagedArtifact {
  readonly artifact: NamedArtifact;
  /** Below the root. */
  readonly path: string;
  readonly reason: string;
  /** The states of its parts where nothing but its seal speaks against it; else null. */
  readonly rotten: readonly (FileStat | null)[] | null;
}

export interface TreatmentContext {
  readonly treatment: Treatment;
  readonly locks: HomeLocks;
  readonly judge: Judge;
}

/** @throws CacheError environment when the root belongs to somebody else or to a newer version. */
export function demandTreatable(root: MaintainedRoot): void {
  demandOwner(root);
  demandKnownFormat(root);
}

/** Deletes or moves artifacts, each whole, under its lock where it has one, and judged once more. */
export async function treat(
  root: MaintainedRoot,
  damaged: readonly DamagedArtifact[],
  context: TreatmentContext,
): Promise<readonly TreatedArtifact[]> {
  if (damaged.length === 0) return [];
  return whileNobodyMaintains(root, null, async () => {
    const treated: TreatedArtifact[] = [];
    const homes = new Set(damaged.flatMap(({ artifact }) => artifact.home ?? []));
    await context.locks.whileMaintaining([...homes], async () => {
      for (const each of damaged) treated.push(await treatOne(root, each, context));
    });
    return treated;
  });
}

async function treatOne(
  root: MaintainedRoot,
  damaged: DamagedArtifact,
  context: TreatmentContext,
): Promise<TreatedArtifact> {
  const { artifact, path } = damaged;
  const result = (
    action: TreatedArtifact['action'],
    more: Partial<TreatedArtifact> = {},
  ): TreatedArtifact => ({
    path,
    action,
    id: null,
    home: null,
    error: null,
    ...more,
  });
  try {
    const held = await context.locks.tryHold(artifact, () => {
      const judgement = context.judge.look(artifact);
      if (!isStillDamaged(damaged, judgement)) return result('changed');
      if (context.locks.isHeldElsewhere(artifact)) return result('in-use');
      if (context.treatment.kind === 'delete') {
        remove(root, artifact, judgement);
        return result('deleted');
      }
      const moved = moveAway(root, damaged, judgement, context.treatment.home);
      return moved === null ? result('changed') : result('quarantined', moved);
    });
    return held.held ? held.value : result('in-use');
  } catch (error) {
    // Without a home to move things to, the report is told all the same.
    if (error instanceof CacheError) return result('failed', { error: error.message });
    const errno = errnoOf(error);
    if (errno === null) throw error;
    return result('failed', { error: errno });
  }
}

/** What rotted against its seal looks like any other artifact without a checksum: it must be the very same one. */
function isStillDamaged({ rotten }: DamagedArtifact, { verdict, stats }: Judgement): boolean {
  if (rotten === null) return verdict.kind === 'damaged';
  return verdict.kind === 'unverifiable' && areUnchanged(rotten, stats);
}

/** A folder in the place of an artifact is not emptied: it may hold anything. */
function remove(
  { host }: MaintainedRoot,
  { format, folder, stem }: NamedArtifact,
  { stats }: Judgement,
): void {
  for (const part of format.removal) {
    const stat = stats[part] ?? null;
    const path = join(folder, partName(format, part, stem));
    if (stat?.type === 'directory') host.files.removeDirectory(path);
    else if (stat !== null) host.files.unlink(path);
  }
}

function moveAway(
  root: MaintainedRoot,
  { artifact, reason }: DamagedArtifact,
  { stats }: Judgement,
  fallback: string | null,
): { readonly id: string; readonly home: string } | null {
  const { host } = root;
  const { format, folder, stem } = artifact;
  const home = quarantineHome(root, artifact, fallback);
  const isOwn = home.root === artifact.home || home.root === root.root;
  const base = isOwn ? home.root : root.root;
  const why = {
    root: isOwn ? null : base,
    folder: relative(base, folder),
    format,
    stem,
    reason,
    atMs: host.clock.nowMs(),
  };
  const id = moveIntoQuarantine(host, home, { folder, stats, why });
  return id === null ? null : { id, home: home.root };
}

/**
 * The home that an artifact lies in; a root of vyre's sections becomes one. What belongs to another system goes to the
 * default home: nothing of ours is put into its directory.
 */
function quarantineHome(root: MaintainedRoot, { home }: NamedArtifact, fallback: string | null): HomePaths {
  const kind = root.kind();
  const chosen = home ?? (kind === 'home' || kind === 'sections' ? root.root : fallback);
  if (chosen === null) {
    throw new CacheError(
      'environment',
      'expected a cache of yours to keep the quarantine in, found none: set HOME or VYRE_CACHE_DIR',
    );
  }
  const opened = openHome(root.host, new HomePaths(chosen));
  if (opened.ok) return opened.paths;
  throw new CacheError(
    'environment',
    `expected a cache of yours for the quarantine: ${opened.problem.message}`,
  );
}
