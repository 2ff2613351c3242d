import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { lazyLocks, noLocks } from '../../src/host/locks.js';
import { systemFiles } from '../../src/host/files.js';
import { fingerprintByte, LOCK_BYTES, LockFile } from '../../src/store/lock-file.js';
import type { Host } from '../../src/host/host.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const BYTE = 1234;
const AT_ONCE = { timeoutMs: 0 };

function openLock(t: Cleanup, path: string, host: Host = fakeHost()): LockFile {
  const lock = new LockFile(host, path);
  t.after(() => {
    lock.close();
  });
  return lock;
}

function lockPath(t: Cleanup): string {
  return join(temporaryFolder(t), 'lock');
}

async function isFree(lock: LockFile, byte = BYTE): Promise<boolean> {
  return (await lock.tryHold(byte, () => undefined)).held;
}

describe('the byte of a fingerprint', () => {
  const vectors: readonly (readonly [string, number])[] = [
    ['0', 1_048_576],
    ['0000000000010000', 1_048_577],
    ['000000000001ffff', 1_048_577],
    ['f', 281_474_977_759_231],
    ['123456789abc', 20_015_999_392_444],
    ['800000000000', 140_737_489_403_904],
  ];
  for (const [digits, byte] of vectors) {
    it(`of ${digits}… is ${byte}`, () => {
      assert.equal(fingerprintByte(fingerprintFrom(digits)), byte);
    });
  }
  it('is never one of the four purposes', () => {
    assert.deepEqual(LOCK_BYTES, { sweep: 0, counters: 1, pending: 2, maintenance: 3 });
    assert.ok(fingerprintByte(fingerprintFrom('0')) > 3);
  });
});

describe('the lock addon', () => {
  it('is installed where the locks are tested', () => {
    assert.equal(
      lazyLocks().available,
      true,
      'expected the package fs-native-extensions; npm ci installs it on this platform',
    );
  });
});

