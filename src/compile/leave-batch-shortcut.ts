import type { Host } from '../host/host.js';
import { StorePaths, type HomePaths } from '../layouts/vyre/home-paths.js';
import type { Fingerprint } from '../model/fingerprint.js';
import {
  batchShortcutBytes,
  MAX_BATCH_SHORTCUT_BYTES,
  type BatchShortcut,
  type KnownJob,
} from './batch-shortcut.js';
import type { BatchJob } from './batch.js';
import { isChanging, leaveBytes, recordedOf } from './leave-shortcut.js';
import { LOOK_END } from './looks.js';
import type { Plan } from './plan.js';
import type { BatchLooks, OwnFiles, RecordedLooks } from './recorded-looks.js';

/** A job that was a hit. */
export interface HitJob {
  readonly index: number;
  readonly plan: Plan;
  readonly fingerprint: Fingerprint;
  readonly name: string;
}

export interface HitBatch {
  readonly looks: RecordedLooks;
  readonly paths: HomePaths;
  readonly maxPayloadBytes: number;
  /** All of the manifest. */
  readonly all: readonly Pick<BatchJob, 'plan' | 'priority'>[];
  /** Those that went the long way. */
  readonly hits: readonly HitJob[];
  /** Those that a shortcut has answered, and what all of them depend on. */
  readonly taken: Pick<BatchShortcut, 'looks' | 'jobs' | 'leftAtMs'> | null;
}

/** Leaves a shortcut for the next batch of this name, where what all jobs depend on was looked at and has long been as it is. */
export function leaveBatchShortcut(
  host: Host,
  place: { readonly folder: string; readonly name: string },
  batch: HitBatch,
): void {
  const { looks: recorded, paths, all, hits, taken } = batch;
  const looks = recorded.listsBeside(paths, ownFiles(all.map(({ plan }) => plan)));
  const shared = looks === null ? null : united(taken?.looks ?? '', looks.shared);
  if (looks === null || shared === null) return;
  const found = hits.flatMap((hit) => knownJob(host, { ...batch, looks }, hit) ?? []);
  const before = new Set(taken?.jobs);
  const jobs = unlike([...before, ...found]);
  if (jobs.length === before.size && jobs.every((job) => before.has(job))) return;
  const shortcut = {
    // Those that were taken go the long way in their time, too.
    leftAtMs: taken?.leftAtMs ?? host.clock.nowMs(),
    total: all.length,
    looks: shared,
    jobs: inOrder(all, jobs),
  };
  const bytes = batchShortcutBytes(host, shortcut);
  if (bytes.byteLength <= MAX_BATCH_SHORTCUT_BYTES) leaveBytes(host, place, bytes);
}

/** Null for a job whose answer depends on what no look sees, and for one whose artifact may still change unseen. */
function knownJob(
  host: Host,
  { looks, paths, maxPayloadBytes }: Omit<HitBatch, 'looks'> & { readonly looks: BatchLooks },
  { index, plan, fingerprint, name }: HitJob,
): KnownJob | null {
  const { deps, env } = plan.request;
  const own = looks.own.get(index);
  if (own === undefined || deps.length > 0 || env.some(isChanging)) return null;
  const artifact = { store: new StorePaths(paths.store), fingerprint, maxPayloadBytes };
  const recorded = recordedOf(host, artifact, plan.outputs);
  return recorded === null ? null : { index, name, ...recorded, looks: own };
}

/** Without those of one artifact: all but the first find it in memory, and are counted as such. */
function unlike(jobs: readonly KnownJob[]): readonly KnownJob[] {
  const counts = new Map<Fingerprint, number>();
  for (const { fingerprint } of jobs) counts.set(fingerprint, (counts.get(fingerprint) ?? 0) + 1);
  return jobs.filter(({ fingerprint }) => counts.get(fingerprint) === 1);
}

/** As a batch looks them up. */
function inOrder(all: HitBatch['all'], jobs: readonly KnownJob[]): readonly KnownJob[] {
  const rank = ({ index }: KnownJob): number => (all[index]?.priority === 'critical' ? 0 : 1);
  return jobs.toSorted((one, other) => rank(one) - rank(other) || one.index - other.index);
}

/** Both lists; null where they have seen different things at one path. */
function united(one: string, other: string): string | null {
  const lines = new Set([...one.split(LOOK_END), ...other.split(LOOK_END)].filter((line) => line !== ''));
  const places = new Set([...lines].map((line) => line.split('\t', 2).join('\t')));
  return places.size === lines.size ? [...lines].join(LOOK_END) : null;
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
