import type { BatchJob } from '../compile/batch.js';
import { BATCH_SHORTCUT_SCHEMA, readBatchShortcut, type BatchShortcut } from '../compile/batch-shortcut.js';
import { leaveBatchShortcut } from '../compile/leave-batch-shortcut.js';
import { sameState } from '../compile/file-state.js';
import type { RecordedLooks } from '../compile/recorded-looks.js';
import { shortcutName } from '../compile/shortcut.js';
import { standingJobs } from '../compile/take-known.js';
import type { FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { HomePaths } from '../layouts/vyre/home-paths.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { shortcutsIn } from '../store/state-folders.js';
import { rootOf, type Context } from './context.js';
import { manifestFile } from './manifest/read-manifest.js';
import { jobName } from './rendering/batch.js';
import { stateDirectory } from './settings/environment.js';
import type { ShortcutPlace } from './shortcut.js';
import { VERSION } from './version.js';

/** A batch whose answers may be remembered from one call of the same words to the next. */
export interface RememberedBatch {
  /** As it is, where that of the context notes what is looked at. */
  readonly host: Host;
  readonly place: ShortcutPlace;
  readonly recorded: RecordedLooks;
  /** What an earlier call has left, with the jobs that are as they were. */
  readonly known: BatchShortcut | null;
  /** Whether the manifest is the one that it was before the jobs were looked at. */
  isSameManifest(): boolean;
}

/** Null where nothing may be taken for what it was. */
export function rememberedBatch(
  host: Host,
  context: Context,
  { source, recorded }: { readonly source: string; readonly recorded: RecordedLooks },
): RememberedBatch | null {
  const place = isRemembering(context) ? placeOf(host, context) : null;
  const manifest = (): FileStat | null => manifestFile(host, { source, cwd: context.call.cwd });
  const before = manifest();
  if (place === null || before === null) return null;
  recorded.leaveOut(new HomePaths(place.root));
  const left = readBatchShortcut(host, place);
  const jobs = left === null ? [] : standingJobs(host, left);
  const isSameManifest = (): boolean => {
    const now = manifest();
    return now !== null && sameState(now, before);
  };
  const known = left === null || jobs.length === 0 ? null : { ...left, jobs };
  return { host, place, recorded, known, isSameManifest };
}

function isRemembering({ settings, call }: Context): boolean {
  const { options } = call;
  const isAsking = !settings.disable && !options.flag('refresh') && !options.refused('cache');
  return isAsking && settings.shortcuts && settings.keyFiles === null;
}

function placeOf(host: Host, context: Context): ShortcutPlace | null {
  const { argv, cwd, environment } = context.call;
  const state = stateDirectory(environment);
  if (state === null) return null;
  const root = rootOf(context).path;
  const call = { argv, cwd, environment, version: VERSION };
  return {
    root,
    folder: shortcutsIn(state),
    name: shortcutName(host, root, call, BATCH_SHORTCUT_SCHEMA),
  };
}

/** Leaves a shortcut where every job was a hit: those of `hits` by the long way. */
export function rememberBatch(
  { host, place, recorded, known }: RememberedBatch,
  ended: {
    readonly jobs: readonly BatchJob[];
    /** By the index of the job. */
    readonly hits: ReadonlyMap<number, Fingerprint>;
    readonly maxPayloadBytes: number;
    readonly taken: ReadonlySet<number>;
  },
): void {
  const { jobs, hits, maxPayloadBytes, taken } = ended;
  if (hits.size + taken.size < jobs.length) return;
  recorded.stop();
  leaveBatchShortcut(host, place, {
    looks: recorded,
    paths: new HomePaths(place.root),
    maxPayloadBytes,
    all: jobs,
    hits: jobs.flatMap(({ plan }, index) => {
      const fingerprint = hits.get(index);
      return fingerprint === undefined ? [] : [{ index, plan, fingerprint, name: jobName(plan) }];
    }),
    taken:
      known === null || taken.size === 0
        ? null
        : { ...known, jobs: known.jobs.filter(({ index }) => taken.has(index)) },
  });
}
