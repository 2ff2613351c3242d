import { basename, dirname, join } from 'node:path';
import type { BatchJob } from '../../compile/batch.js';
import { pathOf } from '../../compile/file-names.js';
import { makePlan, type Plan } from '../../compile/plan.js';
import type { RecordedLooks } from '../../compile/recorded-looks.js';
import { SharedPlans, type Found } from '../../compile/shared-plans.js';
import { lstatOrNull, statOrNull, type FileStat } from '../../host/files.js';
import type { Host } from '../../host/host.js';
import { CacheError, errnoOf } from '../../model/error.js';
import { breathing } from './breathing.js';
import type { ManifestJob } from './manifest-jobs.js';
import { mistakeOf, type Mistake } from './mistakes.js';

export interface CheckedJobs {
  /** In the order of the manifest; without the jobs that have a mistake. */
  readonly jobs: readonly BatchJob[];
  readonly mistakes: readonly Mistake[];
}

/**
 * Plans every job, and compares what one writes with what the others write and read: jobs run in any order and at the
 * same time. Nothing is written. What one compiler reads undeclared and another writes is not seen.
 * @throws the reason of `signal` when it is aborted.
 */
export async function checkJobs(
  host: Host,
  jobs: readonly ManifestJob[],
  options: { readonly signal?: AbortSignal; readonly recorded?: RecordedLooks | null } = {},
): Promise<CheckedJobs> {
  const { recorded = null } = options;
  const checks = new Checks(host, recorded);
  const inTurnOf = <T>({ number }: ManifestJob, work: () => T): T =>
    recorded === null ? work() : recorded.inTurnOf(number - 1, work);
  for await (const piece of breathing(host.clock, jobs, options)) {
    for (const job of piece) {
      inTurnOf(job, () => {
        checks.addOutputs(job);
      });
    }
  }
  const planned: BatchJob[] = [];
  for await (const piece of breathing(host.clock, jobs, options)) {
    for (const job of piece) {
      const plan = inTurnOf(job, () => checks.check(job));
      const { priority, timeoutMs, memoryBytes } = job;
      if (plan !== null) planned.push({ plan, priority, timeoutMs, memoryBytes });
    }
  }
  return { jobs: planned, mistakes: checks.mistakes };
}

interface Written {
  readonly job: ManifestJob;
  readonly name: string;
}

class Checks {
  readonly mistakes: Mistake[] = [];
  readonly #host: Host;
  /** The first writer of each file. */
  readonly #written = new Map<string, Written>();
  readonly #places: Places;
  readonly #nowhere: string;
  readonly #shared: SharedPlans;

