import type { Fingerprint } from '../model/fingerprint.js';
import type { MissReason, Outcome, Uncacheable } from '../model/lifecycle.js';
import type { Member } from '../model/archive.js';
import type { ArtifactSummary, Cost } from '../model/record-head.js';
import type { FoundOutputs } from './stored-artifact.js';

/** What a lookup or a compilation came to, before it is delivered to those who asked. */
export interface Product {
  readonly fingerprint: Fingerprint | null;
  readonly outcome: Outcome | null;
  readonly reason: MissReason | null;
  readonly notStored: Uncacheable | null;
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** True when the streams were handed on as they came, so that `stdout` and `stderr` hold none of it. */
  readonly streamed: boolean;
  /** True when the caller asked to stop. */
  readonly stopped: boolean;
  /** Of a remembered failure only: how long ago the compiler has failed. */
  readonly failedSecondsAgo?: number;
  /** Of the compiler, as recorded for a hit. */
  readonly compileSeconds: number;
  /**
   * The outputs in the order of the request, null for one that the compiler did not write; or null altogether when
   * they lie at their places already.
   */
  readonly outputs: readonly (Member | null)[] | null;
}

const NOTHING = new Uint8Array(0);

/** What the compiler has printed on stdout; nothing for who keeps that as an output. */
export function stdoutFor(
  { outputs }: { readonly outputs: readonly { readonly isStdout: boolean }[] },
  product: Pick<Product, 'stdout'>,
): Uint8Array {
  for (const { isStdout } of outputs) if (isStdout) return NOTHING;
  return product.stdout;
}

/** What a job came to. */
export interface Produced {
  readonly product: Product;
  /** Somebody else held the lock first. */
  readonly waited: boolean;
  /** The home failed underway, and the result is the user's alone. */
  readonly degraded: boolean;
}

/** A hit as a product. */
export function productOf(
  found: Pick<FoundOutputs, 'tier' | 'outputs'> &
    Pick<Product, 'fingerprint'> & {
      readonly record: Pick<ArtifactSummary, 'stdout' | 'stderr'> & {
        readonly cost: Pick<Cost, 'wallSeconds'>;
      };
    },
): Product {
  return {
    fingerprint: found.fingerprint,
    outcome: found.tier,
    reason: null,
    notStored: null,
    exitCode: 0,
    stdout: found.record.stdout,
    stderr: found.record.stderr,
    streamed: false,
    stopped: false,
    compileSeconds: found.record.cost.wallSeconds,
    outputs: found.outputs,
  };
}
