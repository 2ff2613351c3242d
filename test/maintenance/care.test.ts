import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { care } from '../../src/maintenance/care.js';
import { fingerprintByte, LOCK_BYTES } from '../../src/store/lock-file.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { TestHome } from '../support/homes.js';
import { NOW_MS, storedNames, storeFiles, type StoredFile } from '../support/store-files.js';

const A = fingerprintFrom('a');
/** Not root, whom no owner stops. */
const OWNER = 1000;
const HOUR_SECONDS = 3600;
const TEN_YEARS_SECONDS = 315_360_000;

/** Three of ours of 100 bytes each, the first the oldest. */
const OURS: readonly StoredFile[] = [
  { name: 'a', bytes: 90, recordBytes: 10, age: 300 },
  { name: 'b', bytes: 90, recordBytes: 10, age: 200 },
  { name: 'c', bytes: 90, recordBytes: 10, age: 100 },
];

function hostAtNow(replaced: Partial<Host> = {}): Host {
  return fakeHost({ clock: new FakeClock(NOW_MS), ...replaced });
}

async function cared(home: TestHome, maxBytes: number, host: Host = hostAtNow()): Promise<void> {
  const session = home.session(host);
  // Who publishes has the lock file open.
  session.openLock({ make: true });
  await care(session, { maxBytes, signal: null });
  await session.close();
}

function ownedBy(uid: number): typeof systemFiles.stat {
  return (path) => {
    const stat = systemFiles.stat(path);
    return stat === null ? null : { ...stat, uid };
  };
}

function troubles(home: TestHome): readonly string[] {
  const events = home
    .session()
    .states()
    .flatMap((state) => state.readEvents());
  return events.filter(({ kind }) => kind === 'trouble').map(({ message }) => message);
}

describe('automatic care', () => {
  const bounds: readonly (readonly [maxBytes: number, left: readonly string[]])[] = [
    [300, ['a', 'b', 'c']],
    [299, ['b', 'c']],
    [200, ['b', 'c']],
    [100, ['c']],
    [1, []],
    [0, ['a', 'b', 'c']],
  ];
  for (const [maxBytes, left] of bounds) {
    it(`with a bound of ${maxBytes} leaves ${left.length} of three entries of 100 bytes`, async (t) => {
      const home = new TestHome(t);
      storeFiles(home.paths.store, OURS);
      await cared(home, maxBytes);
      assert.deepEqual(storedNames(home.paths.store), left);
      assert.equal(readdirSync(home.paths.store).length, 2 * left.length);
      const evictions = home.session().states()[0]?.readCounters()?.values.get('evictions') ?? 0;
      assert.equal(evictions, 3 - left.length);
      assert.equal(existsSync(home.paths.care), maxBytes > 0);
    });
  }

  it('neither counts nor removes what others wrote', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, [...OURS, { name: 'd', bytes: 1_000_000, age: TEN_YEARS_SECONDS }]);
    await cared(home, 300);
    assert.deepEqual(storedNames(home.paths.store), ['a', 'b', 'c', 'd']);
    utimesSync(home.paths.care, 1, 1);
    await cared(home, 100);
    assert.deepEqual(storedNames(home.paths.store), ['c', 'd']);
  });

  it('leaves what was published or used within a minute, however small the bound', async (t) => {
    const home = new TestHome(t);
    const files = [0, 59.999, 60, -5].map((age, index) => ({
      name: 'abcd'.charAt(index),
      bytes: 90,
      recordBytes: 10,
      age,
    }));
    storeFiles(home.paths.store, files);
    await cared(home, 1);
    assert.deepEqual(storedNames(home.paths.store), ['a', 'b', 'd']);
  });

  it('leaves what somebody holds', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, OURS);
    const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(fingerprintByte(A)));
    assert.equal(await child.line(), 'held');
    await cared(home, 200);
    assert.deepEqual(storedNames(home.paths.store), ['a', 'c']);
    assert.deepEqual(troubles(home), []);
  });
});

