import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CacheSession } from '../../src/compile/session.js';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { prune, type PruneOptions } from '../../src/maintenance/prune.js';
import type { PruneReport } from '../../src/maintenance/reports.js';
import { CacheError } from '../../src/model/error.js';
import { NO_RULES, type RetentionRules } from '../../src/model/retention.js';
import { fingerprintByte, LOCK_BYTES } from '../../src/store/lock-file.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { collectGarbage } from '../support/garbage.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { checkAsyncProperty } from '../support/properties.js';
import { manyNames, NOW_MS, storedNames, storeFiles, type StoredFile } from '../support/store-files.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const DAY_SECONDS = 86_400;
const TEN_YEARS_SECONDS = 3650 * DAY_SECONDS;

function hostAtNow(replaced: Partial<Host> = {}): Host {
  return fakeHost({ clock: new FakeClock(NOW_MS), ...replaced });
}

async function pruned(
  session: CacheSession,
  rules: Partial<RetentionRules>,
  options: Partial<PruneOptions> = {},
): Promise<PruneReport> {
  return prune(session, { rules: { ...NO_RULES, ...rules }, dryRun: false, ...options });
}

/** The first digit of each removed entry with its reason. */
function rows(report: PruneReport): readonly string[] {
  return [...report.removed].map(
    ({ path, reason }) => `${/([0-9a-f])[0-9a-f]{63}/.exec(path)?.[1]} ${reason}`,
  );
}

function storeOf(t: Parameters<typeof temporaryFolder>[0], files: readonly StoredFile[]): string {
  const root = temporaryFolder(t);
  storeFiles(root, files);
  return root;
}

describe('the size rule of PVF on real entries', () => {
  const vectors: readonly (readonly [staleSeconds: number, left: readonly string[], kept: number])[] = [
    [0, ['a'], 1024],
    [12, ['a', 'b'], 2048],
  ];
  for (const [staleSeconds, left, kept] of vectors) {
    for (const recordBytes of [0, 24]) {
      it(`with ${staleSeconds} s leaves ${left.length} of 3, records of ${recordBytes} bytes counted`, async (t) => {
        const home = new TestHome(t);
        storeFiles(
          home.paths.store,
          [5, 10, 15].map((age, index) => ({
            name: 'abc'.charAt(index),
            bytes: 1024 - recordBytes,
            recordBytes,
            age,
          })),
        );
        const rules = { maxBytes: 1500, minAgeMs: staleSeconds * 1000 };
        const report = await pruned(home.session(hostAtNow()), rules);
        assert.deepEqual(storedNames(home.paths.store), left);
        assert.deepEqual([report.keptCount, report.keptBytes], [left.length, kept]);
        assert.equal(report.removedBytes, 3072 - kept);
      });
    }
  }
});

describe('the cut of wasmtime on real entries', () => {
  const rules = { maxEntries: 5, maxBytes: 30_000, lowWaterPercent: 70 };
  const vectors: readonly (readonly [large: number, small: number, left: number])[] = [
    [2, 2, 4],
    [1, 10, 3],
    [4, 0, 2],
    [3, 5, 3],
  ];
  for (const [large, small, left] of vectors) {
    it(`leaves ${left} of ${large} × 10k and ${small} × 1k`, async (t) => {
      const files = Array.from({ length: large + small }, (_, index) => ({
        name: index.toString(16),
        bytes: index < large ? 10_000 : 1000,
        age: 100 - index,
      }));
      const root = storeOf(t, files);
      const report = await pruned(sessionOf(t, root, { host: hostAtNow() }), rules);
      assert.deepEqual(
        storedNames(root),
        files.slice(-left).map(({ name }) => name),
      );
      assert.equal(report.removedCount, large + small - left);
    });
  }

  const future: readonly (readonly [ahead: readonly number[], left: readonly string[]])[] = [
    [
      [0, 86_400],
      ['0', '1'],
    ],
    [
      [0, 86_401],
      ['0', '1'],
    ],
    [
      [0, 86_400, 1, 2],
      ['1', '3'],
    ],
    [
      [0, 1, 86_401, 2],
      ['1', '3'],
    ],
    [
      [0, 1, 3, 2],
      ['2', '3'],
    ],
  ];
  for (const [ahead, left] of future) {
    it(`orders what was last used ${ahead.join(', ')} s ahead`, async (t) => {
      const root = storeOf(
        t,
        ahead.map((seconds, index) => ({ name: String(index), bytes: 1, age: -seconds })),
      );
      await pruned(sessionOf(t, root, { host: hostAtNow() }), { maxEntries: 3, lowWaterPercent: 70 });
      assert.deepEqual(storedNames(root), left);
    });
  }
});

