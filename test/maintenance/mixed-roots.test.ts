import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { CacheSession } from '../../src/compile/session.js';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { collectGarbage } from '../../src/maintenance/gc.js';
import { prune } from '../../src/maintenance/prune.js';
import type { PruneReport, VerifyReport } from '../../src/maintenance/reports.js';
import { restoreArtifact } from '../../src/maintenance/restore.js';
import { verify } from '../../src/maintenance/verify.js';
import { NO_RULES } from '../../src/model/retention.js';
import { openHome } from '../../src/store/home.js';
import { fingerprintByte, LockFile, LOCK_BYTES } from '../../src/store/lock-file.js';
import { has } from '../support/tools.js';
import { entryBytes, fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { countsOf, NOTHING, write, type Counts } from '../support/fixture-home.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing, tree } from '../support/listing.js';
import { hexOf, moduleName, writePvf, writeWasmer, writeWasmtime } from '../support/other-caches.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeAot, writeDriverPipeline, writePtx, writeSummary, writeWgpu } from '../support/vyre-files.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const KEY = hexOf('a key');
const DAY = 86_400_000;
const TEXT = 'fn main() {}\n';

/** A process that starts this long after everything was written. */
function later(ms: number, replaced: Partial<Host> = {}): Host {
  return fakeHost({ clock: new FakeClock(Date.now() + ms), ...replaced });
}

async function check(session: CacheSession): Promise<VerifyReport> {
  return verify(session, { fingerprints: null });
}

async function countsIn(session: CacheSession): Promise<Counts> {
  return countsOf(await check(session));
}

/** A year later, with an age of a week. */
async function pruneOld(session: CacheSession): Promise<PruneReport> {
  return prune(session, { rules: { ...NO_RULES, ttlMs: 7 * DAY }, dryRun: false });
}

function removedPaths(report: PruneReport): readonly string[] {
  return [...report.removed].map(({ path }) => path).toSorted();
}

describe('a home in which other systems keep things, too', () => {
  const pvfName = `0x${hexOf('a')}${hexOf('b')}.pvf`;
  const persistent = `1.0_0x${hexOf('a')}_0x${hexOf('b')}_0x${hexOf('not it')}`;
  const modules = 'modules/cranelift-31.0.0';

  /** Names beside each other: artifacts of a PVF host, a folder of wasmtime’s modules. */
  function fill(home: TestHome): void {
    home.place(makeArtifact(A, 'vyre'));
    write(join(home.root, pvfName), 'raw');
    write(join(home.root, persistent), 'something else');
    write(join(home.root, modules, moduleName('bad')), 'no zstd stream');
    write(join(home.root, modules, `${moduleName('bad')}.stats`), 'usages = 1\noptimized-compression = 3\n');
    write(join(home.root, modules, `${moduleName('gone')}.stats`), 'usages = 1\noptimized-compression = 3\n');
    write(join(home.root, 'notes.txt'));
  }

  it('has each judged by the rules of its system, with its layout', async (t) => {
    const home = new TestHome(t);
    fill(home);
    const report = await check(home.session(later(DAY)));
    assert.deepEqual(report.problems, [
      { path: persistent, layout: 'pvf', fingerprint: null, reason: 'bad-checksum' },
      { path: `${modules}/${moduleName('bad')}`, layout: 'wasmtime', fingerprint: null, reason: 'bad-zstd' },
    ]);
    assert.deepEqual(countsOf(report), {
      ...NOTHING,
      artifacts: 4,
      valid: 1,
      damaged: 2,
      unverifiable: 1,
      litter: 1,
      aliens: 1,
    });
  });

  it('keeps what is damaged of them in its own quarantine, and brings it back', async (t) => {
    const home = new TestHome(t);
    fill(home);
    const before = tree(home.root).filter((path) => !/^(?:quarantine|\.vyre-cache)/.test(path));
    const session = home.session(later(DAY));
    const elsewhere = join(dirname(home.root), 'elsewhere');
    const treatment = { kind: 'quarantine', home: elsewhere } as const;
    const { treated } = await verify(session, { fingerprints: null, treatment });
    assert.deepEqual(
      treated.map(({ action }) => action),
      ['quarantined', 'quarantined'],
    );
    assert.ok(!existsSync(elsewhere));
    assert.deepEqual((await check(session)).problems, []);
    for (const { id } of treated) await restoreArtifact(session, id ?? '');
    assert.deepEqual(
      tree(home.root).filter((path) => !/^(?:quarantine|\.vyre-cache)/.test(path)),
      before,
    );
  });

  it('loses all of them to an age rule, and only those of the layout that is named', async (t) => {
    const home = new TestHome(t);
    fill(home);
    const session = home.session(later(365 * DAY));
    const rules = { ...NO_RULES, ttlMs: DAY };
    const report = await prune(session, { rules, dryRun: false, layouts: ['pvf'] });
    assert.deepEqual(removedPaths(report), [pvfName, persistent].toSorted());
    assert.deepEqual(removedPaths(await pruneOld(session)), [
      `${modules}/${moduleName('bad')}`,
      `pipelines/${A}.bin`,
    ]);
    assert.ok(existsSync(join(home.root, 'notes.txt')));
  });

  it('may hold whole directories of them', async (t) => {
    if (!has(t, 'zstd')) return;
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'vyre'));
    writeWasmtime(join(home.root, 'wasmtime'));
    writePvf(join(home.root, 'pvf-artifacts'));
    writeWasmer(join(home.root, 'wasmer'));
    const before = listing(home.root);
    assert.deepEqual(await countsIn(home.session(later(DAY))), {
      ...NOTHING,
      artifacts: 9,
      valid: 2,
      unverifiable: 7,
      // The empty one of wasmer.
      litter: 1,
    });
    assert.deepEqual(listing(home.root), before);
  });

  it('has them looked for no deeper than in its top', async (t) => {
    const home = new TestHome(t);
    writePvf(join(home.root, 'photos', 'pvf-artifacts'));
    const session = home.session(later(365 * DAY));
    assert.deepEqual(await countsIn(session), { ...NOTHING, aliens: 4 });
    assert.deepEqual(removedPaths(await pruneOld(session)), []);
  });
});

