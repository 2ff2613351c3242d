import assert from 'node:assert/strict';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { systemFiles, type Files } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { noLocks } from '../../src/host/locks.js';
import { judgeLook, staysNoted, type FlushOutcome, type Look } from '../../src/maintenance/entry-sync.js';
import { flush } from '../../src/maintenance/flush.js';
import type { FlushReport } from '../../src/maintenance/reports.js';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import { errnoOf } from '../../src/model/error.js';
import { fingerprintByte, LOCK_BYTES } from '../../src/store/lock-file.js';
import { decodeNotes, mergeNotes, notePending } from '../../src/store/pending-list.js';
import { entryBytes, fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { startChild, type Child } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing } from '../support/listing.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const C = fingerprintFrom('c');
const CLEAN = 'vyre-cache.pending/1\n';

/** Puts an entry in place as a publisher does, and notes it first. */
async function store(home: TestHome, fingerprint: Fingerprint, text = 'stored'): Promise<void> {
  assert.equal(await notePending(fakeHost(), { paths: home.paths, lock: home.lock() }, fingerprint), true);
  home.place(makeArtifact(fingerprint, text));
}

/** The nearest first. Where a power cut takes the name of one of them, all below is gone. */
function foldersAbove(path: string): readonly string[] {
  const above = dirname(path);
  if (above === path || statSync(above).dev !== statSync(path).dev) return [];
  return [above, ...foldersAbove(above)];
}

function pendingText(home: TestHome): string {
  return readFileSync(home.paths.pending, 'latin1');
}

/** The names of the private folder that have to do with the list. */
function lists(home: TestHome): readonly string[] {
  return readdirSync(home.paths.private).filter((name) => name.startsWith('pending'));
}

/** A home whose list is clean, as after a first flush. */
async function flushedHome(t: Cleanup): Promise<TestHome> {
  const home = new TestHome(t);
  await flush(home.session());
  assert.equal(pendingText(home), CLEAN);
  return home;
}

function figures({ flushed, gone, failed, pending }: FlushReport): readonly number[] {
  return [flushed, gone, failed, pending];
}

interface Recorded {
  readonly host: Host;
  /** What was synced, by path. */
  readonly synced: string[];
}

/** The real primitives; `onSync` may make a sync fail. */
function recording(onSync: (path: string) => void = () => undefined, more: Partial<Files> = {}): Recorded {
  const opened = new Map<number, string>();
  const synced: string[] = [];
  const files = failingFiles({
    open: (path, flags, mode) => {
      const fd = systemFiles.open(path, flags, mode);
      opened.set(fd, path);
      return fd;
    },
    syncBeside: async (fd) => {
      const path = opened.get(fd) ?? '';
      onSync(path);
      await systemFiles.syncBeside(fd);
      synced.push(path);
    },
    ...more,
  });
  return { host: fakeHost({ files }), synced };
}

/** Another process that holds the lock of a fingerprint, as one that publishes it. */
async function holder(t: Cleanup, home: TestHome, fingerprint: Fingerprint): Promise<Child> {
  const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(fingerprintByte(fingerprint)));
  assert.equal(await child.line(), 'held');
  return child;
}

describe('what becomes of an entry that was looked at', () => {
  const table: readonly (readonly [boolean, Look['found'], FlushOutcome, boolean])[] = [
    [false, 'synced', 'flushed', false],
    [false, 'absent', 'gone', false],
    [false, 'failed', 'failed', true],
    [true, 'synced', 'pending', true],
    [true, 'absent', 'pending', true],
    [true, 'failed', 'failed', true],
  ];
  for (const [isHeld, found, outcome, stays] of table) {
    it(`${found} and ${isHeld ? 'held' : 'free'}: ${outcome}`, () => {
      assert.equal(judgeLook({ isHeld, found }), outcome);
      assert.equal(staysNoted(outcome), stays);
    });
  }
});

