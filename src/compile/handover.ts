import { statOrNull, type FileStat } from '../host/files.js';
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
  let renewed: Renewed = NOTHING;
  try {
    ({ renewed } = await deliverAll(session, request, product));
  } catch (problem) {
    if (!(problem instanceof DeliveryError)) throw problem;
    error = problem;
  }
  return { outputs: describeOutputs(session, request.plan, renewed), error };
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
  const { absent, renewed } = renewOutputs(host, plan, product);
  if (absent.length === 0) return describeOutputs(session, plan, renewed);
  const claimed = claimingNow(session, plan, () => absent.every((output) => writeOutputNow(host, output)));
  if (!claimed.held || !claimed.value) return null;
  return describeOutputs(session, plan, renewed);
}

function wasHit(product: Product): boolean {
  return product.outcome !== null && isHit(product.outcome);
}

/** Delivers the outputs of a product to the places of a request. @throws DeliveryError */
export async function deliverAll(
  session: Claimant,
  { plan, options }: { readonly plan: Destination; readonly options: DeliveryOptions },
  product: Product,
): Promise<Delivery> {
  const { host } = session;
  const delivery = renewOutputs(host, plan, product);
  const { absent } = delivery;
  if (absent.length === 0) return delivery;
  await claimingQuietly(session, plan, async () => {
    for (const output of absent) await writeOutput(host, output, options);
  });
  return delivery;
}

/** By path: outputs that were at their places already, as they are there. */
type Renewed = ReadonlyMap<string, FileStat>;

const NOTHING: Renewed = new Map();

interface Delivery {
  readonly renewed: Renewed;
  /** What had to be written. */
  readonly absent: readonly Deliverable[];
}

/**
 * Renews the outputs that are at their places already, and finds those that have to be written. That is nobody else's
 * business: only who writes claims the outputs.
 */
function renewOutputs(host: Host, plan: Destination, product: Product): Delivery {
  const absent: Deliverable[] = [];
  const renewed = new Map<string, FileStat>();
  let index = -1;
  for (const { path, isStdout } of plan.outputs) {
    index += 1;
    const member = memberFor(plan, product, { index, isStdout });
    if (member === null) continue;
    const output = { path, executable: member.executable, content: member.bytes };
    const there = renewOutput(host, output);
    if (there === null) absent.push(output);
    else renewed.set(path, there);
  }
  return { renewed, absent };
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
function describeOutputs(session: Claimant, plan: Destination, renewed: Renewed): readonly DeliveredOutput[] {
  const described: DeliveredOutput[] = [];
  for (const { name, path } of plan.outputs) {
    const stat = renewed.get(path) ?? statOrNull(session.host.files, path);
    if (stat === null) continue;
    described.push({ path: name, bytes: stat.bytes, executable: (stat.mode & 0o100) !== 0 });
  }
  return described;
}