  constructor(host: Host, recorded: RecordedLooks | null) {
    this.#host = host;
    this.#places = new Places(host);
    this.#shared = new SharedPlans(
      (path) => this.#places.typeAt(path),
      (work) => (recorded === null ? work() : recorded.forAllJobs(work)),
    );
    this.#nowhere = this.#places.of('/dev/null');
  }

  addOutputs(job: ManifestJob): void {
    const { cwd, outputs, stdoutFile } = job.request;
    for (const name of stdoutFile === null ? outputs : [...outputs, stdoutFile]) {
      const place = this.#places.of(pathOf(cwd, name));
      const other = this.#written.get(place);
      if (other === undefined) this.#written.set(place, { job, name });
      else if (other.job !== job && place !== this.#nowhere)
        this.#refuse(job, { kind: 'output', name }, other);
    }
  }

  /** Null for a job with a mistake. The outputs of all jobs are known. */
  check(job: ManifestJob): Plan | null {
    const { cwd, inputs, deps } = job.request;
    const isTaken = (kind: string, name: string, path: string): boolean =>
      this.#isTaken(job, { kind, name, path });
    const taken =
      countOf(inputs, (name) => isTaken('input', name, pathOf(cwd, name))) +
      countOf(deps, (name) => isTaken('dependency', name, pathOf(cwd, name)));
    // An input that another job makes is no file yet: one mistake, not two.
    const plan = taken > 0 ? null : this.#plan(job);
    if (plan === null) return null;
    const known = new Set(deps);
    const { command, program, tools, dependencies } = plan;
    const takenToo =
      countOf(dependencies, ({ name, path }) => !known.has(name) && isTaken('dependency', name, path)) +
      countOf(tools, ({ typed, path }) => isTaken('tool', typed, path));
    const runsOutput = isTaken('program', command.typed, program.path);
    return takenToo > 0 || runsOutput ? null : plan;
  }

  #plan(job: ManifestJob): Plan | null {
    try {
      return makePlan(this.#host, job.request, this.#shared);
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      this.mistakes.push(mistakeOf(job, error));
      return null;
    }
  }

  /** True when another job writes the file, which is a mistake then. */
  #isTaken(
    job: ManifestJob,
    file: { readonly kind: string; readonly name: string; readonly path: string },
  ): boolean {
    const place = this.#places.of(file.path);
    const writer = this.#written.get(place);
    if (writer === undefined || writer.job === job || place === this.#nowhere) return false;
    this.#refuse(job, file, writer);
    return true;
  }

  #refuse(job: ManifestJob, file: { readonly kind: string; readonly name: string }, writer: Written): void {
    const named = writer.name === file.name ? '' : ` "${writer.name}"`;
    const message = `expected independent jobs, got the ${file.kind} "${file.name}", which is the output${named} of job ${writer.job.number}`;
    this.mistakes.push({ job: job.number, line: job.line, message, hint: null });
  }
}

/** All of them are asked about: each that is meant is a mistake of its own. */
function countOf<T>(items: readonly T[], isMeant: (item: T) => boolean): number {
  let count = 0;
  for (const item of items) if (isMeant(item)) count += 1;
  return count;
}

/** Links in a circle end sooner; the system follows no more. */
const MAX_LINKS = 40;

/** Where a path really leads, and what lies there. */
interface Seen {
  readonly place: string;
  readonly type: Found;
}

/** Where paths really lead, so that two spellings of one file are equal. Each is looked at once. */
class Places {
  readonly #host: Host;
  readonly #known = new Map<string, Seen>();
  readonly #folders = new Map<string, string>();

  constructor(host: Host) {
    this.#host = host;
  }

  of(path: string): string {
    return this.#look(path).place;
  }

  /** What lies at a path, links followed. */
  typeAt(path: string): Found {
    return this.#look(path).type;
  }

  #look(path: string): Seen {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const { files } = this.#host;
    let seen: Seen;
    try {
      const stat = files.stat(path);
      seen = { place: this.#placeOf(path, stat, MAX_LINKS), type: stat?.type ?? null };
      this.#known.set(path, seen);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      // The next look may succeed.
      seen = { place: this.#placeOf(path, null, MAX_LINKS), type: 'unseen' };
    }
    return seen;
  }

  /**
   * A file that exists is its inode, whatever its names are; another is its name in its real folder. So is one whose
   * inode has more digits than a number can hold.
   */
  #placeOf(path: string, stat: FileStat | null, links: number): string {
    if (stat !== null && Number.isSafeInteger(stat.inode)) return `${stat.device}:${stat.inode}`;
    const target = links > 0 ? this.#linkTarget(path) : null;
    if (target !== null) return this.#find(pathOf(dirname(path), target), links - 1);
    return join(this.#realFolder(dirname(path)), basename(path));
  }

  #find(path: string, links: number): string {
    return this.#placeOf(path, statOrNull(this.#host.files, path), links);
  }

  /** Of a link that leads to nothing yet. */
  #linkTarget(path: string): string | null {
    const { files } = this.#host;
    return lstatOrNull(files, path)?.type === 'link' ? files.readLink(path) : null;
  }

  #realFolder(folder: string): string {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const real = this.#resolve(folder);
    this.#folders.set(folder, real);
    return real;
  }

  #resolve(folder: string): string {
    try {
      return this.#host.files.realpath(folder);
    } catch {
      // A folder that is absent is a mistake of the plan.
      return folder;
    }
  }
}
