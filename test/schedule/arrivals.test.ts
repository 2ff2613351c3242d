import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Arrivals } from '../../src/schedule/arrivals.js';

describe('arrivals', () => {
  it('are as many as were added, for whoever shares the memory, and no more than are wanted', () => {
    const arrivals = new Arrivals();
    const elsewhere = new Arrivals(arrivals.memory);
    arrivals.add(5);
    assert.deepEqual([elsewhere.await(0), elsewhere.await(5)], [0, 5]);
    arrivals.add(7);
    assert.deepEqual([elsewhere.await(5), elsewhere.await(7)], [5, 7]);
  });

  it('are not waited for once no others will come', () => {
    const arrivals = new Arrivals();
    arrivals.end();
    assert.equal(arrivals.await(1), 0);
    assert.equal(Arrivals.complete(3).await(9), 3);
  });

  it('wake the thread that waits for them, and so does their end', { timeout: 60_000 }, async () => {
    const arrivals = new Arrivals();
    const workerData = {
      tsx: import.meta.resolve('tsx/esm/api'),
      arrivals: new URL('../../src/schedule/arrivals.ts', import.meta.url).href,
      memory: arrivals.memory,
    };
    const worker = new Worker(WAITER, { eval: true, workerData });
    const seen = [];
    for (const step of [null, 3, 5, 6, 'end'] as const) {
      const answer = once(worker, 'message');
      if (step === 'end') arrivals.end();
      else if (step !== null) arrivals.add(step);
      seen.push(...((await answer) as unknown[]));
    }
    await worker.terminate();
    assert.deepEqual(seen, ['ready', 3, 5, 6, 6]);
  });
});

/** The program of a thread: waits for more again and again, and tells how many there are each time. */
const WAITER = `
  const { parentPort, workerData } = require('node:worker_threads');
  (async () => {
    (await import(workerData.tsx)).register();
    const { Arrivals } = await import(workerData.arrivals);
    const arrivals = new Arrivals(workerData.memory);
    parentPort.postMessage('ready');
    for (const wanted of [3, 5, 6, 100]) parentPort.postMessage(arrivals.await(wanted));
  })();
`;
