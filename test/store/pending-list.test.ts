import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { HomePaths, StorePaths } from '../../src/layouts/vyre/home-paths.js';
import { isFingerprint } from '../../src/model/fingerprint.js';
import { openHome } from '../../src/store/home.js';
import { LOCK_BYTES, LockFile } from '../../src/store/lock-file.js';
import {
  CLEAN_LIST,
  decodeNotes,
  mergeNotes,
  noteAll,
  noteOf,
  notePending,
  successorOf,
  syncEntry,
} from '../../src/store/pending-list.js';
import { entryBytes, fingerprintFrom } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { checkProperty } from '../support/properties.js';
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

describe('several notes at once', () => {
  it('are one write, and stop where they make the list full', async (t) => {
    const { host, home } = makeRig(t);
    assert.deepEqual(await noteAll(host, home, [A, B]), { noted: true });
    assert.equal(readFileSync(home.paths.pending, 'latin1'), `${A}\n${B}\n`);
    assert.deepEqual(await noteAll(host, home, Array<typeof A>(40_000).fill(A)), { noted: true });
    const { size } = statSync(home.paths.pending);
    assert.ok(size >= MAX_PENDING_BYTES && size < MAX_PENDING_BYTES + 65, String(size));
  });

  it('name the system call that failed', async (t) => {
    const files = failingFiles({
      write: () => {
        throw errnoError('ENOSPC');
      },
    });
    const { host, home } = makeRig(t, fakeHost({ files }));
    assert.deepEqual(await noteAll(host, home, [A]), { noted: false, error: 'ENOSPC' });
  });
});

describe('reading a pending list', () => {
  const header = Buffer.from(CLEAN_LIST).toString('latin1');
  const table: readonly (readonly [string, string, readonly string[], boolean])[] = [
    ['as a flush leaves it', header, [], false],
    ['with notes', `${header}${A}\n${B}\n${A}\n`, [A, B], false],
    ['nothing', '', [], true],
    ['without a header', `${A}\n`, [A], true],
    ['a header without its end', header.trimEnd(), [], true],
    ['two headers', `${header}${header}`, [], true],
    ['a last line without its end', `${header}${A}\n${B}`, [A], true],
    ['a line of 63 digits', `${header}${A.slice(1)}\n${B}\n`, [B], true],
    ['a line of 65 digits', `${header}${A}a\n`, [], true],
    ['capitals', `${header}${A.toUpperCase()}\n`, [], true],
    ['an empty line', `${header}\n${A}\n`, [A], true],
    ['an end of line of another system', `${header}${A}\r\n`, [], true],
    ['zeros, as a power cut may leave them', `${header}${'\0'.repeat(65)}`, [], true],
  ];
  for (const [name, text, noted, every] of table) {
    it(`takes ${name} as it is`, () => {
      const notes = decodeNotes(Buffer.from(text, 'latin1'));
      assert.deepEqual({ noted: [...notes.noted], every: notes.every }, { noted, every });
    });
  }

  it('gives back what was noted, whatever it was', () => {
    const fingerprints = fc.array(fc.stringMatching(/^[0-9a-f]{64}$/).filter(isFingerprint));
    checkProperty(
      fc.property(fingerprints, (given) => {
        const notes = decodeNotes(Buffer.from(header + given.map(noteOf).join(''), 'latin1'));
        assert.deepEqual([...notes.noted], [...new Set(given)]);
        assert.equal(notes.every, false);
      }),
    );
  });

  it('never throws, and any bytes that are no list mean every entry', () => {
    checkProperty(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.equal(decodeNotes(bytes).every, true);
      }),
    );
  });

  it('means every entry as soon as one of several lists does', () => {
    const named = decodeNotes(Buffer.from(`${header}${A}\n`));
    const other = decodeNotes(Buffer.from(`${B}\n`));
    assert.deepEqual(mergeNotes([named]), named);
    assert.deepEqual(mergeNotes([named, other]), { noted: new Set([A, B]), every: true });
  });

  it('leaves a clean list, but none while somebody publishes and not all is named', () => {
    const noted = new Set([A]);
    assert.equal(successorOf({ noted, every: false }, { isQuiet: false }), 'clean');
    assert.equal(successorOf({ noted, every: true }, { isQuiet: true }), 'clean');
    assert.equal(successorOf({ noted, every: true }, { isQuiet: false }), 'none');
  });
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
