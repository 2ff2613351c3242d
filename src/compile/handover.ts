import { statOrNull } from '../host/files.js';
import type { Host } from '../host/host.js';
import { isHit } from '../model/lifecycle.js';
import {
  DeliveryError,
  renewOutput,
  writeOutput,
  writeOutputNow,
  type Deliverable,
  type DeliveryOptions,
} from './delivery.js';
import { claimingNow, claimingQuietly, type Claimant } from './output-claims.js';
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

/** Delivers the outputs of a product to the places of a request, and looks at them there. */
export async function handOver(
  session: Claimant,
  request: { readonly plan: Destination; readonly options: DeliveryOptions },
  product: Product,
): Promise<HandedOver> {
  let error: DeliveryError | null = null;
  try {
    await deliverAll(session, request, product);
  } catch (problem) {
    if (!(problem instanceof DeliveryError)) throw problem;
    error = problem;
  }
  return { outputs: describeOutputs(session, request.plan), error };
}

/**
 * {@link handOver} where nothing has to be waited for, and nobody is told anything; null where something has: then some
 * outputs may be delivered already. @throws DeliveryError
 */
export function handOverNow(
  session: Claimant,
  plan: Destination,
  product: Product,
): readonly DeliveredOutput[] | null {
  const { host } = session;
  const absent = absentOf(host, plan, product);
  if (absent.length === 0) return describeOutputs(session, plan);
  const claimed = claimingNow(session, plan, () => absent.every((output) => writeOutputNow(host, output)));
  if (!claimed.held || !claimed.value) return null;
  return describeOutputs(session, plan);
}

function wasHit(product: Product): boolean {
  return product.outcome !== null && isHit(product.outcome);
}

/** Delivers the outputs of a product to the places of a request. @throws DeliveryError */
export async function deliverAll(
  session: Claimant,
  { plan, options }: { readonly plan: Destination; readonly options: DeliveryOptions },
  product: Product,
): Promise<void> {
  const { host } = session;
  const absent = absentOf(host, plan, product);
  if (absent.length === 0) return;
  await claimingQuietly(session, plan, async () => {
    for (const output of absent) await writeOutput(host, output, options);
  });
}

/**
 * The outputs that have to be written: those that are at their places already are renewed. That is nobody else's
 * business: only who writes claims the outputs.
 */
function absentOf(host: Host, plan: Destination, product: Product): readonly Deliverable[] {
  const absent: Deliverable[] = [];
  for (const [index, { path, isStdout }] of plan.outputs.entries()) {
    const member = memberFor(plan, product, { index, isStdout });
    if (member === null) continue;
    const output = { path, executable: member.executable, content: member.bytes };
    if (!renewOutput(host, output)) absent.push(output);
  }
  return absent;
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

/** Best effort: what lies there is the user's, whether it can be described or not. */
function describeOutputs(session: Claimant, plan: Destination): readonly DeliveredOutput[] {
  const described: DeliveredOutput[] = [];
  for (const { name, path } of plan.outputs) {
    const stat = statOrNull(session.host.files, path);
    if (stat === null) continue;
    described.push({ path: name, bytes: stat.bytes, executable: (stat.mode & 0o100) !== 0 });
  }
  return described;
}
