// batch-hits.cjs THREADS HOME JOBS: what the system must be asked for in each hit of a batch: whether the source is as it was,
// entry and record (opened, read, closed, hashed, the head of the record parsed), the claim of the output (two bytes of the
// lock file), its bytes, its new time; once for all the counters. JOBS has a line for each: source, its inode, size, mtime
// and ctime, fingerprint, output, with tabs between them. Fails where anything is not as it was.
// Left out: reading the manifest and planning, the compiler and its headers, who has saved how much, the report.
'use strict';
const { closeSync, openSync, readFileSync, statSync, writeSync } = require('node:fs');
const { isMainThread, workerData } = require('node:worker_threads');
const { claimOf, count, COUNTERS_BYTE, deliver, readPair, WRITE } = require('./hit.cjs');
const { blake3, locks } = require('./native.cjs');
const { startThread } = require('./two-threads.cjs');

const [threads, home, jobsFile] = process.argv.slice(2);
/** Jobs that a thread takes at a time. */
const SHARE = 16;
const BUFFER_BYTES = 262_144;

const { blake3UrlSafeBase64: hash } = blake3();
const { tryLock, unlock } = locks();
/** Cells: jobs that are taken, threads that are done, hits. */
const cells = isMainThread ? new Int32Array(new SharedArrayBuffer(12)) : workerData;

function work() {
  const jobs = readFileSync(jobsFile, 'latin1').trimEnd().split('\n');
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const lockFile = openSync(`${home}/.vyre-cache/lock`, WRITE);
  let hits = 0;
  for (let from = Atomics.add(cells, 0, SHARE); from < jobs.length; from = Atomics.add(cells, 0, SHARE)) {
    for (const job of jobs.slice(from, from + SHARE)) {
      hitOne({ buffer, lockFile }, job.split('\t'));
      hits += 1;
    }
  }
  closeSync(lockFile);
  Atomics.add(cells, 2, hits);
  return jobs.length;
}

function hitOne({ buffer, lockFile }, [source, inode, bytes, mtimeMs, ctimeMs, fingerprint, output]) {
  const { ino, size, mtimeMs: changed, ctimeMs: touched } = statSync(source);
  if (
    ino !== Number(inode) ||
    size !== Number(bytes) ||
    changed !== Number(mtimeMs) ||
    touched !== Number(ctimeMs)
  )
    throw new Error(`expected ${source} as it was`);
  const pair = readPair({ hash, buffer }, `${home}/pipelines/${fingerprint}`, fingerprint);
  const claim = claimOf({ hash, buffer }, output, pair.end);
  for (const byte of claim) tryLock(lockFile, byte, 1, true);
  deliver(buffer, output, pair);
  for (const byte of claim) unlock(lockFile, byte, 1);
}

function addToCounters(hits) {
  const lockFile = openSync(`${home}/.vyre-cache/lock`, WRITE);
  tryLock(lockFile, COUNTERS_BYTE, 1, true);
  count({ hash, buffer: Buffer.allocUnsafeSlow(BUFFER_BYTES) }, `${home}/.vyre-cache/counters`, hits);
  unlock(lockFile, COUNTERS_BYTE, 1);
  closeSync(lockFile);
}

if (isMainThread) {
  const others = Number(threads) - 1;
  for (let other = 0; other < others; other += 1) startThread(__filename, cells);
  const jobs = work();
  for (let done = Atomics.load(cells, 1); done < others; done = Atomics.load(cells, 1))
    Atomics.wait(cells, 1, done);
  const hits = Atomics.load(cells, 2);
  if (hits !== jobs) throw new Error(`expected ${jobs} hits, got ${hits}`);
  addToCounters(hits);
  // oxlint-disable-next-line unicorn/no-process-exit -- without taking the heap apart.
  process.exit();
} else {
  try {
    work();
  } catch (error) {
    // Its hits will be missed.
    writeSync(2, `${error.stack}\n`);
  }
  Atomics.add(cells, 1, 1);
  Atomics.notify(cells, 1);
}