describe('a folder in a home that has the names of a cache and nothing else of one', () => {
  const folders: readonly (readonly [name: string, files: readonly string[]])[] = [
    ['photos', [`${A}.bin`, `${B}.bin`, `${A}.json`]],
    ['pictures', [`aa/${A}.bin`, `bb/${B}.bin`]],
    ['hashes', [A, B]],
    ['texts', [`${A}.wgsl`, `${A}.toml`]],
    ['lists', [`${A.slice(0, 32)}.vct`, `${A.slice(0, 32)}.vpl`]],
    ['base64', [moduleName('a'), `${moduleName('a')}.stats`]],
    ['codes', ['0123456789ABCDEF.bin']],
    ['films', ['summer.pvf', 'wasmtime_notes.txt', 'worker-dir.txt']],
    ['pipelines.old', [`${A}.bin`]],
    ['modules', ['readme.md', 'left-pad/index.js']],
    ['v', ['worker-dir-prepare-mine/diary.txt']],
  ];
  for (const [name, files] of folders) {
    it(`stays alien, whatever is done: ${name}`, async (t) => {
      const home = new TestHome(t);
      home.place(makeArtifact(A, 'vyre'));
      for (const file of files) write(join(home.root, name, file), 'mine');
      const before = listing(join(home.root, name));
      const session = home.session(later(400 * DAY));
      assert.deepEqual(await countsIn(session), { ...NOTHING, artifacts: 1, valid: 1, aliens: files.length });
      await verify(session, { fingerprints: null, treatment: { kind: 'delete' } });
      await verify(session, { fingerprints: null, treatment: { kind: 'quarantine', home: null } });
      assert.deepEqual(removedPaths(await pruneOld(session)), [`pipelines/${A}.bin`]);
      await collectGarbage(session, { dryRun: false });
      assert.deepEqual(listing(join(home.root, name)), before);
    });
  }

  it('is no failure of a removal when it cannot be read, and one of a verification', async (t) => {
    const home = new TestHome(t);
    const closed = join(home.root, 'lost+found');
    mkdirSync(closed);
    const files = failingFiles({
      lstat: (path) => {
        if (path.startsWith(`${closed}/`)) throw errnoError('EACCES');
        return systemFiles.lstat(path);
      },
      scanDirectory: (path, visit) => {
        if (path === closed) throw errnoError('EACCES');
        systemFiles.scanDirectory(path, visit);
      },
    });
    const session = home.session(later(DAY, { files }));
    assert.deepEqual((await pruneOld(session)).failures, []);
    assert.deepEqual((await collectGarbage(session, { dryRun: false })).failures, []);
    assert.deepEqual((await check(session)).problems, [
      { path: 'lost+found', layout: null, fingerprint: null, reason: 'EACCES' },
    ]);
  });

  it('stays alien where it is a link to a cache', async (t) => {
    const home = new TestHome(t);
    const outside = join(temporaryFolder(t), 'pvf-artifacts');
    writePvf(outside);
    symlinkSync(outside, join(home.root, 'pvf-artifacts'));
    const session = home.session(later(365 * DAY));
    assert.deepEqual(await countsIn(session), { ...NOTHING, aliens: 1 });
    const before = listing(outside);
    await pruneOld(session);
    assert.deepEqual(listing(outside), before);
  });
});

