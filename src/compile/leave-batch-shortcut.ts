import { lstatOrNull } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { HomePaths, StorePaths } from '../layouts/vyre/home-paths.js';
import {
  batchShortcutBytes,
  MAX_BATCH_SHORTCUT_BYTES,
  type BatchShortcut,
  type KnownJob,
} from './batch-shortcut.js';
import type { BatchJob } from './batch.js';
import { isChanging, knownArtifact, leaveBytes } from './leave-shortcut.js';
import type { Found } from './lookup-store.js';
import type { Looks } from './looks.js';
import { notedLooks, unitedLooks } from './noted-looks.js';
import type { Plan, PlannedOutput } from './plan.js';
import type { BatchLooks, OwnFiles, RecordedLooks } from './recorded-looks.js';
import type { KnownArtifact } from './shortcut.js';
import { isSettled } from './stamps.js';

/** A job that was a hit. */
export interface HitJob {
  readonly index: number;
  readonly plan: Plan;
  readonly artifact: KnownArtifact;
  readonly name: string;
}

export interface HitBatch {
  readonly looks: RecordedLooks;
  readonly paths: HomePaths;
  /** All of the manifest. */
  readonly all: readonly Pick<BatchJob, 'plan' | 'priority'>[];
  /** Those that went the long way. */
  readonly hits: readonly HitJob[];
  /** Those that an earlier shortcut has answered, with what all of them depend on; null without one. */
  readonly taken: (Looks & Pick<BatchShortcut, 'leftAtMs' | 'jobs'>) | null;
}

/** Leaves a shortcut for the next batch of this name, where what all jobs depend on was looked at and has long been as it is. */
export function leaveBatchShortcut(
  host: Host,
  place: { readonly folder: string; readonly name: string },
  batch: HitBatch,
): void {
  const { looks: recorded, paths, all, hits, taken } = batch;
  const looks = recorded.listsBeside(paths, ownFiles(all.map(({ plan }) => plan)));
  const noted = looks === null ? null : notedLooks(looks.shared);
  if (looks === null || noted === null) return;
  const shared = taken === null ? noted : unitedLooks(taken, noted);
  const found = hits.flatMap((hit) => knownJob(looks, hit) ?? []);
  if (found.length === 0) return;
  const jobs = inOrder(all, [...(taken?.jobs ?? []), ...found]);
  // Those that were left before go the long way no later for it.
  const leftAtMs = taken?.leftAtMs ?? host.clock.nowMs();
  const shortcut = { leftAtMs, total: all.length, ...shared, jobs };
  const bytes = batchShortcutBytes(host, shortcut);
  if (bytes.byteLength <= MAX_BATCH_SHORTCUT_BYTES) leaveBytes(host, place, bytes);
}

const NONE: Looks = { looks: '', states: [] };

/** Null for a job whose answer depends on what no look sees. */
function knownJob(looks: BatchLooks, { index, plan, artifact, name }: HitJob): KnownJob | null {
  const { deps, env } = plan.request;
  const own = looks.own.get(index);
  const noted = own === undefined ? null : own === '' ? NONE : notedLooks(own);
  if (noted === null || deps.length > 0 || env.some(isChanging)) return null;
  return { index, name, ...artifact, ...noted };
}

/**
 * What was found a moment ago as a shortcut holds it. Null where its record is so young that it could change once more
 * without a change of its times.
 */
export function artifactFound(
  host: Host,
  store: StorePaths,
  { fingerprint, artifact, record, outputs }: Found,
  planned: readonly PlannedOutput[],
): KnownArtifact | null {
  const stat = lstatOrNull(host.files, store.record(fingerprint));
  if (stat?.type !== 'file' || !isSettled(stat, host.clock.nowMs())) return null;
  const { payload, digest } = artifact;
  return knownArtifact(host, {
    fingerprint,
    outputs: planned.map((output, index) => ({
      ...output,
      executable: outputs[index]?.executable === true,
    })),
    record,
    stat,
    entry: Buffer.concat([payload, Buffer.from(digest, 'hex')]),
  });
}

/** As a batch looks them up. */
function inOrder(all: HitBatch['all'], jobs: readonly KnownJob[]): readonly KnownJob[] {
  const rank = ({ index }: KnownJob): number => (all[index]?.priority === 'critical' ? 0 : 1);
  return jobs.toSorted((one, other) => rank(one) - rank(other) || one.index - other.index);
}

/** By job, the files that are named once by all jobs together. */
function ownFiles(plans: readonly Plan[]): ReadonlyMap<number, OwnFiles> {
  const counts = new Map<string, number>();
  for (const plan of plans) {
    for (const path of new Set(namedBy(plan))) counts.set(path, (counts.get(path) ?? 0) + 1);
  }
  const own = (files: readonly { readonly path: string }[]): ReadonlySet<string> =>
    new Set(files.map(({ path }) => path).filter((path) => counts.get(path) === 1));
  return new Map(
    plans.map(({ inputs, dependencies, outputs }, index) => [
      index,
      { read: own([...inputs, ...dependencies]), outputs: own(outputs) },
    ]),
  );
}

/** What a word may name is looked at as well, whatever lies there. */
function namedBy({ inputs, dependencies, outputs, tools, program, command }: Plan): readonly string[] {
  const files = [...inputs, ...dependencies, ...outputs, ...tools, program, ...command.candidates];
  return files.map(({ path }) => path);
}