describe('flush', () => {
  it('syncs each noted entry and its record, then each folder once', async (t) => {
    const home = await flushedHome(t);
    for (const fingerprint of [A, B, A]) await store(home, fingerprint);
    home.place(makeArtifact(C, 'durable already'));
    const { host, synced } = recording();
    const report = await flush(home.session(host));
    const { store: folder, root } = home.paths;
    const folders = [folder, root, ...foldersAbove(root)];
    assert.deepEqual(synced.slice(-folders.length), folders);
    assert.deepEqual(
      synced.slice(0, -folders.length).toSorted(),
      [A, B].flatMap((each) => [home.entry(each), home.record(each)]).toSorted(),
    );
    const nothing = { failed: 0, pending: 0, failures: [], listProblem: null };
    assert.deepEqual(report, { root, flushed: 2, gone: 0, ...nothing });
    assert.deepEqual(lists(home), ['pending']);
    assert.equal(pendingText(home), CLEAN);
  });

  it('does nothing but count when nothing is pending', async (t) => {
    const home = await flushedHome(t);
    const before = listing(home.root);
    const { host, synced } = recording();
    const session = home.session(host);
    assert.deepEqual(figures(await flush(session)), [0, 0, 0, 0]);
    assert.deepEqual(synced, []);
    assert.deepEqual(listing(home.root), before);
    assert.equal(session.tally.values.get('flushes'), 1);
    assert.equal(session.tally.values.get('flushErrors'), undefined);
  });

  it('keeps an entry pending that cannot be synced, and syncs the others', async (t) => {
    const home = await flushedHome(t);
    for (const fingerprint of [A, B, C]) await store(home, fingerprint);
    for (const bad of [home.entry(B), home.record(B)]) {
      const { host } = recording((path) => {
        if (path === bad) throw errnoError('EIO');
      });
      const session = home.session(host);
      const report = await flush(session);
      assert.equal(report.failed, 1);
      assert.deepEqual(report.failures, [{ path: bad.slice(home.root.length + 1), error: 'EIO' }]);
      assert.equal(session.tally.values.get('flushErrors'), 1);
      assert.equal(pendingText(home), `${CLEAN}${B}\n`);
    }
    assert.deepEqual(figures(await flush(home.session())), [1, 0, 0, 0]);
    assert.equal(pendingText(home), CLEAN);
  });

  it('takes no entry for durable whose folder cannot be synced', async (t) => {
    const home = await flushedHome(t);
    await store(home, A);
    await store(home, B);
    for (const bad of [home.paths.store, home.root]) {
      const { host } = recording((path) => {
        if (path === bad) throw errnoError('EIO');
      });
      const report = await flush(home.session(host));
      assert.deepEqual(figures(report), [0, 0, 2, 0]);
      assert.deepEqual(report.failures, [{ path: bad.slice(home.root.length + 1), error: 'EIO' }]);
    }
    assert.deepEqual(pendingText(home).split('\n').toSorted(), ['', CLEAN.trimEnd(), A, B].toSorted());
  });

  it('does without the folder above, and where a file system cannot sync folders', async (t) => {
    for (const [bad, code] of [
      ['above', 'EACCES'],
      ['root', 'EINVAL'],
    ] as const) {
      const home = await flushedHome(t);
      await store(home, A);
      const { host } = recording((path) => {
        if (path === (bad === 'root' ? home.root : dirname(home.root))) throw errnoError(code);
      });
      assert.deepEqual(figures(await flush(home.session(host))), [1, 0, 0, 0]);
    }
  });

  it('forgets an entry that has vanished, so that no later flush fails for it', async (t) => {
    const home = await flushedHome(t);
    for (const fingerprint of [A, B]) await store(home, fingerprint);
    rmSync(home.entry(A));
    assert.deepEqual(figures(await flush(home.session())), [1, 1, 0, 0]);
    assert.deepEqual(figures(await flush(home.session())), [0, 0, 0, 0]);
  });

  for (const [name, make] of [
    ['a link', (path: string) => symlinkSync('elsewhere', path)],
    ['a folder', (path: string) => mkdirSync(path)],
  ] as const) {
    it(`forgets an entry in whose place lies ${name}`, async (t) => {
      const home = await flushedHome(t);
      await store(home, A);
      rmSync(home.entry(A));
      make(home.entry(A));
      assert.deepEqual(figures(await flush(home.session())), [0, 1, 0, 0]);
    });
  }

  it('covers with the next flush what is stored while one runs', async (t) => {
    const home = await flushedHome(t);
    await store(home, A);
    const { host, synced } = recording();
    const running = flush(home.session(host));
    // The list was taken away by now: what is noted from here on is for the next flush.
    await store(home, C);
    await running;
    assert.ok(!synced.includes(home.entry(C)));
    assert.equal(pendingText(home), `${CLEAN}${C}\n`);
    assert.deepEqual(figures(await flush(home.session())), [1, 0, 0, 0]);
  });

  it('leaves the note of an entry that somebody is about to publish', async (t) => {
    const home = await flushedHome(t);
    await notePending(fakeHost(), { paths: home.paths, lock: home.lock() }, A);
    const child = await holder(t, home, A);
    for (let flushes = 0; flushes < 2; flushes += 1) {
      assert.deepEqual(figures(await flush(home.session())), [0, 0, 0, 1]);
      assert.equal(pendingText(home), `${CLEAN}${A}\n`);
    }
    home.place(makeArtifact(A, 'published'));
    child.go();
    await child.end();
    assert.deepEqual(figures(await flush(home.session())), [1, 0, 0, 0]);
  });

  it('syncs an entry that somebody may replace, and leaves its note', async (t) => {
    const home = await flushedHome(t);
    await store(home, A);
    await holder(t, home, A);
    const { host, synced } = recording();
    assert.deepEqual(figures(await flush(home.session(host))), [0, 0, 0, 1]);
    assert.ok(synced.includes(home.entry(A)));
    assert.equal(pendingText(home), `${CLEAN}${A}\n`);
  });

  it('syncs thousands of entries, 16 at a time', async (t) => {
    const home = await flushedHome(t);
    const count = 2000;
    const fingerprints = Array.from({ length: count }, (_, index) =>
      fingerprintFrom(`f${index.toString(16).padStart(4, '0')}`),
    );
    writeFileSync(home.paths.pending, `${CLEAN}${fingerprints.map((each) => `${each}\n`).join('')}`);
    for (const fingerprint of fingerprints) writeFileSync(home.entry(fingerprint), entryBytes('x'));
    let running = 0;
    let most = 0;
    const files = failingFiles({
      syncBeside: async (fd) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        assert.notEqual(
          systemFiles.fstat(fd).type,
          'other',
          'the descriptor is open until the sync has ended',
        );
        running -= 1;
      },
    });
    assert.deepEqual(figures(await flush(home.session(fakeHost({ files })))), [count, 0, 0, 0]);
    assert.equal(most, 16);
  });
});

