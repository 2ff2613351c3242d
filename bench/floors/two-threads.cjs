// Two threads visit the files of a folder. The first one lists it and hands the names over in blocks, and visits what is
// left when it has listed them all; the second one takes blocks as they come. So both are busy until the last file.
'use strict';
const { opendirSync, writeSync } = require('node:fs');
const { isMainThread, SHARE_ENV, Worker, workerData } = require('node:worker_threads');

/** Bytes for names, of which only what is used is ever touched. */
const NAMES_BYTES = 134_217_728;
const MAX_BLOCKS = 1_048_576;
/** Cells: blocks that are listed, blocks that are taken, 1 when all are listed, 1 when the second thread has ended well, 2 when not. */
const [LISTED, TAKEN, COMPLETE, ENDED] = [0, 1, 2, 3];

/**
 * Calls `makeVisit(results)` in each thread, what that returns as `visit` for every name with its number, and its `end` where
 * there is no more; then `finish(results, count)` in the first one. `results` are bytes that both see.
 */
exports.visitInTwoThreads = (script, { folder, blockNames, resultBytes }, { makeVisit, finish }) => {
  const shared = isMainThread ? share(resultBytes) : revive(workerData);
  if (isMainThread) {
    // Names alone are the shortest paths; the working directory is that of both threads.
    process.chdir(folder);
    startThread(script, shared);
  }
  const { cells } = shared;
  const work = () => {
    const { visit, end = () => undefined } = makeVisit(shared.results);
    const blocks = isMainThread ? list(shared, blockNames) : [];
    for (let block = take(shared); block >= 0; block = take(shared)) {
      const names = blocks[block] ?? namesOf(shared, block);
      for (let at = 0; at < names.length; at += 1) visit(names[at], block * blockNames + at);
    }
    end();
    return blocks;
  };
  if (isMainThread) {
    const blocks = work();
    Atomics.wait(cells, ENDED, 0);
    if (Atomics.load(cells, ENDED) !== 1) throw new Error('the second thread failed');
    finish(shared.results, blocks.length === 0 ? 0 : (blocks.length - 1) * blockNames + blocks.at(-1).length);
    // oxlint-disable-next-line unicorn/no-process-exit -- without taking the heap apart.
    process.exit();
  }
  let ended = 2;
  try {
    work();
    ended = 1;
  } catch (error) {
    writeSync(2, `${error.stack}\n`);
  }
  Atomics.store(cells, ENDED, ended);
  Atomics.notify(cells, ENDED);
};

function share(resultBytes) {
  return {
    cells: new Int32Array(new SharedArrayBuffer(16)),
    ends: new Int32Array(new SharedArrayBuffer(MAX_BLOCKS * 4)),
    names: Buffer.from(new SharedArrayBuffer(NAMES_BYTES)),
    results: new SharedArrayBuffer(resultBytes),
  };
}

/** Without streams of its own, which would make the first thread open its stdout, too. */
function startThread(script, data) {
  const options = { env: SHARE_ENV, stdout: true, stderr: true, trackUnmanagedFds: false };
  return new Worker(script, { ...options, argv: process.argv.slice(2), workerData: data });
}
exports.startThread = startThread;

function revive({ cells, ends, names, results }) {
  return { cells, ends, results, names: Buffer.from(names.buffer) };
}

/** readdirSync would sort the names, which takes as long as listing them. */
function list({ cells, ends, names }, blockNames) {
  const blocks = [];
  const folder = opendirSync('.', { encoding: 'latin1', bufferSize: blockNames });
  let block = [];
  let used = 0;
  const publish = () => {
    used += names.latin1Write(block.join('\n'), used);
    ends[blocks.length] = used;
    blocks.push(block);
    block = [];
    Atomics.store(cells, LISTED, blocks.length);
    Atomics.notify(cells, LISTED);
  };
  for (let item = folder.readSync(); item !== null; item = folder.readSync()) {
    block.push(item.name);
    if (block.length === blockNames) publish();
  }
  if (block.length > 0) publish();
  folder.closeSync();
  Atomics.store(cells, COMPLETE, 1);
  Atomics.notify(cells, LISTED);
  return blocks;
}

/** The number of a block that nobody else visits; -1 when there is none left. */
function take({ cells }) {
  const block = Atomics.add(cells, TAKEN, 1);
  for (;;) {
    const isComplete = Atomics.load(cells, COMPLETE) === 1;
    const listed = Atomics.load(cells, LISTED);
    if (block < listed) return block;
    if (isComplete) return -1;
    Atomics.wait(cells, LISTED, listed, 5);
  }
}

function namesOf({ ends, names }, block) {
  return names.latin1Slice(block === 0 ? 0 : ends[block - 1], ends[block]).split('\n');
}
