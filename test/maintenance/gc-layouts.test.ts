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
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { systemFiles, type Files } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { flush } from '../../src/maintenance/flush.js';
import { collectGarbage, type GcOptions, type GcReport } from '../../src/maintenance/gc.js';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import { openHome } from '../../src/store/home.js';
import { fingerprintByte } from '../../src/store/lock-file.js';
import {
  ARTIFACT_KINDS,
  kindNamed,
  placeKind,
  placeUsed,
  touch,
  type ArtifactKind,
} from '../support/artifact-kinds.js';
import { digestOf, fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing, tree } from '../support/listing.js';
import { hexOf, moduleName } from '../support/other-caches.js';
import { NOW_MS } from '../support/store-files.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';
import { ownerOf, placeWorker } from '../support/workers.js';
import { flockHolder } from '../support/flock-holder.js';
import { cli, makePlace } from '../cli/support.js';

const MINUTE = 60;
const DAY = 86_400;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Above every pid that Linux gives. */
const NOBODY = 2 ** 22 + 1;

function hostAt(nowMs: number, replaced: Partial<Host> = {}): Host {
  return fakeHost({ clock: new FakeClock(nowMs), ...replaced });
}

/** A process that starts this long after everything was written. */
function later(ms: number, replaced: Partial<Host> = {}): Host {
  return hostAt(Date.now() + ms, replaced);
}

async function gc(
  t: Cleanup,
  root: string,
  options: Partial<GcOptions> & { readonly host?: Host } = {},
): Promise<GcReport> {
  const { host = later(2 * HOUR_MS), ...rest } = options;
  return collectGarbage(sessionOf(t, root, { host }), { dryRun: false, ...rest });
}

/** Path and reason of each removal. */
function rows(report: GcReport): readonly (readonly [string, string])[] {
  return [...report.removed].map(({ path, reason }) => [path, reason] as const);
}

function sorted<T>(pairs: readonly T[]): readonly T[] {
  return pairs.toSorted((a, b) => (String(a) < String(b) ? -1 : 1));
}

function write(root: string, name: string, bytes: Uint8Array | string = 'half'): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes, { mode: 0o600 });
  return path;
}

/** A root for artifacts of this system, with one of them in it. */
function rootOf(t: Cleanup, system: ArtifactKind['root']): string {
  const root = system === 'vyre' ? new TestHome(t).root : join(temporaryFolder(t), system);
  const kind = ARTIFACT_KINDS.find((each) => each.root === system) ?? assert.fail();
  placeKind(root, kind, 'an artifact that is there');
  return root;
}

const HEX = hexOf('a key');
const HEX_32 = HEX.slice(0, 32);
const SHARD = HEX.slice(0, 2);
const MODULES = 'modules/cranelift-31.0.0';
const MODULE = moduleName('a module');

interface Temporary {
  readonly system: ArtifactKind['root'];
  readonly writer: string;
  /** `PID` stands for the number of the process that writes it. */
  readonly name: string;
}

/** Every temporary name of the writers below `~/.cache/vyre`, and of wasix. */
const TEMPORARIES: readonly Temporary[] = [
  { system: 'vyre', writer: 'DiskCache', name: `pipelines/.${HEX}-0.bin.tmp` },
  { system: 'vyre', writer: 'DiskCache', name: `pipelines/.${HEX}-18446744073709551615.bin.tmp` },
  { system: 'vyre', writer: 'vyre-aot', name: `pipelines/.${HEX}.bin.tmp` },
  { system: 'vyre', writer: 'the G8 module', name: `pipelines/${HEX}.bin.tmp` },
  { system: 'vyre', writer: 'DiskPipelineCache', name: `pipelines/${SHARD}/${HEX}.bin.tmp.PID.3` },
  { system: 'vyre', writer: 'wgpu, a text', name: `pipeline/${HEX}.tmp.PID_0` },
  { system: 'vyre', writer: 'wgpu, a sidecar of a text', name: `pipeline/${HEX}.wgsl.tmp.PID_12` },
  { system: 'vyre', writer: 'wgpu, a blob or its sidecar', name: `pipeline/${HEX}.pipeline.tmp.PID_7` },
  { system: 'vyre', writer: 'the CUDA driver', name: `ptx-source/${SHARD}/${HEX}.ptx.PID.0.tmp` },
  {
    system: 'vyre',
    writer: 'the C frontend',
    name: `frontend-c-summary/${SHARD}/${HEX_32}.bin.PID.4.tmp`,
  },
  { system: 'vyre', writer: 'the preprocessor, tokens', name: `parsed-ast/${HEX_32}.vct.PID.0.tmp` },
  { system: 'vyre', writer: 'the preprocessor, payloads', name: `parsed-ast/${HEX_32}.vpl.PID.9.tmp` },
  { system: 'wasix', writer: 'wasix', name: 'cranelift-x86_64-wasmer-universal-v11/.tmpAb12Cd' },
];

