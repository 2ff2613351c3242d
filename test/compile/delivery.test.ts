import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { deliver } from '../../src/compile/delivery.js';
import { systemFiles, type Files } from '../../src/host/files.js';
import { CacheError } from '../../src/model/error.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const host = fakeHost();
const CONTENT = Buffer.from('artifact');

async function send(path: string, executable = false, files: Files = systemFiles): Promise<void> {
  await deliver(fakeHost({ files }), { path, executable, content: CONTENT });
}

async function refuses(
  work: () => Promise<void>,
  code: 'usage' | 'environment',
  path: string,
): Promise<void> {
  await assert.rejects(
    work,
    (error) =>
      error instanceof CacheError &&
      error.code === code &&
      error.message.includes(path) &&
      error.hint !== null,
  );
}

describe('delivery to a file', () => {
  for (const [name, make] of [
    ['that is absent', () => undefined],
    ['that is there', (path: string) => writeFileSync(path, 'old and longer than the artifact')],
    ['that is empty', (path: string) => writeFileSync(path, '')],
    ['that may not be written', (path: string) => writeFileSync(path, 'old', { mode: 0o400 })],
  ] as const) {
    it(`writes one ${name} and leaves nothing else`, async (t) => {
      const folder = temporaryFolder(t);
      const path = join(folder, 'a.o');
      make(path);
      await send(path);
      assert.deepEqual(readFileSync(path), CONTENT);
      assert.deepEqual(readdirSync(folder), ['a.o']);
    });
  }

  it('replaces it by a rename: who has the old one open keeps it', async (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, 'a.o');
    writeFileSync(path, 'old');
    const twin = join(folder, 'twin');
    linkSync(path, twin);
    await send(path);
    assert.deepEqual(readFileSync(path), CONTENT);
    assert.equal(readFileSync(twin, 'utf8'), 'old');
  });

  it('gives it the time of now', async (t) => {
    const path = join(temporaryFolder(t), 'a.o');
    const before = Date.now();
    writeFileSync(path, 'old');
    utimesSync(path, 1000, 1000);
    await send(path);
    assert.ok(statSync(path).mtimeMs >= before - 1000);
  });

  describe('that holds the artifact already', () => {
    const UMASK = 0o022;
    const renewing = (files: Files = systemFiles): ReturnType<typeof fakeHost> =>
      fakeHost({ files, umask: () => UMASK });
    const make = (folder: string, mode = 0o666 & ~UMASK): string => {
      const path = join(folder, 'a.o');
      writeFileSync(path, CONTENT);
      chmodSync(path, mode);
      utimesSync(path, 1000, 1000);
      return path;
    };

    it('gives it the time of now and leaves it where it is', async (t) => {
      const path = make(temporaryFolder(t));
      const { ino } = statSync(path);
      const before = Date.now();
      await deliver(renewing(), { path, executable: false, content: CONTENT });
      const after = statSync(path);
      assert.equal(after.ino, ino);
      assert.ok(after.mtimeMs > before, 'the time of an input of this very millisecond is not later');
      assert.ok(after.mtimeMs <= Date.now() + 1);
    });

    it('writes one that is larger than a step of the comparison only where a byte differs', async (t) => {
      const content = Buffer.alloc(3_000_000, 'x');
      const path = join(temporaryFolder(t), 'a.o');
      for (const at of [null, 0, 1_048_576, 2_999_999]) {
        const there = Buffer.from(content);
        if (at !== null) there.writeUInt8(0, at);
        writeFileSync(path, there, { mode: 0o644 });
        const { ino } = statSync(path);
        await deliver(renewing(), { path, executable: false, content });
        assert.equal(statSync(path).ino === ino, at === null, String(at));
        assert.ok(readFileSync(path).equals(content));
      }
    });

    for (const [name, change] of [
      ['has another mode', (path: string) => chmodSync(path, 0o600)],
      ['has another name', (path: string) => linkSync(path, `${path}.twin`)],
      ['has other bytes of the same number', (path: string) => writeFileSync(path, 'artifacT')],
    ] as const) {
      it(`replaces one that ${name}`, async (t) => {
        const path = make(temporaryFolder(t));
        change(path);
        const { ino } = statSync(path);
        await deliver(renewing(), { path, executable: false, content: CONTENT });
        const after = statSync(path);
        assert.notEqual(after.ino, ino);
        assert.equal(after.mode & 0o7777, 0o666 & ~UMASK);
        assert.deepEqual(readFileSync(path), CONTENT);
      });
    }

    it('replaces one where the umask is not known, or its time cannot be set', async (t) => {
      const refusing = failingFiles({
        setTimes: () => {
          throw errnoError('EPERM');
        },
      });
      for (const outside of [fakeHost({ umask: () => null }), renewing(refusing)]) {
        const path = make(temporaryFolder(t));
        const { ino } = statSync(path);
        await deliver(outside, { path, executable: false, content: CONTENT });
        assert.notEqual(statSync(path).ino, ino);
        assert.deepEqual(readFileSync(path), CONTENT);
      }
    });
  });

  for (const umask of [0o022, 0o077, 0o002, 0o000]) {
    for (const [executable, before] of [
      [false, 0o666],
      [true, 0o777],
    ] as const) {
      it(`gives ${executable ? 'an executable' : 'a plain'} one the mode of the umask ${umask.toString(8)}`, async (t) => {
        const path = join(temporaryFolder(t), 'a.out');
        writeFileSync(path, 'old', { mode: 0o604 });
        const old = process.umask(umask);
        try {
          await send(path, executable);
        } finally {
          process.umask(old);
        }
        assert.equal(statSync(path).mode & 0o7777, before & ~umask);
      });
    }
  }

  for (const bytes of [0, 1, 1_048_575, 1_048_576, 1_048_577, 3_000_000]) {
    it(`copies ${bytes} bytes from another file`, async (t) => {
      const folder = temporaryFolder(t);
      const source = join(folder, 'source');
      const content = Buffer.alloc(bytes, 'abcdefg');
      writeFileSync(source, content);
      await deliver(host, { path: join(folder, 'a.o'), executable: false, content: { file: source } });
      assert.ok(readFileSync(join(folder, 'a.o')).equals(content));
    });
  }

  for (const [name, base] of [
    ['255 letters', 'x'.repeat(255)],
    ['255 bytes of another script', '漢'.repeat(85)],
    ['80 letters of another script', '漢'.repeat(80)],
    ['63 emoji', '😀'.repeat(63)],
    ['a line break', 'a\nb'],
    ['a leading dash', '-rf'],
  ] as const) {
    it(`writes one whose name is ${name}`, async (t) => {
      const path = join(temporaryFolder(t), base);
      await send(path);
      assert.deepEqual(readFileSync(path), CONTENT);
    });
  }

  for (const primitive of ['open', 'write', 'rename'] as const) {
    for (const code of ['ENOSPC', 'EIO', 'EDQUOT']) {
      it(`leaves the old one and nothing else when ${primitive} fails with ${code}`, async (t) => {
        const folder = temporaryFolder(t);
        const path = join(folder, 'a.o');
        writeFileSync(path, 'old');
        const files = failingFiles({
          [primitive]: () => {
            throw errnoError(code);
          },
        });
        await refuses(async () => send(path, false, files), 'environment', path);
        assert.equal(readFileSync(path, 'utf8'), 'old');
        assert.deepEqual(readdirSync(folder), ['a.o']);
      });
    }
  }

  it('in a folder that does not exist is an error of the environment', async (t) => {
    const path = join(temporaryFolder(t), 'absent', 'a.o');
    await refuses(async () => send(path), 'environment', path);
  });

  it('in the place of a folder is a mistake of the user', async (t) => {
    const path = join(temporaryFolder(t), 'folder');
    mkdirSync(path);
    await refuses(async () => send(path), 'usage', path);
    const link = `${path}-link`;
    symlinkSync(path, link);
    await refuses(async () => send(link), 'usage', link);
  });
});