describe('the last use', () => {
  const files: readonly StoredFile[] = [
    { name: 'a', bytes: 1, recordBytes: 1, age: 100, readAge: 1 },
    { name: 'b', bytes: 1, age: 100, readAge: 1 },
    { name: 'c', bytes: 1, age: 1, readAge: 100 },
  ];

  it('is the mtime of our entries, and the later of mtime and atime of others', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, files);
    assert.deepEqual(rows(await pruned(home.session(hostAtNow()), { ttlMs: 50_000 })), ['a ttl']);
    assert.deepEqual(storedNames(home.paths.store), ['b', 'c']);
  });

  it('exactly as long ago as the TTL keeps an entry, a millisecond more does not', async (t) => {
    const root = storeOf(t, [
      { name: 'a', bytes: 1, age: 60 },
      { name: 'b', bytes: 1, age: 60.001 },
    ]);
    assert.deepEqual(rows(await pruned(sessionOf(t, root, { host: hostAtNow() }), { ttlMs: 60_000 })), [
      'b ttl',
    ]);
  });

  it('keeps everything by age when the clock went back ten years, and limits still hold', async (t) => {
    const root = storeOf(t, [
      { name: 'a', bytes: 1, age: 100 },
      { name: 'b', bytes: 1, age: 200 },
    ]);
    const clock = new FakeClock(NOW_MS - TEN_YEARS_SECONDS * 1000);
    const session = sessionOf(t, root, { host: fakeHost({ clock }) });
    assert.equal((await pruned(session, { ttlMs: 1000 })).removedCount, 0);
    assert.deepEqual(rows(await pruned(session, { maxEntries: 1, minAgeMs: 1000 })), ['a max-entries']);
  });

  it('is long ago when the clock went on ten years: no more goes than the rules say', async (t) => {
    const root = storeOf(t, [
      { name: 'a', bytes: 1, age: 100 },
      { name: 'b', bytes: 1, age: -TEN_YEARS_SECONDS },
    ]);
    const clock = new FakeClock(NOW_MS + TEN_YEARS_SECONDS * 1000);
    const session = sessionOf(t, root, { host: fakeHost({ clock }) });
    assert.deepEqual(rows(await pruned(session, { ttlMs: 1000 })), ['a ttl']);
    assert.deepEqual(storedNames(root), ['b']);
  });
});

