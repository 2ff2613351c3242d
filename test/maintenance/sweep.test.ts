import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openSession } from '../../src/compile/session.js';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { noLocks } from '../../src/host/locks.js';
import { sweep, type SweepReport } from '../../src/maintenance/sweep.js';
import { fingerprintByte, LOCK_BYTES, LockFile } from '../../src/store/lock-file.js';
import { PrivateState } from '../../src/store/private-state.js';
import { createWorkerDirectory } from '../../src/store/worker-directory.js';
import { fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { asOtherUser } from '../support/other-user.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { TestHome } from '../support/homes.js';
import { listing, tree } from '../support/listing.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { ownerOf, placeWorker } from '../support/workers.js';

const A = fingerprintFrom('a');
const DAY = 86_400_000;

async function sweepHome(
  home: TestHome,
  host: Host = fakeHost({ clock: new FakeClock() }),
): Promise<SweepReport> {
  const lock = new LockFile(host, join(home.paths.private, 'lock'));
  try {
    return await sweep(host, { paths: home.paths, lock });
  } finally {
    lock.close();
  }
}

function dead(home: TestHome, random: string, changed: object = {}): string {
  const owner = { ...ownerOf(fakeHost()), ...changed };
  const path = placeWorker(home.paths, random, JSON.stringify(owner));
  writeFileSync(join(path, 'a.o'), 'half an artifact');
  return path;
}

describe('the sweep of worker directories', () => {
  it('removes those of dead owners, wholly', async (t) => {
    const home = new TestHome(t);
    const before = tree(home.root);
    for (const random of ['one', 'two', 'three']) dead(home, random);
    assert.deepEqual(await sweepHome(home), { workers: 3, staged: 0 });
    assert.deepEqual(tree(home.root), before);
    assert.deepEqual(await sweepHome(home), { workers: 0, staged: 0 });
  });

  it('keeps those of the living, in this process and in another', async (t) => {
    const home = new TestHome(t);
    const worker = createWorkerDirectory(fakeHost(), home.paths, A);
    const child = startChild(t, 'worker', home.root, A);
    const path = await child.line();
    dead(home, 'one');
    assert.deepEqual(await sweepHome(home), { workers: 1, staged: 0 });
    assert.ok(existsSync(worker.path));
    assert.ok(existsSync(path));
    await child.kill();
    assert.deepEqual(await sweepHome(home), { workers: 1, staged: 0 });
    assert.equal(existsSync(path), false);
    worker.remove();
  });

  it('touches no folder without owner, and nothing else that looks like ours', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'vyre'));
    const { root } = home;
    mkdirSync(home.paths.workerDirectory('empty'));
    mkdirSync(join(home.paths.workerDirectory('full'), 'deep'), { recursive: true });
    writeFileSync(join(home.paths.workerDirectory('full'), 'precious'), 'x');
    mkdirSync(join(home.paths.workerDirectory('odd'), 'owner'), { recursive: true });
    symlinkSync(temporaryFolder(t), home.paths.workerDirectory('link'));
    writeFileSync(home.paths.workerDirectory('file'), 'x');
    for (const name of ['worker-dir-execute-1', 'worker-dir', 'aot', 'photos']) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, 'owner'), JSON.stringify(ownerOf(fakeHost())));
    }
    writeFileSync(join(home.paths.store, `.${A}-0.bin.tmp`), 'x');
    const before = listing(root);
    assert.deepEqual(await sweepHome(home), { workers: 0, staged: 0 });
    assert.deepEqual(listing(root), before);
  });

  it('does not follow a link to a dead owner’s directory', async (t) => {
    const home = new TestHome(t);
    const outside = temporaryFolder(t);
    writeFileSync(join(outside, 'owner'), JSON.stringify(ownerOf(fakeHost())));
    symlinkSync(outside, home.paths.workerDirectory('link'));
    assert.deepEqual(await sweepHome(home), { workers: 0, staged: 0 });
    assert.deepEqual(readdirSync(outside), ['owner']);
  });

  it('leaves a dead owner’s directory to the one who holds its fingerprint', async (t) => {
    const home = new TestHome(t);
    const path = dead(home, 'one');
    await home.lock().tryHold(fingerprintByte(A), async () => {
      assert.deepEqual(await sweepHome(home), { workers: 0, staged: 0 });
      assert.ok(existsSync(path));
    });
    assert.deepEqual(await sweepHome(home), { workers: 1, staged: 0 });
  });

  it('lets one who waits for the dead owner’s work take it over first', async (t) => {
    const home = new TestHome(t);
    const path = dead(home, 'one');
    const clock = new FakeClock();
    const waiter = home.lock();
    let release = (): void => undefined;
    const swept = new Promise<void>((resolve) => {
      release = resolve;
    });
    let slept = 0;
    let holding: Promise<unknown> = Promise.resolve();
    clock.onSleep = (ms) => {
      slept += ms;
      // A waiter tries every 2 to 50 ms.
      if (slept >= 50) holding = waiter.tryHold(fingerprintByte(A), async () => swept);
    };
    assert.deepEqual(await sweepHome(home, fakeHost({ clock })), { workers: 0, staged: 0 });
    assert.ok(existsSync(path));
    release();
    await holding;
  });

  it('waits once for all of them, not once for each', async (t) => {
    const home = new TestHome(t);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', '1', '2']) {
      dead(home, `of-${name}`, { fingerprint: fingerprintFrom(name) });
    }
    const clock = new FakeClock();
    const host = fakeHost({ clock });
    const lengths: number[] = [];
    clock.onSleep = (ms) => lengths.push(ms);
    assert.deepEqual(await sweepHome(home, host), { workers: 8, staged: 0 });
    assert.equal(lengths.length, 1);
  });

  it('does not wait when there is none', async (t) => {
    const clock = new FakeClock();
    await sweepHome(new TestHome(t), fakeHost({ clock }));
    assert.equal(clock.monotonicMs(), 0);
  });

  it('is written to the journal by the session, once and only when something was removed', async (t) => {
    const home = new TestHome(t);
    const open = async (): Promise<void> => {
      const session = openSession({
        host: fakeHost(),
        root: home.root,
        stateDirectory: null,
        maxPayloadBytes: 1_000_000,
        sweep,
      });
      const access = await session.openHome();
      assert.ok(access.ok);
      for (let times = 0; times < 2; times += 1) await session.sweep(access.home);
      await session.close();
    };
    const swept = (): readonly string[] =>
      new PrivateState(fakeHost(), home.paths.private)
        .readEvents()
        .filter((event) => event.kind === 'swept')
        .map((event) => event.message);
    await open();
    assert.deepEqual(swept(), []);
    for (const random of ['one', 'two']) dead(home, random);
    await open();
    await open();
    assert.deepEqual(swept(), ['2 worker directories of dead processes removed']);
  });

  it('is done by one process at a time; the others go on at once', async (t) => {
    const home = new TestHome(t);
    dead(home, 'one');
    const clock = new FakeClock();
    await home.lock().tryHold(LOCK_BYTES.sweep, async () => {
      assert.deepEqual(await sweepHome(home, fakeHost({ clock })), { workers: 0, staged: 0 });
    });
    assert.equal(clock.monotonicMs(), 0);
    assert.deepEqual(await sweepHome(home), { workers: 1, staged: 0 });
  });

  const here = fakeHost();
  const ticks = here.processes.info(process.pid)?.startTicks ?? 0;
  const now = 1_700_000_000_000;
  const elsewhere = { host: 'elsewhere', bootId: 'another-boot', pidNamespace: 'pid:[1]' };
  const rules: readonly (readonly [string, boolean, object, boolean])[] = [
    ['an unlocked owner that lives', true, { locked: false, startTicks: ticks }, false],
    ['an unlocked owner that is gone', true, { locked: false, pid: 2 ** 22 + 1 }, true],
    ['an unlocked owner that lives, without addon', false, { locked: false, startTicks: ticks }, false],
    ['an unlocked owner that is gone, without addon', false, { locked: false, pid: 2 ** 22 + 1 }, true],
    [
      'an unlocked owner whose pid was given away, without addon',
      false,
      { locked: false, startTicks: ticks + 1 },
      true,
    ],
    ['an owner of another boot', true, { bootId: 'another-boot', startedAtMs: now - 1 }, true],
    [
      'an owner on another machine for a day less 1 ms',
      true,
      { ...elsewhere, startedAtMs: now - DAY + 1 },
      false,
    ],
    ['an owner on another machine for a day', true, { ...elsewhere, startedAtMs: now - DAY }, true],
    ['an owner on another machine in the future', true, { ...elsewhere, startedAtMs: now + DAY }, false],
  ];
  for (const [name, withAddon, owner, isRemoved] of rules) {
    it(`${isRemoved ? 'removes' : 'keeps'} that of ${name}`, async (t) => {
      const home = new TestHome(t);
      const path = dead(home, 'one', owner);
      const clock = new FakeClock(now);
      const host = withAddon ? fakeHost({ clock }) : fakeHost({ clock, locks: noLocks });
      assert.deepEqual(await sweepHome(home, host), { workers: isRemoved ? 1 : 0, staged: 0 });
      assert.equal(existsSync(path), !isRemoved);
    });
  }
});

