import { RESULT } from '../../src/maintenance/artifact-table.js';
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { systemFiles, type DirectoryItem, type Files } from '../../src/host/files.js';
import { hashChunks } from '../../src/host/hash.js';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import type { Host } from '../../src/host/host.js';
import { systemThreads, type Thread } from '../../src/host/threads.js';
import type { BulkOrder } from '../../src/maintenance/bulk.js';
import { prune } from '../../src/maintenance/prune.js';
import { verify } from '../../src/maintenance/verify.js';
import { entryChunks } from '../../src/model/entry.js';
import { NO_RULES } from '../../src/model/retention.js';
import { MANY_ARTIFACTS } from '../../src/maintenance/inventory.js';
import { entryBytes } from '../support/artifacts.js';
import { failingFiles, fakeHost } from '../support/fake-host.js';
import { sessionOf } from '../support/homes.js';
import { manyNames } from '../support/store-files.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const COUNT = 12_000;
const DAY_SECONDS = 86_400;

/** What the threads were asked first: to go ahead. */
let ahead: BulkOrder | null = null;

const SCRIPT = new URL('../../dist/bulk-thread.cjs', import.meta.url);

/** The built threads, which take the sources' orders as those of the program. */
const threads: Host['threads'] = {
  start: () => {
    const thread = systemThreads.start(SCRIPT);
    return thread === null
      ? null
      : { ask: async (order) => noted(thread, order), stop: async () => thread.stop() };
  },
};

async function noted(thread: Thread, order: unknown): Promise<unknown> {
  ahead ??= order as BulkOrder;
  return thread.ask(order);
}

/** Lists what belongs to others last, once the threads have looked at all that was lent to them. */
function recordsLast(path: string, visit: (item: DirectoryItem) => boolean): void {
  const items = systemFiles.readDirectory(path);
  const isLate = ({ name }: DirectoryItem): boolean => /\.(?:json|toml)$/.test(name);
  for (const item of items.filter((each) => !isLate(each))) visit(item);
  if (ahead !== null) waitForResults(ahead);
  for (const item of items.filter(isLate)) visit(item);
}

function waitForResults({ table }: BulkOrder): void {
  const results = new Uint8Array(table.results, 0, MANY_ARTIFACTS);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; round < 3000 && results.includes(RESULT.none); round += 1)
    Atomics.wait(pause, 0, 0, 20);
  assert.ok(!results.includes(RESULT.none), 'the threads look at what was lent to them');
}

/**
 * Threads look at names while others are still listed: parts of an artifact that come later, folders that are found
 * later, and what is no file must count as if all had been listed before.
 */