describe('what stays', () => {
  it('is everything but valid entries', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, [{ name: 'a', bytes: 10, recordBytes: 5, age: TEN_YEARS_SECONDS }]);
    const target = join(temporaryFolder(t), 'precious');
    writeFileSync(target, 'x');
    symlinkSync(target, home.entry(B));
    mkdirSync(home.entry(fingerprintFrom('c')));
    const others = [
      `pipelines/.${A}-0.bin.tmp`,
      `pipelines/${fingerprintFrom('d')}.json`,
      'pipelines/precious.bin',
      'precious',
      'aot/shader.wgsl',
      'worker-dir-prepare-x/entry',
      `worker-dir-prepare-x/${A}.bin`,
      'quarantine/broken',
    ];
    for (const name of others) {
      const path = join(home.root, name);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, 'x');
      utimesSync(path, 1, 1);
    }
    const report = await pruned(home.session(hostAtNow()), { all: true });
    assert.deepEqual(
      [...report.removed],
      [
        {
          path: `pipelines/${A}.bin`,
          reason: 'all',
          bytes: 15,
          ageSeconds: TEN_YEARS_SECONDS,
        },
      ],
    );
    for (const name of others) assert.ok(existsSync(join(home.root, name)), name);
    assert.ok(existsSync(target));
    assert.deepEqual(
      readdirSync(home.paths.store).filter((name) => name.startsWith('a')),
      [],
    );
    assert.equal((await pruned(home.session(hostAtNow()), { all: true })).removedCount, 0);
  });

  it('is what somebody holds: it is counted as in use, and another one goes in its place', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, [
      { name: 'a', bytes: 1, recordBytes: 1, age: 30 },
      { name: 'b', bytes: 1, recordBytes: 1, age: 20 },
      { name: 'c', bytes: 1, recordBytes: 1, age: 10 },
    ]);
    const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(fingerprintByte(A)));
    assert.equal(await child.line(), 'held');
    const clock = new FakeClock(NOW_MS);
    for (const dryRun of [true, false]) {
      const report = await pruned(home.session(fakeHost({ clock })), { maxEntries: 2 }, { dryRun });
      assert.deepEqual(rows(report), ['b max-entries']);
      assert.deepEqual([report.inUse, report.keptCount, report.failures.length], [1, 2, 0]);
    }
    assert.equal(clock.monotonicMs(), 0);
    assert.deepEqual(storedNames(home.paths.store), ['a', 'c']);
    await child.kill();
    assert.deepEqual(rows(await pruned(home.session(hostAtNow()), { ttlMs: 20_000 })), ['a ttl']);
  });

  const meanwhile: readonly (readonly [string, (path: string) => void])[] = [
    [
      'was used',
      (path) => {
        utimesSync(path, NOW_MS / 1000 - 1, NOW_MS / 1000 - 1);
      },
    ],
    [
      'was replaced by another size',
      (path) => {
        writeFileSync(path, 'larger');
        utimesSync(path, NOW_MS / 1000 - 100, NOW_MS / 1000 - 100);
      },
    ],
    [
      'was stored again after the clock went back',
      (path) => {
        writeFileSync(path, 'y');
        utimesSync(path, NOW_MS / 1000 - 200, NOW_MS / 1000 - 200);
      },
    ],
    [
      'was replaced by a folder',
      (path) => {
        unlinkSync(path);
        mkdirSync(path);
      },
    ],
  ];
  for (const [what, change] of meanwhile) {
    it(`is what ${what} since it was judged`, async (t) => {
      const home = new TestHome(t);
      storeFiles(home.paths.store, [{ name: 'a', bytes: 1, recordBytes: 1, age: 100 }]);
      let looks = 0;
      const files = failingFiles({
        lstat: (path) => {
          if (path === home.entry(A) && (looks += 1) === 2) change(path);
          return systemFiles.lstat(path);
        },
      });
      const report = await pruned(home.session(hostAtNow({ files })), { ttlMs: 1000 });
      assert.deepEqual([...report.removed], []);
      assert.deepEqual(report.failures, []);
      assert.ok(existsSync(home.entry(A)) && existsSync(home.record(A)));
    });
  }

  it('is not what somebody else removed since it was judged, nor is that our removal', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, [
      { name: 'a', bytes: 1, recordBytes: 1, age: 100 },
      { name: 'b', bytes: 1, recordBytes: 1, age: 50 },
    ]);
    let looks = 0;
    const files = failingFiles({
      lstat: (path) => {
        if (path === home.entry(A) && (looks += 1) === 2) unlinkSync(path);
        return systemFiles.lstat(path);
      },
    });
    const report = await pruned(home.session(hostAtNow({ files })), { maxEntries: 1 });
    assert.deepEqual([report.removedCount, report.keptCount, report.keptBytes], [0, 1, 2]);
    assert.deepEqual(storedNames(home.paths.store), ['b']);
  });
});

describe('a damaged entry', () => {
  it('is judged by age and size like any other', async (t) => {
    const root = storeOf(t, [
      { name: 'a', bytes: 3, age: 10 },
      { name: 'b', bytes: 0, age: 20 },
    ]);
    const session = sessionOf(t, root, { host: hostAtNow() });
    assert.equal((await pruned(session, { maxBytes: 3 })).removedCount, 0);
    assert.deepEqual(rows(await pruned(session, { ttlMs: 10_000 })), ['b ttl']);
  });
});

