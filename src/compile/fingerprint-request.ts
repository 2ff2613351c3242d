import { createWorkerDirectory } from '../store/worker-directory.js';
import { hashChunks } from '../host/hash.js';
import { CacheError, errnoOf } from '../model/error.js';
import { showField } from '../model/fields.js';
import {
  currentSets,
  completeFields,
  NO_DEPENDENCIES,
  readSets,
  rememberSet,
  type DependencySet,
} from './dependency-sets.js';
import { describe, type Description } from './description.js';
import { discover } from './discovery.js';
import { execute, succeeded } from './execution.js';
import { completeFingerprint } from './lookup-store.js';
import { namesOutput } from './placeholders.js';
import { memoisedBy } from './identity.js';
import { discovers, makePlan, type Plan } from './plan.js';
import { lineOf } from './planned-command.js';
import type { CompileOptions, CompileRequest, FingerprintResult } from './request.js';
import { exitCodeOf } from './runner.js';
import type { CacheSession, Home } from './session.js';

/**
 * The fingerprint under which a compilation of this request is stored, and its fields. Where the compiler lists what
 * it reads and no known list is current, it is run once for its list; its outputs are thrown away.
 * @throws CacheError like `compile`; environment when the list cannot be had.
 */
export async function fingerprintOfRequest(
  session: CacheSession,
  request: CompileRequest,
  options: CompileOptions,
): Promise<FingerprintResult> {
  const { host } = session;
  const plan = makePlan(host, request);
  const objection = plan.uncacheable;
  if (objection !== null) throw uncacheable(objection);
  const description = await describe(session, plan);
  if (description.uncacheable !== null) throw uncacheable(description.uncacheable);
  const set = await dependenciesOf(session, { plan, description, options });
  const fields = completeFields(description.fields, set);
  const hash = (chunks: readonly Uint8Array[]): Uint8Array => hashChunks(host.hash, chunks);
  return {
    fingerprint: completeFingerprint(session, description, set),
    fields: fields.map((field) => showField(field, hash)).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function uncacheable(objection: { readonly word: string; readonly detail: string }): CacheError {
  return new CacheError(
    'usage',
    `expected a command that can be cached: ${objection.detail} (${objection.word})`,
  );
}

interface Discovery {
  readonly plan: Plan;
  readonly description: Description;
  readonly options: CompileOptions;
}

async function dependenciesOf(session: CacheSession, request: Discovery): Promise<DependencySet> {
  const { plan, description } = request;
  if (!discovers(plan)) return NO_DEPENDENCIES;
  const { host, paths } = session;
  const known = readSets(host, paths, description.primary);
  const current = known.find(currentSets(host, session.digests, plan.request.cwd));
  if (current !== undefined) return current;
  const isRedirected = plan.outputs.every(
    (output, index) => output.isStdout || namesOutput(plan.templates, index),
  );
  if (!isRedirected) {
    throw new CacheError(
      'environment',
      'the dependencies of this command are not known before its first compilation',
      {
        hint: 'Compile it once, or name each output in the command by {output}: it is run for its list, and your files stay.',
      },
    );
  }
  const access = await session.openHome();
  if (!access.ok) {
    throw new CacheError('environment', access.problem.message, {
      hint: 'Name a usable cache with --cache-dir: the dependencies of this command are found out by running it there.',
    });
  }
  await session.sweep(access.home);
  return discoverByRunning(session, access.home, request);
}

/** Everything happens in a worker directory, so that no output of the user is touched. */
async function discoverByRunning(
  session: CacheSession,
  home: Home,
  request: Discovery,
): Promise<DependencySet> {
  const { plan, description, options } = request;
  const { host } = session;
  const worker = createWorkerDirectory(host, home.paths, description.primary);
  try {
    const setting = { mode: 'worker', worker, primary: description.primary } as const;
    const execution = await execute(host, {
      plan,
      options,
      setting,
      onOverflow: null,
      memoised: memoisedBy(session, lineOf(plan)),
    });
    if (!succeeded(execution.run)) {
      const status = exitCodeOf(execution.run.end);
      throw new CacheError(
        'environment',
        `expected the compiler to list what it reads, but it ended with status ${status}`,
        {
          hint: execution.run.stderr.toString('utf8').trim().slice(0, 2000),
        },
      );
    }
    const discovered = discover({ session, home, plan, description, options }, execution, worker);
    if (!discovered.ok) {
      throw new CacheError(
        'environment',
        `the dependencies of this command cannot be listed (${discovered.word})`,
      );
    }
    rememberSet(host, home.paths, description.primary, discovered.set);
    return discovered.set;
  } catch (error) {
    const errno = error instanceof CacheError ? null : errnoOf(error);
    if (errno === null) throw error;
    throw new CacheError('environment', `the cache at "${home.paths.root}" cannot be used (${errno})`, {
      cause: error,
    });
  } finally {
    worker.remove();
  }
}
