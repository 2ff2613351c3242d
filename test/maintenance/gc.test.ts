import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { CacheSession } from '../../src/compile/session.js';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { noLocks } from '../../src/host/locks.js';
import { collectGarbage, type GcReport } from '../../src/maintenance/gc.js';
import { hasLivingWriter, isPastSafeAge } from '../../src/maintenance/litter.js';
import { CacheError } from '../../src/model/error.js';
import type { Failure } from '../../src/model/failure.js';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import { encodeRecord } from '../../src/model/record.js';
import { fingerprintByte, LOCK_BYTES } from '../../src/store/lock-file.js';
import { PrivateState } from '../../src/store/private-state.js';
import { shortcutsIn } from '../../src/store/state-folders.js';
import { ACTIVE_VARIABLE } from '../../src/model/lifecycle.js';
import { activeMark, membersOf } from '../../src/store/worker-directory.js';
import { entryBytes, fingerprintFrom, hashOf, makeArtifact, makeRecord } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { eventually } from '../support/eventually.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing, tree } from '../support/listing.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { ownerOf, placeWorker } from '../support/workers.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Above every pid that Linux gives. */
const NOBODY = 2 ** 22 + 1;

/** A process that starts this long after everything was written. */
function later(ms: number, replaced: Partial<Host> = {}): Host {
  return fakeHost({ clock: new FakeClock(Date.now() + ms), ...replaced });
}

async function gc(home: TestHome, host: Host = later(2 * HOUR)): Promise<GcReport> {
  return collectGarbage(home.session(host), { dryRun: false });
}

/** Path and reason of each removal. */
function rows(report: GcReport): readonly (readonly [string, string])[] {
  return [...report.removed].map(({ path, reason }) => [path, reason] as const);
}

function dead(home: TestHome, random: string): string {
  const path = placeWorker(home.paths, random, JSON.stringify(ownerOf(fakeHost())));
  writeFileSync(join(path, 'a.o'), 'half an artifact');
  return path;
}

function orphan(home: TestHome, fingerprint = A): string {
  home.place(makeArtifact(fingerprint, 'x'));
  rmSync(home.entry(fingerprint));
  return home.record(fingerprint);
}

const FAILURE: Failure = {
  kind: 'deterministic',
  count: 1,
  lastAtMs: 0,
  status: 1,
  signal: null,
  limit: null,
};

function placeFailure(home: TestHome, fingerprint: Fingerprint, failure: Failure): void {
  const record = { ...makeRecord(fingerprint, Buffer.alloc(0)), failure };
  writeFileSync(home.record(fingerprint), encodeRecord(record, hashOf), { mode: 0o600 });
}

/** The names of vyre's writers in a store. */
const TEMPORARIES = [
  `.${A}-0.bin.tmp`,
  `.${A}-17.bin.tmp`,
  `.${A}.bin.tmp`,
  `${A}.bin.tmp`,
  `aa/${A}.bin.tmp.${NOBODY}.3`,
] as const;

function placeTemporary(home: TestHome, name: string): string {
  const path = join(home.paths.store, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'half');
  return path;
}

/** One of each kind of garbage. */
function litter(home: TestHome): void {
  dead(home, 'one');
  writeFileSync(home.paths.staged('half-made'), 'x');
  placeTemporary(home, `.${A}-0.bin.tmp`);
  orphan(home, B);
  writeFileSync(home.paths.request('c'.repeat(64)), 'x');
  writeFileSync(join(home.paths.dependencySets, 'd'.repeat(64)), 'x');
}

const ALL = [
  ['worker-dir-prepare-one', 'dead-worker'],
  ['.vyre-cache/new/half-made', 'staged'],
  [`.vyre-cache/requests/${'c'.repeat(64)}`, 'unused-state'],
  [`.vyre-cache/deps/${'d'.repeat(64)}`, 'unused-state'],
  [`pipelines/.${A}-0.bin.tmp`, 'temporary'],
  [`pipelines/${B}.json`, 'orphan-record'],
] as const;

