import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { openHome } from '../../src/store/home.js';
import { IdleWorkers } from '../../src/store/idle-workers.js';
import {
  createWorkerDirectory,
  findWorkers,
  isDead,
  reclaimIfDead,
  type WorkerDirectory,
} from '../../src/store/worker-directory.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const HOUR_MS = 3_600_000;

function makeIdle(t: Cleanup, host: Host = fakeHost()) {
  const paths = new HomePaths(join(temporaryFolder(t), 'vyre'));
  assert.ok(openHome(host, paths).ok);
  const idle = new IdleWorkers(host, paths);
  return { host, paths, idle, create: (key = A) => createWorkerDirectory(host, paths, key, idle) };
}

/** A worker directory as a compilation leaves it that is stored. */
function used(worker: WorkerDirectory): WorkerDirectory {
  if (!worker.isHandedOn)
    for (const folder of ['out', 'home']) mkdirSync(join(worker.path, folder), { mode: 0o700 });
  worker.recordGroup(process.pid);
  writeFileSync(join(worker.path, 'read'), 'list');
  mkdirSync(join(worker.path, 'out', '2'));
  writeFileSync(join(worker.path, 'out', 'a.o'), 'object');
  writeFileSync(join(worker.path, 'out', '2', 'a.o'), 'object');
  return worker;
}

/** The only folder that waits. */
function waiting(paths: HomePaths): string {
  const names = readdirSync(paths.staging);
  assert.equal(names.length, 1);
  return join(paths.staging, names[0] ?? '');
}

describe('a worker directory that is handed on', () => {
  it('is the next one, empty, under another name and with another owner', async (t) => {
    const { host, paths, idle, create } = makeIdle(t);
    const first = used(create());
    const { ino } = statSync(first.path);
    assert.equal(first.isHandedOn, false);
    first.handOn();
    assert.deepEqual(findWorkers(host, paths), []);
    const second = create(B);
    assert.equal(second.isHandedOn, true);
    assert.equal(statSync(second.path).ino, ino);
    assert.notEqual(second.random, first.random);
    assert.deepEqual(
      new Set(readdirSync(second.path, { recursive: true, encoding: 'utf8' })),
      new Set(['home', 'out', 'owner']),
    );
    const [found, ...others] = findWorkers(host, paths);
    assert.ok(found);
    assert.deepEqual(others, []);
    assert.equal(found.owner?.fingerprint, B);
    assert.equal(found.group, null);
    assert.equal(await isDead(host, found), false);
    second.recordGroup(process.pid);
    assert.equal(findWorkers(host, paths)[0]?.group?.group, process.pid);
    second.handOn();
    idle.close();
    assert.deepEqual(readdirSync(paths.staging), []);
  });

  it('is removed where nobody takes it', (t) => {
    const { host, paths } = makeIdle(t);
    const worker = createWorkerDirectory(host, paths, A);
    worker.handOn();
    assert.equal(existsSync(worker.path), false);
    assert.deepEqual(readdirSync(paths.staging), []);
  });

  const strange: readonly (readonly [string, (folder: string) => void])[] = [
    ['a file in HOME', (folder) => writeFileSync(join(folder, 'home', '.rc'), '')],
    ['a file among the outputs', (folder) => writeFileSync(join(folder, 'out', 'a.o'), '')],
    ['a file beside its folders', (folder) => writeFileSync(join(folder, 'read'), '')],
    ['another mode', (folder) => chmodSync(join(folder, 'home'), 0o755)],
    [
      'a link in the place of a folder',
      (folder) => {
        renameSync(join(folder, 'home'), join(folder, '..', 'elsewhere'));
        symlinkSync('../elsewhere', join(folder, 'home'));
      },
    ],
    ['a folder less', (folder) => rmSync(join(folder, 'out'), { recursive: true })],
    ['nothing left of it', (folder) => rmSync(folder, { recursive: true })],
  ];
  for (const [name, change] of strange) {
    it(`is not used with ${name}`, (t) => {
      const { paths, idle, create } = makeIdle(t);
      used(create()).handOn();
      const folder = waiting(paths);
      change(folder);
      const worker = create(B);
      assert.equal(worker.isHandedOn, false);
      assert.deepEqual(readdirSync(worker.path), ['owner']);
      assert.equal(existsSync(folder), false);
      worker.remove();
      idle.close();
    });
  }

  it('is removed, and nothing is thrown, where the system gives no random name', (t) => {
    const host = fakeHost();
    let isBroken = false;
    const hex = (bytes: number): string => {
      if (isBroken) throw errnoError('EIO');
      return host.random.hex(bytes);
    };
    const { paths, create } = makeIdle(t, { ...host, random: { ...host.random, hex } });
    const worker = used(create());
    isBroken = true;
    worker.handOn();
    assert.ok(!existsSync(worker.path));
    assert.deepEqual(readdirSync(paths.staging), []);
  });

  it('is not used when it has waited so long that a sweep may come for it', (t) => {
    for (const [waitedMs, isHandedOn] of [
      [HOUR_MS - 1, true],
      [HOUR_MS, false],
    ] as const) {
      const clock = new FakeClock();
      const { idle, create } = makeIdle(t, fakeHost({ clock }));
      used(create()).handOn();
      clock.advance(waitedMs);
      const worker = create(B);
      assert.equal(worker.isHandedOn, isHandedOn);
      worker.remove();
      idle.close();
    }
  });

  for (const primitive of ['readDirectory', 'unlink', 'rename'] as const) {
    it(`is removed where it cannot be emptied and put aside: ${primitive}`, (t) => {
      let isFailing = false;
      const once = (): void => {
        if (!isFailing) return;
        isFailing = false;
        throw errnoError('EIO');
      };
      const files = failingFiles({
        readDirectory: (path) => {
          if (primitive === 'readDirectory') once();
          return systemFiles.readDirectory(path);
        },
        unlink: (path) => {
          if (primitive === 'unlink') once();
          systemFiles.unlink(path);
        },
        rename: (from, to) => {
          if (primitive === 'rename') once();
          systemFiles.rename(from, to);
        },
      });
      const { paths, create } = makeIdle(t, fakeHost({ files }));
      const worker = used(create());
      isFailing = true;
      worker.handOn();
      assert.equal(isFailing, false);
      assert.equal(existsSync(worker.path), false);
      assert.deepEqual(readdirSync(paths.staging), []);
    });
  }

  it('leaves nothing where its next owner cannot be written', (t) => {
    let isFull = false;
    const files = failingFiles({
      writeAt: (fd, bytes, position) => {
        if (isFull) throw errnoError('ENOSPC');
        systemFiles.writeAt(fd, bytes, position);
      },
    });
    const { paths, create } = makeIdle(t, fakeHost({ files }));
    used(create()).handOn();
    isFull = true;
    assert.throws(() => create(B), { code: 'ENOSPC' });
    assert.deepEqual(readdirSync(paths.staging), []);
    isFull = false;
    create(B).remove();
  });

  it('is reclaimed like any other one when its process is killed', async (t) => {
    const { host, paths } = makeIdle(t);
    const child = startChild(t, 'twoWorkers', paths.root, A, B);
    const path = await child.line();
    await child.kill();
    const [found, ...others] = findWorkers(host, paths);
    assert.ok(found);
    assert.deepEqual(others, []);
    assert.equal(found.path, path);
    assert.equal(found.owner?.fingerprint, B);
    assert.equal(await reclaimIfDead(host, paths, found), true);
    assert.deepEqual(readdirSync(paths.staging), []);
  });
});
