import { pathOf } from '../../compile/file-names.js';
import type { CompileRequest } from '../../compile/request.js';
import { statOrNull } from '../../host/files.js';
import type { Host } from '../../host/host.js';
import type { Priority } from '../../schedule/job-queue.js';
import { CacheError, errnoOf } from '../../model/error.js';
import { printable } from '../rendering/text.js';
import { expandDependencies, sortedByBytes } from '../dependency-patterns.js';
import type { Environment } from '../settings/environment.js';
import { breathing } from './breathing.js';
import { decodeJob, type JobText } from './manifest-schema.js';
import { mistakeOf, type Mistake } from './mistakes.js';
import { parseManifest, type RawJob } from './parse-manifest.js';
import type { ManifestText } from './read-manifest.js';

/** A job of a manifest as a request, not yet compared with the others. */
export interface ManifestJob {
  /** From 1. */
  readonly number: number;
  /** From 1; null in a document. */
  readonly line: number | null;
  readonly request: CompileRequest;
  readonly priority: Priority;
  /** Null: the limit of the batch holds. */
  readonly timeoutMs: number | null;
  readonly memoryBytes: number | null;
}

export interface JobContext {
  readonly host: Host;
  /** The caller's. */
  readonly environment: Environment;
  /** Of jobs that name none. */
  readonly priority: Priority;
  readonly signal?: AbortSignal;
}

export interface FoundJobs {
  readonly jobs: readonly ManifestJob[];
  readonly mistakes: readonly Mistake[];
}

/**
 * The jobs of a manifest, each with the request that the same `compile` would make in its folder. A job whose patterns
 * match nothing is among the jobs as well, so that its outputs can be compared.
 * @throws CacheError `usage` for a manifest without jobs, or one that is no JSON; the reason of an abort.
 */
export async function jobsOf(manifest: ManifestText, context: JobContext): Promise<FoundJobs> {
  const { jobs: rawJobs, mistakes: found } = parseManifest(manifest);
  const reader = new JobReader(manifest.folder, context);
  const jobs: ManifestJob[] = [];
  for await (const piece of breathing(context.host.clock, rawJobs, context)) {
    for (const raw of piece) {
      const job = await reader.read(raw);
      if (job !== null) jobs.push(job);
    }
  }
  return { jobs, mistakes: found.concat(reader.mistakes) };
}

type Place = Pick<ManifestJob, 'number' | 'line'>;

/** What many jobs have in common is looked up once: folders and patterns. */
class JobReader {
  readonly mistakes: Mistake[] = [];
  readonly #folder: string;
  readonly #context: JobContext;
  readonly #folders = new Map<string, Folder | CacheError>();

  constructor(folder: string, context: JobContext) {
    this.#folder = folder;
    this.#context = context;
  }

  /** Null when the job is none, or has no folder to be in. */
  async read({ number, line, value }: RawJob): Promise<ManifestJob | null> {
    const decoded = decodeJob(value);
    if (decoded.ok) return this.#read({ number, line }, decoded.job);
    for (const message of decoded.messages) this.mistakes.push({ job: number, line, message, hint: null });
    return null;
  }

  async #read(place: Place, job: JobText): Promise<ManifestJob | null> {
    const folder = this.#folderOf(job.cwd ?? '.');
    if (folder instanceof CacheError) {
      this.mistakes.push(mistakeOf(place, folder));
      return null;
    }
    const deps = job.deps.length === 0 ? job.deps : await folder.expand(job.deps);
    if (deps instanceof CacheError) this.mistakes.push(mistakeOf(place, deps));
    return {
      number: place.number,
      line: place.line,
      request: requestOf(job, { folder, deps: deps instanceof CacheError ? [] : deps }),
      priority: job.priority ?? this.#context.priority,
      timeoutMs: job.timeout ?? null,
      memoryBytes: job.memory ?? null,
    };
  }

  #folderOf(name: string): Folder | CacheError {
    const known = this.#folders.get(name);
    if (known !== undefined) return known;
    const found = this.#findFolder(name);
    this.#folders.set(name, found);
    return found;
  }

  #findFolder(name: string): Folder | CacheError {
    const { host } = this.#context;
    const path = pathOf(this.#folder, name);
    if (statOrNull(host.files, path)?.type !== 'directory') {
      return new CacheError('usage', `expected an existing folder for "cwd", got "${name}"`, {
        hint: `It is relative to the manifest, in "${this.#folder}".`,
      });
    }
    try {
      return new Folder(this.#context, host.files.realpath(path));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      const cause = { cause: error };
      throw new CacheError(
        'environment',
        `the folder "${printable(path)}" of a job cannot be read (${errno})`,
        cause,
      );
    }
  }
}

/** Where jobs are typed, so to speak. */
class Folder {
  /** Absolute, links resolved, as a process sees its current directory. */
  readonly path: string;
  readonly environment: Environment;
  readonly #host: Host;
  readonly #patterns = new Map<string, readonly string[] | CacheError>();
  readonly #lists = new Map<string, readonly string[] | CacheError>();

  constructor({ host, environment }: JobContext, path: string) {
    this.path = path;
    this.#host = host;
    // A shell would say so, and `--env PWD` makes it a field of the fingerprint.
    this.environment = Object.hasOwn(environment, 'PWD') ? { ...environment, PWD: path } : environment;
  }

  /** The files of a list of patterns. The same list of many jobs is one array in memory. */
  async expand(patterns: readonly string[]): Promise<readonly string[] | CacheError> {
    if (patterns.length === 1) return this.#expandOne(patterns[0] ?? '');
    const key = patterns.join('\0');
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const files = await this.#expandAll(patterns);
    this.#lists.set(key, files);
    return files;
  }

  async #expandAll(patterns: readonly string[]): Promise<readonly string[] | CacheError> {
    const found = new Set<string>();
    for (const pattern of patterns) {
      const files = await this.#expandOne(pattern);
      if (files instanceof CacheError) return files;
      for (const file of files) found.add(file);
    }
    return sortedByBytes(found);
  }

  async #expandOne(pattern: string): Promise<readonly string[] | CacheError> {
    const known = this.#patterns.get(pattern);
    if (known !== undefined) return known;
    const files = await this.#search(pattern);
    this.#patterns.set(pattern, files);
    return files;
  }

  async #search(pattern: string): Promise<readonly string[] | CacheError> {
    try {
      return await expandDependencies({ host: this.#host, cwd: this.path, patterns: [pattern] });
    } catch (error) {
      if (error instanceof CacheError) return error;
      throw error;
    }
  }
}

function requestOf(
  job: JobText,
  { folder, deps }: { readonly folder: Folder; readonly deps: readonly string[] },
): CompileRequest {
  return {
    inputs: job.inputs,
    outputs: job.outputs,
    stdoutFile: job.stdout ?? null,
    command: job.command,
    deps,
    env: job.env,
    keys: job.key,
    tools: job.tool,
    compilerVersion: job.compilerVersion ?? null,
    relocatable: job.relocatable,
    cwd: folder.path,
    environment: folder.environment,
  };
}
