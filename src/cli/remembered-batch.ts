import type { BatchJob } from '../compile/batch.js';
import { BATCH_SHORTCUT_SCHEMA, readBatchShortcut, type BatchShortcut } from '../compile/batch-shortcut.js';
import { sameState } from '../compile/file-state.js';
import { artifactFound, leaveBatchShortcut } from '../compile/leave-batch-shortcut.js';
import type { Found } from '../compile/lookup-store.js';
import type { Plan } from '../compile/plan.js';
import type { RecordedLooks } from '../compile/recorded-looks.js';
import type { KnownArtifact } from '../compile/shortcut.js';
import { standingJobs } from '../compile/take-known.js';
import type { FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { HomePaths, StorePaths } from '../layouts/vyre/home-paths.js';
import { rootOf, type Context } from './context.js';
import { manifestFile } from './manifest/read-manifest.js';
import { jobName } from './rendering/batch.js';
import { placeOfShortcut, type ShortcutPlace } from './shortcut.js';

/** A batch whose answers may be remembered from one call of the same words to the next. */
export class RememberedBatch {
  /** As it is, where that of the context notes what is looked at. */
  readonly host: Host;
  readonly recorded: RecordedLooks;
  /** What an earlier call has left, with the jobs that are as they were. */
  readonly known: BatchShortcut | null;
  /** Whether the manifest is the one that it was before the jobs were looked at. */
  readonly isSameManifest: () => boolean;
  readonly #place: ShortcutPlace;
  readonly #paths: HomePaths;
  readonly #store: StorePaths;
  /** By the index of the job; null where nothing can be left for it. */
  readonly #hits = new Map<number, KnownArtifact | null>();

  constructor(
    host: Host,
    place: ShortcutPlace,
    { recorded, isSameManifest }: Pick<RememberedBatch, 'recorded' | 'isSameManifest'>,
  ) {
    this.host = host;
    this.recorded = recorded;
    this.isSameManifest = isSameManifest;
    this.#place = place;
    this.#paths = new HomePaths(place.root);
    this.#store = new StorePaths(this.#paths.store);
    recorded.leaveOut(this.#paths);
    this.known = this.#read();
  }

  #read(): BatchShortcut | null {
    const left = readBatchShortcut(this.host, this.#place);
    const jobs = left === null ? [] : standingJobs(this.host, left);
    return left === null || jobs.length === 0 ? null : { ...left, jobs };
  }

  /** Notes what was found for a job by the long way. */
  addHit(index: number, plan: Plan, found: Found): void {
    if (!this.recorded.isProof) return;
    this.#hits.set(index, artifactFound(this.host, this.#store, found, plan.outputs));
  }

  /** Leaves a shortcut where every job was a hit. @param taken the indices of those that {@link known} has answered. */
  leave(jobs: readonly BatchJob[], taken: ReadonlySet<number>): void {
    if (this.#hits.size + taken.size < jobs.length) return;
    const { known, recorded } = this;
    recorded.stop();
    leaveBatchShortcut(this.host, this.#place, {
      looks: recorded,
      paths: this.#paths,
      all: jobs,
      hits: jobs.flatMap(({ plan }, index) => {
        const artifact = this.#hits.get(index) ?? null;
        return artifact === null ? [] : [{ index, plan, artifact, name: jobName(plan) }];
      }),
      taken:
        known === null || taken.size === 0
          ? null
          : { ...known, jobs: known.jobs.filter(({ index }) => taken.has(index)) },
    });
  }
}

/** Null where nothing may be taken for what it was. */
export function rememberedBatch(
  host: Host,
  context: Context,
  { source, recorded }: { readonly source: string; readonly recorded: RecordedLooks },
): RememberedBatch | null {
  if (!isRemembering(context)) return null;
  const { argv, cwd, environment } = context.call;
  const root = rootOf(context).path;
  const place = placeOfShortcut(host, { argv, cwd, environment }, root, BATCH_SHORTCUT_SCHEMA);
  const manifest = (): FileStat | null => manifestFile(host, { source, cwd });
  const before = place === null ? null : manifest();
  if (place === null || before === null) return null;
  const isSameManifest = (): boolean => {
    const now = manifest();
    return now !== null && sameState(now, before);
  };
  return new RememberedBatch(host, place, { recorded, isSameManifest });
}

function isRemembering({ settings, call }: Context): boolean {
  const { options } = call;
  const isAsking = !settings.disable && !options.flag('refresh') && !options.refused('cache');
  return isAsking && settings.shortcuts && settings.keyFiles === null;
}