describe('a list that does not name everything', () => {
  const damages: readonly (readonly [string, (path: string) => void])[] = [
    ['is missing', (path) => rmSync(path)],
    ['was begun by somebody who found none', (path) => writeFileSync(path, `${A}\n`)],
    ['is empty', (path) => writeFileSync(path, '')],
    ['has a torn last line', (path) => writeFileSync(path, `${CLEAN}${A}\nbbbb`)],
    ['has a damaged line', (path) => writeFileSync(path, `${CLEAN}${A.toUpperCase()}\n`)],
    ['has a damaged header', (path) => writeFileSync(path, `xyre-cache.pending/1\n`)],
    ['comes from a newer version', (path) => writeFileSync(path, `vyre-cache.pending/2\n`)],
    ['is full', (path) => writeFileSync(path, `${CLEAN}${`${A}\n`.repeat(16_200)}`)],
    [
      'is a link',
      (path) => {
        rmSync(path);
        symlinkSync('home.json', path);
      },
    ],
    [
      'is a folder',
      (path) => {
        rmSync(path);
        mkdirSync(join(path, 'below'), { recursive: true });
      },
    ],
  ];
  for (const [name, damage] of damages) {
    it(`because it ${name} means every entry, and is clean afterwards`, async (t) => {
      const home = await flushedHome(t);
      for (const fingerprint of [A, B]) home.place(makeArtifact(fingerprint, 'stored'));
      damage(home.paths.pending);
      const { host, synced } = recording();
      assert.deepEqual(figures(await flush(home.session(host))), [2, 0, 0, 0]);
      for (const fingerprint of [A, B]) assert.ok(synced.includes(home.entry(fingerprint)));
      assert.deepEqual(lists(home), ['pending']);
      assert.equal(pendingText(home), CLEAN);
      assert.ok(existsSync(home.paths.marker));
    });
  }

  it('goes on to mean every entry while somebody publishes: their note may be lost', async (t) => {
    for (const fingerprint of [fingerprintFrom('0'), A, fingerprintFrom('f')]) {
      const home = new TestHome(t);
      home.place(makeArtifact(B, 'stored'));
      const child = await holder(t, home, fingerprint);
      assert.deepEqual(figures(await flush(home.session())), [1, 0, 0, 0]);
      assert.deepEqual(lists(home), []);
      home.place(makeArtifact(fingerprint, 'published'));
      child.go();
      await child.end();
      assert.deepEqual(figures(await flush(home.session())), [2, 0, 0, 0]);
      assert.equal(pendingText(home), CLEAN);
    }
  });

  it('is nothing to do in a home that never had an entry', async (t) => {
    const { host, synced } = recording();
    assert.deepEqual(figures(await flush(new TestHome(t).session(host))), [0, 0, 0, 0]);
    assert.deepEqual(synced, []);
  });
});