describe('the safe age of a temporary file', () => {
  const NOW = 1_700_000_000_000;
  const rules: readonly (readonly [string, number, number, boolean])[] = [
    ['an hour less 1 ms', HOUR - 1, HOUR - 1, false],
    ['exactly an hour', HOUR, HOUR, true],
    ['an hour and 1 ms', HOUR + 1, HOUR + 1, true],
    ['no time at all', 0, 0, false],
    ['ten years', 3650 * DAY, 3650 * DAY, true],
    ['a day ahead of the clock', -DAY, -DAY, false],
    ['a day and 1 ms ahead of the clock', -DAY - 1, -DAY - 1, true],
    ['old content under a new name', 3650 * DAY, HOUR - 1, false],
    ['new content under an old name', HOUR - 1, 3650 * DAY, false],
    ['content from the far future under a new name', -3650 * DAY, 0, false],
    ['content from the far future under an old name', -3650 * DAY, HOUR, true],
  ];
  for (const [name, content, change, isPast] of rules) {
    it(`${isPast ? 'is past' : 'is not reached'}: ${name}`, () => {
      assert.equal(isPastSafeAge({ mtimeMs: NOW - content, ctimeMs: NOW - change }, NOW), isPast);
    });
  }

  it('does not matter while the process lives that the name tells', () => {
    const { processes } = fakeHost();
    const forms = ['a.bin.tmp.PID.0', 'a.tmp.PID_12', 'a.ptx.PID.3.tmp', 'a.vct.PID.0.tmp'];
    for (const form of forms) {
      assert.equal(hasLivingWriter(processes, form.replace('PID', String(process.pid))), true, form);
      assert.equal(hasLivingWriter(processes, form.replace('PID', String(NOBODY))), false, form);
    }
    for (const name of ['a.bin.tmp', `.a-${process.pid}.bin.tmp`, 'a.bin.tmp.0.0', 'a.tmp.99999999999.0'])
      assert.equal(hasLivingWriter(processes, name), false, name);
  });
});

