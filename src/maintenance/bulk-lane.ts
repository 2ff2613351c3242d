import { parentPort } from 'node:worker_threads';
import type { Host } from '../host/host.js';
import { ArtifactTable } from './artifact-table.js';
import { runLane, type BulkOrder } from './bulk.js';
import { BulkWork } from './bulk-work.js';

/**
 * Waits for orders of `bulk.ts`, sometimes before it is known whether there is work; does one lane of each, and answers
 * with what could not be looked at.
 */
export function waitAsLane(host: () => Host): void {
  parentPort?.on('message', (order: BulkOrder) => void work(host(), order));
}

async function work(host: Host, order: BulkOrder): Promise<void> {
  const lane = new BulkWork(host, ArtifactTable.of(order.table), order.places, order.task);
  // What belongs to an addon is freed between two turns of the event loop only.
  await runLane(lane, order, { breathe: async () => host.clock.breathe(), signal: null });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin.
  parentPort?.postMessage(lane.failures);
}