describe('the temporary file of a known writer', () => {
  for (const { system, writer, name } of TEMPORARIES) {
    const shown = name.replace(HEX, '<hex>').replace(HEX_32, '<hex>').replace('PID', '<pid>');
    it(`goes an hour after its last change, and not before: ${writer}, ${shown}`, async (t) => {
      const root = rootOf(t, system);
      const before = tree(root);
      const left = name.replace('PID', String(NOBODY));
      const path = write(root, left);
      const { ctimeMs } = statSync(path);
      const at = (age: number): Host => hostAt(Math.ceil(ctimeMs) + age);
      const young = await gc(t, root, { host: at(HOUR_MS - 1000) });
      assert.deepEqual(rows(young), []);
      assert.deepEqual([young.keptCount, young.keptBytes], [1, 4]);
      const dry = await gc(t, root, { host: at(HOUR_MS), dryRun: true });
      assert.deepEqual(rows(dry), [[left, 'temporary']]);
      assert.ok(existsSync(path));
      const report = await gc(t, root, { host: at(HOUR_MS) });
      assert.deepEqual(rows(report), [[left, 'temporary']]);
      assert.deepEqual([report.removedBytes, report.failures.length], [4, 0]);
      const folders = new Set(before);
      assert.deepEqual(
        tree(root).filter((each) => !each.endsWith('/') && !each.startsWith('.vyre-cache/')),
        [...folders].filter((each) => !each.endsWith('/') && !each.startsWith('.vyre-cache/')),
      );
    });
  }

  for (const { system, writer, name } of TEMPORARIES.filter((each) => each.name.includes('PID'))) {
    it(`stays while the process lives that its name tells, however old it is: ${writer}, ${name.split('.').slice(-4).join('.')}`, async (t) => {
      const root = rootOf(t, system);
      const child = spawn('sleep', ['600'], { stdio: 'ignore' });
      t.after(() => child.kill('SIGKILL'));
      const mine = name.replace('PID', String(child.pid));
      const path = write(root, mine);
      const host = (): Host => later(3650 * DAY_MS);
      const kept = await gc(t, root, { host: host() });
      assert.deepEqual([rows(kept), kept.keptCount], [[], 1]);
      assert.ok(existsSync(path));
      await ended(child);
      assert.deepEqual(rows(await gc(t, root, { host: host() })), [[mine, 'temporary']]);
    });
  }

  it('stays in every place where no known writer makes one of that name', async (t) => {
    const home = new TestHome(t);
    const names = TEMPORARIES.map(({ name }) => name.replace('PID', String(NOBODY)));
    const inPlace = new Set(names);
    const folders = ['aot', 'cuda-jit', 'photos', '', ...names.map((name) => dirname(name))];
    for (const folder of folders) {
      for (const name of names) {
        const moved = join(folder, name.slice(name.lastIndexOf('/') + 1));
        if (!inPlace.has(moved)) write(home.root, moved, 'precious');
      }
    }
    // Of another shard than that of its name.
    write(home.root, `ptx-source/${SHARD === 'ff' ? '00' : 'ff'}/${HEX}.ptx.${NOBODY}.0.tmp`, 'precious');
    const before = listing(home.root);
    // `pipelines` has flat names of its own writers, also of others' keys.
    assert.deepEqual(rows(await gc(t, home.root, { host: later(400 * DAY_MS) })), []);
    assert.deepEqual(listing(home.root), before);
  });

  it('stays when its writer begins it again at the last moment', async (t) => {
    for (const { system, name } of TEMPORARIES) {
      const root = rootOf(t, system);
      const path = write(root, name.replace('PID', String(NOBODY)));
      let looks = 0;
      const files = failingFiles({
        lstat: (looked) => {
          if (looked === path && (looks += 1) === 2) writeFileSync(path, 'a new beginning');
          return systemFiles.lstat(looked);
        },
      });
      const report = await gc(t, root, { host: later(2 * HOUR_MS, { files }) });
      assert.deepEqual([rows(report), report.inUse], [[], 1], name);
      assert.equal(readFileSync(path, 'utf8'), 'a new beginning');
    }
  });
});

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

describe('a lock of wasmtime', () => {
  const ages: readonly (readonly [what: string, seconds: number, expires: boolean])[] = [
    ['just made', 0, false],
    ['30 min less 1 s old', 30 * MINUTE - 1, false],
    ['30 min old', 30 * MINUTE, true],
    ['ten years old', 3650 * DAY, true],
    ['1 day ahead of the clock', -DAY, false],
    ['1 day and 1 s ahead of the clock', -DAY - 1, true],
  ];
  for (const [what, seconds, expires] of ages) {
    it(`${expires ? 'goes' : 'stays'} when it is ${what}`, async (t) => {
      const root = rootOf(t, 'wasmtime');
      const names = ['wip-4711', 'wip-atomic-write-mod', 'wip-atomic-write-stats'].map(
        (extension) => `${MODULES}/${MODULE}.${extension}`,
      );
      for (const name of names) touch([write(root, name)], seconds);
      const report = await gc(t, root, { host: hostAt(NOW_MS) });
      assert.deepEqual(
        sorted(rows(report)),
        expires ? sorted(names.map((name) => [name, 'expired-lock'])) : [],
      );
      assert.equal(report.keptCount, expires ? 0 : 3);
      for (const name of names) assert.equal(existsSync(join(root, name)), !expires);
    });
  }

  it('stays in place as the certificate of a cleanup, however old it is', async (t) => {
    const root = rootOf(t, 'wasmtime');
    const path = write(root, '.cleanup.wip-4711', '');
    for (const age of [0, 3600, 3650 * DAY, -DAY - 1]) {
      touch([path], age);
      assert.deepEqual(rows(await gc(t, root, { host: hostAt(NOW_MS) })), []);
      assert.ok(existsSync(path));
    }
  });

  it('is none under another name or in another place', async (t) => {
    const root = rootOf(t, 'wasmtime');
    const names = [
      `${MODULES}/short.wip-4711`,
      `${MODULES}/${MODULE}.wip-`,
      `${MODULES}/${MODULE}.wip-abc`,
      `${MODULES}/${MODULE}.wip-4711.bak`,
      `${MODULES}/deeper/${MODULE}.wip-4711`,
      `modules/${MODULE}.wip-4711`,
      `${MODULE}.wip-4711`,
      `photos/${MODULE}.wip-4711`,
    ];
    for (const name of names) touch([write(root, name, 'precious')], 3650 * DAY);
    symlinkSync(join(root, names[0] ?? ''), join(root, MODULES, `${MODULE}.wip-4712`));
    mkdirSync(join(root, MODULES, `${MODULE}.wip-4713`));
    const before = listing(root);
    assert.deepEqual(rows(await gc(t, root, { host: hostAt(NOW_MS) })), []);
    assert.deepEqual(listing(root), before);
  });
});