describe('the time of automatic care', () => {
  const stamps: readonly (readonly [age: number, due: boolean])[] = [
    [0, false],
    [HOUR_SECONDS - 1, false],
    [HOUR_SECONDS, true],
    [TEN_YEARS_SECONDS, true],
    [-HOUR_SECONDS + 1, false],
    [-HOUR_SECONDS, true],
    [-TEN_YEARS_SECONDS, true],
  ];
  for (const [age, due] of stamps) {
    it(`${due ? 'has come' : 'has not come'} ${age} s after the last one`, async (t) => {
      const home = new TestHome(t);
      storeFiles(home.paths.store, OURS);
      const time = NOW_MS / 1000 - age;
      writeFileSync(home.paths.care, '');
      utimesSync(home.paths.care, time, time);
      await cared(home, 100);
      assert.equal(storedNames(home.paths.store).length, due ? 1 : 3);
      assert.equal(statSync(home.paths.care).mtimeMs, due ? NOW_MS : time * 1000);
    });
  }

  it('is not while somebody else maintains the home, and nobody waits', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, OURS);
    const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(LOCK_BYTES.maintenance));
    assert.equal(await child.line(), 'held');
    const clock = new FakeClock(NOW_MS);
    await cared(home, 100, fakeHost({ clock }));
    assert.equal(clock.monotonicMs(), 0);
    assert.equal(storedNames(home.paths.store).length, 3);
    assert.ok(!existsSync(home.paths.care));
    await child.kill();
    await cared(home, 100);
    assert.equal(storedNames(home.paths.store).length, 1);
  });

  it('comes once for many that publish at the same time', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, OURS);
    let walks = 0;
    const files = failingFiles({
      scanDirectory: (path, visit) => {
        if (path === home.paths.store) walks += 1;
        systemFiles.scanDirectory(path, visit);
      },
    });
    await Promise.all(Array.from({ length: 8 }, async () => cared(home, 200, hostAtNow({ files }))));
    assert.equal(walks, 1);
    assert.deepEqual(storedNames(home.paths.store), ['b', 'c']);
  });

  it('has not come for who sees that another process was here while it took the lock', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, OURS);
    let looks = 0;
    const files = failingFiles({
      lstat: (path) => {
        const stat = systemFiles.lstat(path);
        if (path !== home.paths.care || (looks += 1) > 1) return stat;
        writeFileSync(path, '');
        utimesSync(path, NOW_MS / 1000, NOW_MS / 1000);
        return stat;
      },
    });
    await cared(home, 100, hostAtNow({ files }));
    assert.deepEqual([looks, storedNames(home.paths.store).length], [2, 3]);
  });

  it('costs one look at one file when it has not come', async (t) => {
    const home = new TestHome(t);
    writeFileSync(home.paths.care, '');
    utimesSync(home.paths.care, NOW_MS / 1000, NOW_MS / 1000);
    const calls: string[] = [];
    const counted = Object.fromEntries(
      Object.entries(systemFiles).map(([name, primitive]) => [
        name,
        (...args: never[]): unknown => {
          calls.push(name);
          return Reflect.apply(primitive, null, args) as unknown;
        },
      ]),
    );
    const session = home.session(hostAtNow({ files: failingFiles(counted) }));
    calls.length = 0;
    await care(session, { maxBytes: 1, signal: null });
    assert.deepEqual(calls, ['lstat']);
  });
});

describe('trouble of automatic care', () => {
  const cases: readonly (readonly [string, (home: TestHome) => Partial<typeof systemFiles>, RegExp])[] = [
    [
      'a full disk that takes no stamp',
      (home) => ({
        open: (path, flags, mode) => {
          if (path === home.paths.care) throw errnoError('ENOSPC');
          return systemFiles.open(path, flags, mode);
        },
      }),
      /ENOSPC/,
    ],
    [
      'a store that cannot be read',
      (home) => ({
        scanDirectory: (path, visit) => {
          if (path === home.paths.store) throw errnoError('EIO');
          systemFiles.scanDirectory(path, visit);
        },
      }),
      /EIO/,
    ],
    [
      'entries that cannot be removed',
      () => ({
        unlink: () => {
          throw errnoError('EACCES');
        },
      }),
      /3 entries cannot be removed, the first with EACCES/,
    ],
    [
      'a root of somebody else',
      () => ({
        stat: ownedBy(OWNER + 1),
      }),
      /belongs to user/,
    ],
    [
      'even a bug of ours',
      () => ({
        scanDirectory: () => {
          throw new TypeError('not a function');
        },
      }),
      /not a function/,
    ],
  ];
  for (const [what, failing, expected] of cases) {
    it(`goes to the journal and nowhere else: ${what}`, async (t) => {
      const home = new TestHome(t);
      storeFiles(home.paths.store, OURS);
      const files = failingFiles({ stat: ownedBy(OWNER), ...failing(home) });
      await cared(home, 1, hostAtNow({ files, user: { uid: OWNER } }));
      assert.equal(storedNames(home.paths.store).length, 3);
      assert.equal(troubles(home).length, 1);
      assert.match(troubles(home)[0] ?? '', expected);
    });
  }

  it('is a folder in the place of the stamp', async (t) => {
    const home = new TestHome(t);
    storeFiles(home.paths.store, OURS);
    mkdirSync(home.paths.care);
    utimesSync(home.paths.care, 1, 1);
    await cared(home, 1);
    assert.match(troubles(home)[0] ?? '', /EISDIR/);
  });
});