describe('a dry run', () => {
  const anyFile = fc.record({
    bytes: fc.nat(40),
    age: fc.integer({ min: -200_000, max: 200_000 }),
  });
  const anyRules = fc.record({
    ttlMs: fc.option(fc.integer({ min: 0, max: 200_000_000 })),
    maxBytes: fc.option(fc.nat(300)),
    maxEntries: fc.option(fc.nat(12)),
    minAgeMs: fc.option(fc.nat(100_000_000)),
    lowWaterPercent: fc.option(fc.nat(100)),
  });

  it('agrees on every row with the run after it, after which nothing is left to remove', async (t) => {
    const property = fc.asyncProperty(
      fc.array(anyFile, { maxLength: 12 }),
      anyRules,
      async (files, rules) => {
        const root = storeOf(
          t,
          files.map((file, index) => ({ name: index.toString(16), ...file })),
        );
        const session = sessionOf(t, root, { host: hostAtNow() });
        const before = readdirSync(root).toSorted();
        const dry = await pruned(session, rules, { dryRun: true });
        assert.deepEqual(readdirSync(root).toSorted(), before);
        const real = await pruned(session, rules);
        assert.deepEqual([...dry.removed], [...real.removed]);
        const figures = ({ removedCount, removedBytes, keptCount, keptBytes }: PruneReport): unknown => [
          removedCount,
          removedBytes,
          keptCount,
          keptBytes,
        ];
        assert.deepEqual(figures(dry), figures(real));
        assert.equal(readdirSync(root).length, real.keptCount);
        const again = await pruned(session, rules);
        assert.equal(again.removedCount, 0);
        rmSync(root, { recursive: true });
        mkdirSync(root);
      },
    );
    await checkAsyncProperty(property);
  });

  it('writes nothing: no lock, no counters, no journal', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, [{ name: 'a', bytes: 1, recordBytes: 1, age: 1 }]);
    rmSync(join(home.paths.private, 'lock'));
    const before = readdirSync(home.paths.private).toSorted();
    const session = home.session(hostAtNow());
    assert.equal((await pruned(session, { all: true }, { dryRun: true })).removedCount, 1);
    await session.close();
    assert.deepEqual(readdirSync(home.paths.private).toSorted(), before);
    assert.ok(existsSync(home.entry(A)) && existsSync(home.record(A)));
    assert.ok(!existsSync(home.stateDirectory));
  });
});

describe('what cannot be removed', () => {
  const oldOnes: readonly StoredFile[] = [
    { name: 'a', bytes: 1, recordBytes: 1, age: 30 },
    { name: 'b', bytes: 1, recordBytes: 1, age: 20 },
    { name: 'c', bytes: 1, recordBytes: 1, age: 10 },
  ];

  it('is reported and kept, and the others go', async (t) => {
    for (const errno of ['EACCES', 'EROFS', 'EIO', 'EBUSY']) {
      const home = new TestHome(t);
      storeFiles(home.paths.store, oldOnes);
      const files = failingFiles({
        unlink: (path) => {
          if (path === home.entry(A)) throw errnoError(errno);
          systemFiles.unlink(path);
        },
      });
      const report = await pruned(home.session(hostAtNow({ files })), { maxEntries: 1 });
      assert.deepEqual(rows(report), ['b max-entries', 'c max-entries']);
      assert.deepEqual(report.failures, [{ path: `pipelines/${A}.bin`, error: errno }]);
      assert.deepEqual([report.keptCount, report.keptBytes], [1, 2]);
      assert.ok(existsSync(home.record(A)), 'the record stays with its entry');
    }
  });

  it('of a record is reported, and its entry is gone', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, oldOnes);
    const files = failingFiles({
      unlink: (path) => {
        if (path === home.record(A)) throw errnoError('EIO');
        systemFiles.unlink(path);
      },
    });
    const report = await pruned(home.session(hostAtNow({ files })), { maxEntries: 2 });
    assert.deepEqual(rows(report), ['a max-entries']);
    assert.deepEqual(report.failures, [{ path: `pipelines/${A}.bin`, error: 'EIO' }]);
    assert.deepEqual(storedNames(home.paths.store), ['b', 'c']);
  });

  it('or looked at at all is reported, and the others go', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, oldOnes);
    const files = failingFiles({
      lstat: (path) => {
        if (path === home.entry(A)) throw errnoError('EIO');
        return systemFiles.lstat(path);
      },
    });
    const session = home.session(hostAtNow({ files }));
    for (const dryRun of [true, false]) {
      const report = await pruned(session, { maxEntries: 1 }, { dryRun });
      assert.deepEqual(rows(report), ['b max-entries']);
      assert.deepEqual(report.failures, [{ path: `pipelines/${A}.bin`, error: 'EIO' }]);
    }
    assert.deepEqual(storedNames(home.paths.store), ['a', 'c']);
  });

  it('or looked at again is reported too', async (t) => {
    const root = storeOf(t, [{ name: 'a', bytes: 1, age: 30 }]);
    let looks = 0;
    const files = failingFiles({
      lstat: (path) => {
        if (path.endsWith('.bin') && (looks += 1) > 1) throw errnoError('EIO');
        return systemFiles.lstat(path);
      },
    });
    const report = await pruned(sessionOf(t, root, { host: hostAtNow({ files }) }), { ttlMs: 1000 });
    assert.deepEqual(report.failures, [{ path: `${A}.bin`, error: 'EIO' }]);
    assert.equal(report.keptCount, 1);
  });
});

