import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import { isSweptAtStart } from '../../src/layouts/pvf/start-rule.js';
import { sweepAsAtStart } from '../../src/maintenance/restart.js';
import type { RemovalReport } from '../../src/maintenance/reports.js';
import { CacheError } from '../../src/model/error.js';
import { PrivateState } from '../../src/store/private-state.js';
import { foreignStateFolder } from '../../src/store/state-folders.js';
import { entryBytes, fingerprintFrom } from '../support/artifacts.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing, tree } from '../support/listing.js';
import { mountNamespace } from '../support/mount-namespace.js';
import { shellLine, SOURCES } from '../support/program.js';
import { temporaryFolder } from '../support/temporary-folder.js';

async function restart(t: TestContext, root: string, host = fakeHost()): Promise<RemovalReport> {
  return sweepAsAtStart(sessionOf(t, root, { host }), { dryRun: false });
}

function paths(report: RemovalReport): readonly string[] {
  return [...report.removed].map(({ path }) => path).toSorted();
}

describe('the names that a PVF host removes when it starts', () => {
  const names: readonly (readonly [string, 'file' | 'directory' | 'link' | 'other', boolean])[] = [
    ['abcd.pvf', 'file', true],
    [`0x${'ab'.repeat(64)}.pvf`, 'file', true],
    ['a.b.pvf', 'file', true],
    ['..pvf', 'file', true],
    ['abcd.pvfartifact', 'file', false],
    ['abcd.PVF', 'file', false],
    ['abcd.pvf.bak', 'file', false],
    ['abcdpvf', 'file', false],
    ['.pvf', 'file', false],
    ['pvf', 'file', false],
    ['wasmtime_', 'file', true],
    ['wasmtime_polkadot_v0.8.25_0x123', 'file', true],
    ['wasmtime', 'file', false],
    ['Wasmtime_x', 'file', false],
    ['polkadot_x', 'file', false],
    ['worker-dir', 'file', false],
    ['worker-dir-prepare-test', 'file', false],
    ['worker-dir-prepare-test', 'directory', true],
    ['worker-dir-execute-test', 'directory', true],
    ['worker-dir', 'directory', true],
    ['worker-directory', 'directory', true],
    ['worker-prepare-test', 'directory', false],
    ['abcd.pvf', 'directory', false],
    ['wasmtime_x', 'directory', false],
    ['abcd.pvf', 'link', false],
    ['worker-dir-prepare-test', 'link', false],
    ['wasmtime_x', 'other', false],
    ['', 'file', false],
  ];
  for (const [name, type, isSwept] of names) {
    it(`${isSwept ? 'are' : 'are not'} those such as "${name}" of a ${type}`, () => {
      assert.equal(isSweptAtStart(name, type), isSwept);
    });
  }
});

