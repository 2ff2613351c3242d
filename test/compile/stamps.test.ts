import assert from 'node:assert/strict';
import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { FileDigests } from '../../src/compile/file-digests.js';
import { isSettled, Stamps } from '../../src/compile/stamps.js';
import { systemFiles, type Files, type FileStat } from '../../src/host/files.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { openHome } from '../../src/store/home.js';
import { digestOf } from '../support/artifacts.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const NOW = 1_700_000_000_000;

const STAT: FileStat = {
  type: 'file',
  device: 1,
  inode: 2,
  bytes: 3,
  mtimeMs: NOW - 10_000,
  atimeMs: NOW,
  ctimeMs: NOW - 10_000,
  links: 1,
  mode: 0o644,
  uid: 0,
};

function makeHome(t: Cleanup): HomePaths {
  const paths = new HomePaths(join(temporaryFolder(t), 'vyre'));
  assert.ok(openHome(fakeHost(), paths).ok);
  return paths;
}

describe('a fact about a file', () => {
  const clock = new FakeClock(NOW);
  const host = fakeHost({ clock });

  it('holds for the state in which the file was', () => {
    const stamps = new Stamps(host, null);
    stamps.set('digest', '/bin/cc', STAT, 'fact');
    assert.equal(stamps.get('digest', '/bin/cc', STAT), 'fact');
    assert.equal(stamps.get('digest', '/bin/cc', { ...STAT, atimeMs: 0, mode: 0o755, uid: 5 }), 'fact');
  });

  const changes: readonly (readonly [string, Partial<FileStat>])[] = [
    ['device', { device: 9 }],
    ['inode', { inode: 9 }],
    ['size', { bytes: 9 }],
    ['time', { mtimeMs: STAT.mtimeMs - 1 }],
    ['time within a millisecond', { mtimeMs: STAT.mtimeMs + 0.25 }],
    ['change time', { ctimeMs: STAT.ctimeMs - 1 }],
  ];
  for (const [name, change] of changes) {
    it(`does not hold under another ${name}`, () => {
      const stamps = new Stamps(host, null);
      stamps.set('digest', '/bin/cc', STAT, 'fact');
      assert.equal(stamps.get('digest', '/bin/cc', { ...STAT, ...change }), null);
    });
  }

  it('does not hold for another path or of another kind', () => {
    const stamps = new Stamps(host, null);
    stamps.set('digest', '/bin/cc', STAT, 'fact');
    assert.equal(stamps.get('digest', '/bin/c', STAT), null);
    assert.equal(stamps.get('libraries', '/bin/cc', STAT), null);
  });

  for (const [name, age, settled] of [
    ['a year old', 365 * 86_400_000, true],
    ['two seconds old', 2000, true],
    ['a millisecond younger than two seconds', 1999, false],
    ['made now', 0, false],
    ['from the future', -60_000, false],
  ] as const) {
    it(`is ${settled ? 'kept' : 'not kept'} of a file that is ${name}`, () => {
      for (const stat of [
        { ...STAT, mtimeMs: NOW - age, ctimeMs: NOW - age },
        { ...STAT, mtimeMs: NOW - age, ctimeMs: 0 },
        { ...STAT, mtimeMs: 0, ctimeMs: NOW - age },
      ]) {
        const stamps = new Stamps(host, null);
        stamps.set('digest', '/bin/cc', stat, 'fact');
        assert.equal(stamps.get('digest', '/bin/cc', stat), settled ? 'fact' : null);
        assert.equal(isSettled(stat, NOW), settled);
      }
    });
  }
});