describe('a lock file', () => {
  it('is made empty, of 0600, and never grows', async (t) => {
    const path = lockPath(t);
    const lock = openLock(t, path);
    await lock.tryHold(fingerprintByte(fingerprintFrom('f')), () => undefined);
    assert.equal(statSync(path).size, 0);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('keeps what is in it', (t) => {
    const path = lockPath(t);
    writeFileSync(path, 'precious');
    openLock(t, path);
    assert.equal(readFileSync(path, 'utf8'), 'precious');
  });

  it('is never opened through a link', (t) => {
    const path = lockPath(t);
    symlinkSync(`${path}.target`, path);
    assert.throws(() => new LockFile(fakeHost(), path), { code: 'ELOOP' });
    assert.deepEqual(readdirSync(join(path, '..')), ['lock']);
  });

  it('excludes the tasks of one process by the byte', async (t) => {
    const lock = openLock(t, lockPath(t));
    const held = await lock.tryHold(BYTE, async () => {
      assert.equal(lock.holds(BYTE), true);
      assert.equal(lock.holds(BYTE + 1), false);
      assert.equal(await isFree(lock), false);
      assert.equal(await isFree(lock, BYTE + 1), true);
      assert.deepEqual(await lock.hold(BYTE, AT_ONCE, () => 'worked'), { held: false });
      return 'done';
    });
    assert.deepEqual(held, { held: true, value: 'done' });
    assert.equal(lock.holds(BYTE), false);
    assert.equal(await isFree(lock), true);
  });

  it('excludes two descriptors of one file', async (t) => {
    const path = lockPath(t);
    const [one, two] = [openLock(t, path), openLock(t, path)];
    await one.tryHold(BYTE, async () => {
      assert.equal(await isFree(two), false);
      assert.equal(await isFree(two, BYTE + 1), true);
    });
    assert.equal(await isFree(two), true);
  });

  it('is given up when the work fails', async (t) => {
    const path = lockPath(t);
    const [one, two] = [openLock(t, path), openLock(t, path)];
    const fail = (): never => {
      throw new Error('broken');
    };
    await assert.rejects(one.tryHold(BYTE, fail), /broken/);
    await assert.rejects(one.hold(BYTE, AT_ONCE, fail), /broken/);
    await assert.rejects(
      one.hold(BYTE, AT_ONCE, async () => fail()),
      /broken/,
    );
    assert.equal(await isFree(one), true);
    assert.equal(await isFree(two), true);
  });

  it('is shared by those who ask for it, and excludes the others', async (t) => {
    const path = lockPath(t);
    const [one, two, three] = [openLock(t, path), openLock(t, path), openLock(t, path)];
    const shared = { timeoutMs: 0, shared: true };
    await one.hold(BYTE, shared, async () => {
      assert.equal((await two.hold(BYTE, shared, () => 1)).held, true);
      assert.equal(await isFree(three), false);
    });
    assert.equal(await isFree(three), true);
    await three.tryHold(BYTE, async () => {
      assert.equal((await one.hold(BYTE, shared, () => 1)).held, false);
    });
  });

  it('is not lost when another descriptor of it is closed', async (t) => {
    const path = lockPath(t);
    const [one, two] = [openLock(t, path), openLock(t, path)];
    await one.tryHold(BYTE, async () => {
      const third = new LockFile(fakeHost(), path);
      third.close();
      assert.equal(await isFree(two), false);
    });
  });

  it('may be closed twice', (t) => {
    const lock = new LockFile(fakeHost(), lockPath(t));
    lock.close();
    lock.close();
  });
});

describe('waiting for a lock', () => {
  it('takes it as soon as it is free, and tells that it waited', async (t) => {
    const path = lockPath(t);
    const clock = new FakeClock();
    const waiter = openLock(t, path, fakeHost({ clock }));
    const holder = openLock(t, path);
    const order: string[] = [];
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const holding = holder.tryHold(BYTE, async () => released);
    clock.onSleep = () => {
      order.push('slept');
      if (order.length === 4) release();
    };
    const held = await waiter.hold(
      BYTE,
      { timeoutMs: 60_000, onWait: () => order.push('waits') },
      (waited) => waited,
    );
    await holding;
    assert.deepEqual(held, { held: true, value: true });
    assert.deepEqual(order.slice(0, 4), ['waits', 'slept', 'slept', 'slept']);
    assert.equal(order.filter((word) => word === 'waits').length, 1);
  });

  it('is no waiting when it is free', async (t) => {
    const lock = openLock(t, lockPath(t));
    const waits: string[] = [];
    const held = await lock.hold(
      BYTE,
      { timeoutMs: 1000, onWait: () => waits.push('waits') },
      (waited) => waited,
    );
    assert.deepEqual(held, { held: true, value: false });
    assert.deepEqual(waits, []);
  });

  it('tries again after 2 to 50 ms', async (t) => {
    for (const [fraction, expected] of [
      [0, 2],
      [0.5, 26],
      [0.999_999, 50],
    ] as const) {
      const path = lockPath(t);
      const clock = new FakeClock();
      const random = { hex: () => 'aa', fraction: () => fraction };
      const waiter = openLock(t, path, fakeHost({ clock, random }));
      const slept: number[] = [];
      clock.onSleep = (ms) => slept.push(ms);
      await openLock(t, path).tryHold(BYTE, async () => {
        await waiter.hold(BYTE, { timeoutMs: 300 }, () => undefined);
      });
      assert.ok(slept.length > 1);
      assert.ok(slept.every((ms) => Math.round(ms) === expected));
    }
  });

  it('ends at its limit without doing the work', async (t) => {
    const path = lockPath(t);
    const clock = new FakeClock();
    const waiter = openLock(t, path, fakeHost({ clock }));
    await openLock(t, path).tryHold(BYTE, async () => {
      const held = await waiter.hold(BYTE, { timeoutMs: 600_000 }, () => 'worked');
      assert.deepEqual(held, { held: false });
    });
    assert.ok(clock.monotonicMs() >= 600_000 && clock.monotonicMs() < 600_100);
  });

  it('does not end early or late when the time of day jumps', async (t) => {
    const path = lockPath(t);
    const clock = new FakeClock();
    const waiter = openLock(t, path, fakeHost({ clock }));
    let jumps = 0;
    clock.onSleep = () => {
      jumps += 1;
      if (jumps === 1) clock.advance(-10 * 365 * 86_400_000);
    };
    await openLock(t, path).tryHold(BYTE, async () => {
      assert.deepEqual(await waiter.hold(BYTE, { timeoutMs: 1000 }, () => 'worked'), { held: false });
    });
    assert.ok(clock.monotonicMs() < 1100);
  });

  it('ends when it is called off', async (t) => {
    const path = lockPath(t);
    const clock = new FakeClock();
    const waiter = openLock(t, path, fakeHost({ clock }));
    const abort = new AbortController();
    clock.onSleep = () => abort.abort();
    await openLock(t, path).tryHold(BYTE, async () => {
      const options = { timeoutMs: 600_000, signal: abort.signal };
      assert.deepEqual(await waiter.hold(BYTE, options, () => 'worked'), { held: false });
    });
    assert.ok(clock.monotonicMs() < 1000);
  });

  it('serves the tasks of one process one by one', async (t) => {
    const lock = openLock(t, lockPath(t), fakeHost({ clock: new FakeClock() }));
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      inside -= 1;
    };
    const all = await Promise.all(
      Array.from({ length: 20 }, async () => lock.hold(BYTE, { timeoutMs: 1e9 }, work)),
    );
    assert.ok(all.every((held) => held.held));
    assert.equal(most, 1);
  });
});

describe('a lock file that cannot be looked at', () => {
  it('keeps no byte from others', async (t) => {
    const path = lockPath(t);
    const other = openLock(t, path);
    let fails = false;
    const files = failingFiles({
      lstat: (name) => {
        if (fails) throw errnoError('EIO');
        return systemFiles.lstat(name);
      },
    });
    const lock = openLock(t, path, fakeHost({ files }));
    fails = true;
    await assert.rejects(isFree(lock), { code: 'EIO' });
    assert.ok(await isFree(other));
    fails = false;
    assert.ok(await isFree(lock));
  });
});

describe('a byte that cannot be unlocked', () => {
  /** A host in which the first byte that is given back stays locked. */
  function stuck(): Host {
    const { locks } = fakeHost();
    let failures = 1;
    return fakeHost({
      locks: {
        ...locks,
        tryLock: (fd, range) => locks.tryLock(fd, range),
        unlock: (fd, range) => {
          if (failures > 0) {
            failures -= 1;
            throw errnoError('EIO');
          }
          locks.unlock(fd, range);
        },
      },
    });
  }

  it('takes nothing from what was done under it, and is free for others at once', async (t) => {
    const path = lockPath(t);
    const lock = openLock(t, path, stuck());
    const other = openLock(t, path);
    assert.deepEqual(await lock.tryHold(BYTE, () => 'done'), { held: true, value: 'done' });
    assert.equal(await isFree(other), true);
    assert.deepEqual(await lock.tryHold(BYTE, async () => isFree(other)), { held: true, value: false });
    assert.equal(await isFree(other), true);
  });

  it('is free for others when what else was held through its descriptor is given back', async (t) => {
    const path = lockPath(t);
    const lock = openLock(t, path, stuck());
    const other = openLock(t, path);
    await lock.tryHold(BYTE + 1, async () => {
      await lock.tryHold(BYTE, () => undefined);
      assert.equal(await isFree(other, BYTE + 1), false);
    });
    assert.deepEqual([await isFree(other), await isFree(other, BYTE + 1)], [true, true]);
  });
});

describe('a lock file that somebody deleted', () => {
  const deleted: readonly (readonly [string, (path: string) => void])[] = [
    ['deleted', (path) => rmSync(path)],
    [
      'replaced',
      (path) => {
        rmSync(path);
        writeFileSync(path, '');
      },
    ],
    ['moved away', (path) => renameSync(path, `${path}.old`)],
  ];
  for (const [name, remove] of deleted) {
    it(`and ${name} is opened again: whoever comes later is excluded again`, async (t) => {
      const path = lockPath(t);
      const one = openLock(t, path);
      remove(path);
      const held = await one.tryHold(BYTE, async () => {
        assert.equal(await isFree(openLock(t, path)), false);
        return 'done';
      });
      assert.deepEqual(held, { held: true, value: 'done' });
    });

    it(`and ${name} keeps nobody waiting`, async (t) => {
      const path = lockPath(t);
      const one = openLock(t, path);
      remove(path);
      const held = await one.hold(BYTE, AT_ONCE, (waited) => waited);
      assert.deepEqual(held, { held: true, value: false });
    });
  }

  it('while it was held still excludes the tasks of its process', async (t) => {
    const path = lockPath(t);
    const lock = openLock(t, path);
    await lock.tryHold(BYTE, async () => {
      rmSync(path);
      assert.equal(await isFree(lock), false);
      assert.equal(await isFree(lock, BYTE + 1), true);
    });
    assert.equal(await isFree(lock), true);
  });

  it('leaves no descriptor behind', async (t) => {
    const path = lockPath(t);
    const lock = openLock(t, path);
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    for (let round = 0; round < 10; round += 1) {
      await lock.tryHold(BYTE, async () => {
        rmSync(path);
        await lock.tryHold(BYTE + 1, () => rmSync(path, { force: true }));
      });
      assert.equal(await isFree(lock), true);
    }
    assert.equal(open(), before);
  });

  it('with its folder stops nobody from working', async (t) => {
    const folder = join(temporaryFolder(t), 'private');
    mkdirSync(folder);
    const lock = openLock(t, join(folder, 'lock'));
    rmSync(folder, { recursive: true });
    assert.deepEqual(await lock.tryHold(BYTE, () => 'done'), { held: true, value: 'done' });
    assert.deepEqual(await lock.hold(BYTE, AT_ONCE, () => 'done'), { held: true, value: 'done' });
  });

  it('and cannot be made again stops nobody from working', async (t) => {
    const path = lockPath(t);
    let broken = false;
    const files = failingFiles({
      open: (given, flags, mode) => {
        if (broken) throw errnoError('EACCES');
        return systemFiles.open(given, flags, mode);
      },
    });
    const lock = openLock(t, path, fakeHost({ files }));
    rmSync(path);
    broken = true;
    assert.deepEqual(await lock.tryHold(BYTE, () => 'done'), { held: true, value: 'done' });
    assert.equal(await isFree(lock), true);
  });
});

describe('locks between processes', () => {
  it('exclude each other by the byte', async (t) => {
    const path = lockPath(t);
    const child = startChild(t, 'hold', path, String(BYTE));
    assert.equal(await child.line(), 'held');
    const lock = openLock(t, path);
    assert.equal(await isFree(lock), false);
    assert.equal(await isFree(lock, BYTE + 1), true);
    assert.equal(await isFree(lock, BYTE - 1), true);
    child.go();
    assert.equal(await child.line(), 'released');
    assert.equal(await isFree(lock), true);
    await child.end();
  });

  it('die with their process', async (t) => {
    const path = lockPath(t);
    const child = startChild(t, 'hold', path, String(BYTE));
    assert.equal(await child.line(), 'held');
    const lock = openLock(t, path);
    assert.equal(await isFree(lock), false);
    await child.kill();
    assert.equal(await isFree(lock), true);
  });

  it('hold for fingerprints at the far end of the file', async (t) => {
    const path = lockPath(t);
    const byte = fingerprintByte(fingerprintFrom('f'));
    const child = startChild(t, 'hold', path, String(byte));
    assert.equal(await child.line(), 'held');
    const lock = openLock(t, path);
    assert.equal(await isFree(lock, byte), false);
    assert.equal(await isFree(lock, byte - 1), true);
    assert.equal(await isFree(lock, 0), true);
  });

  it('let a waiter in when the holder is killed', async (t) => {
    const path = lockPath(t);
    const child = startChild(t, 'hold', path, String(BYTE));
    assert.equal(await child.line(), 'held');
    const lock = openLock(t, path);
    const kills: Promise<void>[] = [];
    const onWait = (): void => {
      kills.push(child.kill());
    };
    const held = await lock.hold(BYTE, { timeoutMs: 600_000, onWait }, (waited) => waited);
    assert.deepEqual(held, { held: true, value: true });
    await Promise.all(kills);
  });

  it('let no two work at once', async (t) => {
    const folder = temporaryFolder(t);
    const file = join(folder, 'number');
    writeFileSync(file, '0');
    const children = Array.from({ length: 4 }, () =>
      startChild(t, 'increment', join(folder, 'lock'), file, '100'),
    );
    for (const child of children) await child.end();
    assert.equal(readFileSync(file, 'utf8'), '400');
  });
});

describe('without the lock addon', () => {
  it('only the tasks of one process exclude each other', async (t) => {
    const path = lockPath(t);
    const host = fakeHost({ locks: noLocks });
    const [one, two] = [openLock(t, path, host), openLock(t, path, host)];
    assert.equal(one.excludesProcesses, false);
    assert.equal(openLock(t, path).excludesProcesses, true);
    await one.tryHold(BYTE, async () => {
      assert.equal(await isFree(one), false);
      assert.equal(await isFree(two), true);
    });
    assert.equal(await isFree(one), true);
  });
});

describe('several bytes at once', () => {
  const BYTES = [BYTE, BYTE + 1];

  it('are held while the work runs, and free afterwards', async (t) => {
    const path = lockPath(t);
    const [lock, other] = [openLock(t, path), openLock(t, path)];
    const held = lock.tryHoldAllNow(BYTES, () => BYTES.map((byte) => other.tryHoldNow(byte, () => 1).held));
    assert.deepEqual(held, { held: true, value: [false, false] });
    for (const byte of BYTES) assert.equal(await isFree(other, byte), true);
  });

  it('are none where somebody else holds the last one', async (t) => {
    const path = lockPath(t);
    const [lock, other] = [openLock(t, path), openLock(t, path)];
    const held = other.tryHoldNow(BYTE + 1, () => lock.tryHoldAllNow(BYTES, () => 'done'));
    assert.deepEqual(held, { held: true, value: { held: false } });
    for (const byte of BYTES) assert.equal(await isFree(other, byte), true);
  });

  it('are none where another task of this process holds one', async (t) => {
    const lock = openLock(t, lockPath(t));
    const held = await lock.tryHold(BYTE, () => lock.tryHoldAllNow(BYTES, () => 'done'));
    assert.deepEqual(held, { held: true, value: { held: false } });
    assert.equal(await isFree(lock), true);
  });

  it('are none in a lock file that was replaced, and are given back after an error', async (t) => {
    const path = lockPath(t);
    const lock = openLock(t, path);
    assert.throws(
      () =>
        lock.tryHoldAllNow(BYTES, () => {
          throw new Error('bug');
        }),
      /bug/,
    );
    assert.equal(await isFree(openLock(t, path)), true);
    rmSync(path);
    openLock(t, path);
    assert.deepEqual(
      lock.tryHoldAllNow(BYTES, () => 'done'),
      { held: false },
    );
  });
});
