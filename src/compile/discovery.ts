import { dirname } from 'node:path';
import { statOrNull, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import type { Digest } from '../model/fingerprint.js';
import type { Uncacheable } from '../model/lifecycle.js';
import type { WorkerDirectory } from '../store/worker-directory.js';
import { depfilePrerequisites } from './depfile.js';
import { NO_DEPENDENCIES, type DependencySet } from './dependency-sets.js';
import type { Execution } from './execution.js';
import { pathOf, resolved, resolvedFrom } from './file-names.js';
import { identityOf } from './description.js';
import type { Job } from './job.js';
import { namesDepfile } from './placeholders.js';
import { discovers, type Plan } from './plan.js';
import { sameState } from './file-state.js';

export type Discovered =
  | { readonly ok: true; readonly set: DependencySet }
  | { readonly ok: false; readonly word: Uncacheable };

/**
 * Hashes what a compilation read besides its inputs, as far as it was listed. A file that changed since the compiler was started is
 * `input-changed`: nobody knows which of its states was read. A file changed in the same tick of the clock counts so.
 */
export function discover(job: Job, execution: Execution, worker: WorkerDirectory): Discovered {
  const { session, plan } = job;
  if (!discovers(plan)) return { ok: true, set: NO_DEPENDENCIES };
  const names = listedNames(plan, execution);
  if (!names.ok) return names;
  const known = new Set([...plan.inputs, ...plan.dependencies].map((file) => resolved(file.path)));
  const links = new LinkWatch(session.host, execution.startedMs);
  const files = new Map<string, Digest>();
  for (const name of names.files) {
    const place = resolvedFrom(plan.request.cwd, name);
    // Behind a link `..` leads elsewhere than its letters say: such a name is hashed even if it seems to be known.
    if (known.has(place) && !name.includes('..')) continue;
    if (place.startsWith(`${worker.path}/`)) continue;
    const path = pathOf(plan.request.cwd, name);
    const digest = digestSince(job, path, links);
    if (digest === null) return { ok: false, word: 'input-changed' };
    files.set(name, digest);
  }
  const listed = [...files].map(([name, digest]) => ({ name, digest }));
  return { ok: true, set: { files: listed.toSorted(byName), absent: [...new Set(names.absent)].toSorted() } };
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

/** A target and its colon. An empty list, or one in another form, says nothing about what was read. */
const RULE = /[^\\]:(?:\s|$)/m;

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
    const text = depfile.toString('utf8');
    if (!RULE.test(text)) return { ok: false, word: 'preset:unlisted-read' };
    files.push(...depfilePrerequisites(text));
  }
  return { ok: true, files, absent: listed?.absent ?? [] };
}

/** Null when the file is gone, cannot be read, or it or the way to it changed since the compiler was started. */
function digestSince(job: Job, path: string, links: LinkWatch): Digest | null {
  const seen = links.look(path);
  if (seen === 'changed') return null;
  const found = job.session.digests.digestOrNull(path, seen);
  if (found === null) return null;
  return Math.max(found.stat.mtimeMs, found.stat.ctimeMs) >= links.startedMs ? null : found.digest;
}

/** True when every input is still what was hashed before the compiler was started. */
export function inputsUnchanged(job: Job): boolean {
  return job.description.hashed.every((before) => {
    const now = statOrNull(job.session.host.files, before.path);
    if (now === null) return false;
    // Another state with the same bytes is a change, too: the compiler may have read what was there in between.
    if (!sameState(now, before.stat)) return false;
    // A file that was young when it was hashed may have changed without a change of its times.
    return before.settled || job.session.digests.digestOrNull(before.path)?.digest === before.digest;
  });
}

/** True when the files of the compiler are still what was hashed before it was started. */
export async function compilerUnchanged(job: Job): Promise<boolean> {
  const now = await identityOf(job.session, job.plan);
  const before = job.description.identity;
  return now.fields === before.fields || JSON.stringify(now.fields) === JSON.stringify(before.fields);
}

/** A link or a folder on the way to a file, switched while the compiler ran, leads to another file than was read. */
class LinkWatch {
  readonly startedMs: number;
  readonly #host: Host;
  readonly #known = new Map<string, boolean>();

  constructor(host: Host, startedMs: number) {
    this.#host = host;
    this.startedMs = startedMs;
  }

  /** A file as it is now, if the way to it is what it was; undefined where a link leads to it. */
  look(path: string): FileStat | 'changed' | undefined {
    if (this.#hasChanged(dirname(path), 0)) return 'changed';
    try {
      const stat = this.#host.files.lstat(path);
      if (stat?.type === 'file') return stat;
      return this.#isYoung(path, stat, 0) ? 'changed' : undefined;
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return 'changed';
    }
  }

  /** True when a link in the path, or in the target of one, or a folder that was moved is as young as the compilation. */
  #hasChanged(path: string, depth: number): boolean {
    if (path === '/' || path === '' || depth > MAX_LINKS) return depth > MAX_LINKS;
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    this.#known.set(path, false);
    const changed = this.#hasChanged(dirname(path), depth) || this.#isYoungLink(path, depth);
    this.#known.set(path, changed);
    return changed;
  }

  /**
   * A rename changes the ctime of the folder, but not its mtime, and the folder above it. What comes or goes in a folder, as
   * the objects of a build beside their sources, changes both of its times at once.
   */
  #isMoved(path: string, folder: FileStat): boolean {
    if (folder.ctimeMs < this.startedMs || folder.ctimeMs === folder.mtimeMs) return false;
    const above = this.#host.files.lstat(dirname(path));
    return above !== null && above.ctimeMs >= this.startedMs;
  }

  #isYoungLink(path: string, depth: number): boolean {
    try {
      return this.#isYoung(path, this.#host.files.lstat(path), depth);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return true;
    }
  }

  #isYoung(path: string, stat: FileStat | null, depth: number): boolean {
    if (stat?.type === 'directory') return this.#isMoved(path, stat);
    if (stat?.type !== 'link') return false;
    if (stat.ctimeMs >= this.startedMs) return true;
    return this.#hasChanged(pathOf(dirname(path), this.#host.files.readLink(path)), depth + 1);
  }
}

/** As many as the kernel follows. */
const MAX_LINKS = 40;