/** A home with a home in it, each with a damaged entry and a sound one. */
function homeInHome(t: TestContext): {
  readonly home: TestHome;
  readonly inner: HomePaths;
  readonly lock: () => LockFile;
} {
  const home = new TestHome(t);
  const inner = new HomePaths(join(home.root, 'inner'));
  assert.ok(openHome(fakeHost(), inner).ok);
  new LockFile(fakeHost(), join(inner.private, 'lock')).close();
  for (const store of [home.paths.store, inner.store]) {
    writeFileSync(join(store, `${A}.bin`), entryBytes('sound'));
    writeFileSync(join(store, `${B}.bin`), 'damaged');
  }
  const lock = (): LockFile => {
    const opened = new LockFile(fakeHost(), join(inner.private, 'lock'));
    t.after(() => {
      opened.close();
    });
    return opened;
  };
  return { home, inner, lock };
}

describe('a home in a home', () => {
  it('is verified with it', async (t) => {
    const { home } = homeInHome(t);
    const report = await check(home.session(later(DAY)));
    assert.deepEqual(
      report.problems.map(({ path, fingerprint, reason }) => [path, fingerprint, reason]),
      [
        [`inner/pipelines/${B}.bin`, B, 'truncated'],
        [`pipelines/${B}.bin`, B, 'truncated'],
      ],
    );
    assert.deepEqual(countsOf(report), { ...NOTHING, artifacts: 4, valid: 2, damaged: 2 });
  });

  it('keeps its own quarantine', async (t) => {
    const { home, inner } = homeInHome(t);
    await verify(home.session(later(DAY)), {
      fingerprints: null,
      treatment: { kind: 'quarantine', home: null },
    });
    assert.equal(readdirSync(home.paths.quarantine).length, 1);
    const [id = ''] = readdirSync(inner.quarantine);
    const why = JSON.parse(readFileSync(join(inner.quarantined(id), 'reason.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    assert.deepEqual([why['root'], why['folder']], [null, 'pipelines']);
    const session = sessionOf(t, inner.root, { host: later(DAY) });
    assert.equal((await restoreArtifact(session, id)).path, join(inner.store, `${B}.bin`));
  });

  it('has its own lock honoured: what is held there stays', async (t) => {
    const { home, inner, lock } = homeInHome(t);
    const held = await lock().tryHold(fingerprintByte(B), async () => {
      const session = home.session(later(365 * DAY));
      for (const treatment of [{ kind: 'quarantine', home: null }, { kind: 'delete' }] as const) {
        const { treated } = await verify(session, { fingerprints: null, treatment });
        assert.deepEqual(
          treated.filter(({ path }) => path.startsWith('inner/')).map(({ action }) => action),
          ['in-use'],
        );
      }
      const report = await pruneOld(session);
      assert.deepEqual(removedPaths(report), [`inner/pipelines/${A}.bin`, `pipelines/${A}.bin`]);
      assert.equal(report.inUse, 1);
    });
    assert.ok(held.held);
    assert.deepEqual(readdirSync(inner.store), [`${B}.bin`]);
  });

  it('is left alone while somebody else removes from it', async (t) => {
    const { home, inner, lock } = homeInHome(t);
    const before = readdirSync(inner.store);
    const held = await lock().tryHold(LOCK_BYTES.maintenance, async () => {
      const report = await pruneOld(home.session(later(365 * DAY)));
      assert.deepEqual(
        removedPaths(report).filter((path) => path.startsWith('inner/')),
        [],
      );
      assert.equal(report.inUse, 2);
    });
    assert.ok(held.held);
    assert.deepEqual(readdirSync(inner.store), before);
    assert.ok(
      removedPaths(await pruneOld(home.session(later(365 * DAY)))).every((path) => path.startsWith('inner/')),
    );
  });

  it('has it honoured when another process holds it', async (t) => {
    const { home, inner } = homeInHome(t);
    const child = startChild(t, 'hold', join(inner.private, 'lock'), String(fingerprintByte(A)));
    assert.equal(await child.line(), 'held');
    const report = await pruneOld(home.session(later(365 * DAY)));
    assert.equal(report.inUse, 1);
    assert.deepEqual(readdirSync(inner.store), [`${A}.bin`]);
    child.go();
    await child.end();
  });

  it('has it honoured by root where it belongs to somebody else', async (t) => {
    const { home, inner, lock } = homeInHome(t);
    const files = failingFiles({
      stat: (path) => {
        const stat = systemFiles.stat(path);
        return stat === null || path !== inner.root ? stat : { ...stat, uid: 12_345 };
      },
    });
    await lock().tryHold(fingerprintByte(A), async () => {
      const report = await pruneOld(home.session(later(365 * DAY, { files, user: { uid: 0 } })));
      assert.equal(report.inUse, 1);
    });
    assert.deepEqual(readdirSync(inner.store), [`${A}.bin`]);
  });

  it('does not lend its lock to the outer one, nor borrow it', async (t) => {
    const { home, inner } = homeInHome(t);
    await home.lock().tryHold(fingerprintByte(A), async () => {
      const report = await pruneOld(home.session(later(365 * DAY)));
      assert.deepEqual(removedPaths(report), [
        `inner/pipelines/${A}.bin`,
        `inner/pipelines/${B}.bin`,
        `pipelines/${B}.bin`,
      ]);
    });
    assert.deepEqual(readdirSync(home.paths.store), [`${A}.bin`]);
    assert.deepEqual(readdirSync(inner.store), []);
  });

  it('is left alone when a newer version wrote it', async (t) => {
    const { home, inner } = homeInHome(t);
    writeFileSync(inner.marker, '{"schema":"vyre-cache.home/2"}');
    const before = listing(inner.root);
    const session = home.session(later(400 * DAY));
    await verify(session, { fingerprints: null, treatment: { kind: 'delete' } });
    assert.deepEqual(removedPaths(await pruneOld(session)), [`pipelines/${A}.bin`]);
    await collectGarbage(session, { dryRun: false });
    assert.deepEqual(listing(inner.root), before);
  });

  it('has its garbage collected with it', async (t) => {
    const { home, inner } = homeInHome(t);
    const orphan = join(inner.store, `${fingerprintFrom('c')}.json`);
    home.place(makeArtifact(fingerprintFrom('c'), 'x'));
    renameSync(home.record(fingerprintFrom('c')), orphan);
    const report = await collectGarbage(home.session(later(DAY)), { dryRun: false });
    assert.deepEqual(
      [...report.removed].map(({ path, reason }) => [path, reason]),
      [[`inner/pipelines/${fingerprintFrom('c')}.json`, 'orphan-record']],
    );
  });
});

describe('a section that is named itself', () => {
  const sections: readonly (readonly [
    name: string,
    fill: (folder: string) => void,
    counts: Partial<Counts>,
  ])[] = [
    ['pipeline', (folder) => writeWgpu(folder, KEY, { text: TEXT, blob: 'blob' }), { valid: 1 }],
    ['aot', (folder) => writeAot(folder, KEY, TEXT), { unverifiable: 1 }],
    ['ptx-source', (folder) => writePtx(folder, KEY, TEXT), { unverifiable: 1 }],
    ['frontend-c-summary', (folder) => writeSummary(folder, KEY.slice(0, 32)), { unverifiable: 1 }],
    ['parsed-ast', (folder) => write(join(folder, `${KEY.slice(0, 32)}.vct`), 'cut'), { damaged: 1 }],
  ];
  for (const [name, fill, counts] of sections) {
    it(`is known by its name and its content: ${name}`, async (t) => {
      const root = join(temporaryFolder(t), name);
      mkdirSync(root);
      fill(root);
      write(join(root, 'notes.txt'));
      const before = listing(root);
      const session = sessionOf(t, root, { host: later(DAY) });
      assert.deepEqual(await countsIn(session), { ...NOTHING, artifacts: 1, aliens: 1, ...counts });
      assert.deepEqual(listing(root), before);
    });

    it(`is pruned, and nothing of ours appears in it: ${name}`, async (t) => {
      const root = join(temporaryFolder(t), name);
      mkdirSync(root);
      fill(root);
      const report = await pruneOld(sessionOf(t, root, { host: later(365 * DAY) }));
      assert.equal(report.removedCount, 1);
      assert.deepEqual(
        tree(root).filter((path) => !path.endsWith('/')),
        [],
      );
    });

    it(`is nobody’s under another name: ${name}`, async (t) => {
      const root = join(temporaryFolder(t), 'photos');
      mkdirSync(root);
      fill(root);
      const before = listing(root);
      const session = sessionOf(t, root, { host: later(365 * DAY) });
      assert.deepEqual(await countsIn(session), NOTHING);
      assert.equal((await pruneOld(session)).removedCount, 0);
      assert.deepEqual(listing(root), before);
    });
  }

  it('is nobody’s without anything of its writer in it', async (t) => {
    for (const name of ['pipeline', 'aot', 'ptx-source', 'parsed-ast', 'cuda-jit', 'ptx-cache']) {
      const root = join(temporaryFolder(t), name);
      write(join(root, 'ab', 'diary.txt'), 'mine');
      const session = sessionOf(t, root, { host: later(365 * DAY) });
      assert.deepEqual(await countsIn(session), NOTHING, name);
    }
  });

  it('has its damage kept by the default home, which may be the one that it lies in', async (t) => {
    const home = new TestHome(t);
    const root = join(home.root, 'aot');
    writeAot(root, KEY, TEXT);
    unlinkSync(join(root, `${KEY}.toml`));
    const session = sessionOf(t, root, { host: later(DAY) });
    const treatment = { kind: 'quarantine', home: home.root } as const;
    const { treated } = await verify(session, { fingerprints: null, treatment });
    assert.equal(treated[0]?.action, 'quarantined');
    assert.deepEqual(readdirSync(root), []);
    const restored = await restoreArtifact(home.session(later(DAY)), treated[0].id ?? '');
    assert.equal(restored.path, join(root, `${KEY}.wgsl`));
  });
});

describe('a folder of shards', () => {
  it('is of vyre’s driver between the entries of a home, and alien in a flat store', async (t) => {
    const home = new TestHome(t);
    writeDriverPipeline(home.paths.store, KEY, 'blob');
    assert.equal((await check(home.session(later(DAY)))).unverifiable, 1);
    const root = join(temporaryFolder(t), 'flat');
    write(join(root, `${A}.bin`), entryBytes('x'));
    writeDriverPipeline(root, KEY, 'blob');
    assert.deepEqual(await countsIn(sessionOf(t, root, { host: later(DAY) })), {
      ...NOTHING,
      artifacts: 1,
      valid: 1,
      aliens: 1,
    });
  });
});