describe('the file of stamps', () => {
  const host = fakeHost({ clock: new FakeClock(NOW) });

  it('is read by the next process', (t) => {
    const paths = makeHome(t);
    const stamps = new Stamps(host, paths);
    stamps.set('digest', '/bin/c c\nö', STAT, 'fact');
    stamps.save();
    assert.equal(new Stamps(host, paths).get('digest', '/bin/c c\nö', STAT), 'fact');
    assert.equal(statSync(paths.stamps).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(paths.staging), []);
  });

  it('is not written without news', (t) => {
    const paths = makeHome(t);
    new Stamps(host, paths).save();
    assert.equal(existsSync(paths.stamps), false);
    const stamps = new Stamps(host, paths);
    stamps.set('digest', '/young', { ...STAT, mtimeMs: NOW }, 'fact');
    stamps.save();
    assert.equal(existsSync(paths.stamps), false);
  });

  it('is bounded, and keeps the latest', (t) => {
    const paths = makeHome(t);
    const stamps = new Stamps(host, paths);
    for (let index = 0; index < 10_000; index += 1)
      stamps.set('digest', `/file/${index}`, STAT, 'x'.repeat(64));
    stamps.save();
    assert.ok(statSync(paths.stamps).size < 2_000_000);
    const again = new Stamps(host, paths);
    assert.equal(again.get('digest', '/file/9999', STAT), 'x'.repeat(64));
    assert.equal(again.get('digest', '/file/0', STAT), null);
  });

  it('may be damaged, deleted or cut: then nothing is known', (t) => {
    const paths = makeHome(t);
    const stamps = new Stamps(host, paths);
    stamps.set('digest', '/bin/cc', STAT, 'fact');
    stamps.save();
    const good = readFileSync(paths.stamps);
    for (const at of [0, 20, good.byteLength - 40, good.byteLength - 1]) {
      const damaged = Buffer.from(good);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      writeFileSync(paths.stamps, damaged);
      assert.equal(new Stamps(host, paths).get('digest', '/bin/cc', STAT), null);
    }
    writeFileSync(paths.stamps, good);
    truncateSync(paths.stamps, 50);
    assert.equal(new Stamps(host, paths).get('digest', '/bin/cc', STAT), null);
    rmSync(paths.stamps);
    assert.equal(new Stamps(host, paths).get('digest', '/bin/cc', STAT), null);
  });

  it('may fail to be written', (t) => {
    const paths = makeHome(t);
    const files = failingFiles({
      rename: () => {
        throw errnoError('EROFS');
      },
    });
    const stamps = new Stamps(fakeHost({ clock: new FakeClock(NOW), files }), paths);
    stamps.set('digest', '/bin/cc', STAT, 'fact');
    stamps.save();
    assert.deepEqual(readdirSync(paths.staging), []);
  });
});

