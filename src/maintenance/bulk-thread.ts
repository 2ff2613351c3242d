import { parentPort } from 'node:worker_threads';
import { systemHost } from '../host/host.js';
import { ArtifactTable } from './artifact-table.js';
import { runLane, type BulkOrder } from './bulk.js';
import { BulkWork } from './bulk-work.js';

/** One lane of bulk work in a thread of its own: a script, started by `bulk.ts`, sometimes before it is known whether there is work. */
async function main(order: BulkOrder): Promise<void> {
  const work = new BulkWork(systemHost(), ArtifactTable.of(order.table), order.places, order.task);
  await runLane(work, order, { breathe: async () => Promise.resolve(), signal: null });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin.
  parentPort?.postMessage(work.failures);
}

// What `bulk.ts` hands over.
parentPort?.once('message', (order: BulkOrder) => void main(order));