describe('the books', () => {
  it('count evictions with their bytes, and note each with its reason', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, [
      { name: 'a', bytes: 100, recordBytes: 10, age: 90 },
      { name: 'b', bytes: 200, recordBytes: 20, age: 50 },
      { name: 'c', bytes: 300, recordBytes: 30, age: 10 },
    ]);
    const session = home.session(hostAtNow());
    await pruned(session, { ttlMs: 60_000, maxEntries: 1 });
    await session.close();
    const [state] = home.session().states();
    assert.equal(state?.readCounters()?.values.get('evictions'), 2);
    assert.equal(state.readCounters()?.values.get('evictedBytes'), 330);
    assert.deepEqual(
      state
        .readEvents()
        .map(({ kind, reason, fingerprint, message }) => [kind, reason, fingerprint, message]),
      [
        ['removed', 'ttl', A, '110 B, last used 1 m 30 s ago'],
        ['removed', 'max-entries', B, '220 B, last used 50 s ago'],
      ],
    );
  });

  it('keep room for other events: of many removals the first hundred are noted', async (t) => {
    const home = new TestHome(t);
    const session = home.session(hostAtNow());
    session.addTrouble({ kind: 'io-error', message: 'an artifact could not be stored' });
    storeFiles(
      home.paths.store,
      manyNames(150).map((name) => ({ name, bytes: 1, recordBytes: 1, age: 1 })),
    );
    await pruned(session, { all: true });
    const events = session.states()[0]?.readEvents() ?? [];
    assert.equal(events.length, 102);
    assert.equal(events[0]?.kind, 'trouble');
    assert.equal(events.at(-1)?.message, 'and 50 more in the same run');
    assert.equal(session.tally.values.get('evictions'), 150);
  });

  it('of a foreign store lie in the state directory, and the store gets nothing of ours', async (t) => {
    const root = storeOf(t, [
      { name: 'a', bytes: 32, age: 90 },
      { name: 'b', bytes: 32, age: 10 },
    ]);
    const stateDirectory = join(temporaryFolder(t), 'state');
    const session = sessionOf(t, root, { host: hostAtNow(), stateDirectory });
    await pruned(session, { ttlMs: 60_000 });
    await session.close();
    assert.deepEqual(readdirSync(root), [`${B}.bin`]);
    const [, state] = sessionOf(t, root, { stateDirectory }).states();
    assert.equal(state?.readCounters()?.values.get('evictions'), 1);
    assert.equal(state.readEvents()[0]?.fingerprint, A);
  });

  it('hold what was used during the last day, before anything goes', async (t) => {
    const root = storeOf(t, [
      { name: 'a', bytes: 10, age: DAY_SECONDS },
      { name: 'b', bytes: 20, age: DAY_SECONDS + 0.001 },
      { name: 'c', bytes: 40, age: -5 },
    ]);
    const session = sessionOf(t, root, { host: hostAtNow() });
    const report = await pruned(session, { maxBytes: 30 }, { dryRun: true });
    assert.deepEqual(report.lastDay, { bytes: 50, entries: 2 });
    assert.deepEqual(report.limits, { maxBytes: 30, maxEntries: null });
  });
});