describe('the digest of a file', () => {
  const LARGE = Buffer.alloc(300_000, 'abc');
  const HOUR = 3_600_000;

  interface Rig {
    readonly path: string;
    readonly digests: FileDigests;
    readonly hashed: () => number;
  }

  /** A clock an hour ahead: every file of the test is settled. */
  function makeRig(t: Cleanup, aheadMs = HOUR): Rig {
    let opened = 0;
    const files: Files = failingFiles({
      open: (path, flags, mode) => {
        opened += 1;
        return systemFiles.open(path, flags, mode);
      },
    });
    const host = fakeHost({ clock: new FakeClock(Date.now() + aheadMs), files });
    const digests = new FileDigests(host, new Stamps(host, null));
    return { path: join(temporaryFolder(t), 'file'), digests, hashed: () => opened };
  }

  for (const bytes of [0, 1, 65_535, 65_536, 262_143, 262_144, 262_145, 1_000_000]) {
    it(`is that of its ${bytes} bytes`, (t) => {
      const rig = makeRig(t);
      const content = Buffer.alloc(bytes, 'abcdefg');
      writeFileSync(rig.path, content);
      assert.equal(rig.digests.digest(rig.path)?.digest, digestOf(content));
      assert.equal(rig.digests.digest(rig.path)?.digest, digestOf(content));
    });
  }

  it('is found out once for a large file that stays as it is', (t) => {
    const rig = makeRig(t);
    writeFileSync(rig.path, LARGE);
    for (let round = 0; round < 3; round += 1) rig.digests.digest(rig.path);
    assert.equal(rig.hashed(), 1);
  });

  it('is found out once for a small file as well, and again when it changes', (t) => {
    const rig = makeRig(t);
    writeFileSync(rig.path, 'abc');
    for (let round = 0; round < 3; round += 1) rig.digests.digest(rig.path);
    assert.equal(rig.hashed(), 1);
    writeFileSync(rig.path, 'xyz');
    utimesSync(rig.path, 1000, 1000);
    assert.equal(rig.digests.digest(rig.path)?.digest, digestOf(Buffer.from('xyz')));
  });

  for (const bytes of [3, 100_000]) {
    it(`is not remembered for the state of another file that was there a moment before: ${bytes} bytes`, (t) => {
      const path = join(temporaryFolder(t), 'file');
      const [before, after] = ['abc', 'xyz'].map((text) => Buffer.alloc(bytes, text)) as [Buffer, Buffer];
      let swaps = 1;
      const files = failingFiles({
        open: (name, flags, mode) => {
          if (swaps > 0) renameSync(`${path}.new`, path);
          swaps -= 1;
          return systemFiles.open(name, flags, mode);
        },
      });
      const host = fakeHost({ clock: new FakeClock(Date.now() + HOUR), files });
      const digests = new FileDigests(host, new Stamps(host, null));
      writeFileSync(path, before);
      linkSync(path, `${path}.old`);
      writeFileSync(`${path}.new`, after);
      digests.digest(path);
      renameSync(`${path}.old`, path);
      assert.equal(digests.digest(path)?.digest, digestOf(before));
    });
  }

  it('is found out each time for a young file', (t) => {
    const rig = makeRig(t, 0);
    writeFileSync(rig.path, LARGE);
    const first = rig.digests.digest(rig.path);
    assert.equal(first?.settled, false);
    writeFileSync(rig.path, Buffer.alloc(300_000, 'xyz'));
    const { mtimeMs } = first.stat;
    utimesSync(rig.path, mtimeMs / 1000, mtimeMs / 1000);
    assert.equal(rig.digests.digest(rig.path)?.digest, digestOf(Buffer.alloc(300_000, 'xyz')));
  });

  it('is found out again when the file was replaced by one of the same size and time', (t) => {
    const rig = makeRig(t);
    writeFileSync(rig.path, LARGE);
    utimesSync(rig.path, 1000, 1000);
    rig.digests.digest(rig.path);
    writeFileSync(`${rig.path}.new`, Buffer.alloc(300_000, 'xyz'));
    utimesSync(`${rig.path}.new`, 1000, 1000);
    renameSync(`${rig.path}.new`, rig.path);
    assert.equal(rig.digests.digest(rig.path)?.digest, digestOf(Buffer.alloc(300_000, 'xyz')));
  });

  it('is read through a link, and follows it when it is changed', (t) => {
    const rig = makeRig(t);
    writeFileSync(rig.path, LARGE);
    writeFileSync(`${rig.path}.2`, 'small');
    const link = `${rig.path}.link`;
    symlinkSync(rig.path, link);
    assert.equal(rig.digests.digest(link)?.digest, digestOf(LARGE));
    rmSync(link);
    symlinkSync(`${rig.path}.2`, link);
    assert.equal(rig.digests.digest(link)?.digest, digestOf(Buffer.from('small')));
  });

  it('is nothing for what is absent or no file', (t) => {
    const rig = makeRig(t);
    assert.equal(rig.digests.digest(rig.path), null);
    assert.equal(rig.digests.digest(join(rig.path, '..')), null);
    assert.equal(rig.digests.digest('/dev/null'), null);
    symlinkSync('nowhere', `${rig.path}.link`);
    assert.equal(rig.digests.digest(`${rig.path}.link`), null);
  });
});