describe('gc of a home', () => {
  it('removes each kind of garbage with its reason, and leaves the home as it was before', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'vyre'));
    const before = tree(home.root);
    litter(home);
    const report = await gc(home, later(91 * DAY));
    assert.deepEqual(rows(report), ALL);
    assert.equal(report.removedCount, ALL.length);
    assert.equal(report.isBusy, false);
    assert.deepEqual(report.failures, []);
    assert.ok([...report.removed].every(({ bytes, ageSeconds }) => bytes > 0 && ageSeconds > 90 * 86_400));
    assert.deepEqual(
      tree(home.root).filter((path) => !path.startsWith('.vyre-cache/events')),
      before,
    );
    assert.deepEqual(rows(await gc(home, later(91 * DAY))), []);
  });

  it('removes as a dry run nothing, and lists what a run removes', async (t) => {
    for (const withLock of [true, false]) {
      const home = new TestHome(t);
      litter(home);
      if (!withLock) rmSync(join(home.paths.private, 'lock'));
      const before = listing(home.root).filter((line) => !/\/lock /.test(line));
      const start = Date.now() + 91 * DAY;
      const host = (): Host => fakeHost({ clock: new FakeClock(start) });
      const dry = await collectGarbage(home.session(host()), { dryRun: true });
      assert.equal(dry.dryRun, true);
      assert.deepEqual(rows(dry), ALL);
      assert.deepEqual(
        listing(home.root).filter((line) => !/\/lock /.test(line)),
        before,
      );
      assert.deepEqual({ ...(await gc(home, host())), dryRun: true }, dry);
    }
  });

  it('lists for a dry run without a lock file what a run would remove', async (t) => {
    const home = new TestHome(t);
    orphan(home);
    rmSync(join(home.paths.private, 'lock'));
    const dry = await collectGarbage(home.session(), { dryRun: true });
    assert.deepEqual(rows(dry), [[`pipelines/${A}.json`, 'orphan-record']]);
    assert.equal(existsSync(join(home.paths.private, 'lock')), false);
    assert.deepEqual(rows(await gc(home, fakeHost())), rows(dry));
  });

  it('touches no entry, no alien, no link, nothing of other writers', async (t) => {
    const home = new TestHome(t);
    const outside = temporaryFolder(t);
    const { root, paths } = home;
    home.place(makeArtifact(A, 'vyre'));
    writeFileSync(home.entry(B), 'damaged');
    mkdirSync(join(paths.store, 'aa'));
    writeFileSync(join(paths.store, 'aa', `${A}.bin`), 'raw');
    for (const name of ['notes.txt', `${A}.bin.bak`, `.${A}.bin.tmp.old`, `${A}.tmp`, 'x.bin.tmp'])
      writeFileSync(join(paths.store, name), 'alien');
    for (const section of ['pipeline', 'aot', 'cuda-jit', 'ptx-source', 'photos']) {
      mkdirSync(join(root, section));
      writeFileSync(join(root, section, `${A}.bin.tmp`), 'x');
      writeFileSync(join(root, section, `${A}.json`), 'x');
    }
    mkdirSync(join(paths.store, 'photos'));
    writeFileSync(join(paths.store, 'photos', `.${A}-0.bin.tmp`), 'x');
    writeFileSync(join(outside, 'precious'), 'x');
    symlinkSync(join(outside, 'precious'), join(paths.store, `.${B}-0.bin.tmp`));
    symlinkSync(join(outside, 'precious'), home.record(fingerprintFrom('c')));
    symlinkSync(outside, join(paths.store, 'bb'));
    writeFileSync(join(outside, `${B}.bin.tmp.${NOBODY}.0`), 'x');
    symlinkSync(outside, paths.workerDirectory('link'));
    writeFileSync(join(outside, 'owner'), JSON.stringify(ownerOf(fakeHost())));
    mkdirSync(join(paths.store, `${B}.bin.tmp`));
    mkdirSync(paths.workerDirectory('without-owner'));
    writeFileSync(paths.request('not-of-ours'), 'x');
    symlinkSync(join(outside, 'precious'), paths.request(A));
    writeFileSync(join(paths.private, 'events.old'), 'x');
    const before = [listing(root), listing(outside)];
    assert.deepEqual(rows(await gc(home, later(400 * DAY))), []);
    assert.deepEqual([listing(root), listing(outside)], before);
  });

  it('follows no link in the place of a folder of ours', async (t) => {
    for (const part of ['new', 'requests', 'deps'] as const) {
      const home = new TestHome(t);
      const outside = temporaryFolder(t);
      writeFileSync(join(outside, A), 'precious');
      rmSync(join(home.paths.private, part), { recursive: true });
      symlinkSync(outside, join(home.paths.private, part));
      assert.deepEqual(rows(await gc(home, later(400 * DAY))), [], part);
      assert.deepEqual(readdirSync(outside), [A]);
    }
    const home = new TestHome(t);
    const outside = temporaryFolder(t);
    writeFileSync(join(outside, `.${A}-0.bin.tmp`), 'precious');
    rmSync(home.paths.store, { recursive: true });
    symlinkSync(outside, home.paths.store);
    await assert.rejects(gc(home), /found a link/);
    assert.deepEqual(readdirSync(outside), [`.${A}-0.bin.tmp`]);
  });

  it('keeps the worker directories of the living and removes them when they are dead', async (t) => {
    const home = new TestHome(t);
    const child = startChild(t, 'worker', home.root, A);
    const path = await child.line();
    const first = await gc(home);
    assert.deepEqual(rows(first), []);
    assert.equal(first.keptCount, 1);
    assert.equal(first.inUse, 0);
    await child.kill();
    assert.deepEqual(rows(await gc(home)), [[path.slice(home.root.length + 1), 'dead-worker']]);
    assert.equal(existsSync(path), false);
  });

  it('ends what a dead owner left running', async (t) => {
    const home = new TestHome(t);
    dead(home, 'one');
    const env = { PATH: process.env['PATH'], [ACTIVE_VARIABLE]: activeMark(A, 'one') };
    const left = spawn('sleep', ['1000'], { env, stdio: 'ignore', detached: true });
    t.after(() => {
      left.kill('SIGKILL');
    });
    await eventually('it carries its mark', () => membersOf(fakeHost(), activeMark(A, 'one')).length === 1);
    const ended = once(left, 'exit');
    await collectGarbage(home.session(), { dryRun: true });
    assert.equal(left.exitCode ?? left.signalCode, null);
    assert.equal((await gc(home)).removedCount, 1);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
  });

  it('leaves a dead owner’s directory to the one who holds its fingerprint', async (t) => {
    const home = new TestHome(t);
    const path = dead(home, 'one');
    await home.lock().tryHold(fingerprintByte(A), async () => {
      assert.deepEqual(rows(await gc(home)), []);
      assert.ok(existsSync(path));
    });
    assert.equal((await gc(home)).removedCount, 1);
  });

  for (const name of TEMPORARIES) {
    it(`removes a left-over temporary file such as ${name.replaceAll(A, '<hex>')}, an hour after its last change`, async (t) => {
      const home = new TestHome(t);
      const path = placeTemporary(home, name);
      const { ctimeMs } = statSync(path);
      const at = (age: number): Host => fakeHost({ clock: new FakeClock(Math.ceil(ctimeMs) + age) });
      const young = await gc(home, at(HOUR - 1000));
      assert.deepEqual(rows(young), []);
      assert.deepEqual([young.keptCount, young.keptBytes], [1, 4]);
      assert.deepEqual(rows(await gc(home, at(HOUR))), [[`pipelines/${name}`, 'temporary']]);
      assert.equal(existsSync(path), false);
    });
  }

  it('keeps the temporary file of a writer that lives, however old it is', async (t) => {
    const home = new TestHome(t);
    const child = startChild(t, 'worker', home.root, B);
    await child.line();
    const path = placeTemporary(home, `aa/${A}.bin.tmp.${child.pid}.0`);
    assert.deepEqual(rows(await gc(home, later(3650 * DAY))), []);
    await child.kill();
    assert.ok(rows(await gc(home, later(3650 * DAY))).some(([, reason]) => reason === 'temporary'));
    assert.equal(existsSync(path), false);
  });

  it('keeps a temporary file that its writer begins again at the last moment', async (t) => {
    const home = new TestHome(t);
    const path = placeTemporary(home, `.${A}-0.bin.tmp`);
    let looks = 0;
    const files = failingFiles({
      lstat: (looked) => {
        looks += looked === path ? 1 : 0;
        if (looked === path && looks === 2) writeFileSync(path, 'a new beginning');
        return systemFiles.lstat(looked);
      },
    });
    const report = await gc(home, later(2 * HOUR, { files }));
    assert.deepEqual(rows(report), []);
    assert.equal(report.inUse, 1);
    assert.equal(readFileSync(path, 'utf8'), 'a new beginning');
  });

  it('removes an orphaned record, whole or damaged, at once where locks tell that nobody publishes', async (t) => {
    const home = new TestHome(t);
    orphan(home, A);
    writeFileSync(orphan(home, B), 'damaged');
    assert.deepEqual(
      new Map(rows(await gc(home, fakeHost()))),
      new Map([A, B].map((fingerprint) => [`pipelines/${fingerprint}.json`, 'orphan-record'])),
    );
  });

  it('keeps a record whose fingerprint is held: its entry is about to appear', async (t) => {
    const home = new TestHome(t);
    orphan(home);
    const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(fingerprintByte(A)));
    assert.equal(await child.line(), 'held');
    const clock = new FakeClock();
    const report = await gc(home, fakeHost({ clock }));
    assert.deepEqual(rows(report), []);
    assert.deepEqual([report.keptCount, report.inUse], [1, 1]);
    assert.equal(clock.monotonicMs(), 0);
    await child.kill();
    assert.equal((await gc(home, fakeHost())).removedCount, 1);
  });

  it('keeps a record whose entry appears while its lock is taken', async (t) => {
    const home = new TestHome(t);
    const artifact = makeArtifact(A, 'x');
    home.place(artifact);
    const aside = join(temporaryFolder(t), 'entry');
    renameSync(home.entry(A), aside);
    let looks = 0;
    const files = failingFiles({
      lstat: (path) => {
        looks += path === home.entry(A) ? 1 : 0;
        if (looks === 1 && existsSync(aside)) renameSync(aside, home.entry(A));
        return systemFiles.lstat(path);
      },
    });
    assert.deepEqual(rows(await gc(home, later(2 * HOUR, { files }))), []);
    assert.ok(existsSync(home.entry(A)) && existsSync(home.record(A)));
    assert.equal(looks, 1);
  });

  it('keeps the record of an entry that cannot be looked at, and reports that', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'x'));
    rmSync(home.entry(A));
    const files = failingFiles({
      lstat: (path) => {
        if (path === home.entry(A)) throw errnoError('EIO');
        return systemFiles.lstat(path);
      },
    });
    const report = await gc(home, later(2 * HOUR, { files }));
    assert.deepEqual(rows(report), []);
    assert.deepEqual(report.failures, [{ path: `pipelines/${A}.bin`, error: 'EIO' }]);
    assert.ok(existsSync(home.record(A)));
  });

  it('waits an hour with an orphaned record where nothing can be locked', async (t) => {
    const home = new TestHome(t);
    const { ctimeMs } = statSync(orphan(home));
    const at = (age: number): Host =>
      fakeHost({ clock: new FakeClock(Math.ceil(ctimeMs) + age), locks: noLocks });
    assert.deepEqual(rows(await gc(home, at(HOUR - 1000))), []);
    assert.equal((await gc(home, at(HOUR))).removedCount, 1);
  });

  it('keeps a record of a newer version, which may be a failure in force', async (t) => {
    const home = new TestHome(t);
    writeFileSync(home.record(A), '{"schema":"vyre-cache.record/2","what":"unknown"}\n');
    assert.deepEqual(rows(await gc(home, later(3650 * DAY))), []);
    assert.ok(existsSync(home.record(A)));
  });

  const SECOND = 1000;
  const failures: readonly (readonly [string, Partial<Failure>, number, boolean])[] = [
    ['a deterministic one less than a day ago', {}, DAY - SECOND, false],
    ['a deterministic one a day ago', {}, DAY, true],
    ['a transient one less than a week ago', { kind: 'transient' }, 7 * DAY - SECOND, false],
    ['a transient one a week ago', { kind: 'transient' }, 7 * DAY, true],
    ['one a day ahead of the clock', {}, -DAY, false],
    ['one further ahead of the clock', {}, -DAY - SECOND, true],
  ];
  for (const [name, changed, age, isRemoved] of failures) {
    it(`${isRemoved ? 'removes' : 'keeps'} a remembered failure: ${name}`, async (t) => {
      const home = new TestHome(t);
      const now = 1_700_000_000_000;
      placeFailure(home, A, { ...FAILURE, ...changed, lastAtMs: now - age });
      const report = await gc(home, fakeHost({ clock: new FakeClock(now) }));
      assert.deepEqual(rows(report), isRemoved ? [[`pipelines/${A}.json`, 'expired-failure']] : []);
      assert.deepEqual([report.keptCount, existsSync(home.record(A))], isRemoved ? [0, false] : [1, true]);
    });
  }

  it('removes a failure that belongs to another fingerprint: nobody remembers it', async (t) => {
    const home = new TestHome(t);
    placeFailure(home, B, { ...FAILURE, lastAtMs: Date.now() });
    renameSync(home.record(B), home.record(A));
    assert.deepEqual(rows(await gc(home, fakeHost())), [[`pipelines/${A}.json`, 'orphan-record']]);
  });

  it('keeps the record beside whatever lies in the place of its entry', async (t) => {
    const home = new TestHome(t);
    orphan(home, A);
    mkdirSync(home.entry(A));
    orphan(home, B);
    symlinkSync('nowhere', home.entry(B));
    assert.deepEqual(rows(await gc(home, later(400 * DAY))), []);
  });

  const spans: readonly (readonly [string, number, number, boolean])[] = [
    ['90 days less a second', 90 * DAY - 1000, 90 * DAY - 1000, false],
    ['90 days', 90 * DAY, 90 * DAY, true],
    ['written long ago, read within 90 days', 900 * DAY, 90 * DAY - 1000, false],
    ['written within 90 days, read never since', 90 * DAY - 1000, 900 * DAY, false],
    ['in the far future', -3650 * DAY, -3650 * DAY, false],
  ];
  for (const [name, written, read, isRemoved] of spans) {
    it(`${isRemoved ? 'removes' : 'keeps'} notes last used: ${name}`, async (t) => {
      const home = new TestHome(t);
      const now = 1_700_000_000_000;
      const shortcuts = shortcutsIn(home.stateDirectory);
      mkdirSync(shortcuts, { recursive: true });
      // Named by the hash of Node, and by that of the executable.
      const names = [fakeHost().checksum(Buffer.from(A)), A];
      const paths = [
        home.paths.request(A),
        home.paths.dependencies(A),
        ...names.map((checksum) => join(shortcuts, checksum)),
      ];
      for (const path of paths) {
        writeFileSync(path, 'x');
        utimesSync(path, (now - read) / 1000, (now - written) / 1000);
      }
      const report = await gc(home, fakeHost({ clock: new FakeClock(now) }));
      assert.deepEqual(
        rows(report).map(([, reason]) => reason),
        isRemoved ? paths.map(() => 'unused-state') : [],
      );
      for (const path of paths) assert.equal(existsSync(path), !isRemoved);
    });
  }

  it('does nothing while another process removes from this home', async (t) => {
    const home = new TestHome(t);
    litter(home);
    const before = tree(home.root);
    const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(LOCK_BYTES.maintenance));
    assert.equal(await child.line(), 'held');
    const report = await gc(home, later(91 * DAY));
    assert.equal(report.isBusy, true);
    assert.deepEqual([report.removedCount, report.keptCount, report.failures.length], [0, 0, 0]);
    assert.deepEqual(tree(home.root), before);
    await child.kill();
    assert.equal((await gc(home, later(91 * DAY))).removedCount, ALL.length);
  });

  it('removes nothing the second time', async (t) => {
    const home = new TestHome(t);
    litter(home);
    const host = later(91 * DAY);
    assert.equal((await gc(home, host)).removedCount, ALL.length);
    const before = listing(home.root);
    const second = await gc(home, host);
    assert.deepEqual([second.removedCount, second.keptCount], [0, 0]);
    assert.deepEqual(listing(home.root), before);
  });

  it('reports what cannot be removed or read, and goes on', async (t) => {
    const home = new TestHome(t);
    litter(home);
    const files = failingFiles({
      unlink: (path) => {
        if (path.endsWith('.bin.tmp')) throw errnoError('EACCES');
        systemFiles.unlink(path);
      },
      readDirectory: (path) => {
        if (path === home.paths.requests) throw errnoError('EIO');
        return systemFiles.readDirectory(path);
      },
      removeTree: (path) => {
        if (path.includes('half-made')) throw errnoError('EROFS');
        systemFiles.removeTree(path);
      },
    });
    const report = await gc(home, later(91 * DAY, { files }));
    assert.deepEqual(report.failures, [
      { path: '.vyre-cache/new/half-made', error: 'EROFS' },
      { path: '.vyre-cache/requests', error: 'EIO' },
      { path: `pipelines/.${A}-0.bin.tmp`, error: 'EACCES' },
    ]);
    assert.deepEqual(
      rows(report).map(([, reason]) => reason),
      ['dead-worker', 'unused-state', 'orphan-record'],
    );
  });

  it('reports a dead worker directory that cannot be removed', async (t) => {
    const home = new TestHome(t);
    const path = dead(home, 'one');
    const refuse = (): never => {
      throw errnoError('EROFS');
    };
    const files = failingFiles({ rename: refuse, removeTree: refuse });
    const report = await gc(home, later(2 * HOUR, { files }));
    assert.deepEqual(report.failures, [{ path: 'worker-dir-prepare-one', error: 'EROFS' }]);
    assert.deepEqual(rows(report), []);
    assert.ok(existsSync(path));
  });

  it('takes it calmly when somebody else removes the garbage first', async (t) => {
    const home = new TestHome(t);
    litter(home);
    const files = failingFiles({
      unlink: (path) => {
        systemFiles.unlink(path);
        systemFiles.unlink(path);
      },
    });
    const report = await gc(home, later(91 * DAY, { files }));
    assert.deepEqual(report.failures, []);
    assert.deepEqual(
      rows(report).map(([, reason]) => reason),
      ['dead-worker', 'staged'],
    );
  });

  it('writes a line per reason to the journal, and none when there was nothing', async (t) => {
    const home = new TestHome(t);
    const events = (): readonly string[] =>
      new PrivateState(fakeHost(), home.paths.private)
        .readEvents()
        .filter((event) => event.kind === 'removed')
        .map((event) => `${event.reason}: ${event.message}`);
    for (const name of TEMPORARIES) placeTemporary(home, name);
    dead(home, 'one');
    await collectGarbage(home.session(later(2 * HOUR)), { dryRun: true });
    assert.deepEqual(events(), []);
    await gc(home);
    await gc(home);
    const seen = events();
    assert.equal(seen.length, 2);
    assert.match(seen[0] ?? '', /^dead-worker: gc removed 1 \(dead-worker\), [0-9]+ B$/);
    assert.equal(seen[1], 'temporary: gc removed 5 (temporary), 20 B');
  });

  it('is for the owner of the root, or root, who leaves no file of theirs behind', async (t) => {
    const home = new TestHome(t);
    litter(home);
    rmSync(join(home.paths.private, 'lock'));
    const owned = (owner: number): typeof systemFiles =>
      failingFiles({
        stat: (path) => {
          const stat = systemFiles.stat(path);
          return stat === null ? null : { ...stat, uid: owner };
        },
      });
    for (const dryRun of [true, false]) {
      const session = home.session(fakeHost({ user: { uid: 1000 }, files: owned(1001) }));
      await assert.rejects(collectGarbage(session, { dryRun }), CacheError);
    }
    const report = await gc(home, later(91 * DAY, { user: { uid: 0 }, files: owned(1001) }));
    assert.deepEqual(rows(report), ALL);
    assert.equal(existsSync(join(home.paths.private, 'lock')), false);
    assert.equal(existsSync(join(home.paths.private, 'events')), false);
  });
});

