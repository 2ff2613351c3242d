import { basename } from 'node:path';
import { withFile } from '../host/files.js';
import { hashChunks } from '../host/hash.js';
import { packMembers, type Member } from '../model/archive.js';
import { digestOfBytes, type Fingerprint } from '../model/fingerprint.js';
import type { MissReason, Uncacheable } from '../model/lifecycle.js';
import type { ArtifactRecord } from '../model/record-head.js';
import type { Artifact } from '../store/tier.js';
import type { WorkerDirectory } from '../store/worker-directory.js';
import { holdComplete } from './complete-lock.js';
import { deliver } from './delivery.js';
import { completeFields, rememberSet, type DependencySet } from './dependency-sets.js';
import { compilerUnchanged, discover, inputsUnchanged } from './discovery.js';
import type { Execution } from './execution.js';
import type { Job } from './job.js';
import { claimingOutputs } from './output-claims.js';
import { completeFingerprint } from './lookup-store.js';
import type { Product } from './product.js';
import { discovers } from './plan.js';
import { provenanceOf } from './provenance.js';
import { rememberRequest, requestShape } from './request-history.js';
import { exitCodeOf } from './runner.js';
import { storeArtifact, storeFailure } from './store-artifact.js';

/** The outputs as bytes, when they are few enough to be kept; else they are delivered from where they lie. */
function readOutputs(job: Job, execution: Execution): readonly (Member | null)[] | null {
  const { session } = job;
  const total = execution.outputs.reduce((sum, output) => sum + (output.stat?.bytes ?? 0), 0);
  if (total > session.maxPayloadBytes) return null;
  return execution.outputs.map(({ path, stat, isUsable }) => {
    if (stat === null || !isUsable) return null;
    const bytes = Buffer.allocUnsafe(stat.bytes);
    const count = withFile(session.host.files, { path, flags: 'read' }, (fd) =>
      session.host.files.readAt(fd, bytes, stat.bytes, 0),
    );
    return { bytes: bytes.subarray(0, count), executable: (stat.mode & 0o111) !== 0 };
  });
}

/** The product of an execution that is not kept. */
export async function resultOf(
  job: Job,
  execution: Execution,
  about: Pick<Product, 'outcome' | 'reason'> & {
    readonly notStored?: Uncacheable | null;
    readonly fingerprint?: Fingerprint;
  },
): Promise<Product> {
  const outputs = readOutputs(job, execution);
  if (outputs === null) await deliverFromWorker(job, execution);
  return {
    fingerprint: about.fingerprint ?? null,
    outcome: about.outcome,
    reason: about.reason,
    notStored: about.notStored ?? null,
    exitCode: exitCodeOf(execution.run.end),
    stdout: execution.run.stdout,
    stderr: execution.run.stderr,
    streamed: execution.run.overflowed && job.options.onOverflow !== undefined,
    stopped: execution.run.end === 'stopped',
    compileSeconds: execution.run.wallSeconds,
    outputs,
  };
}

/** Outputs above the bound are never held in memory. */
async function deliverFromWorker(job: Job, execution: Execution): Promise<void> {
  if (job.claim === undefined) {
    await claimingOutputs(job.session, job.plan, async (claim) =>
      deliverFromWorker({ ...job, claim }, execution),
    );
    return;
  }
  for (const [index, output] of execution.outputs.entries()) {
    const planned = job.plan.outputs[index];
    if (planned === undefined || output.stat === null || !output.isUsable || output.path === planned.path)
      continue;
    const executable = (output.stat.mode & 0o111) !== 0;
    const content = { file: output.path };
    await deliver(job.session.host, { path: planned.path, executable, content }, job.options);
  }
}

/** Publishes the result of a successful execution, if nothing speaks against it; it is the user's in any case. */
export async function keep(
  job: Job,
  made: {
    readonly execution: Execution;
    readonly worker: WorkerDirectory;
    readonly objection: Uncacheable | null;
    readonly outcome: 'compiled' | 'recompiled';
    readonly reason: MissReason;
  },
): Promise<Product> {
  const { execution, objection, outcome, reason } = made;
  const refused = objection ?? (execution.run.overflowed ? 'output-too-large' : null);
  if (refused !== null) return resultOf(job, execution, { outcome, reason, notStored: refused });
  const discovered = discover(job, execution, made.worker);
  if (!discovered.ok) return resultOf(job, execution, { outcome, reason, notStored: discovered.word });
  const complete = completeFingerprint(job.session, job.description, discovered.set);
  const base = await resultOf(job, execution, { outcome, reason, fingerprint: complete });
  if (!inputsUnchanged(job) || !(await compilerUnchanged(job)))
    return { ...base, notStored: 'input-changed' };
  if (job.claim?.isContested() === true) return { ...base, notStored: 'output-contested' };
  const members = base.outputs?.filter((member) => member !== null) ?? null;
  if (members === null) {
    job.session.tally.add('rejectedPuts');
    return { ...base, notStored: 'payload-too-large' };
  }
  const notStored = await store(job, { ...made, complete, set: discovered.set, members });
  return { ...base, notStored };
}

/** What is about to become an entry. */
interface Publication {
  readonly execution: Execution;
  readonly worker: WorkerDirectory;
  readonly complete: Fingerprint;
  readonly set: DependencySet;
  readonly members: readonly Member[];
}

async function store(job: Job, made: Publication): Promise<Uncacheable | null> {
  const { complete } = made;
  try {
    const held = await holdComplete(job, complete, async () => publish(job, made));
    return held.held ? held.value : 'lock-timeout';
  } catch (error) {
    return storeFailure(job.session, { what: 'an artifact', fingerprint: complete, error });
  }
}

async function publish(job: Job, made: Publication): Promise<Uncacheable | null> {
  const { session, home, description, options } = job;
  const { host } = session;
  const place = { staging: made.worker.path, replace: options.refresh };
  const stored = await storeArtifact(session, home, artifactOf(job, made), place);
  if (stored.notStored !== null) return stored.notStored;
  if (discovers(job.plan)) rememberSet(host, home.paths, description.primary, made.set);
  rememberRequest(host, home.paths, {
    shape: requestShape(host, job.plan),
    fields: completeFields(description.fields, made.set),
    embedsPath: null,
  });
  return null;
}

function artifactOf(job: Job, made: Publication): Artifact {
  const { session, plan } = job;
  const { host } = session;
  const [only] = made.members;
  const payload =
    made.members.length === 1 && only !== undefined ? Buffer.from(only.bytes) : packMembers(made.members);
  const digest = digestOfBytes(hashChunks(host.hash, [payload]));
  const record: ArtifactRecord = {
    ...provenanceOf(job, { ...made, createdAtMs: host.clock.nowMs() }),
    payloadDigest: digest,
    payloadBytes: payload.byteLength,
    outputs: plan.outputs.map((output, index) => ({
      name: basename(output.name),
      executable: made.members[index]?.executable === true,
    })),
  };
  return { fingerprint: made.complete, payload, digest, record, recordMiss: null };
}
