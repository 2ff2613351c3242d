import assert from 'node:assert/strict';
import { readdirSync, readFileSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { replaceFile, temporaryPath } from '../../src/compile/replacement.js';
import type { Host } from '../../src/host/host.js';
import { noLocks } from '../../src/host/locks.js';
import { errnoError, failingFiles, fakeHost } from '../support/fake-host.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const MODE = 0o666;

function replaceWith(host: Host, target: string, text: string): void {
  replaceFile(host, { target, mode: MODE }, (fd) => {
    writeSync(fd, text);
  });
}

function place(t: TestContext): {
  readonly folder: string;
  readonly target: string;
  readonly temporary: string;
} {
  const folder = temporaryFolder(t);
  const target = join(folder, 'out.o');
  return { folder, target, temporary: temporaryPath(fakeHost(), target) };
}

describe('a file that takes the place of another', () => {
  it('removes what a killed process left under the same name', (t) => {
    const { folder, target, temporary } = place(t);
    writeFileSync(temporary, 'half of what somebody wrote before');
    replaceWith(fakeHost(), target, 'whole');
    assert.equal(readFileSync(target, 'utf8'), 'whole');
    assert.deepEqual(readdirSync(folder), ['out.o']);
  });

  it('leaves alone what a living one writes, and comes without it', (t) => {
    const { folder, target, temporary } = place(t);
    const other = fakeHost();
    replaceFile(other, { target, mode: MODE }, (fd) => {
      writeSync(fd, 'half');
      replaceWith(fakeHost(), target, 'whole');
      assert.equal(readFileSync(target, 'utf8'), 'whole');
      assert.equal(readFileSync(temporary, 'utf8'), 'half');
      writeSync(fd, ' and half');
    });
    assert.equal(readFileSync(target, 'utf8'), 'half and half');
    assert.deepEqual(readdirSync(folder), ['out.o']);
  });

  it('takes another name when its own was taken for abandoned before it was locked', (t) => {
    const { folder, target } = place(t);
    const { locks } = fakeHost();
    let tries = 0;
    const late: Host = fakeHost({
      locks: {
        ...locks,
        tryLock: (fd, range) => {
          tries += 1;
          // Another process finds the file unlocked, removes it, and begins one of its own.
          if (tries === 1) replaceWith(fakeHost(), target, 'of another');
          return locks.tryLock(fd, range);
        },
      },
    });
    replaceWith(late, target, 'whole');
    assert.equal(tries, 1);
    assert.equal(readFileSync(target, 'utf8'), 'whole');
    assert.deepEqual(readdirSync(folder), ['out.o']);
  });

  it('follows no link that lies under its name', (t) => {
    const { folder, target, temporary } = place(t);
    writeFileSync(join(folder, 'precious'), 'of the user');
    symlinkSync('precious', temporary);
    replaceWith(fakeHost(), target, 'whole');
    assert.equal(readFileSync(target, 'utf8'), 'whole');
    assert.equal(readFileSync(join(folder, 'precious'), 'utf8'), 'of the user');
  });

  for (const [name, locks] of [
    ['nothing can be locked', noLocks],
    [
      'locking fails',
      {
        ...fakeHost().locks,
        tryLock: () => {
          throw errnoError('ENOLCK');
        },
      },
    ],
  ] as const) {
    it(`takes a random name where ${name}, and leaves what lies there`, (t) => {
      const { folder, target, temporary } = place(t);
      writeFileSync(temporary, 'of whom nothing is known');
      replaceWith(fakeHost({ locks }), target, 'whole');
      assert.equal(readFileSync(target, 'utf8'), 'whole');
      assert.equal(readFileSync(temporary, 'utf8'), 'of whom nothing is known');
      assert.equal(readdirSync(folder).length, 2);
    });
  }

  for (const primitive of ['write', 'rename', 'fstat', 'lstat'] as const) {
    it(`leaves no temporary file when ${primitive} fails`, (t) => {
      const { folder, target } = place(t);
      const host = fakeHost({
        files: failingFiles({
          [primitive]: () => {
            throw errnoError('EIO');
          },
        }),
      });
      const work = (): void => {
        replaceFile(host, { target, mode: MODE }, (fd) => {
          host.files.write(fd, Buffer.from('whole'));
        });
      };
      if (primitive === 'write' || primitive === 'rename') assert.throws(work, { code: 'EIO' });
      else work();
      assert.deepEqual(readdirSync(folder), primitive === 'fstat' || primitive === 'lstat' ? ['out.o'] : []);
    });
  }
});