describe('after a flush that was killed', () => {
  it('the next one takes over the lists that it had taken away', async (t) => {
    const home = await flushedHome(t);
    await store(home, A);
    renameSync(home.paths.pending, home.paths.takenPending('0123456789abcdef'));
    writeFileSync(home.paths.pending, CLEAN);
    await store(home, B);
    assert.deepEqual(figures(await flush(home.session())), [2, 0, 0, 0]);
    assert.deepEqual(lists(home), ['pending']);
  });

  it('also where it left no list at all, or half of a new one', async (t) => {
    const home = await flushedHome(t);
    await store(home, A);
    renameSync(home.paths.pending, home.paths.takenPending('0123456789abcdef'));
    writeFileSync(home.paths.takenPending('fedcba9876543210'), CLEAN.slice(0, 5));
    assert.deepEqual(figures(await flush(home.session())), [1, 0, 0, 0]);
    assert.deepEqual(lists(home), ['pending']);
    assert.equal(pendingText(home), CLEAN);
  });

  it('two at once make everything durable that was noted before', async (t) => {
    const home = await flushedHome(t);
    for (const fingerprint of [A, B, C]) await store(home, fingerprint);
    const reports = await Promise.all([flush(home.session()), flush(home.session())]);
    for (const report of reports) assert.equal(report.failed + report.gone, 0);
    assert.ok(reports.some(({ flushed }) => flushed === 3));
    assert.deepEqual(lists(home), ['pending']);
    assert.equal(pendingText(home), CLEAN);
  });
});

/** True when a later flush will look at the entry. */
function isNoted(home: TestHome, fingerprint: Fingerprint): boolean {
  const names = lists(home);
  if (!names.includes('pending')) return true;
  const notes = mergeNotes(names.map((name) => decodeNotes(readFileSync(join(home.paths.private, name)))));
  return notes.every || notes.noted.has(fingerprint);
}

/** The real primitives, one of which fails at its Nth call; `failed` tells whether that call came. */
function failingAt(
  primitive: 'rename' | 'write' | 'removeTree' | 'open' | 'readDirectory' | 'fstat',
  number: number,
  code: string,
): { readonly files: Partial<Files>; readonly failed: () => boolean } {
  let calls = 0;
  const fail = (): void => {
    calls += 1;
    if (calls === number) throw errnoError(code);
  };
  const real = systemFiles[primitive] as (...given: unknown[]) => unknown;
  const failing = (...given: unknown[]): unknown => {
    fail();
    return real(...given);
  };
  return { files: { [primitive]: failing }, failed: () => calls >= number };
}