describe('statistics of wasmtime without their module', () => {
  it('go past the safe age, and not before; those of a module stay', async (t) => {
    const root = rootOf(t, 'wasmtime');
    const [, stats = ''] = placeKind(root, kindNamed('module of wasmtime with statistics'), 'whole');
    const path = write(root, `${MODULES}/${MODULE}.stats`, 'usages = 1\n');
    const { ctimeMs } = statSync(path);
    const at = (age: number): Host => hostAt(Math.ceil(ctimeMs) + age);
    const young = await gc(t, root, { host: at(HOUR_MS - 1000) });
    assert.deepEqual([rows(young), young.keptCount], [[], 1]);
    const dry = await gc(t, root, { host: at(HOUR_MS), dryRun: true });
    assert.deepEqual(rows(dry), [[`${MODULES}/${MODULE}.stats`, 'orphan']]);
    assert.deepEqual(rows(await gc(t, root, { host: at(HOUR_MS) })), rows(dry));
    assert.equal(existsSync(path), false);
    assert.ok(existsSync(stats));
  });

  it('stay while a lock of that module lives, and go when it has expired', async (t) => {
    const root = rootOf(t, 'wasmtime');
    const stats = write(root, `${MODULES}/${MODULE}.stats`);
    const lock = write(root, `${MODULES}/${MODULE}.wip-4711`, '');
    const nowMs = Math.ceil(Date.now() + 2 * HOUR_MS);
    const aged = (seconds: number): void => {
      utimesSync(lock, nowMs / 1000 - seconds, nowMs / 1000 - seconds);
    };
    aged(30 * MINUTE - 1);
    const kept = await gc(t, root, { host: hostAt(nowMs) });
    assert.deepEqual([rows(kept), kept.keptCount], [[], 2]);
    aged(30 * MINUTE);
    assert.deepEqual(
      sorted(rows(await gc(t, root, { host: hostAt(nowMs) }))),
      sorted([
        [`${MODULES}/${MODULE}.stats`, 'orphan'],
        [`${MODULES}/${MODULE}.wip-4711`, 'expired-lock'],
      ]),
    );
    assert.equal(existsSync(stats), false);
  });

  it('stay when their module appears while they are judged', async (t) => {
    const root = rootOf(t, 'wasmtime');
    const stats = write(root, `${MODULES}/${MODULE}.stats`);
    let looks = 0;
    const files = failingFiles({
      lstat: (path) => {
        if (path === stats && (looks += 1) === 1) write(root, `${MODULES}/${MODULE}`, 'module');
        return systemFiles.lstat(path);
      },
    });
    assert.deepEqual(rows(await gc(t, root, { host: later(2 * HOUR_MS, { files }) })), []);
    assert.ok(existsSync(stats));
  });

  it('are a failure when nobody can tell whether their module is there, and the rest is done', async (t) => {
    const root = rootOf(t, 'wasmtime');
    const stats = write(root, `${MODULES}/${MODULE}.stats`);
    const other = write(root, `${MODULES}/${moduleName('other')}.stats`);
    const files = failingFiles({
      lstat: (path) => {
        if (path === join(root, MODULES, MODULE)) throw errnoError('EIO');
        return systemFiles.lstat(path);
      },
    });
    const report = await gc(t, root, { host: later(2 * HOUR_MS, { files }) });
    assert.deepEqual(rows(report), [[`${MODULES}/${moduleName('other')}.stats`, 'orphan']]);
    assert.deepEqual(report.failures, [{ path: `${MODULES}/${MODULE}.stats`, error: 'EIO' }]);
    assert.deepEqual([existsSync(stats), existsSync(other)], [true, false]);
  });
});

describe('an empty file that a failed compilation of wasmer left', () => {
  const empties: readonly (readonly [ArtifactKind['root'], name: string])[] = [
    ['wasmer', HEX],
    ['wasix', 'cranelift-x86_64-wasmer-universal-v11/0123456789ABCDEF.bin'],
    ['wasix', '0123456789ABCDEF.bin'],
  ];
  for (const [system, name] of empties) {
    it(`goes past the safe age, and not before: ${system} ${name.replace(HEX, '<hex>')}`, async (t) => {
      const root = rootOf(t, system);
      const path = write(root, name, '');
      const full = write(root, name.replace(/[0-9a-fA-F]{8}/, 'FFFFFFFF'), 'x');
      const { ctimeMs } = statSync(path);
      const at = (age: number): Host => hostAt(Math.ceil(ctimeMs) + age);
      const young = await gc(t, root, { host: at(HOUR_MS - 1000) });
      assert.deepEqual([rows(young), young.keptCount], [[], 1]);
      assert.deepEqual(rows(await gc(t, root, { host: at(HOUR_MS) })), [[name, 'empty']]);
      assert.deepEqual([existsSync(path), existsSync(full)], [false, true]);
    });
  }

  it('stays while gear holds it by flock, for it compiles into it, and goes when gear has died', async (t) => {
    const root = rootOf(t, 'wasmer');
    const path = write(root, HEX, '');
    const child = await flockHolder(t, path);
    if (child === null) return;
    const kept = await gc(t, root, { host: later(3650 * DAY_MS) });
    assert.deepEqual([rows(kept), kept.keptCount], [[], 1]);
    assert.ok(existsSync(path));
    await ended(child);
    assert.deepEqual(rows(await gc(t, root, { host: later(3650 * DAY_MS) })), [[HEX, 'empty']]);
  });

  it('stays when something is written into it at the last moment', async (t) => {
    const root = rootOf(t, 'wasmer');
    const path = write(root, HEX, '');
    let looks = 0;
    const files = failingFiles({
      lstat: (looked) => {
        if (looked === path && (looks += 1) === 2) writeFileSync(path, 'module');
        return systemFiles.lstat(looked);
      },
    });
    assert.deepEqual(rows(await gc(t, root, { host: later(2 * HOUR_MS, { files }) })), []);
    assert.equal(readFileSync(path, 'utf8'), 'module');
  });
});

describe('a module under the old naming scheme of wasix', () => {
  const OLD = kindNamed('module of an older wasix');
  const NEW = kindNamed('module of wasix');

  function oldModule(t: Cleanup, age: number, withSuccessor: boolean): { root: string; path: string } {
    const root = join(temporaryFolder(t), 'wasix');
    const [path = ''] = placeUsed(root, OLD, { text: 'old', age });
    if (withSuccessor) placeUsed(root, NEW, { text: 'new', age });
    return { root, path };
  }

  const cases: readonly (readonly [what: string, age: number, withSuccessor: boolean, goes: boolean])[] = [
    ['unused for 30 days, with a newer one', 30 * DAY, true, false],
    ['unused for 30 days and 1 ms, with a newer one', 30 * DAY + 0.001, true, true],
    ['unused for ten years, without a newer one', 3650 * DAY, false, false],
    ['from the future, with a newer one', -3650 * DAY, true, false],
  ];
  for (const [what, age, withSuccessor, goes] of cases) {
    it(`${goes ? 'goes' : 'stays'}: ${what}`, async (t) => {
      const { root, path } = oldModule(t, age, withSuccessor);
      const name = path.slice(root.length + 1);
      const expected = goes ? [[name, 'old-scheme']] : [];
      const dry = await gc(t, root, { host: hostAt(NOW_MS), dryRun: true });
      assert.deepEqual(rows(dry), expected);
      assert.deepEqual(rows(await gc(t, root, { host: hostAt(NOW_MS) })), expected);
      assert.equal(existsSync(path), !goes);
    });
  }

  it('is listed once by a dry run when it is empty, as by the run', async (t) => {
    const { root, path } = oldModule(t, 100 * DAY, true);
    writeFileSync(path, '');
    touch([path], 100 * DAY);
    const host = (): Host => later(400 * DAY_MS);
    const dry = await gc(t, root, { host: host(), dryRun: true });
    assert.deepEqual(rows(dry), [[path.slice(root.length + 1), 'empty']]);
    assert.deepEqual(rows(await gc(t, root, { host: host() })), rows(dry));
  });

  it('stays when it was read within that time, or since it was judged', async (t) => {
    const { root, path } = oldModule(t, 100 * DAY, true);
    utimesSync(path, NOW_MS / 1000 - 30 * DAY, NOW_MS / 1000 - 100 * DAY);
    assert.deepEqual(rows(await gc(t, root, { host: hostAt(NOW_MS) })), []);
    touch([path], 100 * DAY);
    let looks = 0;
    const files = failingFiles({
      lstat: (looked) => {
        // The looks at an empty file and at an old one come before the last.
        if (looked === path && (looks += 1) === 4) touch([path], 0);
        return systemFiles.lstat(looked);
      },
    });
    assert.deepEqual(rows(await gc(t, root, { host: hostAt(NOW_MS, { files }) })), []);
    assert.ok(existsSync(path));
    assert.ok(looks >= 4);
  });
});

