import { resolve } from 'node:path';
import type { FileStat } from '../host/files.js';
import { errnoOf } from '../model/error.js';
import type { Digest } from '../model/fingerprint.js';
import type { Uncacheable } from '../model/lifecycle.js';
import type { WorkerDirectory } from '../store/worker-directory.js';
import { depfilePrerequisites } from './depfile.js';
import { NO_DEPENDENCIES, pathOf, type DependencySet } from './dependency-sets.js';
import type { Execution } from './execution.js';
import type { FileDigest } from './file-digests.js';
import { identityOf } from './description.js';
import type { Job } from './job.js';
import { namesDepfile } from './placeholders.js';
import type { Plan } from './plan.js';
import { sameState } from './delivery.js';

/** True where a compilation tells which further files it read. */
export function discovers(plan: Plan): boolean {
  const listing = plan.preset?.listing(plan.line) ?? null;
  return namesDepfile(plan.templates) || listing !== null;
}

export type Discovered =
  | { readonly ok: true; readonly set: DependencySet }
  | { readonly ok: false; readonly word: Uncacheable };

/**
 * Hashes what a successful compilation read besides its inputs. A file that changed since the compiler was started is
 * `input-changed`: nobody knows which of its states was read. A file changed in the same tick of the clock counts so.
 */
export function discover(job: Job, execution: Execution, worker: WorkerDirectory): Discovered {
  const { session, plan } = job;
  if (!discovers(plan)) return { ok: true, set: NO_DEPENDENCIES };
  const names = listedNames(plan, execution);
  if (!names.ok) return names;
  const startedMs = session.host.files.lstat(worker.path)?.ctimeMs ?? 0;
  const known = new Set([...plan.inputs, ...plan.dependencies].map((file) => file.path));
  const files = new Map<string, Digest>();
  for (const name of names.files) {
    const resolved = resolve(plan.request.cwd, name);
    // Behind a link `..` leads elsewhere than its letters say: such a name is hashed even if it seems to be known.
    if (known.has(resolved) && !name.includes('..')) continue;
    if (resolved.startsWith(`${worker.path}/`)) continue;
    const digest = digestSince(job, pathOf(plan.request.cwd, name), startedMs);
    if (digest === null) return { ok: false, word: 'input-changed' };
    files.set(name, digest);
  }
  const listed = [...files].map(([name, digest]) => ({ name, digest }));
  return { ok: true, set: { files: listed.toSorted(byName), absent: [...new Set(names.absent)].toSorted() } };
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

type Names =
  | { readonly ok: true; readonly files: readonly string[]; readonly absent: readonly string[] }
  | { readonly ok: false; readonly word: Uncacheable };

function listedNames(plan: Plan, execution: Execution): Names {
  const { listed, depfile } = execution;
  if (listed !== null && !listed.ok) return listed;
  const files = [...(listed?.files ?? [])];
  if (namesDepfile(plan.templates)) {
    // A command that was asked for its list and gave none may have read anything.
    if (depfile === null) return { ok: false, word: 'preset:unlisted-read' };
    files.push(...depfilePrerequisites(depfile.toString('utf8')));
  }
  return { ok: true, files, absent: listed?.absent ?? [] };
}

/** Null when the file is gone, cannot be read, or changed after `startedMs`. */
function digestSince(job: Job, path: string, startedMs: number): Digest | null {
  const found = digestQuietly(job, path);
  if (found === null) return null;
  return Math.max(found.stat.mtimeMs, found.stat.ctimeMs) >= startedMs ? null : found.digest;
}

function digestQuietly(job: Job, path: string): FileDigest | null {
  try {
    return job.session.digests.digest(path);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
}

/** True when every input is still what was hashed before the compiler was started. */
export function inputsUnchanged(job: Job): boolean {
  return job.description.hashed.every((before) => {
    const now = statQuietly(job, before.path);
    if (now === null) return false;
    // A file that was young when it was hashed may have changed without a change of its times.
    if (before.settled && sameState(now, before.stat)) return true;
    return digestQuietly(job, before.path)?.digest === before.digest;
  });
}

/** True when the files of the compiler are still what was hashed before it was started. */
export async function compilerUnchanged(job: Job): Promise<boolean> {
  const now = await identityOf(job.session, job.plan);
  const before = job.description.identity;
  return JSON.stringify(now.fields) === JSON.stringify(before.fields);
}

function statQuietly(job: Job, path: string): FileStat | null {
  try {
    return job.session.host.files.stat(path);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return null;
  }
}
