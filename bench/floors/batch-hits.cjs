// batch-hits.cjs THREADS HOME JOBS: what the system must be asked for in each hit of a batch: whether the source is as it was,
// the entry (opened, read, closed, hashed), whether there is a record, the bytes of the output, its new time; once for all
// the counters, under their lock. JOBS has a line for each: source, its inode, size, mtime
// and ctime, fingerprint, output, with tabs between them. Fails where anything is not as it was.
// Left out: reading the manifest and planning, the compiler and its headers, who has saved how much, the report.
'use strict';
const {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeSync,
} = require('node:fs');
const { isMainThread, workerData } = require('node:worker_threads');
const { deliver, demand, isRight, read } = require('./hit.cjs');
const { blake3, locks } = require('./native.cjs');
const { startThread } = require('./two-threads.cjs');

const [threads, home, jobsFile] = process.argv.slice(2);
/** Jobs that a thread takes at a time. */
const SHARE = 16;
const BUFFER_BYTES = 262_144;

const WRITE = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
const FOOTER_BYTES = 32;
const PAGE_BYTES = 4096;
/** Of the lock file. */
const COUNTERS_BYTE = 1;
const GENERATION_AT = 8;
const LOOKUPS_AT = 24;
const HITS_AT = 32;

const { blake3UrlSafeBase64: hash } = blake3();
/** Cells: jobs that are taken, threads that are done, hits. */
const cells = isMainThread ? new Int32Array(new SharedArrayBuffer(12)) : workerData;

function work() {
  const jobs = readFileSync(jobsFile, 'latin1').trimEnd().split('\n');
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  let hits = 0;
  for (let from = Atomics.add(cells, 0, SHARE); from < jobs.length; from = Atomics.add(cells, 0, SHARE)) {
    for (const job of jobs.slice(from, from + SHARE)) {
      hitOne(buffer, job.split('\t'));
      hits += 1;
    }
  }
  Atomics.add(cells, 2, hits);
  return jobs.length;
}

function hitOne(buffer, [source, inode, bytes, mtimeMs, ctimeMs, fingerprint, output]) {
  const { ino, size, mtimeMs: changed, ctimeMs: touched } = statSync(source);
  if (
    ino !== Number(inode) ||
    size !== Number(bytes) ||
    changed !== Number(mtimeMs) ||
    touched !== Number(ctimeMs)
  )
    throw new Error(`expected ${source} as it was`);
  const end = read(buffer, `${home}/pipelines/${fingerprint}.bin`, 0);
  demand(isRight({ hash, buffer }, end), 'a whole entry');
  demand(lstatSync(`${home}/pipelines/${fingerprint}.json`).isFile(), 'a record');
  deliver(buffer, output, { payloadBytes: end - FOOTER_BYTES, end });
}

function addToCounters(hits) {
  const { tryLock, unlock } = locks();
  const lockFile = openSync(`${home}/.vyre-cache/lock`, WRITE);
  tryLock(lockFile, COUNTERS_BYTE, 1, true);
  count(Buffer.allocUnsafeSlow(BUFFER_BYTES), `${home}/.vyre-cache/counters`, hits);
  unlock(lockFile, COUNTERS_BYTE, 1);
  closeSync(lockFile);
}

/** Of two pages the younger one counts; the older one is written. */
function count(buffer, path, hits) {
  const fd = openSync(path, WRITE);
  demand(readSync(fd, buffer, 0, 2 * PAGE_BYTES, 0) === 2 * PAGE_BYTES, 'two pages of counters');
  const isFirst = buffer.readUInt32LE(GENERATION_AT) > buffer.readUInt32LE(PAGE_BYTES + GENERATION_AT);
  const page = isFirst ? buffer.subarray(0, PAGE_BYTES) : buffer.subarray(PAGE_BYTES, 2 * PAGE_BYTES);
  demand(isRight({ hash, buffer: page }, PAGE_BYTES), 'a whole page of counters');
  page.writeUInt32LE(page.readUInt32LE(GENERATION_AT) + 1, GENERATION_AT);
  for (const at of [LOOKUPS_AT, HITS_AT]) page.writeUInt32LE(page.readUInt32LE(at) + hits, at);
  page.base64urlWrite(hash(page.subarray(0, PAGE_BYTES - FOOTER_BYTES)), PAGE_BYTES - FOOTER_BYTES);
  writeSync(fd, page, 0, PAGE_BYTES, isFirst ? PAGE_BYTES : 0);
  closeSync(fd);
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