describe('the sweep of half-made things', () => {
  const NOW = 1_700_000_000_000;
  const ages: readonly (readonly [string, number, boolean])[] = [
    ['a day and a second', DAY + 1000, true],
    ['exactly a day', DAY, true],
    ['a second less than a day', DAY - 1000, false],
    ['no time at all', 0, false],
    ['in the future', -10 * 365 * DAY, false],
    ['ten years', 10 * 365 * DAY, true],
  ];
  for (const [name, age, isRemoved] of ages) {
    it(`${isRemoved ? 'removes' : 'keeps'} what lies there for ${name}`, async (t) => {
      const home = new TestHome(t);
      const file = home.paths.staged('file');
      const folder = home.paths.staged('folder');
      writeFileSync(file, 'x');
      mkdirSync(folder);
      writeFileSync(join(folder, 'inside'), 'x');
      for (const path of [file, folder]) utimesSync(path, (NOW - age) / 1000, (NOW - age) / 1000);
      const report = await sweepHome(home, fakeHost({ clock: new FakeClock(NOW) }));
      assert.deepEqual(report, { workers: 0, staged: isRemoved ? 2 : 0 });
      assert.equal(existsSync(file), !isRemoved);
      assert.equal(existsSync(folder), !isRemoved);
    });
  }

  it('removes links, not what they point at', async (t) => {
    const home = new TestHome(t);
    const outside = temporaryFolder(t);
    writeFileSync(join(outside, 'precious'), 'x');
    symlinkSync(outside, home.paths.staged('link'));
    const clock = new FakeClock(Date.now() + 2 * DAY);
    assert.deepEqual(await sweepHome(home, fakeHost({ clock })), { workers: 0, staged: 1 });
    assert.deepEqual(readdirSync(outside), ['precious']);
  });

  it('goes on behind an item that cannot be removed', async (t) => {
    const home = new TestHome(t);
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(home.paths.staged(name), 'x');
    const files = failingFiles({
      removeTree: (path) => {
        if (/\/[ac]$/.test(path)) throw errnoError('EACCES');
        systemFiles.removeTree(path);
      },
    });
    const clock = new FakeClock(Date.now() + 2 * DAY);
    assert.deepEqual(await sweepHome(home, fakeHost({ clock, files })), { workers: 0, staged: 2 });
    assert.deepEqual(readdirSync(home.paths.staging).toSorted(), ['a', 'c']);
  });

  it('goes on behind an item that fails in a way nobody thought of', async (t) => {
    const home = new TestHome(t);
    for (const name of ['a', 'b', 'c']) writeFileSync(home.paths.staged(name), 'x');
    const files = failingFiles({
      removeTree: (path) => {
        if (path.endsWith('/a')) throw errnoError('ERR_FS_EISDIR');
        systemFiles.removeTree(path);
      },
    });
    const clock = new FakeClock(Date.now() + 2 * DAY);
    assert.deepEqual(await sweepHome(home, fakeHost({ clock, files })), { workers: 0, staged: 2 });
  });

  it('removes a tree of folders that nobody may write to, as a user who is not root', async (t) => {
    const home = new TestHome(t);
    const module = home.paths.staged('module');
    mkdirSync(join(module, 'deep', 'er'), { recursive: true });
    writeFileSync(join(module, 'deep', 'er', 'file'), 'x', { mode: 0o444 });
    symlinkSync(temporaryFolder(t), join(module, 'deep', 'link'));
    const clock = new FakeClock(Date.now() + 2 * DAY);
    const closed = ['deep/er', 'deep', '.'].map((name) => join(module, name));
    for (const path of closed) chmodSync(path, 0o555);
    const report = await asOtherUser(home.root, async () => sweepHome(home, fakeHost({ clock })));
    assert.deepEqual(report, { workers: 0, staged: 1 });
    assert.equal(existsSync(module), false);
  });

  it('is fine without the folder', async (t) => {
    const home = new TestHome(t);
    systemFiles.removeTree(home.paths.staging);
    dead(home, 'one');
    assert.deepEqual(await sweepHome(home), { workers: 1, staged: 0 });
  });
});