describe('delivery into a folder that takes no new files', () => {
  /** As the system answers there. */
  function closed(code: string): Files {
    return failingFiles({
      open: (path, flags, mode) => {
        if (flags === 'createNew') throw errnoError(code);
        return systemFiles.open(path, flags, mode);
      },
    });
  }

  for (const code of ['EACCES', 'EPERM']) {
    it(`writes a file that is there in place (${code})`, async (t) => {
      const folder = temporaryFolder(t);
      const path = join(folder, 'a.o');
      writeFileSync(path, 'old and longer than the artifact');
      const inode = statSync(path).ino;
      await send(path, false, closed(code));
      assert.deepEqual(readFileSync(path), CONTENT);
      assert.equal(statSync(path).ino, inode);
    });
    it(`fails for a file that is not there (${code})`, async (t) => {
      const folder = temporaryFolder(t);
      await refuses(
        async () => send(join(folder, 'a.o'), false, closed(code)),
        'environment',
        join(folder, 'a.o'),
      );
      assert.deepEqual(readdirSync(folder), []);
    });
  }

  for (const code of ['EBUSY', 'EXDEV', 'EROFS', 'ENAMETOOLONG']) {
    it(`writes in place a file that no rename can replace (${code})`, async (t) => {
      const folder = temporaryFolder(t);
      const path = join(folder, 'a.o');
      writeFileSync(path, 'old and longer than the artifact');
      const inode = statSync(path).ino;
      const files = failingFiles({
        rename: () => {
          throw errnoError(code);
        },
      });
      await send(path, false, files);
      assert.deepEqual(readFileSync(path), CONTENT);
      assert.equal(statSync(path).ino, inode);
      assert.deepEqual(readdirSync(folder), ['a.o']);
    });
  }

  it('behaves so for a real user', async (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, 'sub', 'a.o');
    mkdirSync(join(folder, 'sub'));
    chmodSync(join(folder, 'sub'), 0o500);
    if (process.geteuid?.() === 0) {
      // Root may write everywhere: the folder stops nobody.
      await send(path);
      assert.deepEqual(readFileSync(path), CONTENT);
    } else {
      await refuses(async () => send(path), 'environment', path);
    }
  });
});

