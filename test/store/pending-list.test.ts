import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { HomePaths, StorePaths } from '../../src/layouts/vyre/home-paths.js';
import { openHome } from '../../src/store/home.js';
import { LOCK_BYTES, LockFile } from '../../src/store/lock-file.js';
import { notePending, syncEntry } from '../../src/store/pending-list.js';
import { entryBytes, fingerprintFrom } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');

/** Above this the list means every entry. */
const MAX_PENDING_BYTES = 1_048_576;

interface Rig {
  readonly host: Host;
  readonly home: { readonly paths: HomePaths; readonly lock: LockFile };
}

function makeRig(t: Cleanup, host: Host = fakeHost()): Rig {
  const paths = new HomePaths(join(temporaryFolder(t), 'vyre'));
  assert.ok(openHome(fakeHost(), paths).ok);
  const lock = new LockFile(host, join(paths.private, 'lock'));
  t.after(() => {
    lock.close();
  });
  return { host, home: { paths, lock } };
}

describe('the pending list', () => {
  it('holds a line per entry that is about to appear', async (t) => {
    const { host, home } = makeRig(t);
    assert.equal(await notePending(host, home, A), true);
    assert.equal(await notePending(host, home, B), true);
    assert.equal(await notePending(host, home, A), true);
    assert.equal(readFileSync(home.paths.pending, 'utf8'), `${A}\n${B}\n${A}\n`);
    assert.equal(statSync(home.paths.pending).mode & 0o777, 0o600);
  });

  it('keeps whole lines when processes write at once', async (t) => {
    const { home } = makeRig(t);
    const children = [A, B, A, B].map((fingerprint) =>
      startChild(t, 'note', home.paths.root, fingerprint, '100'),
    );
    for (const child of children) await child.end();
    const lines = readFileSync(home.paths.pending, 'latin1').trimEnd().split('\n');
    assert.equal(lines.length, 400);
    assert.equal(lines.filter((line) => line === A).length, 200);
    assert.equal(lines.filter((line) => line === B).length, 200);
  });

  it('is shared by those who note, and waits for the one who rotates it', async (t) => {
    const clock = new FakeClock();
    const { host, home } = makeRig(t, fakeHost({ clock }));
    const other = new LockFile(fakeHost(), join(home.paths.private, 'lock'));
    t.after(() => {
      other.close();
    });
    await other.hold(LOCK_BYTES.pending, { timeoutMs: 0, shared: true }, async () => {
      assert.equal(await notePending(host, home, A), true);
    });
    assert.equal(clock.monotonicMs(), 0);
    await other.tryHold(LOCK_BYTES.pending, async () => {
      assert.equal(await notePending(host, home, B), false, 'who cannot note makes the entry durable itself');
    });
    assert.equal(readFileSync(home.paths.pending, 'utf8'), `${A}\n`);
  });

  it('stops growing when it is full: it means every entry then', async (t) => {
    const { host, home } = makeRig(t);
    for (const bytes of [MAX_PENDING_BYTES, MAX_PENDING_BYTES + 100]) {
      writeFileSync(home.paths.pending, Buffer.alloc(bytes, 'x'));
      assert.equal(await notePending(host, home, A), true);
      assert.equal(statSync(home.paths.pending).size, bytes);
    }
    writeFileSync(home.paths.pending, Buffer.alloc(MAX_PENDING_BYTES - 1, 'x'));
    assert.equal(await notePending(host, home, A), true);
    assert.equal(statSync(home.paths.pending).size, MAX_PENDING_BYTES - 1 + 65);
  });

  for (const [name, make] of [
    ['a folder', (path: string) => mkdirSync(path)],
    ['a link', (path: string) => symlinkSync(`${path}.target`, path)],
    ['a FIFO that nobody reads', (path: string) => void execFileSync('mkfifo', [path])],
  ] as const) {
    it(`says that it cannot note into ${name}`, async (t) => {
      const { host, home } = makeRig(t);
      make(home.paths.pending);
      assert.equal(await notePending(host, home, A), false);
      assert.equal(existsSync(`${home.paths.pending}.target`), false);
    });
  }

  for (const code of ['ENOSPC', 'EIO', 'EROFS']) {
    it(`says that it cannot note when writing fails with ${code}`, async (t) => {
      const files = failingFiles({
        write: () => {
          throw errnoError(code);
        },
      });
      const { host, home } = makeRig(t, fakeHost({ files }));
      assert.equal(await notePending(host, home, A), false);
    });
  }
});

describe('making an entry durable', () => {
  it('syncs the entry, its record and their folder', (t) => {
    const { home } = makeRig(t);
    const store = new StorePaths(home.paths.store);
    writeFileSync(store.entry(A), entryBytes('vyre'));
    writeFileSync(store.record(A), '{}');
    const opened = new Map<number, string>();
    const synced: string[] = [];
    const files = failingFiles({
      open: (path, flags, mode) => {
        const fd = systemFiles.open(path, flags, mode);
        opened.set(fd, path);
        return fd;
      },
      sync: (fd) => {
        synced.push(opened.get(fd) ?? '');
        systemFiles.sync(fd);
      },
    });
    syncEntry(fakeHost({ files }), store, A);
    assert.deepEqual(synced.toSorted(), [store.folder, store.entry(A), store.record(A)].toSorted());
    assert.equal(synced.at(-1), store.folder);
  });

  it('fails with the error of the system', (t) => {
    const { home } = makeRig(t);
    const store = new StorePaths(home.paths.store);
    assert.throws(() => syncEntry(fakeHost(), store, A), { code: 'ENOENT' });
  });
});
