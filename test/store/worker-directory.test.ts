import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { noLocks } from '../../src/host/locks.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { openHome } from '../../src/store/home.js';
import { ACTIVE_VARIABLE } from '../../src/model/lifecycle.js';
import {
  activeMark,
  createWorkerDirectory,
  findWorkers,
  isDead,
  membersOf,
  reclaimIfDead,
  type FoundWorker,
} from '../../src/store/worker-directory.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost, sweptFiles } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';
import { ownerOf, placeWorker } from '../support/workers.js';

const A = fingerprintFrom('a');
const DAY = 86_400_000;
const host = fakeHost();

function makeHome(t: Cleanup): HomePaths {
  const paths = new HomePaths(join(temporaryFolder(t), 'vyre'));
  assert.ok(openHome(host, paths).ok);
  return paths;
}

function only(workers: readonly FoundWorker[]): FoundWorker {
  assert.equal(workers.length, 1);
  const [worker] = workers;
  assert.ok(worker);
  return worker;
}

describe('a worker directory', () => {
  it('lies at the top of the home, owned and locked', async (t) => {
    const paths = makeHome(t);
    const worker = createWorkerDirectory(host, paths, A);
    assert.match(worker.path, /\/worker-dir-prepare-[0-9a-f]+$/);
    assert.equal(worker.path, paths.workerDirectory(worker.random));
    assert.deepEqual(readdirSync(worker.path), ['owner']);
    assert.equal(statSync(worker.path).mode & 0o777, 0o700);
    assert.equal(statSync(join(worker.path, 'owner')).mode & 0o777, 0o600);
    const found = only(findWorkers(host, paths));
    assert.equal(found.owner?.pid, process.pid);
    assert.equal(found.owner.fingerprint, A);
    assert.equal(found.owner.locked, true);
    assert.equal(found.owner.startTicks, host.processes.info(process.pid)?.startTicks);
    assert.equal(found.owner.bootId, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    assert.equal(await isDead(host, found), false);
    assert.equal(await reclaimIfDead(host, paths, found), false);
    assert.ok(existsSync(worker.path));
    worker.remove();
    assert.deepEqual(findWorkers(host, paths), []);
    assert.deepEqual(readdirSync(paths.staging), []);
  });

  it('is made anew where it was swept away half-made, and not for ever', (t) => {
    const paths = makeHome(t);
    const worker = createWorkerDirectory(fakeHost({ files: sweptFiles(4) }), paths, A);
    assert.equal(only(findWorkers(host, paths)).owner?.fingerprint, A);
    worker.remove();
    const create = (): unknown => createWorkerDirectory(fakeHost({ files: sweptFiles(99) }), paths, A);
    assert.throws(create, { code: 'ENOENT' });
    assert.deepEqual(readdirSync(paths.staging), []);
  });

  it('tells the group of the compiler and when its leader started, once that is known', (t) => {
    const paths = makeHome(t);
    const worker = createWorkerDirectory(host, paths, A);
    assert.equal(only(findWorkers(host, paths)).group, null);
    worker.recordGroup(process.pid);
    const found = only(findWorkers(host, paths));
    assert.equal(found.owner?.pid, process.pid);
    const startTicks = host.processes.info(process.pid)?.startTicks;
    assert.deepEqual(found.group, { group: process.pid, startTicks });
    const lines = readFileSync(join(worker.path, 'owner'), 'utf8').split('\n');
    assert.equal(lines.length, 3);
    assert.deepEqual(JSON.parse(lines[1] ?? ''), found.group);
    worker.remove();
  });

  it('goes on when the group cannot be noted', (t) => {
    const paths = makeHome(t);
    let writes = 0;
    const files = failingFiles({
      writeAt: (fd, bytes, position) => {
        writes += 1;
        if (writes > 1) throw errnoError('ENOSPC');
        systemFiles.writeAt(fd, bytes, position);
      },
    });
    const worker = createWorkerDirectory(fakeHost({ files }), paths, A);
    worker.recordGroup(process.pid);
    assert.equal(writes, 2);
    assert.equal(only(findWorkers(host, paths)).owner?.pid, process.pid);
    worker.remove();
  });

  for (const second of ['', '{', '{"group":1', 'null', '{"group":"x","startTicks":1}']) {
    it(`is known by its owner when the line of the group is cut or damaged: ${second}`, (t) => {
      const paths = makeHome(t);
      placeWorker(paths, 'one', `${JSON.stringify(ownerOf(host))}\n${second}`);
      const found = only(findWorkers(host, paths));
      assert.equal(found.owner?.pid, process.pid);
      assert.equal(found.group, null);
    });
  }

  it('is removed with all that a compiler left in it', (t) => {
    const paths = makeHome(t);
    const worker = createWorkerDirectory(host, paths, A);
    const outside = join(temporaryFolder(t), 'precious');
    writeFileSync(outside, 'x');
    mkdirSync(join(worker.path, 'deep', 'er'), { recursive: true });
    writeFileSync(join(worker.path, 'deep', 'er', 'file'), 'x');
    symlinkSync(outside, join(worker.path, 'link'));
    worker.remove();
    assert.equal(existsSync(worker.path), false);
    assert.deepEqual(readdirSync(paths.staging), []);
    assert.equal(readFileSync(outside, 'utf8'), 'x');
  });

  it('is never seen before it is owned and locked', (t) => {
    const paths = makeHome(t);
    const seen: boolean[] = [];
    const files = failingFiles({
      rename: (from, to) => {
        if (to.includes('worker-dir-prepare-'))
          seen.push(
            host.locks.tryLock(systemFiles.open(join(from, 'owner'), 'readWrite'), { offset: 0, length: 1 }),
          );
        systemFiles.rename(from, to);
      },
    });
    createWorkerDirectory(fakeHost({ files }), paths, A).remove();
    assert.deepEqual(seen, [false]);
  });

  it('is made although somebody deleted the private state', (t) => {
    const paths = makeHome(t);
    rmSync(paths.private, { recursive: true });
    const worker = createWorkerDirectory(host, paths, A);
    assert.ok(existsSync(worker.path));
    worker.remove();
  });

  for (const primitive of ['makeDirectory', 'open', 'writeAt', 'truncate', 'rename'] as const) {
    it(`that cannot be made leaves nothing at the top level: ${primitive}`, (t) => {
      const paths = makeHome(t);
      const before = readdirSync(paths.root);
      const files = failingFiles({
        [primitive]: () => {
          throw errnoError('ENOSPC');
        },
      });
      assert.throws(() => createWorkerDirectory(fakeHost({ files }), paths, A), { code: 'ENOSPC' });
      assert.deepEqual(readdirSync(paths.root), before);
    });
  }

  it('without owner is not ours, and neither is one whose owner is no file', (t) => {
    const paths = makeHome(t);
    mkdirSync(paths.workerDirectory('one'));
    mkdirSync(join(paths.workerDirectory('two'), 'owner'), { recursive: true });
    mkdirSync(paths.workerDirectory('three'));
    symlinkSync('/etc/hostname', join(paths.workerDirectory('three'), 'owner'));
    writeFileSync(paths.workerDirectory('four'), '');
    mkdirSync(join(paths.root, 'worker-dir-execute-five'));
    writeFileSync(join(paths.root, 'worker-dir-execute-five', 'owner'), '{}');
    assert.deepEqual(findWorkers(host, paths), []);
  });

  for (const text of [
    '',
    '{',
    '{}',
    'null',
    JSON.stringify({ ...ownerOf(host), pid: 'x' }),
    JSON.stringify({ ...ownerOf(host), fingerprint: 'x' }),
    JSON.stringify({ ...ownerOf(host), schema: 'vyre-cache.owner/2' }),
  ]) {
    it(`with an owner file that does not decode is dead when nobody holds it: ${text.slice(0, 30)}`, async (t) => {
      const paths = makeHome(t);
      placeWorker(paths, 'one', text);
      const found = only(findWorkers(host, paths));
      assert.equal(found.owner, null);
      const held = systemFiles.open(join(found.path, 'owner'), 'readWrite');
      host.locks.tryLock(held, { offset: 0, length: 1 });
      assert.equal(await isDead(host, found), false);
      systemFiles.close(held);
      assert.equal(await reclaimIfDead(host, paths, found), true);
      assert.deepEqual(findWorkers(host, paths), []);
    });
  }
});

describe('the owner of a worker directory', () => {
  const other = { host: 'elsewhere', bootId: 'another-boot', pidNamespace: 'pid:[1]' };
  const here = host.processes.place;
  const pid = process.pid;
  const ticks = host.processes.info(pid)?.startTicks ?? 0;
  const noAddon = fakeHost({ locks: noLocks });
  const old = { startedAtMs: Date.now() - DAY - 1 };
  const young = { startedAtMs: Date.now() - DAY + 60_000 };

  const cases: readonly (readonly [string, Host, object, boolean])[] = [
    ['was locked here and holds no lock', host, { pid, startTicks: ticks }, true],
    ['was never locked, and its process lives', host, { locked: false, pid, startTicks: ticks }, false],
    [
      'was never locked, lives, and is a year old',
      host,
      { locked: false, pid, startTicks: ticks, startedAtMs: 0 },
      false,
    ],
    [
      'was never locked, and its pid has another process',
      host,
      { locked: false, pid, startTicks: ticks + 1 },
      true,
    ],
    ['was never locked, and its pid is gone', host, { locked: false, pid: 2 ** 22 + 1 }, true],
    ['was locked, lives, and we have no addon', noAddon, { pid, startTicks: ticks }, false],
    ['was locked, is gone, and we have no addon', noAddon, { pid: 2 ** 22 + 1 }, true],
    ['ran in another boot of this machine', host, { ...here, bootId: 'another-boot' }, true],
    [
      'ran in another boot, unlocked',
      host,
      { ...here, bootId: 'another-boot', locked: false, ...young },
      true,
    ],
    ['ran on another machine less than a day ago', host, { ...other, ...young }, false],
    ['ran on another machine more than a day ago', host, { ...other, ...old }, true],
    [
      'was never locked in another container less than a day ago',
      host,
      { locked: false, pidNamespace: 'pid:[1]', ...young },
      false,
    ],
    [
      'was never locked in another container more than a day ago',
      host,
      { locked: false, pidNamespace: 'pid:[1]', ...old },
      true,
    ],
    ['was locked in another container of this kernel', host, { pidNamespace: 'pid:[1]', ...young }, true],
    ['ran where the boot is not known, young', host, { ...here, bootId: null, ...young }, false],
    ['ran where the boot is not known, old', host, { ...here, bootId: null, ...old }, true],
  ];
  for (const [name, judge, owner, dead] of cases) {
    it(`is ${dead ? 'dead' : 'alive'} when it ${name}`, async (t) => {
      const paths = makeHome(t);
      placeWorker(paths, 'one', JSON.stringify({ ...ownerOf(host), ...owner }));
      const found = only(findWorkers(judge, paths));
      assert.notEqual(found.owner, null);
      assert.equal(await isDead(judge, found), dead);
      assert.equal(await reclaimIfDead(judge, paths, found), dead);
      assert.equal(existsSync(found.path), !dead);
    });
  }

  for (const [name, age, dead] of [
    ['a day less a millisecond', DAY - 1, false],
    ['a day', DAY, true],
    ['the future', -DAY, false],
  ] as const) {
    it(`of another machine is ${dead ? 'dead' : 'alive'} at the age of ${name}`, async (t) => {
      const paths = makeHome(t);
      const clock = new FakeClock(1_700_000_000_000);
      const judge = fakeHost({ clock });
      placeWorker(
        paths,
        'one',
        JSON.stringify({ ...ownerOf(host), ...other, startedAtMs: clock.nowMs() - age }),
      );
      assert.equal(await isDead(judge, only(findWorkers(judge, paths))), dead);
    });
  }

  it('in another process is alive until that process is killed', async (t) => {
    const paths = makeHome(t);
    const child = startChild(t, 'worker', paths.root, A);
    const path = await child.line();
    const found = only(findWorkers(host, paths));
    assert.equal(found.path, path);
    assert.equal(found.owner?.pid, child.pid);
    assert.equal(await isDead(host, found), false);
    await child.kill();
    assert.equal(await isDead(host, found), true);
    assert.equal(await reclaimIfDead(host, paths, found), true);
    assert.deepEqual(findWorkers(host, paths), []);
    assert.deepEqual(readdirSync(paths.staging), []);
    assert.equal(await isDead(host, found), false, 'what is gone is nobody’s to judge');
  });
});

describe('what a dead owner left running', () => {
  function start(t: Cleanup, active: string | null): ChildProcess {
    const env = active === null ? {} : { [ACTIVE_VARIABLE]: active };
    const child = spawn('sleep', ['1000'], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: 'ignore',
      detached: true,
    });
    t.after(() => {
      child.kill('SIGKILL');
    });
    return child;
  }

  async function started(t: Cleanup, active: string | null): Promise<ChildProcess> {
    const child = start(t, active);
    await once(child, 'spawn');
    return child;
  }

  it('is ended by its mark, in any group, and nothing else is', async (t) => {
    const paths = makeHome(t);
    placeWorker(paths, 'one', JSON.stringify({ ...ownerOf(host), fingerprint: A }));
    const mark = activeMark(A, 'one');
    const ours = [await started(t, mark), await started(t, `${activeMark(A, 'outer')}:${mark}`)];
    const theirs = [
      await started(t, null),
      await started(t, activeMark(A, 'two')),
      await started(t, activeMark(fingerprintFrom('b'), 'one')),
      await started(t, `${mark}x`),
    ];
    assert.deepEqual(
      membersOf(host, mark).toSorted((a, b) => a - b),
      ours.map((child) => child.pid ?? 0).toSorted((a, b) => a - b),
    );
    const ended = Promise.all(ours.map(async (child) => once(child, 'exit')));
    assert.equal(await reclaimIfDead(host, paths, only(findWorkers(host, paths))), true);
    await ended;
    for (const child of theirs) assert.notEqual(host.processes.info(child.pid ?? 0), null);
    assert.deepEqual(membersOf(host, mark), []);
  });

  it('is ended in the noted group only where it carries the mark', async (t) => {
    const paths = makeHome(t);
    const ours = await started(t, activeMark(A, 'one'));
    const theirs = await started(t, null);
    // A number that was given away since: the group is another's now.
    const group = JSON.stringify({ group: theirs.pid, startTicks: 1 });
    const owner = JSON.stringify({ ...ownerOf(host), fingerprint: A });
    placeWorker(paths, 'one', `${owner}\n${group}\n`);
    const ended = once(ours, 'exit');
    assert.equal(await reclaimIfDead(host, paths, only(findWorkers(host, paths))), true);
    await ended;
    assert.notEqual(host.processes.info(theirs.pid ?? 0), null);
  });

  for (const [name, place] of [
    ['boot', { bootId: 'another-boot' }],
    ['namespace', { pidNamespace: 'pid:[1]' }],
  ] as const) {
    it(`goes on when it ran in another ${name}: those pids are not ours to judge`, async (t) => {
      const paths = makeHome(t);
      placeWorker(paths, 'one', JSON.stringify({ ...ownerOf(host), fingerprint: A, ...place }));
      const child = await started(t, activeMark(A, 'one'));
      assert.equal(await reclaimIfDead(host, paths, only(findWorkers(host, paths))), true);
      assert.deepEqual(membersOf(host, activeMark(A, 'one')), [child.pid]);
    });
  }

  it('is ended later where the namespace of this process cannot be told', async (t) => {
    const paths = makeHome(t);
    placeWorker(paths, 'one', JSON.stringify({ ...ownerOf(host), fingerprint: A }));
    const child = await started(t, activeMark(A, 'one'));
    const processes = Object.create(host.processes) as Host['processes'];
    Object.defineProperty(processes, 'place', { value: { ...host.processes.place, pidNamespace: null } });
    const blind = fakeHost({ processes });
    assert.equal(await reclaimIfDead(blind, paths, only(findWorkers(host, paths))), false);
    const ended = once(child, 'exit');
    assert.equal(await reclaimIfDead(host, paths, only(findWorkers(host, paths))), true);
    await ended;
  });

  for (const look of ['list', 'variableOf'] as const) {
    it(`is ended later where ${look} fails, and the directory stays for a day`, async (t) => {
      const paths = makeHome(t);
      const clock = new FakeClock();
      placeWorker(
        paths,
        'one',
        JSON.stringify({ ...ownerOf(host), fingerprint: A, startedAtMs: clock.nowMs() }),
      );
      const child = await started(t, activeMark(A, 'one'));
      const processes = Object.assign(Object.create(host.processes) as Host['processes'], {
        [look]: () => {
          throw errnoError('EMFILE');
        },
      });
      const blind = fakeHost({ processes, clock });
      assert.equal(await reclaimIfDead(blind, paths, only(findWorkers(host, paths))), false);
      assert.notEqual(host.processes.info(child.pid ?? 0), null);
      const ended = once(child, 'exit');
      assert.equal(await reclaimIfDead(host, paths, only(findWorkers(host, paths))), true);
      await ended;
      placeWorker(
        paths,
        'two',
        JSON.stringify({ ...ownerOf(host), fingerprint: A, startedAtMs: clock.nowMs() }),
      );
      clock.advance(DAY);
      assert.equal(await reclaimIfDead(blind, paths, only(findWorkers(host, paths))), true);
    });
  }

  it('goes on while its owner lives', async (t) => {
    const paths = makeHome(t);
    const worker = createWorkerDirectory(host, paths, A);
    const child = await started(t, activeMark(A, worker.random));
    assert.equal(await reclaimIfDead(host, paths, only(findWorkers(host, paths))), false);
    assert.deepEqual(membersOf(host, activeMark(A, worker.random)), [child.pid]);
    worker.remove();
  });
});
