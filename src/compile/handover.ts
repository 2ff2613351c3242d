import { statOrNull } from '../host/files.js';
import { isHit } from '../model/lifecycle.js';
import {
  DeliveryError,
  renewOutput,
  writeOutput,
  type Deliverable,
  type DeliveryOptions,
} from './delivery.js';
import { claimingQuietly, type Claimant } from './output-claims.js';
import type { Plan } from './plan.js';
import type { Product } from './product.js';
import type { DeliveredOutput } from './request.js';

export interface HandedOver {
  readonly outputs: readonly DeliveredOutput[];
  /** Why an output could not be written. */
  readonly error: DeliveryError | null;
}

/** What is known of a request where its outputs are delivered. */
type Destination = Pick<Plan, 'outputs' | 'inWorker'>;

/** Delivers the outputs of a product to the places of a request. */
export async function handOver(
  session: Claimant,
  request: { readonly plan: Destination; readonly options: DeliveryOptions },
  product: Product,
): Promise<HandedOver> {
  const { plan } = request;
  const deliverables = plan.outputs.flatMap((output, index) => {
    const member = memberFor(plan, product, { index, isStdout: output.isStdout });
    return member === null
      ? []
      : [{ path: output.path, executable: member.executable, content: member.bytes }];
  });
  let error: DeliveryError | null = null;
  try {
    await deliverAll(session, request, deliverables);
  } catch (problem) {
    if (!(problem instanceof DeliveryError)) throw problem;
    error = problem;
  }
  return { outputs: plan.outputs.flatMap((output) => describeOutput(session, output)), error };
}

function wasHit(product: Product): boolean {
  return product.outcome !== null && isHit(product.outcome);
}

/** What is at its place already is nobody else's business: only who writes claims the outputs. */
async function deliverAll(
  session: Claimant,
  { plan, options }: { readonly plan: Destination; readonly options: DeliveryOptions },
  deliverables: readonly Deliverable[],
): Promise<void> {
  const { host } = session;
  const absent = deliverables.filter((output) => !renewOutput(host, output));
  if (absent.length === 0) return;
  await claimingQuietly(session, plan, async () => {
    for (const output of absent) await writeOutput(host, output, options);
  });
}

/** What has to be written for an output; null for one that is not there, or lies where it belongs. */
function memberFor(
  plan: Destination,
  product: Product,
  output: { readonly index: number; readonly isStdout: boolean },
): NonNullable<Product['outputs']>[number] {
  // A compilation at the real places has put its outputs where they belong, all but its stdout.
  const isInPlace = !wasHit(product) && !plan.inWorker && !output.isStdout;
  return isInPlace ? null : (product.outputs?.[output.index] ?? null);
}

function describeOutput(
  session: Claimant,
  output: { readonly name: string; readonly path: string },
): readonly DeliveredOutput[] {
  // Best effort: what lies there is the user's, whether it can be described or not.
  const stat = statOrNull(session.host.files, output.path);
  if (stat === null) return [];
  return [{ path: output.name, bytes: stat.bytes, executable: (stat.mode & 0o100) !== 0 }];
}