describe('free space', () => {
  const files: readonly StoredFile[] = [
    { name: 'a', bytes: 100, age: 30 },
    { name: 'b', bytes: 100, age: 20 },
    { name: 'c', bytes: 100, age: 10 },
  ];
  const cases: readonly (readonly [RetentionRules['minFree'], free: number, gone: number])[] = [
    [{ percent: 10 }, 1000, 0],
    [{ percent: 10 }, 999, 1],
    [{ percent: 10 }, 850, 2],
    [{ bytes: 1000 }, 799, 3],
    [{ bytes: 1000 }, 0, 3],
  ];
  for (const [minFree, freeBytes, gone] of cases) {
    it(`of ${JSON.stringify(minFree)} with ${freeBytes} of 10,000 free takes ${gone}`, async (t) => {
      const root = storeOf(t, files);
      const space = failingFiles({ space: () => ({ freeBytes, totalBytes: 10_000 }) });
      const report = await pruned(sessionOf(t, root, { host: hostAtNow({ files: space }) }), { minFree });
      assert.deepEqual(rows(report), ['a min-free', 'b min-free', 'c min-free'].slice(0, gone));
    });
  }
});

describe('a root', () => {
  it('that is absent, empty or of unknown layout gives an empty report', async (t) => {
    const folder = temporaryFolder(t);
    const foreign = temporaryFolder(t);
    writeFileSync(join(foreign, 'precious'), 'x');
    for (const root of [join(folder, 'absent'), folder, foreign]) {
      const rules = { all: true, minFree: { percent: 10 } };
      const report = await pruned(sessionOf(t, root, { host: hostAtNow() }), rules);
      assert.deepEqual([[...report.removed], report.removedCount, report.keptCount], [[], 0, 0]);
    }
    assert.ok(!existsSync(join(folder, 'absent')));
    assert.deepEqual(readdirSync(foreign), ['precious']);
  });

  it('is for its owner, or root', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, [{ name: 'a', bytes: 1, recordBytes: 1, age: 1 }]);
    const files = failingFiles({
      stat: (path) => {
        const stat = systemFiles.stat(path);
        return stat === null ? null : { ...stat, uid: 1001 };
      },
    });
    for (const dryRun of [true, false]) {
      const stranger = home.session(hostAtNow({ user: { uid: 1000 }, files }));
      await assert.rejects(
        pruned(stranger, { all: true }, { dryRun }),
        (error) => error instanceof CacheError && error.code === 'environment',
      );
    }
    assert.ok(existsSync(home.entry(A)));
    const asRoot = home.session(hostAtNow({ user: { uid: 0 }, files }));
    assert.equal((await pruned(asRoot, { all: true })).removedCount, 1);
  });

  it('of a newer version is left alone', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, [{ name: 'a', bytes: 1, recordBytes: 1, age: 1 }]);
    writeFileSync(home.paths.marker, '{"schema":"vyre-cache.home/2"}\n');
    await assert.rejects(
      pruned(home.session(hostAtNow()), { all: true }),
      (error) => error instanceof CacheError && error.message.includes('newer'),
    );
    assert.ok(existsSync(home.entry(A)));
  });

  it('whose private state somebody deleted is pruned', async (t) => {
    for (const part of ['.vyre-cache/lock', '.vyre-cache/home.json', '.vyre-cache']) {
      const home = new TestHome(t);
      storeFiles(home.paths.store, [{ name: 'a', bytes: 1, recordBytes: 1, age: 1 }]);
      rmSync(join(home.root, part), { recursive: true });
      assert.equal((await pruned(home.session(hostAtNow()), { all: true })).removedCount, 1, part);
    }
  });

  it('that vanishes in the middle is no failure', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, [
      { name: 'a', bytes: 1, recordBytes: 1, age: 2 },
      { name: 'b', bytes: 1, recordBytes: 1, age: 1 },
    ]);
    const files = failingFiles({
      unlink: (path) => {
        rmSync(home.paths.store, { recursive: true, force: true });
        systemFiles.unlink(path);
      },
    });
    const report = await pruned(home.session(hostAtNow({ files })), { all: true });
    assert.deepEqual([report.keptCount, report.failures.length], [0, 0]);
  });
});

