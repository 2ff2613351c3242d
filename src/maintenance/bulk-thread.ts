import { parentPort } from 'node:worker_threads';
import { systemHost } from '../host/host.js';
import { ArtifactTable } from './artifact-table.js';
import { runLane, type BulkOrder } from './bulk.js';
import { BulkWork } from './bulk-work.js';

/** One lane of bulk work in a thread of its own: a script, started by `bulk.ts`, sometimes before it is known whether there is work. */
async function main(order: BulkOrder): Promise<void> {
  const host = systemHost();
  const work = new BulkWork(host, ArtifactTable.of(order.table), order.places, order.task);
  // What belongs to an addon is freed between two turns of the event loop only.
  await runLane(work, order, { breathe: async () => host.clock.breathe(), signal: null });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin.
  parentPort?.postMessage(work.failures);
}

// What `bulk.ts` hands over.
parentPort?.once('message', (order: BulkOrder) => void main(order));
