import type { BatchJob } from '../../compile/batch.js';
import { checkJobs } from './manifest-checks.js';
import { jobsOf, type JobContext } from './manifest-jobs.js';
import { refuseMistakes } from './mistakes.js';
import { readManifest, type ManifestSource } from './read-manifest.js';

/**
 * Reads a manifest and checks all of it. The index of a job is its number in the manifest minus one.
 * @throws CacheError `usage` that names every mistake with the number of its job; nothing was written then.
 */
export async function loadBatch(context: JobContext, source: ManifestSource): Promise<readonly BatchJob[]> {
  const { host } = context;
  const stop = source.signal === undefined ? {} : { signal: source.signal };
  const found = await jobsOf(await readManifest(host, source), { ...context, ...stop });
  const checked = await checkJobs(host, found.jobs, stop);
  refuseMistakes(found.mistakes.concat(checked.mistakes));
  return checked.jobs;
}