describe('gc --stale-compilers', () => {
  /** A folder of wasmtime with a module that was last used so many seconds ago. */
  function placeVersion(root: string, compiler: string, age: number): readonly string[] {
    const path = write(root, `modules/${compiler}/${moduleName(compiler)}`, 'module');
    const stats = write(root, `modules/${compiler}/${moduleName(compiler)}.stats`, 'usages = 1\n');
    // Only its statistics tell.
    touch([path], 0);
    touch([stats], age);
    return [path, stats];
  }

  async function stale(t: Cleanup, root: string, options: Partial<GcOptions> & { host?: Host } = {}) {
    return gc(t, root, { host: hostAt(NOW_MS), staleCompilers: true, ...options });
  }

  it('removes the modules of versions of wasmtime that were replaced a week ago', async (t) => {
    const root = join(temporaryFolder(t), 'wasmtime');
    const versions = new Map(
      (
        [
          ['cranelift-33.0.0', 2 * DAY],
          ['cranelift-32.0.0', 7 * DAY],
          ['cranelift-31.0.0', 7 * DAY + 0.001],
          ['cranelift-30.0.0-1712345678901', 100 * DAY],
          ['cranelift-33.0.0-no-mtime', 3 * DAY],
          ['winch-20.0.0', 100 * DAY],
          ['winch-19.0.0', 101 * DAY],
        ] as const
      ).map(([compiler, age]) => [compiler, placeVersion(root, compiler, age)] as const),
    );
    const gone = ['cranelift-31.0.0', 'cranelift-30.0.0-1712345678901', 'winch-19.0.0'];
    const before = listing(root);
    assert.deepEqual(rows(await gc(t, root, { host: hostAt(NOW_MS) })), []);
    const dry = await stale(t, root, { dryRun: true });
    assert.deepEqual(listing(root), before);
    const report = await stale(t, root);
    assert.deepEqual([...dry.removed], [...report.removed]);
    assert.deepEqual(
      sorted(rows(report)),
      sorted(gone.map((name) => [`modules/${name}/${moduleName(name)}`, 'stale-compiler'])),
    );
    for (const [compiler, paths] of versions)
      for (const path of paths) assert.equal(existsSync(path), !gone.includes(compiler), path);
    assert.deepEqual(rows(await stale(t, root)), []);
  });

  it('takes the last use of any module for that of its version, and a time far ahead for none', async (t) => {
    const root = join(temporaryFolder(t), 'wasmtime');
    placeVersion(root, 'cranelift-33.0.0', -3650 * DAY);
    placeVersion(root, 'cranelift-32.0.0', 100 * DAY);
    const young = write(root, `modules/cranelift-32.0.0/${moduleName('another')}`, 'module');
    touch([young], 6 * DAY);
    assert.deepEqual(rows(await stale(t, root)), []);
    touch([young], 8 * DAY);
    assert.deepEqual(rows(await stale(t, root)), []);
    placeVersion(root, 'cranelift-34.0.0', 0);
    assert.equal((await stale(t, root)).removedCount, 2);
    assert.ok(existsSync(join(root, 'modules/cranelift-33.0.0')));
  });

  it('keeps a module that a live lock holds', async (t) => {
    const root = join(temporaryFolder(t), 'wasmtime');
    placeVersion(root, 'cranelift-33.0.0', 0);
    const [held = '', stats = ''] = placeVersion(root, 'cranelift-31.0.0', 100 * DAY);
    const lock = write(root, `modules/cranelift-31.0.0/${moduleName('cranelift-31.0.0')}.wip-4711`, '');
    touch([lock], 30 * MINUTE - 1);
    for (const dryRun of [true, false]) {
      const report = await stale(t, root, { dryRun });
      assert.deepEqual([rows(report), report.inUse], [[], 1], `dry run: ${dryRun}`);
    }
    assert.ok(existsSync(held) && existsSync(stats));
    touch([lock], 30 * MINUTE);
    assert.equal((await stale(t, root)).removedCount, 2);
    assert.ok(!existsSync(held) && !existsSync(stats));
  });

  it('removes modules of engines of wasix that were replaced, and knows no version of other artifacts', async (t) => {
    const root = join(temporaryFolder(t), 'wasix');
    const path = (version: number, name: string): string =>
      write(root, `cranelift-wasmer-universal-v${version}/${name}.bin`, 'module');
    const [current, old] = [path(11, '0123456789ABCDEF'), path(10, '0123456789ABCDEF')];
    touch([current], 8 * DAY);
    touch([old], 9 * DAY);
    const alone = write(root, '00112233445566FF.bin', 'module');
    touch([alone], 29 * DAY);
    assert.deepEqual(rows(await stale(t, root)), [
      ['cranelift-wasmer-universal-v10/0123456789ABCDEF.bin', 'stale-compiler'],
    ]);
    assert.ok(existsSync(current) && existsSync(alone));
    for (const system of ['pvf', 'wasmer'] as const) {
      const other = rootOf(t, system);
      for (const kind of ARTIFACT_KINDS.filter((each) => each.root === system))
        placeUsed(other, kind, { text: 'old', age: 3650 * DAY });
      assert.deepEqual(rows(await stale(t, other)), []);
    }
  });

  it('lists an empty file of an old version once, as garbage by itself, and takes it for no use', async (t) => {
    const root = join(temporaryFolder(t), 'wasix');
    const path = (version: number, name: string, bytes: string): string =>
      write(root, `cranelift-wasmer-universal-v${version}/${name}.bin`, bytes);
    const nowMs = Date.now() + 100 * DAY_MS;
    const old = path(10, '0123456789ABCDEF', 'module');
    utimesSync(old, nowMs / 1000 - 50 * DAY, nowMs / 1000 - 50 * DAY);
    const current = path(11, '0123456789ABCDEF', 'module');
    utimesSync(current, nowMs / 1000, nowMs / 1000);
    const empty = path(10, 'FEDCBA9876543210', '');
    utimesSync(empty, nowMs / 1000, nowMs / 1000 - 2 * 3600);
    const expected = sorted([
      [empty.slice(root.length + 1), 'empty'],
      [old.slice(root.length + 1), 'stale-compiler'],
    ]);
    for (const dryRun of [true, false])
      assert.deepEqual(sorted(rows(await stale(t, root, { host: hostAt(nowMs), dryRun }))), expected);
  });

  interface Made {
    readonly digit: string;
    readonly compiler: string;
    /** What tells the versions of a compiler apart; null: made by hand. */
    readonly version: string | null;
    readonly age: number;
  }

  function placeMade(home: TestHome, { digit, compiler, version, age }: Made): Fingerprint {
    const fingerprint = fingerprintFrom(digit);
    const digest = digestOf(Buffer.from(`${version}`));
    const fields = version === null ? [] : [{ name: 'compiler/program', value: null, digest }];
    // Which of its other parts are fields depends on what was asked of a compiler, not on its version.
    if (digit === '1') fields.push({ name: 'compiler/processor', value: null, digest });
    if (digit === '2') fields.push({ name: 'compiler/tool/as', value: null, digest });
    home.place(
      makeArtifact(fingerprint, digit, {
        compiler,
        fields: [...fields, { name: 'cwd', value: digit, digest: null }],
      }),
    );
    touch([home.entry(fingerprint)], age);
    return fingerprint;
  }

  const MADE: readonly Made[] = [
    { digit: '1', compiler: '/usr/bin/gcc', version: '14.1', age: 1 * DAY },
    { digit: '2', compiler: '/usr/bin/gcc', version: '14.1', age: 50 * DAY },
    { digit: '3', compiler: '/usr/bin/gcc', version: '13.2', age: 8 * DAY },
    { digit: '4', compiler: '/usr/bin/gcc', version: '13.2', age: 90 * DAY },
    { digit: '5', compiler: '/usr/bin/gcc', version: '12.3', age: 7 * DAY },
    { digit: '6', compiler: '/usr/bin/nvcc', version: '13.2', age: 90 * DAY },
    { digit: '7', compiler: '/usr/bin/gcc', version: null, age: 90 * DAY },
  ];

  it('removes our entries of a compiler whose identity has changed, by what their records say', async (t) => {
    const home = new TestHome(t);
    const placed = MADE.map((made) => placeMade(home, made));
    const vyre = placeUsed(home.root, kindNamed('entry of vyre'), { text: 'x', age: 3650 * DAY });
    writeFileSync(home.entry(fingerprintFrom('8')), 'without a readable record');
    writeFileSync(home.record(fingerprintFrom('8')), 'damaged');
    touch([home.entry(fingerprintFrom('8'))], 3650 * DAY);
    const dry = await stale(t, home.root, { dryRun: true });
    const report = await stale(t, home.root);
    assert.deepEqual([...dry.removed], [...report.removed]);
    assert.deepEqual(
      sorted(rows(report)),
      ['3', '4'].map((digit) => [`pipelines/${fingerprintFrom(digit)}.bin`, 'stale-compiler']),
    );
    for (const fingerprint of placed) {
      const goes = ['3', '4'].includes(fingerprint.charAt(0));
      assert.equal(existsSync(home.entry(fingerprint)), !goes);
      assert.equal(existsSync(home.record(fingerprint)), !goes);
    }
    assert.ok(vyre.every((path) => existsSync(path)) && existsSync(home.entry(fingerprintFrom('8'))));
  });

  it('keeps an entry that another process holds, also as a dry run, and removes it afterwards', async (t) => {
    const home = new TestHome(t);
    for (const made of MADE) placeMade(home, made);
    const held = fingerprintFrom('3');
    const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(fingerprintByte(held)));
    assert.equal(await child.line(), 'held');
    for (const dryRun of [true, false]) {
      const report = await stale(t, home.root, { dryRun });
      assert.deepEqual(rows(report), [[`pipelines/${fingerprintFrom('4')}.bin`, 'stale-compiler']]);
      assert.equal(report.inUse, 1);
    }
    assert.ok(existsSync(home.entry(held)) && existsSync(home.record(held)));
    await child.kill();
    assert.deepEqual(rows(await stale(t, home.root)), [[`pipelines/${held}.bin`, 'stale-compiler']]);
  });

  it('keeps an entry that was used since it was judged', async (t) => {
    const home = new TestHome(t);
    for (const made of MADE) placeMade(home, made);
    const used = home.entry(fingerprintFrom('3'));
    let looks = 0;
    const files = failingFiles({
      lstat: (path) => {
        if (path === used && (looks += 1) === 4) touch([used], 0);
        return systemFiles.lstat(path);
      },
    });
    const report = await stale(t, home.root, { host: hostAt(NOW_MS, { files }) });
    assert.ok(looks >= 4);
    assert.deepEqual([rows(report).length, report.inUse], [1, 1]);
    assert.ok(existsSync(used));
  });

  it('reports what cannot be looked at or removed, and does the rest', async (t) => {
    for (const failing of ['lstat', 'unlink'] as const) {
      const root = join(temporaryFolder(t), 'wasmtime');
      placeVersion(root, 'cranelift-33.0.0', 0);
      const [stuck = ''] = placeVersion(root, 'cranelift-31.0.0', 100 * DAY);
      const [other = ''] = placeVersion(root, 'cranelift-30.0.0', 100 * DAY);
      const files = failingFiles({
        [failing]: (path: string) => {
          if (path === stuck) throw errnoError('EIO');
          return systemFiles[failing](path);
        },
      });
      const report = await stale(t, root, { host: hostAt(NOW_MS, { files }) });
      assert.deepEqual(report.failures, [{ path: stuck.slice(root.length + 1), error: 'EIO' }], failing);
      assert.equal(report.removedCount, 1, failing);
      assert.deepEqual([existsSync(stuck), existsSync(other)], [true, false], failing);
    }
  });

  it('is a flag of the command, and says what went', async (t) => {
    const place = makePlace(t);
    const root = join(place.work, 'wasmtime');
    placeVersion(root, 'cranelift-33.0.0', 0);
    placeVersion(root, 'cranelift-31.0.0', 100 * DAY);
    const host = hostAt(NOW_MS);
    assert.equal((await cli(place, ['gc', root], { host })).stdout, 'Nothing to remove\n');
    const ran = await cli(place, ['gc', root, '--stale-compilers'], { host });
    assert.deepEqual(ran, {
      code: 0,
      stdout: 'Removed 1 artifact of a replaced compiler, 6 B\n',
      stderr: '',
    });
  });
});