describe('gc of other directories', () => {
  const session = (t: Parameters<typeof sessionOf>[0], root: string): CacheSession =>
    sessionOf(t, root, { host: later(400 * DAY) });

  it('removes nothing from an absent, an empty and a foreign one', async (t) => {
    const root = temporaryFolder(t);
    for (const name of ['absent', '.']) {
      const report = await collectGarbage(session(t, join(root, name)), { dryRun: false });
      assert.deepEqual([report.removedCount, report.failures.length], [0, 0]);
    }
    writeFileSync(join(root, `.${A}-0.bin.tmp`), 'x');
    writeFileSync(join(root, 'abcd.pvf'), 'x');
    mkdirSync(join(root, 'worker-dir-prepare-x'));
    writeFileSync(join(root, 'worker-dir-prepare-x', 'owner'), JSON.stringify(ownerOf(fakeHost())));
    const before = listing(root);
    assert.equal((await collectGarbage(session(t, root), { dryRun: false })).removedCount, 0);
    assert.deepEqual(listing(root), before);
  });

  it('removes from a directory without our marker what vyre’s writers left there, and nothing else', async (t) => {
    const home = new TestHome(t);
    litter(home);
    rmSync(home.paths.marker);
    writeFileSync(home.record(A), 'a file of somebody else');
    const { root } = home;
    writeFileSync(join(root, 'notes.txt'), 'x');
    const report = await collectGarbage(session(t, root), { dryRun: false });
    assert.deepEqual(rows(report), [
      [`pipelines/.${A}-0.bin.tmp`, 'temporary'],
      [`pipelines/${B}.json`, 'orphan-record'],
    ]);
    assert.ok(existsSync(home.paths.workerDirectory('one')) && existsSync(home.record(A)));
  });

  it('removes from a flat store only what lies at its top level', async (t) => {
    const root = temporaryFolder(t);
    writeFileSync(join(root, `${A}.bin`), entryBytes('vyre'));
    writeFileSync(join(root, `.${A}-0.bin.tmp`), 'x');
    mkdirSync(join(root, 'aa'));
    writeFileSync(join(root, 'aa', `${A}.bin.tmp.${NOBODY}.0`), 'x');
    const report = await collectGarbage(session(t, root), { dryRun: false });
    assert.deepEqual(rows(report), [[`.${A}-0.bin.tmp`, 'temporary']]);
    assert.ok(existsSync(join(root, 'aa', `${A}.bin.tmp.${NOBODY}.0`)));
  });

  it('refuses a home of a newer version: what is garbage there is not known', async (t) => {
    const home = new TestHome(t);
    litter(home);
    writeFileSync(home.paths.marker, '{"schema":"vyre-cache.home/2"}\n');
    const before = listing(home.root);
    await assert.rejects(gc(home, later(400 * DAY)), /newer/);
    assert.deepEqual(listing(home.root), before);
  });
});
