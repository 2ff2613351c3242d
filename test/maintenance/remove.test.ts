import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import { removeEntries } from '../../src/maintenance/remove.js';
import { CacheError } from '../../src/model/error.js';
import { fingerprintByte } from '../../src/store/lock-file.js';
import { entryBytes, fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');

describe('removing entries by name', () => {
  it('removes entry and record, and tells their bytes', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    home.place(makeArtifact(B, 'second'));
    const bytes = 37 + statSync(home.record(A)).size;
    const report = await removeEntries(home.session(), [A]);
    assert.deepEqual(report, {
      root: home.root,
      entries: [{ fingerprint: A, result: 'removed', bytes, error: null }],
    });
    assert.deepEqual(readdirSync(home.paths.store).toSorted(), [`${B}.bin`, `${B}.json`]);
  });

  it('tells of each what became of it', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(B, 'second'));
    const report = await removeEntries(home.session(), [A, B, B]);
    assert.deepEqual(
      report.entries.map(({ fingerprint, result }) => [fingerprint, result]),
      [
        [A, 'absent'],
        [B, 'removed'],
        [B, 'absent'],
      ],
    );
  });

  it('never waits for one that is in use, and leaves it', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    home.place(makeArtifact(B, 'second'));
    const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(fingerprintByte(A)));
    assert.equal(await child.line(), 'held');
    const clock = new FakeClock();
    const report = await removeEntries(home.session(fakeHost({ clock })), [A, B]);
    assert.deepEqual(
      report.entries.map(({ result, bytes }) => [result, bytes > 0]),
      [
        ['in-use', false],
        ['removed', true],
      ],
    );
    assert.equal(clock.monotonicMs(), 0);
    assert.ok(existsSync(home.entry(A)));
    assert.ok(existsSync(home.record(A)));
    await child.kill();
    assert.equal((await removeEntries(home.session(), [A])).entries[0]?.result, 'removed');
  });

  it('removes an entry of vyre, an orphaned record, and damage', async (t) => {
    const home = new TestHome(t);
    home.place({ ...makeArtifact(A, 'of vyre'), record: null });
    home.place(makeArtifact(B, 'second'));
    unlinkSync(home.entry(B));
    writeFileSync(home.entry(fingerprintFrom('c')), 'damaged');
    const names = [A, B, fingerprintFrom('c')];
    const report = await removeEntries(home.session(), names);
    assert.ok(report.entries.every(({ result }) => result === 'removed'));
    assert.deepEqual(readdirSync(home.paths.store), []);
  });

  it('removes a link and leaves its target', async (t) => {
    const home = new TestHome(t);
    const target = join(temporaryFolder(t), 'precious');
    writeFileSync(target, 'x');
    symlinkSync(target, home.entry(A));
    assert.equal((await removeEntries(home.session(), [A])).entries[0]?.result, 'removed');
    assert.ok(existsSync(target));
  });

  it('reports what cannot be removed, and goes on', async (t) => {
    const home = new TestHome(t);
    mkdirSync(home.entry(A));
    writeFileSync(join(home.entry(A), 'precious'), 'x');
    home.place(makeArtifact(B, 'second'));
    const report = await removeEntries(home.session(), [A, B]);
    assert.equal(report.entries[0]?.result, 'failed');
    assert.match(report.entries[0].error ?? '', /^E[A-Z]+$/);
    assert.equal(report.entries[1]?.result, 'removed');
    assert.ok(existsSync(join(home.entry(A), 'precious')));
  });

  it('keeps the record when its entry cannot be removed', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    const files = failingFiles({
      unlink: (path) => {
        if (path === home.entry(A)) throw errnoError('EACCES');
        systemFiles.unlink(path);
      },
    });
    const report = await removeEntries(home.session(fakeHost({ files })), [A]);
    assert.deepEqual(report.entries, [{ fingerprint: A, result: 'failed', bytes: 0, error: 'EACCES' }]);
    assert.ok(existsSync(home.record(A)));
  });

  it('works when somebody deleted the private state', async (t) => {
    for (const part of ['.vyre-cache/lock', '.vyre-cache']) {
      const home = new TestHome(t);
      home.place(makeArtifact(A, 'first'));
      rmSync(join(home.root, part), { recursive: true });
      assert.equal((await removeEntries(home.session(), [A])).entries[0]?.result, 'removed', part);
    }
  });

  it('works on a flat foreign store', async (t) => {
    const root = temporaryFolder(t);
    writeFileSync(join(root, `${A}.bin`), entryBytes('vyre'));
    writeFileSync(join(root, 'alien'), 'x');
    const report = await removeEntries(sessionOf(t, root), [A]);
    assert.deepEqual(report.entries, [{ fingerprint: A, result: 'removed', bytes: 36, error: null }]);
    assert.deepEqual(readdirSync(root), ['alien']);
  });

  it('leaves a home of a newer version as it is', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    writeFileSync(home.paths.marker, '{"schema":"vyre-cache.home/2"}\n');
    await assert.rejects(removeEntries(home.session(), [A]), (error) => {
      assert.ok(error instanceof CacheError);
      assert.equal(error.code, 'environment');
      assert.match(
        error.message,
        /^expected a cache of this version, but ".+" was written by a newer version/,
      );
      assert.equal(error.hint, 'Run the command with that version.');
      return true;
    });
    assert.ok(existsSync(home.entry(A)));
  });

  it('is for the owner of the root, or root', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    const owned = (owner: number): typeof systemFiles =>
      failingFiles({
        stat: (path) => {
          const stat = systemFiles.stat(path);
          return stat === null ? null : { ...stat, uid: owner };
        },
      });
    await assert.rejects(
      removeEntries(home.session(fakeHost({ user: { uid: 1000 }, files: owned(1001) })), [A]),
      (error) =>
        error instanceof CacheError && error.code === 'environment' && error.message.includes('1001'),
    );
    await assert.rejects(
      removeEntries(home.session(fakeHost({ user: { uid: 1000 }, files: owned(0) })), [A]),
      CacheError,
    );
    assert.ok(existsSync(home.entry(A)));
    rmSync(join(home.paths.private, 'lock'));
    const session = home.session(fakeHost({ user: { uid: 0 }, files: owned(1001) }));
    assert.equal((await removeEntries(session, [A])).entries[0]?.result, 'removed');
    assert.equal(existsSync(join(home.paths.private, 'lock')), false, 'its owner could not open it');
  });
});