describe('artifacts that are looked at while others are still listed', () => {
  beforeEach(() => {
    ahead = null;
  });

  it('count with all their parts, wherever they lie', async (t) => {
    const folder = temporaryFolder(t);
    for (const section of ['pipelines', 'aot']) mkdirSync(join(folder, section));
    const now = Math.floor(Date.now() / 1000);
    const expected = { old: new Map<string, number>(), keptCount: 0, keptBytes: 0 };
    for (const [number, name] of manyNames(COUNT).entries()) {
      const isEntry = number % 5 !== 4;
      const [first, second] = isEntry
        ? [`pipelines/${name}.bin`, `pipelines/${name}.json`]
        : [`aot/${name}.wgsl`, `aot/${name}.toml`];
      // A link is no artifact.
      if (isEntry && number % 100 === 0) {
        symlinkSync('nowhere', join(folder, first));
        continue;
      }
      const age = number % 2 === 0 ? 10 * DAY_SECONDS : 60;
      const sizes = [40 + (number % 50), !isEntry || number % 3 === 0 ? 30 : 0] as const;
      for (const [part, file] of [first, second].entries()) {
        const size = sizes[part] ?? 0;
        if (size === 0) continue;
        writeFileSync(join(folder, file), Buffer.alloc(size, ' '));
        utimesSync(join(folder, file), now - age, now - age);
      }
      const bytes = sizes[0] + sizes[1];
      if (age > DAY_SECONDS) expected.old.set(first, bytes);
      else {
        expected.keptCount += 1;
        expected.keptBytes += bytes;
      }
    }
    const session = sessionOf(t, folder, { host: hostWithLateRecords() });
    const report = await prune(session, {
      rules: { ...NO_RULES, ttlMs: 7 * DAY_SECONDS * 1000 },
      dryRun: true,
    });
    const removed = [...report.removed];
    assert.deepEqual(new Map(removed.map(({ path, bytes }) => [path, bytes])), expected.old);
    assert.ok(removed.every(({ ageSeconds }) => ageSeconds >= 10 * DAY_SECONDS));
    assert.deepEqual([report.keptCount, report.keptBytes], [expected.keptCount, expected.keptBytes]);
  });

  it('are checked with all their parts', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'pipelines'));
    const payload = Buffer.from('payload');
    const entry = Buffer.concat(entryChunks(payload, hashChunks(portableBlake3, [payload])));
    const torn = entry.subarray(1);
    const wrong: string[] = [];
    for (const [number, name] of manyNames(COUNT).entries()) {
      const hasRecord = number % 1000 === 0;
      const isTorn = number % 1000 === 1;
      writeFileSync(join(folder, `pipelines/${name}.bin`), isTorn ? torn : entry);
      if (hasRecord) writeFileSync(join(folder, `pipelines/${name}.json`), 'no record');
      if (hasRecord) wrong.push(`pipelines/${name}.bin unreadable-record`);
      if (isTorn) wrong.push(`pipelines/${name}.bin bad-checksum`);
    }
    const session = sessionOf(t, folder, { host: hostWithLateRecords() });
    const report = await verify(session, { fingerprints: null });
    assert.equal(report.valid, COUNT - wrong.length);
    assert.equal(
      report.bytes,
      report.valid * entry.length + (wrong.length / 2) * (entry.length + torn.length),
    );
    assert.deepEqual(
      report.problems.map(({ path, reason }) => `${path} ${reason}`),
      wrong.toSorted(),
    );
  });
});

/** Threads, and how many were started and asked. */
function countedThreads(): {
  readonly some: Host['threads'];
  readonly counts: { started: number; asked: number };
} {
  const counts = { started: 0, asked: 0 };
  const start = (): Thread | null => {
    const thread = systemThreads.start(SCRIPT);
    if (thread === null) return null;
    counts.started += 1;
    return {
      ask: async (order) => {
        counts.asked += 1;
        return thread.ask(order);
      },
      stop: async () => thread.stop(),
    };
  };
  return { some: { start }, counts };
}

/** Every folder seems to hold thousands of names. */
function inLargeFolders(parts: Partial<Host>): Host {
  const lstat: Files['lstat'] = (path) => {
    const stat = systemFiles.lstat(path);
    return stat?.type === 'directory' ? { ...stat, bytes: 2 ** 24 } : stat;
  };
  const machine = { ...fakeHost().machine, processors: 2 };
  return fakeHost({ ...parts, machine, files: failingFiles({ lstat }) });
}

describe('a folder that was large once', () => {
  it('starts a thread, which is asked nothing and keeps nobody', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'pipelines'));
    for (const name of manyNames(3))
      writeFileSync(join(folder, `pipelines/${name}.bin`), entryBytes('small'));
    const { some, counts } = countedThreads();
    const session = sessionOf(t, folder, { host: inLargeFolders({ threads: some }) });
    assert.equal((await verify(session, { fingerprints: null })).valid, 3);
    assert.deepEqual(counts, { started: 1, asked: 0 });
  });

  it('asks it for its share where the few artifacts are large', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'pipelines'));
    const large = entryBytes(Buffer.alloc(1_000_000));
    for (const name of manyNames(40)) writeFileSync(join(folder, `pipelines/${name}.bin`), large);
    const { some, counts } = countedThreads();
    const session = sessionOf(t, folder, { host: inLargeFolders({ threads: some }) });
    assert.equal((await verify(session, { fingerprints: null })).valid, 40);
    assert.deepEqual(counts, { started: 1, asked: 1 });
  });
});

function hostWithLateRecords(): Host {
  return fakeHost({ threads, files: failingFiles({ scanDirectory: recordsLast }) });
}
