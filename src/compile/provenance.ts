import { hashChunks } from '../host/hash.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { showField } from '../model/fields.js';
import type { Provenance } from '../model/record-head.js';
import { completeFields, type DependencySet } from './dependency-sets.js';
import { logicalCommand } from './description.js';
import type { Execution } from './execution.js';
import type { Job } from './job.js';

/** What the record of an execution tells, whether it has succeeded or failed. */
export function provenanceOf(
  { session, plan, description }: Job,
  made: {
    readonly execution: Execution;
    readonly complete: Fingerprint;
    readonly set: DependencySet;
    readonly createdAtMs: number;
  },
): Provenance {
  const { run } = made.execution;
  const hash = (chunks: readonly Uint8Array[]): Uint8Array => hashChunks(session.host.hash, chunks);
  return {
    fingerprint: made.complete,
    createdAtMs: made.createdAtMs,
    fields: completeFields(description.fields, made.set).map((field) => showField(field, hash)),
    compiler: plan.command.typed,
    command: logicalCommand(plan),
    cost: { wallSeconds: run.wallSeconds, cpuSeconds: null, peakMemoryBytes: null },
    stdout: run.stdout,
    stderr: run.stderr,
  };
}