describe('delivery through a link', () => {
  it('writes its target, and the link stays', async (t) => {
    const folder = temporaryFolder(t);
    const other = temporaryFolder(t);
    writeFileSync(join(other, 'target'), 'old');
    symlinkSync(join(other, 'target'), join(folder, 'a.o'));
    await send(join(folder, 'a.o'));
    assert.equal(readlinkSync(join(folder, 'a.o')), join(other, 'target'));
    assert.ok(lstatSync(join(other, 'target')).isFile());
    assert.deepEqual(readFileSync(join(other, 'target')), CONTENT);
    assert.deepEqual(readdirSync(other), ['target']);
    assert.deepEqual(readdirSync(folder), ['a.o']);
  });

  it('writes the last of a chain', async (t) => {
    const folder = temporaryFolder(t);
    symlinkSync('b', join(folder, 'a'));
    symlinkSync('deep/c', join(folder, 'b'));
    mkdirSync(join(folder, 'deep'));
    writeFileSync(join(folder, 'deep', 'c'), 'old');
    await send(join(folder, 'a'));
    assert.deepEqual(readFileSync(join(folder, 'deep', 'c')), CONTENT);
    assert.ok(lstatSync(join(folder, 'a')).isSymbolicLink());
    assert.ok(lstatSync(join(folder, 'b')).isSymbolicLink());
  });

  it('makes the target of a link to nothing, at the end of a chain, too', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'deep'));
    symlinkSync('b', join(folder, 'a'));
    symlinkSync('deep/c', join(folder, 'b'));
    await send(join(folder, 'a'));
    assert.deepEqual(readFileSync(join(folder, 'deep', 'c')), CONTENT);
    assert.ok(lstatSync(join(folder, 'a')).isSymbolicLink());
  });

  it('makes the target where the system would make it, behind linked folders', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'real', 'deep'), { recursive: true });
    symlinkSync('real/deep', join(folder, 'short'));
    // Seen from `real/deep`, whatever way led there.
    symlinkSync('../target', join(folder, 'real', 'deep', 'a'));
    await send(join(folder, 'short', 'a'));
    assert.deepEqual(readFileSync(join(folder, 'real', 'target')), CONTENT);
    assert.equal(existsSync(join(folder, 'target')), false);
  });

  it('makes a target that is named through a linked folder where the system would make it', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'real', 'deep'), { recursive: true });
    symlinkSync('real/deep', join(folder, 'short'));
    symlinkSync('short/../target', join(folder, 'a'));
    await send(join(folder, 'a'));
    assert.deepEqual(readFileSync(join(folder, 'real', 'target')), CONTENT);
    assert.equal(existsSync(join(folder, 'target')), false);
  });

  it('fails for a link to itself and for one into an absent folder', async (t) => {
    const folder = temporaryFolder(t);
    symlinkSync('loop', join(folder, 'loop'));
    symlinkSync('absent/b', join(folder, 'a'));
    await refuses(async () => send(join(folder, 'loop')), 'environment', 'loop');
    await assert.rejects(send(join(folder, 'loop')), /found links in a circle/);
    await refuses(async () => send(join(folder, 'a')), 'environment', 'a');
  });

  it('writes into a linked folder', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'real'));
    symlinkSync('real', join(folder, 'link'));
    await send(join(folder, 'link', 'a.o'));
    assert.deepEqual(readdirSync(join(folder, 'real')), ['a.o']);
  });
});

