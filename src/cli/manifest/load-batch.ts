import type { BatchJob } from '../../compile/batch.js';
import type { RecordedLooks } from '../../compile/recorded-looks.js';
import { checkJobs } from './manifest-checks.js';
import { jobsOf, type JobContext } from './manifest-jobs.js';
import { refuseMistakes } from './mistakes.js';
import { readManifest, type ManifestSource } from './read-manifest.js';

/**
 * Reads a manifest and checks all of it. The index of a job is its number in the manifest minus one. `recorded` is told
 * which job is looked at.
 * @throws CacheError `usage` that names every mistake with the number of its job; nothing was written then.
 */
export async function loadBatch(
  context: JobContext & { readonly recorded?: RecordedLooks | null },
  source: ManifestSource,
): Promise<readonly BatchJob[]> {
  const { host, recorded = null } = context;
  const stop = source.signal === undefined ? {} : { signal: source.signal };
  const found = await jobsOf(await readManifest(host, source), { ...context, ...stop });
  const checked = await checkJobs(host, found.jobs, { ...stop, recorded });
  refuseMistakes(found.mistakes.concat(checked.mistakes));
  return checked.jobs;
}