describe('two runs at once', () => {
  it('remove together exactly what one would', async (t) => {
    const home = new TestHome(t);
    storeFiles(
      home.paths.store,
      manyNames(300).map((name, index) => ({ name, bytes: 1, recordBytes: 1, age: index })),
    );
    const sessions = [home.session(hostAtNow()), home.session(hostAtNow()), home.session(hostAtNow())];
    const reports = await Promise.all(sessions.map(async (session) => pruned(session, { maxEntries: 100 })));
    assert.equal(
      reports.reduce((sum, { removedCount }) => sum + removedCount, 0),
      200,
    );
    assert.ok(reports.every(({ inUse, failures }) => inUse === 0 && failures.length === 0));
    assert.equal(storedNames(home.paths.store).length, 100);
  });

  it('of a foreign store, which nobody can lock, remove no more either', async (t) => {
    const root = storeOf(
      t,
      manyNames(300).map((name, index) => ({ name, bytes: 1, age: index })),
    );
    const reports = await Promise.all(
      [1, 2, 3].map(async () => pruned(sessionOf(t, root, { host: hostAtNow() }), { maxEntries: 100 })),
    );
    assert.equal(
      reports.reduce((sum, { removedCount }) => sum + removedCount, 0),
      200,
    );
    assert.equal(storedNames(root).length, 100);
  });

  it('wait for each other, but not for ever, and a dry run not at all', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, [{ name: 'a', bytes: 1, recordBytes: 1, age: 1 }]);
    const lock = join(home.paths.private, 'lock');
    const child = startChild(t, 'hold', lock, String(LOCK_BYTES.maintenance));
    assert.equal(await child.line(), 'held');
    await assert.rejects(
      pruned(home.session(hostAtNow()), { all: true }),
      (error) => error instanceof CacheError && error.code === 'environment',
    );
    assert.equal((await pruned(home.session(hostAtNow()), { all: true }, { dryRun: true })).removedCount, 1);
    const waiting = pruned(home.session(), { all: true });
    child.go();
    assert.equal((await waiting).removedCount, 1);
  });
});

it('an interruption ends a run between two removals, with what is done in the books', async (t) => {
  const home = new TestHome(t);
  storeFiles(
    home.paths.store,
    ['a', 'b', 'c'].map((name) => ({ name, bytes: 1, recordBytes: 1, age: 1 })),
  );
  const controller = new AbortController();
  const files = failingFiles({
    unlink: (path) => {
      if (path === home.entry(B)) controller.abort();
      systemFiles.unlink(path);
    },
  });
  const session = home.session(hostAtNow({ files }));
  const report = await pruned(session, { all: true }, { signal: controller.signal });
  assert.deepEqual(rows(report), ['a all', 'b all']);
  assert.deepEqual(readdirSync(home.paths.store).length, 2);
  assert.equal(session.tally.values.get('evictions'), 2);
});

it('an interruption ends the look at the entries as well, before anything is judged', async (t) => {
  const names = manyNames(5000);
  const root = storeOf(
    t,
    names.map((name) => ({ name, bytes: 1, age: 1 })),
  );
  const controller = new AbortController();
  const clock = new FakeClock(NOW_MS);
  let turns = 0;
  clock.breathe = async () => {
    turns += 1;
    if (turns === 2) controller.abort();
    return Promise.resolve();
  };
  const session = sessionOf(t, root, { host: fakeHost({ clock }) });
  const report = await pruned(session, { all: true }, { signal: controller.signal });
  assert.deepEqual([turns, report.removedCount], [2, 0]);
  assert.equal(readdirSync(root).length, 5000);
});

it('100,000 entries cost some bytes each, whether they go or stay', async (t) => {
  const count = 100_000;
  const root = temporaryFolder(t);
  for (const name of manyNames(count)) writeFileSync(join(root, `${name}.bin`), '');
  const held = (): number => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const session = sessionOf(t, root);
  await pruned(session, { all: true }, { dryRun: true });
  collectGarbage();
  const before = held();
  const report = await pruned(session, { all: true }, { dryRun: true });
  collectGarbage();
  const perEntry = (held() - before) / count;
  assert.equal(report.removedCount, count);
  // The name alone, as text, would take more than twice as much.
  assert.ok(perEntry < 150, `${perEntry} bytes for each entry`);
  let rowsSeen = 0;
  for (const { bytes } of report.removed) rowsSeen += bytes === 0 ? 1 : 0;
  assert.equal(rowsSeen, count);
});