describe('beside publishers that replace what they published', () => {
  it('flushes make the last bytes of every entry durable', async (t) => {
    const home = new TestHome(t);
    const names = ['a', 'b', 'c', 'd'].map(fingerprintFrom);
    const synced = new Set<number>();
    const files = failingFiles({
      syncBeside: async (fd) => {
        await systemFiles.syncBeside(fd);
        synced.add(systemFiles.fstat(fd).inode);
      },
    });
    const publishing = new Set([0, 1, 2, 3]);
    const publish = async (seed: number): Promise<void> => {
      const lock = home.lock();
      for (let round = 0; round < 60; round += 1) {
        const fingerprint = names[(seed + round) % names.length] ?? A;
        await lock.hold(fingerprintByte(fingerprint), { timeoutMs: 60_000 }, async () => {
          await notePending(fakeHost(), { paths: home.paths, lock }, fingerprint);
          const staged = join(home.paths.staging, `${seed}`);
          for (const path of [home.record(fingerprint), home.entry(fingerprint)]) {
            // A link of its own keeps the inode: no later file can be taken for this one.
            writeFileSync(staged, entryBytes(`${seed} ${round}`));
            linkSync(staged, join(home.paths.staging, `${seed}-${round}-${path.slice(-3)}`));
            renameSync(staged, path);
            await fakeHost().clock.breathe();
          }
        });
      }
      publishing.delete(seed);
    };
    const keepFlushing = async (): Promise<void> => {
      const session = home.session(fakeHost({ files }));
      while (publishing.size > 0) {
        const report = await flush(session);
        assert.deepEqual([report.failed, report.listProblem], [0, null]);
        // A flush with nothing to do waits for nothing: two of them would let no publisher wake up again.
        await fakeHost().clock.breathe();
      }
    };
    await Promise.all([...[...publishing].map(publish), keepFlushing(), keepFlushing()]);
    await flush(home.session(fakeHost({ files })));
    for (const fingerprint of names) {
      for (const path of [home.entry(fingerprint), home.record(fingerprint)]) {
        assert.ok(synced.has(statSync(path).ino), path);
      }
    }
    assert.deepEqual(lists(home), ['pending']);
    assert.equal(pendingText(home), CLEAN);
  });
});

describe('a flush of which a system call fails', () => {
  for (const primitive of ['rename', 'write', 'removeTree', 'open', 'readDirectory', 'fstat'] as const) {
    for (const code of ['ENOSPC', 'EIO', 'EACCES', 'EMFILE']) {
      it(`loses no note: ${primitive} with ${code}`, async (t) => {
        for (let number = 1; ; number += 1) {
          const home = await flushedHome(t);
          await store(home, A);
          await notePending(fakeHost(), { paths: home.paths, lock: home.lock() }, B);
          const { files, failed } = failingAt(primitive, number, code);
          const synced: string[] = [];
          const syncing = failingFiles({
            ...files,
            syncBeside: async (fd) => {
              await systemFiles.syncBeside(fd);
              synced.push(readlinkSync(`/proc/self/fd/${fd}`));
            },
          });
          await home.lock().hold(fingerprintByte(B), { timeoutMs: 0 }, async () => {
            const session = home.session(fakeHost({ files: syncing }));
            const report = await flush(session).catch((error: unknown) => {
              assert.equal(errnoOf(error), code);
              return null;
            });
            // The end of its process.
            await session.close();
            const what = `call ${number}`;
            assert.ok(isNoted(home, B), what);
            assert.ok(isNoted(home, A) || synced.includes(home.entry(A)), what);
            if (report !== null && report.failures.length === 0 && report.listProblem === null) {
              assert.ok(synced.includes(home.entry(A)), what);
            }
          });
          home.place(makeArtifact(B, 'published'));
          const again = await flush(home.session());
          assert.deepEqual([again.failed, again.listProblem], [0, null]);
          assert.deepEqual(lists(home), ['pending']);
          assert.equal(pendingText(home), CLEAN);
          if (!failed()) break;
        }
      });
    }
  }

  it('says so when no clean list can be left', async (t) => {
    const home = await flushedHome(t);
    await store(home, A);
    const { files } = failingAt('write', 1, 'ENOSPC');
    const report = await flush(home.session(fakeHost({ files: failingFiles(files) })));
    assert.deepEqual(figures(report), [1, 0, 0, 0]);
    assert.deepEqual(report.listProblem, { kind: 'failed', error: 'ENOSPC' });
  });
});