describe('the quarantine', () => {
  interface Reason {
    readonly [key: string]: unknown;
  }

  /** A folder of a home's quarantine as `verify --quarantine` leaves it. */
  function quarantine(home: TestHome, id: string, age: number, changed: Reason = {}): string {
    const stem = hexOf(id);
    const folder = join(home.paths.quarantine, id);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${stem}.bin`), 'damaged');
    const at = new Date(NOW_MS - age * 1000).toISOString();
    const why = {
      schema: 'vyre-cache.quarantine/1',
      reason: 'bad-checksum',
      at,
      root: null,
      folder: 'pipelines',
    };
    const document = { ...why, format: 'entry', stem, ...changed };
    writeFileSync(join(folder, 'reason.json'), `${JSON.stringify(document, null, 2)}\n`);
    return folder;
  }

  it('loses what was moved there 30 days ago, not what is younger', async (t) => {
    const home = new TestHome(t);
    const gone = quarantine(home, 'gone', 30 * DAY);
    const foreign = quarantine(home, 'foreign', 31 * DAY, {
      root: '/var/lib/node',
      folder: '',
      format: 'pvf-artifact',
    });
    const young = quarantine(home, 'young', 30 * DAY - 0.001);
    const future = quarantine(home, 'future', -3650 * DAY);
    const bytes = statSync(join(gone, 'reason.json')).size + 'damaged'.length;
    const dry = await gc(t, home.root, { host: hostAt(NOW_MS), dryRun: true });
    assert.ok(existsSync(gone));
    const report = await gc(t, home.root, { host: hostAt(NOW_MS) });
    assert.deepEqual([...dry.removed], [...report.removed]);
    assert.deepEqual(sorted(rows(report)), [
      ['quarantine/foreign', 'quarantine'],
      ['quarantine/gone', 'quarantine'],
    ]);
    assert.ok([...report.removed].some((each) => each.path === 'quarantine/gone' && each.bytes === bytes));
    assert.equal(report.keptCount, 2);
    assert.deepEqual(
      [gone, foreign, young, future].map((path) => existsSync(path)),
      [false, false, true, true],
    );
  });

  it('keeps for ever what does not tell its reason, and what nobody has moved there', async (t) => {
    const home = new TestHome(t);
    const old = 3650 * DAY;
    rmSync(join(quarantine(home, 'without', old), 'reason.json'));
    writeFileSync(join(quarantine(home, 'damaged', old), 'reason.json'), '{"schema":');
    quarantine(home, 'newer', old, { schema: 'vyre-cache.quarantine/2' });
    quarantine(home, 'timeless', old, { at: 'long ago' });
    quarantine(home, 'outside', old, { folder: '../..' });
    quarantine(home, 'unknown', old, { format: 'of a later version' });
    const linked = quarantine(home, 'linked', old);
    rmSync(join(linked, 'reason.json'));
    symlinkSync(join(temporaryFolder(t), 'reason.json'), join(linked, 'reason.json'));
    writeFileSync(join(home.paths.quarantine, 'precious'), 'a file');
    mkdirSync(join(home.paths.quarantine, 'empty'));
    symlinkSync(temporaryFolder(t), join(home.paths.quarantine, 'link'));
    const before = listing(home.paths.quarantine);
    assert.deepEqual(rows(await gc(t, home.root, { host: hostAt(NOW_MS) })), []);
    assert.deepEqual(listing(home.paths.quarantine), before);
  });

  it('is not followed where it is a link', async (t) => {
    const home = new TestHome(t);
    const other = new TestHome(t);
    quarantine(other, 'gone', 31 * DAY);
    symlinkSync(other.paths.quarantine, home.paths.quarantine);
    assert.deepEqual(rows(await gc(t, home.root, { host: hostAt(NOW_MS) })), []);
    assert.deepEqual(readdirSync(other.paths.quarantine), ['gone']);
  });

  it('reports what cannot be removed, and does the rest', async (t) => {
    const home = new TestHome(t);
    const stuck = quarantine(home, 'stuck', 31 * DAY);
    quarantine(home, 'gone', 31 * DAY);
    const files = failingFiles({
      removeTree: (path) => {
        if (path === stuck) throw errnoError('EACCES');
        systemFiles.removeTree(path);
      },
    });
    const report = await gc(t, home.root, { host: hostAt(NOW_MS, { files }) });
    assert.deepEqual(report.failures, [{ path: 'quarantine/stuck', error: 'EACCES' }]);
    assert.deepEqual(rows(report), [['quarantine/gone', 'quarantine']]);
  });
});

describe('a long pending list', () => {
  const HEADER = 'vyre-cache.pending/1\n';
  const THERE = ['1', '2', '3'].map((digit) => fingerprintFrom(digit));
  const VANISHED = ['a', 'b'].map((digit) => fingerprintFrom(digit));

  /** A home whose list repeats entries, some of which have vanished, over and over. */
  function noted(t: Cleanup, lines = 1100): TestHome {
    const home = new TestHome(t);
    for (const fingerprint of THERE) home.place(makeArtifact(fingerprint, fingerprint));
    const all = [...THERE, ...VANISHED];
    const notes = Array.from({ length: lines }, (_, index) => `${all[index % all.length] ?? ''}\n`);
    writeFileSync(home.paths.pending, `${HEADER}${notes.join('')}`, { mode: 0o600 });
    return home;
  }

  function pendingText(home: TestHome): string {
    return readFileSync(home.paths.pending, 'latin1');
  }

  function lists(home: TestHome): readonly string[] {
    return readdirSync(home.paths.private).filter((name) => name.startsWith('pending'));
  }

  /** Flushes. @returns the names of the entries that were synced. */
  async function flushed(home: TestHome): Promise<readonly string[]> {
    const opened = new Map<number, string>();
    const synced = new Set<string>();
    const files = failingFiles({
      open: (path, flags, mode) => {
        const fd = systemFiles.open(path, flags, mode);
        opened.set(fd, path);
        return fd;
      },
      syncBeside: async (fd) => {
        synced.add(opened.get(fd) ?? '');
        return systemFiles.syncBeside(fd);
      },
    });
    const report = await flush(home.session(fakeHost({ files })));
    assert.equal(report.failed, 0);
    return [...synced].filter((path) => path.endsWith('.bin')).toSorted();
  }

  it('becomes short, with each entry once that is there, and a flush then syncs exactly those', async (t) => {
    const home = noted(t);
    const unnoted = fingerprintFrom('9');
    home.place(makeArtifact(unnoted, 'durable already'));
    assert.ok(statSync(home.paths.pending).size > 65_536);
    const report = await gc(t, home.root, { host: fakeHost() });
    assert.deepEqual([rows(report), report.failures], [[], []]);
    assert.ok(pendingText(home).startsWith(HEADER));
    assert.deepEqual(
      pendingText(home).slice(HEADER.length).trimEnd().split('\n').toSorted(),
      THERE.toSorted(),
    );
    assert.deepEqual(lists(home), ['pending']);
    assert.deepEqual(
      await flushed(home),
      THERE.map((fingerprint) => home.entry(fingerprint)),
    );
    assert.equal(pendingText(home), HEADER);
  });

  it('keeps the note of an entry that is about to appear', async (t) => {
    const home = noted(t);
    const coming = VANISHED[0] ?? assert.fail();
    const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(fingerprintByte(coming)));
    assert.equal(await child.line(), 'held');
    await gc(t, home.root, { host: fakeHost() });
    assert.deepEqual(
      new Set(pendingText(home).slice(HEADER.length).trimEnd().split('\n')),
      new Set([...THERE, coming]),
    );
  });

  it('keeps the note of an entry that cannot be looked at', async (t) => {
    const home = noted(t);
    const hidden = THERE[0] ?? assert.fail();
    const files = failingFiles({
      lstat: (path) => {
        if (path === home.entry(hidden)) throw errnoError('EIO');
        return systemFiles.lstat(path);
      },
    });
    await gc(t, home.root, { host: fakeHost({ files }) });
    assert.deepEqual(await flushed(home), THERE.map((each) => home.entry(each)).toSorted());
  });

  it('keeps the note of an entry that appears while it is judged', async (t) => {
    const home = noted(t);
    const coming = VANISHED[0] ?? assert.fail();
    let looks = 0;
    const files = failingFiles({
      lstat: (path) => {
        if (path === home.entry(coming) && (looks += 1) === 2) home.place(makeArtifact(coming, 'x'));
        return systemFiles.lstat(path);
      },
    });
    await gc(t, home.root, { host: fakeHost({ files }) });
    assert.deepEqual(await flushed(home), [...THERE, coming].map((each) => home.entry(each)).toSorted());
  });

  it('stays as it is while it is short, says every entry, or only a dry run asks', async (t) => {
    const short = noted(t, 1000);
    assert.ok(statSync(short.paths.pending).size < 65_536);
    const every = noted(t);
    writeFileSync(every.paths.pending, pendingText(every).slice(HEADER.length));
    const dry = noted(t);
    for (const home of [short, every, dry]) {
      const before = [pendingText(home), statSync(home.paths.pending).ino];
      await gc(t, home.root, { host: fakeHost(), dryRun: home === dry });
      assert.deepEqual([pendingText(home), statSync(home.paths.pending).ino], before);
      assert.deepEqual(lists(home), ['pending']);
    }
  });

  it('loses nothing when gc is killed before any step of it', async (t) => {
    let steps = 0;
    for (let isDone = false; !isDone; steps += 1) {
      const home = noted(t);
      const { files, wasKilled } = killedAt(home, steps);
      await assert.doesNotReject(
        gc(t, home.root, { host: fakeHost({ files }) }).catch((error: unknown) => {
          if (!(error instanceof Error) || error.message !== 'killed') throw error;
        }),
      );
      isDone = !wasKilled();
      const synced = await flushed(home);
      assert.deepEqual(
        synced,
        THERE.map((fingerprint) => home.entry(fingerprint)),
        `killed before step ${steps}`,
      );
      assert.deepEqual(lists(home), ['pending']);
    }
    assert.ok(steps > 8, `${steps} steps`);
  });

  /** The real primitives, but nothing happens from a step on after the list was first touched. */
  function killedAt(
    home: TestHome,
    step: number,
  ): { readonly files: Files; readonly wasKilled: () => boolean } {
    let steps = 0;
    let killed = false;
    const isOfList = (args: readonly unknown[]): boolean =>
      args.some((each) => typeof each === 'string' && each.startsWith(home.paths.pending));
    const files = Object.fromEntries(
      Object.entries(systemFiles).map(([name, primitive]) => [
        name,
        (...args: readonly unknown[]): unknown => {
          if (name !== 'close' && (steps > 0 || isOfList(args))) {
            killed ||= steps === step;
            if (killed) throw new Error('killed');
            steps += 1;
          }
          return Reflect.apply(primitive, systemFiles, args);
        },
      ]),
    );
    // Every primitive was replaced by one that takes and gives the same.
    return { files: files as unknown as Files, wasKilled: () => killed };
  }
});

describe('gc pointed at something else', () => {
  it('removes nothing from a home directory, whatever its files are called', async (t) => {
    const place = makePlace(t);
    const names = [
      ...TEMPORARIES.map(({ name }) => name.slice(name.lastIndexOf('/') + 1).replace('PID', String(NOBODY))),
      `${MODULES}/readme`,
      'pipeline/build.tmp.1_2',
      'aot/notes.toml',
      'modules/lodash-4.17.21/index.js',
      `${MODULE}.wip-4711`,
      `${MODULE}.stats`,
      '.cleanup.wip-4711',
      'abcd.pvf',
      'thesis/abcd.pvf',
      'wasmtime_backup',
      'worker-dir-prepare-x/owner',
      'quarantine/old/reason.json',
      '.ssh/id_ed25519',
      'Downloads/photo.bin.tmp',
      HEX,
    ];
    for (const name of new Set(names)) {
      if (!existsSync(join(place.home, name))) touch([write(place.home, name, 'precious')], 3650 * DAY);
    }
    const before = listing(place.home);
    for (const flags of [[], ['--stale-compilers']]) {
      const ran = await cli(place, ['gc', place.home, ...flags], { host: later(3650 * DAY_MS) });
      assert.doesNotMatch(ran.stdout, /^Removed/);
      assert.deepEqual(listing(place.home), before);
    }
  });

  it('removes no artifact of a PVF host: only --restart does', async (t) => {
    const place = makePlace(t);
    const root = join(place.work, 'pvf-artifacts');
    for (const kind of ARTIFACT_KINDS.filter((each) => each.root === 'pvf')) placeKind(root, kind, 'one');
    write(root, 'worker-dir-prepare-Ab12Cd/tmp-artifact', 'half');
    write(root, 'worker-dir-execute-Ab12Cd/artifact', 'linked');
    write(root, 'abcd.pvf', 'any');
    write(root, 'abcd.pvfartifact', 'precious');
    const before = listing(root);
    for (const flags of [[], ['--stale-compilers']]) {
      const ran = await cli(place, ['gc', root, ...flags], { host: later(3650 * DAY_MS) });
      assert.deepEqual(ran, { code: 0, stdout: 'Nothing to remove\n', stderr: '' });
      assert.deepEqual(listing(root), before);
    }
    const ran = await cli(place, ['gc', '--restart', root, '--yes'], { host: later(3650 * DAY_MS) });
    assert.equal(ran.code, 0, ran.stderr);
    const persistent = Object.keys(kindNamed('artifact of a PVF host of 2023').filesOf('one'));
    assert.deepEqual(readdirSync(root).toSorted(), ['abcd.pvfartifact', ...persistent].toSorted());
  });
});

describe('a home in the directory of another cache', () => {
  function nested(t: Cleanup): { readonly root: string; readonly home: HomePaths } {
    const root = rootOf(t, 'wasmtime');
    const home = new HomePaths(join(root, 'nested'));
    assert.ok(openHome(fakeHost(), home).ok);
    write(home.private, 'lock', '');
    return { root, home };
  }

  it('has its garbage collected under its own lock', async (t) => {
    const { root, home } = nested(t);
    const worker = placeWorker(home, 'dead', JSON.stringify(ownerOf(fakeHost())));
    // The lock of the worker's own fingerprint is that of its owner.
    const orphans = ['c', 'd'].map((digit) => {
      const fingerprint = fingerprintFrom(digit);
      return { fingerprint, path: write(home.store, `${fingerprint}.json`, '{}') };
    });
    const [held, free] = orphans;
    assert.ok(held && free);
    const byte = String(fingerprintByte(held.fingerprint));
    const child = startChild(t, 'hold', join(home.private, 'lock'), byte);
    assert.equal(await child.line(), 'held');
    const host = (): Host => fakeHost();
    const dry = await gc(t, root, { host: host(), dryRun: true });
    const report = await gc(t, root, { host: host() });
    assert.deepEqual(
      [...dry.removed].map(({ path }) => path),
      [...report.removed].map(({ path }) => path),
    );
    assert.deepEqual(sorted(rows(report)), [
      [`nested/pipelines/${free.fingerprint}.json`, 'orphan-record'],
      ['nested/worker-dir-prepare-dead', 'dead-worker'],
    ]);
    assert.equal(report.inUse, 1);
    assert.deepEqual([existsSync(worker), existsSync(held.path)], [false, true]);
    await child.kill();
    assert.deepEqual(rows(await gc(t, root, { host: host() })), [
      [`nested/pipelines/${held.fingerprint}.json`, 'orphan-record'],
    ]);
  });

  it('gets no files of ours where it had none, and the cache around it neither', async (t) => {
    const { root, home } = nested(t);
    write(home.store, `.${HEX}-0.bin.tmp`);
    rmSync(join(home.private, 'lock'));
    const before = tree(root);
    const report = await gc(t, root);
    assert.deepEqual(rows(report), [[`nested/pipelines/.${HEX}-0.bin.tmp`, 'temporary']]);
    assert.deepEqual(
      tree(root),
      before.filter((path) => !path.endsWith('.bin.tmp')),
    );
  });
});

describe('what is no garbage', () => {
  const systems: readonly (readonly [ArtifactKind['root'], aliens: readonly string[]])[] = [
    ['vyre', ['notes.txt', 'pipelines/thesis.bin', 'pipeline/notes.toml', 'aot/readme', 'photos/a.jpg']],
    [
      'wasmtime',
      ['notes.txt', 'modules/README', `${MODULES}/short`, `${MODULES}/short.stats`, 'thesis/a.tex'],
    ],
    ['pvf', ['abcd.pvf', 'abcd.pvfartifact', 'polkadot_x', 'worker-prepare-x/y']],
    ['wasmer', ['notes.txt', `${HEX}.txt`, 'empty', 'deep/folder/file']],
    ['wasix', ['0123.bin', 'notes-v2/readme', '.tmpAb12', '.tmpAb12Cde']],
  ];
  for (const [system, aliens] of systems) {
    it(`stays byte by byte, artifacts and aliens alike: ${system}`, async (t) => {
      const root = rootOf(t, system);
      for (const kind of ARTIFACT_KINDS.filter((each) => each.root === system))
        placeUsed(root, kind, { text: 'one', age: 3650 * DAY });
      // The old naming scheme is what wasix itself has given up.
      if (system === 'wasix')
        for (const name of readdirSync(root)) if (name.endsWith('.bin')) rmSync(join(root, name));
      const outside = write(temporaryFolder(t), 'precious', '');
      for (const name of aliens) {
        const path = write(root, name, name === 'empty' ? '' : 'precious');
        touch([path], 3650 * DAY);
      }
      symlinkSync(outside, join(root, 'link'));
      const before = listing(root).filter((line) => !/\.vyre-cache/.test(line));
      const report = await gc(t, root, { host: later(3650 * DAY_MS) });
      assert.deepEqual([rows(report), report.failures], [[], []]);
      assert.deepEqual(
        listing(root).filter((line) => !/\.vyre-cache/.test(line)),
        before,
      );
      assert.equal(existsSync(outside), true);
    });
  }

  it('is told where it cannot be listed, and the rest is done', async (t) => {
    const home = new TestHome(t);
    write(home.root, `pipeline/${HEX}.tmp.${NOBODY}_0`);
    write(home.root, `parsed-ast/${HEX_32}.vct.${NOBODY}.0.tmp`);
    const files = failingFiles({
      scanDirectory: (path, visit) => {
        if (path === join(home.root, 'pipeline')) throw errnoError('EACCES');
        systemFiles.scanDirectory(path, visit);
      },
    });
    const report = await gc(t, home.root, { host: later(2 * HOUR_MS, { files }) });
    assert.deepEqual(report.failures, [{ path: 'pipeline', error: 'EACCES' }]);
    assert.deepEqual(rows(report), [[`parsed-ast/${HEX_32}.vct.${NOBODY}.0.tmp`, 'temporary']]);
  });
});