describe('delivery to what is no file', () => {
  it('writes /dev/null in place, directly and through a link', async (t) => {
    await send('/dev/null');
    const link = join(temporaryFolder(t), 'null');
    symlinkSync('/dev/null', link);
    await send(link);
    assert.ok(statSync('/dev/null').isCharacterDevice());
    assert.ok(lstatSync(link).isSymbolicLink());
  });

  for (const linked of [false, true]) {
    it(`writes a FIFO to its reader${linked ? ', through a link' : ''}`, async (t) => {
      const folder = temporaryFolder(t);
      const fifo = join(folder, 'fifo');
      execFileSync('mkfifo', [fifo]);
      const path = linked ? join(folder, 'link') : fifo;
      if (linked) symlinkSync(fifo, path);
      const reader = spawn('cat', [fifo], { stdio: ['ignore', 'pipe', 'inherit'] });
      const chunks: Buffer[] = [];
      reader.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      const ended = once(reader, 'close');
      await send(path);
      await ended;
      assert.deepEqual(Buffer.concat(chunks), CONTENT);
      assert.ok(lstatSync(fifo).isFIFO());
      assert.deepEqual(readdirSync(folder).length, linked ? 2 : 1);
    });
  }

  it('writes to the pipe that a link of /proc stands for', async (t) => {
    const folder = temporaryFolder(t);
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    const fd = openSync(join(folder, 'fifo'), constants.O_RDWR | constants.O_NONBLOCK);
    // As /dev/stdout is one: a link that leads to a pipe without a path of its own.
    symlinkSync(`/proc/self/fd/${fd}`, join(folder, 'stdout'));
    unlinkSync(join(folder, 'fifo'));
    await send(join(folder, 'stdout'));
    const read = Buffer.alloc(100);
    assert.equal(readSync(fd, read), CONTENT.byteLength);
    assert.deepEqual(read.subarray(0, CONTENT.byteLength), CONTENT);
    closeSync(fd);
    assert.deepEqual(readdirSync(folder), ['stdout']);
  });

  it('waits without blocking for somebody who reads a FIFO', async (t) => {
    const fifo = join(temporaryFolder(t), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const clock = new FakeClock();
    let sleeps = 0;
    let fd = -1;
    clock.onSleep = () => {
      sleeps += 1;
      if (sleeps === 3) fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    };
    await deliver(fakeHost({ clock }), { path: fifo, executable: false, content: CONTENT });
    assert.equal(sleeps, 3);
    const read = Buffer.alloc(100);
    assert.equal(readSync(fd, read), CONTENT.byteLength);
    closeSync(fd);
  });

  it('stops waiting for a reader when it is asked to', async (t) => {
    const fifo = join(temporaryFolder(t), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const stop = new AbortController();
    const clock = new FakeClock();
    clock.onSleep = () => {
      stop.abort();
    };
    await assert.rejects(
      deliver(fakeHost({ clock }), { path: fifo, executable: false, content: CONTENT }, stop),
      /was not written: nobody read it/,
    );
  });

  it('writes more than a pipe holds to a reader that is slow, and stops when it is asked to', async (t) => {
    const fifo = join(temporaryFolder(t), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const content = Buffer.alloc(300_000, 'abcdefg');
    const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const chunks: Buffer[] = [];
    const readOn = (): void => {
      const chunk = Buffer.alloc(50_000);
      chunks.push(chunk.subarray(0, readSync(fd, chunk)));
    };
    const clock = new FakeClock();
    clock.onSleep = readOn;
    await deliver(fakeHost({ clock }), { path: fifo, executable: false, content });
    while (chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0) < content.byteLength) readOn();
    assert.ok(Buffer.concat(chunks).equals(content));
    const stop = new AbortController();
    clock.onSleep = () => {
      stop.abort();
    };
    await assert.rejects(
      deliver(fakeHost({ clock }), { path: fifo, executable: false, content }, stop),
      /was not written: nobody read it/,
    );
    closeSync(fd);
  });

  it('fails at once for a socket', async (t) => {
    const path = join(temporaryFolder(t), 'socket');
    const server = createServer().listen(path);
    await once(server, 'listening');
    await refuses(async () => send(path), 'environment', path);
    server.close();
  });
});

it('a descriptor of somebody who has the file open is written through, not replaced', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'log');
  const fd = openSync(path, 'w');
  await deliver(host, {
    path: `/proc/self/fd/${fd}`,
    executable: false,
    content: Buffer.from('made'),
  });
  const open = statSync(`/proc/self/fd/${fd}`).ino;
  closeSync(fd);
  assert.equal(readFileSync(path, 'utf8'), 'made');
  assert.equal(lstatSync(path).ino, open);
});