describe('without a list of its own', () => {
  it('flush syncs everything in the store of another program, and changes nothing', async (t) => {
    const root = temporaryFolder(t);
    for (const fingerprint of [A, B]) writeFileSync(join(root, `${fingerprint}.bin`), entryBytes('vyre'));
    writeFileSync(join(root, 'alien'), 'x');
    const before = listing(root);
    const { host, synced } = recording();
    const report = await flush(sessionOf(t, root, { host }));
    assert.deepEqual(figures(report), [2, 0, 0, 0]);
    assert.equal(report.listProblem, null);
    const entries = [A, B].map((each) => join(root, `${each}.bin`));
    assert.deepEqual(synced.toSorted(), [...entries, root, ...foldersAbove(root)].toSorted());
    assert.deepEqual(listing(root), before);
  });

  it('it syncs the store of a cache without private state', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'stored'));
    rmSync(home.paths.private, { recursive: true });
    const before = listing(home.root);
    assert.deepEqual(figures(await flush(home.session())), [1, 0, 0, 0]);
    assert.deepEqual(listing(home.root), before);
  });

  it('it has nothing to do where nothing is', async (t) => {
    const folder = temporaryFolder(t);
    for (const root of [folder, join(folder, 'absent')]) {
      assert.deepEqual(figures(await flush(sessionOf(t, root))), [0, 0, 0, 0]);
      assert.deepEqual(readdirSync(folder), []);
    }
  });

  const hosts: readonly (readonly [string, Partial<Host>, string])[] = [
    ['of somebody else', { user: { uid: 54_321 } }, 'unwritable'],
    ['where nothing can be locked', { locks: noLocks }, 'unlocked'],
    [
      'that may only be read',
      {
        files: failingFiles({
          open: (path, flags, mode) => {
            if (flags !== 'read') throw errnoError('EROFS');
            return systemFiles.open(path, flags, mode);
          },
        }),
      },
      'unwritable',
    ],
    [
      'whose private folder may only be read',
      {
        files: failingFiles({
          rename: () => {
            throw errnoError('EROFS');
          },
        }),
      },
      'unwritable',
    ],
  ];
  for (const [name, replaced, kind] of hosts) {
    it(`in a home ${name} it syncs every entry and leaves the list`, async (t) => {
      const home = await flushedHome(t);
      await store(home, A);
      home.place(makeArtifact(B, 'noted by nobody'));
      const report = await flush(home.session(fakeHost(replaced)));
      assert.deepEqual(figures(report), [2, 0, 0, 0]);
      assert.equal(report.listProblem?.kind, kind);
      assert.equal(pendingText(home), `${CLEAN}${A}\n`);
      assert.deepEqual(lists(home), ['pending']);
    });
  }

  it('it waits for a list that is locked, then syncs every entry and leaves it', async (t) => {
    const home = await flushedHome(t);
    await store(home, A);
    const clock = new FakeClock();
    await home.lock().hold(LOCK_BYTES.pending, { timeoutMs: 0 }, async () => {
      const report = await flush(home.session(fakeHost({ clock })));
      assert.deepEqual(figures(report), [1, 0, 0, 0]);
      assert.deepEqual(report.listProblem, { kind: 'failed', error: null });
    });
    assert.equal(pendingText(home), `${CLEAN}${A}\n`);
  });
});