describe('gc --restart', () => {
  function fill(root: string): void {
    for (const name of ['abcd.pvf', 'wasmtime_old', 'abcd.pvfartifact', 'polkadot_x', 'photo.jpg'])
      writeFileSync(join(root, name), 'bytes');
    for (const name of ['worker-dir-prepare-test', 'worker-prepare-test', 'sub']) {
      mkdirSync(join(root, name, 'deep'), { recursive: true });
      writeFileSync(join(root, name, 'deep', 'tmp-artifact.pvf'), 'bytes');
    }
  }
  const LEFT = [
    'abcd.pvfartifact',
    'photo.jpg',
    'polkadot_x',
    'sub/',
    'sub/deep/',
    'sub/deep/tmp-artifact.pvf',
    'worker-prepare-test/',
    'worker-prepare-test/deep/',
    'worker-prepare-test/deep/tmp-artifact.pvf',
  ];

  it('removes the three kinds of names from the top level, and nothing else', async (t) => {
    const root = temporaryFolder(t);
    fill(root);
    const before = listing(root);
    const dry = await sweepAsAtStart(sessionOf(t, root), { dryRun: true });
    assert.deepEqual(listing(root), before);
    const report = await restart(t, root);
    assert.deepEqual(paths(report), ['abcd.pvf', 'wasmtime_old', 'worker-dir-prepare-test']);
    assert.deepEqual([report.removedCount, report.removedBytes, report.failures.length], [3, 15, 0]);
    assert.deepEqual(paths(dry), paths(report));
    assert.equal(dry.removedBytes, report.removedBytes);
    assert.ok([...report.removed].every(({ reason }) => reason === 'restart'));
    assert.deepEqual(tree(root), LEFT);
    assert.equal((await restart(t, root)).removedCount, 0);
  });

  it('follows no link, at the top or within, and leaves pipes', async (t) => {
    const root = temporaryFolder(t);
    const outside = temporaryFolder(t);
    writeFileSync(join(outside, 'precious'), 'x');
    symlinkSync(outside, join(root, 'worker-dir-link'));
    symlinkSync(join(outside, 'precious'), join(root, 'link.pvf'));
    assert.equal(spawnSync('mkfifo', [join(root, 'pipe.pvf')]).status, 0);
    mkdirSync(join(root, 'worker-dir-1'));
    symlinkSync(outside, join(root, 'worker-dir-1', 'link'));
    symlinkSync(join(outside, 'precious'), join(root, 'worker-dir-1', 'file'));
    assert.equal(spawnSync('mkfifo', [join(root, 'worker-dir-1', 'socket')]).status, 0);
    const report = await restart(t, root);
    assert.deepEqual(paths(report), ['worker-dir-1']);
    assert.deepEqual(readdirSync(root).toSorted(), ['link.pvf', 'pipe.pvf', 'worker-dir-link']);
    assert.deepEqual(readdirSync(outside), ['precious']);
  });

  it('leaves names that are not UTF-8', async (t) => {
    const root = temporaryFolder(t);
    const name = Buffer.concat([Buffer.from(`${root}/wasmtime_`), Buffer.from([0xff])]);
    writeFileSync(name, 'x');
    writeFileSync(join(root, 'wasmtime_\uFFFE'), 'x');
    const report = await restart(t, root);
    assert.deepEqual(paths(report), ['wasmtime_\uFFFE']);
    assert.deepEqual(report.failures, []);
    assert.ok(existsSync(name));
  });

  it('reports what cannot be removed, removes the rest, and says whose folder stays', async (t) => {
    const root = temporaryFolder(t);
    fill(root);
    writeFileSync(join(root, 'worker-dir-prepare-test', 'other'), 'x');
    const files = failingFiles({
      unlink: (path) => {
        if (path.endsWith('abcd.pvf') || path.endsWith('other')) throw errnoError('EACCES');
        systemFiles.unlink(path);
      },
    });
    const report = await restart(t, root, fakeHost({ files }));
    assert.deepEqual(
      report.failures.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
      [
        { path: 'abcd.pvf', error: 'EACCES' },
        { path: 'worker-dir-prepare-test/other', error: 'EACCES' },
      ],
    );
    assert.deepEqual(paths(report), ['wasmtime_old']);
    assert.deepEqual(readdirSync(join(root, 'worker-dir-prepare-test')), ['other']);
  });

  it('never enters what is mounted in a worker directory', async (t) => {
    const words = mountNamespace(t);
    if (words === null) return;
    const root = temporaryFolder(t);
    fill(root);
    const mounted = join(root, 'worker-dir-prepare-test', 'mounted');
    mkdirSync(mounted);
    const script = [
      `mount -t tmpfs tmpfs '${mounted}'`,
      `echo x > '${mounted}/precious'`,
      `for how in --dry-run --yes; do ${shellLine(SOURCES)} gc --restart '${root}' --json $how || echo "exit $?"; done`,
      `cat '${mounted}/precious'`,
    ].join('\n');
    const [program = '', ...args] = words;
    const ran = spawnSync(program, [...args, script], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: temporaryFolder(t) },
    });
    assert.equal(ran.status, 0, ran.stderr);
    const [dry = '', dryExit, real = '', exit, precious] = ran.stdout.trim().split('\n');
    assert.deepEqual([dryExit, exit, precious], ['exit 3', 'exit 3', 'x']);
    for (const text of [dry, real]) {
      const report = JSON.parse(text) as RemovalReport;
      assert.deepEqual(report.failures, [{ path: 'worker-dir-prepare-test/mounted', error: 'EXDEV' }]);
      assert.deepEqual(paths(report), ['abcd.pvf', 'wasmtime_old']);
    }
    assert.deepEqual(readdirSync(join(root, 'worker-dir-prepare-test')), ['mounted']);
  });

  it('refuses homes and stores of ours, and what lies in them', async (t) => {
    const home = new TestHome(t);
    const store = temporaryFolder(t);
    writeFileSync(join(store, `${fingerprintFrom('a')}.bin`), entryBytes('vyre'));
    const sections = temporaryFolder(t);
    mkdirSync(join(sections, 'aot'));
    const named = join(temporaryFolder(t), 'pipelines');
    mkdirSync(named);
    const newer = new TestHome(t);
    writeFileSync(newer.paths.marker, '{"schema":"vyre-cache.home/2"}\n');
    const unmarked = new TestHome(t);
    rmSync(unmarked.paths.marker);
    const below = [home.paths.store, home.paths.private, home.paths.requests];
    for (const root of [home.root, ...below, store, sections, named, newer.root, unmarked.root]) {
      writeFileSync(join(root, 'abcd.pvf'), 'x');
      await assert.rejects(
        restart(t, root),
        (error) => error instanceof CacheError && error.code === 'environment' && error.hint !== null,
        root,
      );
      assert.ok(existsSync(join(root, 'abcd.pvf')), root);
    }
  });

  it('is for the owner of the directory, or root', async (t) => {
    const root = temporaryFolder(t);
    fill(root);
    const files = failingFiles({
      stat: (path) => {
        const stat = systemFiles.stat(path);
        return stat === null ? null : { ...stat, uid: 1001 };
      },
    });
    await assert.rejects(restart(t, root, fakeHost({ user: { uid: 1000 }, files })), /belongs to user 1001/);
    assert.equal((await restart(t, root, fakeHost({ user: { uid: 0 }, files }))).removedCount, 3);
  });

  it('writes no file into the directory: its journal lies with the state of the user', async (t) => {
    const root = temporaryFolder(t);
    fill(root);
    const stateDirectory = temporaryFolder(t);
    const host = fakeHost({ clock: new FakeClock() });
    await sweepAsAtStart(sessionOf(t, root, { host, stateDirectory }), { dryRun: false });
    assert.deepEqual(tree(root), LEFT);
    const [event] = new PrivateState(host, foreignStateFolder(host, stateDirectory, root)).readEvents();
    assert.equal(event?.message, 'gc --restart removed 3 (restart), 15 B');
  });
});
