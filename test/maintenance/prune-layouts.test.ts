import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
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
import { basename, dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CacheSession } from '../../src/compile/session.js';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { LAYOUT_NAMES, type LayoutName } from '../../src/layouts/layout.js';
import { prune, type PruneOptions } from '../../src/maintenance/prune.js';
import type { PruneReport } from '../../src/maintenance/reports.js';
import { NO_RULES, type RetentionRules } from '../../src/model/retention.js';
import { fingerprintByte } from '../../src/store/lock-file.js';
import {
  ARTIFACT_KINDS,
  countedBytes,
  kindNamed,
  placeAll,
  placeUsed,
  touch,
  type ArtifactKind,
} from '../support/artifact-kinds.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing, tree } from '../support/listing.js';
import { hexOf, moduleName } from '../support/other-caches.js';
import { checkAsyncProperty } from '../support/properties.js';
import { NOW_MS } from '../support/store-files.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';
import { flockHolder } from '../support/flock-holder.js';
import { cli, makePlace, type Place, type Ran } from '../cli/support.js';

const MINUTE = 60;
const DAY = 86_400;
const DAY_MS = 86_400_000;

function hostAtNow(replaced: Partial<Host> = {}): Host {
  return fakeHost({ clock: new FakeClock(NOW_MS), ...replaced });
}

async function pruned(
  session: CacheSession,
  rules: Partial<RetentionRules>,
  options: Partial<PruneOptions> = {},
): Promise<PruneReport> {
  return prune(session, { rules: { ...NO_RULES, ...rules }, dryRun: false, ...options });
}

interface Root {
  readonly path: string;
  session(host?: Host): CacheSession;
}

/** An empty root for artifacts of this kind, called as its system calls it. */
function rootFor(t: Cleanup, kind: Pick<ArtifactKind, 'root'>): Root {
  if (kind.root === 'vyre') {
    const home = new TestHome(t);
    return { path: home.root, session: (host = hostAtNow()) => home.session(host) };
  }
  const folder = temporaryFolder(t);
  const path = join(folder, kind.root);
  mkdirSync(path);
  const stateDirectory = join(folder, 'state');
  return { path, session: (host = hostAtNow()) => sessionOf(t, path, { host, stateDirectory }) };
}

/** Path and reason of each removal, in their order. */
function rows(report: PruneReport): readonly (readonly [string, string])[] {
  return [...report.removed].map(({ path, reason }) => [path, reason] as const);
}

function below(root: string, path: string): string {
  return path.slice(root.length + 1);
}

function allThere(paths: readonly string[]): boolean {
  return paths.every((path) => existsSync(path));
}

function noneThere(paths: readonly string[]): boolean {
  return paths.every((path) => !existsSync(path));
}

/** Calls once, when a file is looked at for the second time: the first look was for the list. */
function atSecondLook(path: string, change: () => void): Partial<Host> {
  let looks = 0;
  const files = failingFiles({
    lstat: (looked) => {
      if (looked === path && (looks += 1) === 2) change();
      return systemFiles.lstat(looked);
    },
  });
  return { files };
}

describe('the TTL, for each kind of artifact', () => {
  for (const kind of ARTIFACT_KINDS) {
    it(`takes the ${kind.name} a millisecond past it, whole, and none exactly so old or from the future`, async (t) => {
      const root = rootFor(t, kind);
      const exact = placeUsed(root.path, kind, { text: 'exact', age: 60 });
      const past = placeUsed(root.path, kind, { text: 'past', age: 60.001 });
      const future = placeUsed(root.path, kind, { text: 'future', age: -3650 * DAY });
      const bytes = countedBytes(kind, past);
      const report = await pruned(root.session(), { ttlMs: 60_000 });
      assert.deepEqual(
        [...report.removed],
        [{ path: below(root.path, past[0] ?? ''), reason: 'ttl', bytes, ageSeconds: 60.001 }],
      );
      assert.ok(noneThere(past));
      assert.ok(allThere(exact) && allThere(future));
      assert.equal(report.keptCount, 2);
      assert.equal(report.keptBytes, countedBytes(kind, exact) + countedBytes(kind, future));
      assert.deepEqual(report.failures, []);
      assert.equal((await pruned(root.session(), { ttlMs: 60_000 })).removedCount, 0);
    });

    it(`keeps the ${kind.name} whatever its age when the clock went back before its last use`, async (t) => {
      const root = rootFor(t, kind);
      const paths = placeUsed(root.path, kind, { text: 'one', age: 100 * DAY });
      const clock = new FakeClock(NOW_MS - 3650 * DAY_MS);
      const report = await pruned(root.session(fakeHost({ clock })), { ttlMs: 1 });
      assert.deepEqual([report.removedCount, report.keptCount], [0, 1]);
      assert.ok(allThere(paths));
    });
  }

  it('goes by the last use of any file of a group that lives and dies together', async (t) => {
    for (const kind of [kindNamed('pipeline of wgpu'), kindNamed('shader of aot')]) {
      for (let used = 0; used < Object.keys(kind.filesOf('one')).length; used += 1) {
        const root = rootFor(t, kind);
        const paths = placeUsed(root.path, kind, { text: 'one', age: 100 });
        utimesSync(paths[used] ?? '', NOW_MS / 1000 - 30, NOW_MS / 1000 - 100);
        assert.equal((await pruned(root.session(), { ttlMs: 30_000 })).removedCount, 0);
        assert.equal((await pruned(root.session(), { ttlMs: 29_999 })).removedCount, 1);
        assert.ok(noneThere(paths));
      }
    }
  });

  it('goes by the later of mtime and atime for other writers, who set no time of a use', async (t) => {
    for (const name of ['artifact of a PVF host', 'module of wasmer', 'module of wasix', 'PTX text']) {
      const kind = kindNamed(name);
      const root = rootFor(t, kind);
      const [path = ''] = placeUsed(root.path, kind, { text: 'one', age: 100 });
      utimesSync(path, NOW_MS / 1000 - 30, NOW_MS / 1000 - 100);
      assert.equal((await pruned(root.session(), { ttlMs: 30_000 })).removedCount, 0, name);
      assert.equal((await pruned(root.session(), { ttlMs: 29_999 })).removedCount, 1, name);
    }
  });

  it('goes by the statistics of a module of wasmtime alone where there are some, else by its mtime', async (t) => {
    const kind = kindNamed('module of wasmtime with statistics');
    const root = rootFor(t, kind);
    const [used = '', usedStats = ''] = placeUsed(root.path, kind, { text: 'used', age: 1000 });
    const [unused = '', unusedStats = ''] = placeUsed(root.path, kind, { text: 'unused', age: 0 });
    touch([usedStats], 10);
    touch([unusedStats], 100);
    const bareKind = kindNamed('module of wasmtime without statistics');
    const [bare = ''] = placeUsed(root.path, bareKind, { text: 'x', age: 200 });
    utimesSync(bare, NOW_MS / 1000, NOW_MS / 1000 - 200);
    const report = await pruned(root.session(), { ttlMs: 50_000 });
    assert.deepEqual(
      [...report.removed].map(({ path, ageSeconds }) => [path, ageSeconds]),
      [
        [below(root.path, bare), 200],
        [below(root.path, unused), 100],
      ],
    );
    assert.ok(allThere([used, usedStats]));
    assert.ok(noneThere([unused, unusedStats, bare]));
  });
});

describe('the size rule of PVF on real artifacts of a host', () => {
  const KILOBYTE = 1024;

  /** Artifacts of 1024 bytes by their age in seconds. */
  function placeArtifacts(root: string, ages: readonly number[]): ReadonlyMap<number, string> {
    return new Map(
      ages.map((age) => {
        const path = join(root, `0x${hexOf(`${age}`)}${hexOf(`b${age}`)}.pvf`);
        writeFileSync(path, Buffer.alloc(KILOBYTE));
        touch([path], age);
        return [age, path];
      }),
    );
  }

  const vectors: readonly (readonly [
    maxBytes: number,
    staleSeconds: number,
    gone: readonly number[],
    kept: number,
  ])[] = [
    [1500, 0, [15, 10], 1024],
    [1500, 12, [15], 2048],
    [1500, 10, [15, 10], 1024],
    [1500, 10.001, [15], 2048],
    [1500, 15, [15], 2048],
    [1500, 15.001, [], 3072],
    [3072, 0, [], 3072],
    [3071, 0, [15], 2048],
    [1023, 0, [15, 10, 5], 0],
  ];
  for (const [maxBytes, staleSeconds, gone, kept] of vectors) {
    it(`of ages 5, 10, 15 s with ${maxBytes} bytes and ${staleSeconds} s loses ${gone.length === 0 ? 'none' : gone.join(', ')}`, async (t) => {
      const root = rootFor(t, { root: 'pvf' });
      const paths = placeArtifacts(root.path, [5, 10, 15]);
      const report = await pruned(root.session(), { maxBytes, minAgeMs: staleSeconds * 1000 });
      assert.deepEqual(
        rows(report),
        gone.map((age) => [below(root.path, paths.get(age) ?? ''), 'max-size']),
      );
      for (const [age, path] of paths) assert.equal(existsSync(path), !gone.includes(age), `${age}`);
      assert.deepEqual([report.keptBytes, report.removedBytes], [kept, 3072 - kept]);
    });
  }

  it('stops at the first that is younger than the minimum age, the clock put back before its last use included', async (t) => {
    const root = rootFor(t, { root: 'pvf' });
    placeArtifacts(root.path, [-10, -5, 15]);
    const report = await pruned(root.session(), { maxBytes: 1, minAgeMs: 1 });
    assert.deepEqual([report.removedCount, report.keptCount], [1, 2]);
  });

  it('counts the bytes of an artifact, never those of its directory', async (t) => {
    const root = rootFor(t, { root: 'pvf' });
    placeArtifacts(root.path, [1, 2, 3]);
    assert.notEqual(statSync(root.path).size, KILOBYTE);
    const { lastDay, keptBytes } = await pruned(root.session(), { maxBytes: 10_000 });
    assert.deepEqual([lastDay.bytes, keptBytes], [3 * KILOBYTE, 3 * KILOBYTE]);
  });
});

interface Module {
  readonly bytes: number;
  /** Seconds before now, of the module. */
  readonly age: number;
  /** Of its statistics; none where it is left out. */
  readonly statsAge?: number;
  /** Of its statistics file. */
  readonly statsBytes?: number;
}

/** The modules of one version of a compiler, in a directory of wasmtime. @returns their paths. */
function placeModules(root: string, modules: readonly Module[]): readonly string[] {
  const folder = join(root, 'modules', 'cranelift-31.0.0');
  mkdirSync(folder, { recursive: true });
  return modules.map(({ bytes, age, statsAge, statsBytes = 42 }, index) => {
    const path = join(folder, moduleName(String(index)));
    writeFileSync(path, Buffer.alloc(bytes));
    touch([path], age);
    if (statsAge !== undefined) {
      writeFileSync(`${path}.stats`, Buffer.alloc(statsBytes, ' '));
      touch([`${path}.stats`], statsAge);
    }
    return path;
  });
}

/** The indexes of the modules that are there. */
function modulesLeft(paths: readonly string[]): readonly number[] {
  return paths.flatMap((path, index) => (existsSync(path) ? [index] : []));
}

/** `prune` as it is typed, on a directory of wasmtime. */
async function pruneTyped(place: Place, root: string, ...rules: readonly string[]): Promise<Ran> {
  return cli(place, ['prune', root, ...rules], { host: hostAtNow() });
}

describe('the cut of wasmtime on a real directory of modules', () => {
  const RULES = ['--max-entries', '5', '--max-size', '30000B', '--low-water', '70%'] as const;
  const vectors: readonly (readonly [large: number, small: number, left: number])[] = [
    [2, 2, 4],
    [1, 10, 3],
    [4, 0, 2],
    [3, 5, 3],
  ];
  for (const [large, small, left] of vectors) {
    for (const withStats of [false, true]) {
      it(`leaves the youngest ${left} of ${large} × 10k and ${small} × 1k, used as ${withStats ? 'their statistics' : 'the modules'} tell`, async (t) => {
        const place = makePlace(t);
        const root = join(place.work, 'wasmtime');
        const count = large + small;
        const paths = placeModules(
          root,
          Array.from({ length: count }, (_, index) => {
            const bytes = index < large ? 10_000 : 1000;
            const age = 10 * (count - index);
            // The modules tell the opposite of their statistics, which are large.
            return withStats ? { bytes, age: 10 * index, statsAge: age, statsBytes: 50_000 } : { bytes, age };
          }),
        );
        const ran = await pruneTyped(place, root, ...RULES);
        assert.equal(ran.code, 0, ran.stderr);
        const youngest = Array.from({ length: left }, (_, index) => count - left + index);
        assert.deepEqual(modulesLeft(paths), youngest);
        const stats = readdirSync(dirname(paths[0] ?? '')).filter((name) => name.endsWith('.stats'));
        assert.equal(stats.length, withStats ? left : 0);
      });
    }
  }

  const future: readonly {
    readonly ahead: readonly number[];
    /** Of the statistics of the third module. */
    readonly stats?: number;
    readonly left: readonly number[];
  }[] = [
    { ahead: [0, 86_400], left: [0, 1] },
    { ahead: [0, 86_401], left: [0, 1] },
    { ahead: [0, 86_400, 1, 2], left: [1, 3] },
    { ahead: [0, 1, 86_401, 2], left: [1, 3] },
    { ahead: [0, 1, 86_401, 2], stats: 3, left: [2, 3] },
  ];
  for (const { ahead, stats, left } of future) {
    it(`orders modules that are ${ahead.join(', ')} s ahead of the clock, statistics ${stats ?? 'nowhere'}`, async (t) => {
      const place = makePlace(t);
      const root = join(place.work, 'wasmtime');
      const paths = placeModules(
        root,
        ahead.map((seconds, index) => {
          const age = -seconds;
          return index === 2 && stats !== undefined
            ? { bytes: 10, age, statsAge: -stats }
            : { bytes: 10, age };
        }),
      );
      const ran = await pruneTyped(place, root, '--max-entries', '3', '--low-water', '70%');
      assert.equal(ran.code, 0, ran.stderr);
      assert.deepEqual(modulesLeft(paths), left);
    });
  }

  const anyModule = fc.record({
    bytes: fc.nat(12_000),
    statsAge: fc.option(fc.integer({ min: -200_000, max: 200_000 }), { nil: undefined }),
  });
  const anyLimits = fc.record({
    maxEntries: fc.nat(12),
    maxBytes: fc.nat(60_000),
    lowWaterPercent: fc.nat(100),
  });

  it('keeps the youngest under any mix of sizes, as the published algorithm says', async (t) => {
    const root = rootFor(t, { root: 'wasmtime' });
    const property = fc.asyncProperty(
      fc.uniqueArray(fc.tuple(fc.integer({ min: -200_000, max: 200_000 }), anyModule), {
        selector: ([age, { statsAge }]) => statsAge ?? age,
        minLength: 1,
        maxLength: 14,
      }),
      anyLimits,
      async (drawn, limits) => {
        const modules = drawn.map(([age, { bytes, statsAge }]) => ({
          bytes,
          age,
          ...(statsAge === undefined ? {} : { statsAge }),
        }));
        const paths = placeModules(root.path, modules);
        await pruned(root.session(), limits);
        const expected = survivors(modules, limits);
        assert.deepEqual(modulesLeft(paths), expected);
        rmSync(join(root.path, 'modules'), { recursive: true });
      },
    );
    await checkAsyncProperty(property);
  });
});

/** wasmtime's cleanup, as its description says: from the youngest on, and a cut where the low-water mark is passed. */
function survivors(
  modules: readonly Module[],
  limits: { readonly maxEntries: number; readonly maxBytes: number; readonly lowWaterPercent: number },
): readonly number[] {
  const aheadOf = ({ age, statsAge }: Module): number => -(statsAge ?? age);
  const youngestFirst = [...modules.keys()].toSorted((a, b) => {
    const [left, right] = [a, b].map((index) => {
      const ahead = aheadOf(modules[index] ?? assert.fail());
      return ahead > DAY ? -Infinity : ahead;
    });
    // Of two that are oldest for the same reason, either may go first: the one with the smaller name does.
    if (left === right) return moduleName(String(a)) < moduleName(String(b)) ? 1 : -1;
    return (right ?? 0) - (left ?? 0);
  });
  const mark = (limit: number): number => Math.floor((limit * limits.lowWaterPercent) / 100);
  let bytes = 0;
  let cut: number | null = null;
  for (const [position, index] of youngestFirst.entries()) {
    bytes += modules[index]?.bytes ?? 0;
    const count = position + 1;
    if (cut === null && (bytes > mark(limits.maxBytes) || count > mark(limits.maxEntries))) cut = position;
    if (bytes > limits.maxBytes || count > limits.maxEntries)
      return youngestFirst.slice(0, cut ?? position).toSorted((a, b) => a - b);
  }
  return [...modules.keys()];
}

describe('an artifact of several files', () => {
  /** Which files are left when the removal of each file in turn fails, by the ends of their names. */
  const interrupted: readonly (readonly [name: string, left: readonly (readonly string[])[]])[] = [
    ['entry with its record', [['.bin', '.json'], ['.json']]],
    [
      'pipeline of wgpu',
      [
        ['.wgsl', '.wgsl.toml', '.pipeline.bin', '.pipeline.toml'],
        ['.wgsl', '.wgsl.toml', '.pipeline.bin'],
        ['.wgsl', '.wgsl.toml'],
        ['.wgsl'],
      ],
    ],
    ['shader of aot', [['.wgsl', '.toml'], ['.wgsl']]],
    ['module of wasmtime with statistics', [['', '.stats'], ['.stats']]],
  ];
  for (const [name, steps] of interrupted) {
    const kind = kindNamed(name);
    for (const [step, left] of steps.entries()) {
      it(`leaves nothing that a reader takes for a ${kind.format} when removal ${step + 1} fails: ${left.map((end) => (end === '' ? 'the module' : end)).join(' ')}`, async (t) => {
        const root = rootFor(t, kind);
        const paths = placeUsed(root.path, kind, { text: 'one', age: 100 });
        const other = placeUsed(root.path, kind, { text: 'other', age: 50 });
        let removals = 0;
        const files = failingFiles({
          unlink: (path) => {
            if (paths.includes(path) && (removals += 1) > step) throw errnoError('EIO');
            systemFiles.unlink(path);
          },
        });
        const report = await pruned(root.session(hostAtNow({ files })), { ttlMs: 1000 });
        const stem = basename(paths[0] ?? '').split('.')[0] ?? '';
        assert.deepEqual(
          paths.filter((path) => existsSync(path)).map((path) => basename(path).slice(stem.length)),
          left,
        );
        assert.equal(report.failures.length, 1);
        assert.equal(report.failures[0]?.error, 'EIO');
        assert.ok(noneThere(other));
        await pruned(root.session(), { ttlMs: 1000 });
        // What only belonged to an artifact is garbage, not an artifact: gc removes it.
        const isGarbage = ['.json', '.stats'].includes(left[0] ?? 'x');
        assert.equal(
          paths.some((path) => existsSync(path)),
          isGarbage,
        );
      });
    }
  }

  it('counts with all its files, a module of wasmtime without its statistics', async (t) => {
    for (const [name] of interrupted) {
      const kind = kindNamed(name);
      const root = rootFor(t, kind);
      const bytes = countedBytes(kind, placeUsed(root.path, kind, { text: 'one', age: 100 }));
      assert.equal((await pruned(root.session(), { maxBytes: bytes })).removedCount, 0, name);
      const report = await pruned(root.session(), { maxBytes: bytes - 1 });
      assert.deepEqual([report.removedCount, report.removedBytes], [1, bytes], name);
    }
  });
});

interface Mixed {
  readonly root: Root;
  readonly files: ReadonlyMap<ArtifactKind, readonly string[]>;
}

/** A home that holds the directories of every other system, one artifact of each kind, each a day older than the one before. */
function mixedRoot(t: Cleanup, ageOf: (index: number) => number = (index) => (index + 1) * DAY): Mixed {
  const root = rootFor(t, { root: 'vyre' });
  const files = placeAll(root.path, ageOf);
  return { root, files };
}

describe('what is opaque', () => {
  it('is never removed, by no rule, and is reported besides', async (t) => {
    const root = rootFor(t, { root: 'vyre' });
    const opaque = ['cuda-jit/index', 'cuda-jit/a/b/blob.bin', `ptx-cache/${hexOf('x')}.ptx`].map((name) =>
      join(root.path, name),
    );
    for (const path of opaque) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, Buffer.alloc(1000));
    }
    touch(opaque, 3650 * DAY);
    const [entry = ''] = placeUsed(root.path, kindNamed('entry of vyre'), { text: 'x', age: 1 });
    const before = listing(join(root.path, 'cuda-jit'));
    const none = await pruned(root.session(), { ttlMs: 1_000_000, maxBytes: 100, maxEntries: 1 });
    assert.deepEqual(none.others, { count: 3, bytes: 3000 });
    assert.deepEqual([none.removedCount, none.keptCount], [0, 1]);
    const all = await pruned(root.session(), { all: true });
    assert.deepEqual(rows(all), [[below(root.path, entry), 'all']]);
    assert.deepEqual(all.others, { count: 3, bytes: 3000 });
    assert.ok(allThere(opaque));
    assert.deepEqual(listing(join(root.path, 'cuda-jit')), before);
  });

  it('is told in the sentence of prune', async (t) => {
    const place = makePlace(t);
    const root = join(place.home, '.cache', 'vyre');
    mkdirSync(join(root, 'cuda-jit'), { recursive: true });
    writeFileSync(join(root, 'cuda-jit', 'x'), Buffer.alloc(2048));
    const ran = await cli(place, ['prune', '--all', '--yes'], { host: hostAtNow() });
    assert.deepEqual(
      [ran.code, ran.stdout],
      [0, 'Nothing to remove; nothing left; besides 2 KiB in 1 file that no rule removes\n'],
    );
  });
});

describe('prune --layout', () => {
  for (const layout of LAYOUT_NAMES) {
    it(`${layout} takes nothing of another system, and counts nothing of it`, async (t) => {
      const { root, files } = mixedRoot(t);
      const mine = ARTIFACT_KINDS.filter((kind) => kind.layout === layout);
      const report = await pruned(root.session(), { all: true }, { layouts: [layout] });
      assert.equal(report.removedCount, mine.length);
      assert.equal(report.keptCount, 0);
      for (const [kind, paths] of files)
        assert.ok(mine.includes(kind) ? noneThere(paths) : allThere(paths), kind.name);
    });
  }

  it('may be repeated, holds for every rule, and expects a name that it knows', async (t) => {
    const place = makePlace(t);
    const root = join(place.work, 'wasmtime');
    const paths = placeModules(root, [
      { bytes: 10, age: 100 },
      { bytes: 10, age: 200 },
    ]);
    const pvf = placeUsed(root, kindNamed('artifact of a PVF host'), { text: 'x', age: 300 });
    const wasmer = placeUsed(join(root, 'wasmer'), kindNamed('module of wasmer'), { text: 'x', age: 400 });
    const wrong = await pruneTyped(place, root, '--all', '--yes', '--layout', 'sccache');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /expected one of vyre, wasmtime, pvf, wasmer for --layout, got "sccache"/);
    const one = await pruneTyped(place, root, '--max-entries', '1', '--layout', 'wasmtime');
    assert.equal(one.code, 0, one.stderr);
    assert.deepEqual(modulesLeft(paths), [0]);
    assert.ok(allThere([...pvf, ...wasmer]));
    const two = await pruneTyped(place, root, '--ttl', '1s', '--layout', 'wasmtime', '--layout', 'pvf');
    assert.equal(two.code, 0, two.stderr);
    assert.deepEqual(modulesLeft(paths), []);
    assert.ok(noneThere(pvf));
    assert.ok(allThere(wasmer));
  });
});

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

describe('an artifact that its system holds', () => {
  it('stays in a home while another process has its fingerprint, and the next one goes', async (t) => {
    const home = new TestHome(t);
    const kind = kindNamed('entry with its record');
    const [held = '', record = ''] = placeUsed(home.root, kind, { text: 'held', age: 300 });
    const next = placeUsed(home.root, kind, { text: 'next', age: 200 });
    const young = placeUsed(home.root, kind, { text: 'young', age: 100 });
    const byte = fingerprintByte(fingerprintFrom(basename(held, '.bin')));
    const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(byte));
    assert.equal(await child.line(), 'held');
    const report = await pruned(home.session(hostAtNow()), { maxEntries: 2 });
    assert.deepEqual(rows(report), [[below(home.root, next[0] ?? ''), 'max-entries']]);
    assert.deepEqual([report.inUse, report.keptCount], [1, 2]);
    assert.ok(allThere([held, record, ...young]));
    await child.kill();
    assert.equal((await pruned(home.session(hostAtNow()), { all: true })).removedCount, 2);
  });

  const locks: readonly (readonly [suffix: string, age: number, holds: boolean])[] = [
    ['.wip-4711', 30 * MINUTE - 1, true],
    ['.wip-4711', 30 * MINUTE, false],
    ['.wip-4711', -DAY, true],
    ['.wip-4711', -DAY - 1, false],
    ['.wip-atomic-write-mod', 0, true],
    ['.wip-atomic-write-stats', 30 * MINUTE - 1, true],
    ['.wip-atomic-write-stats', 30 * MINUTE, false],
  ];
  for (const [suffix, age, holds] of locks) {
    it(`${holds ? 'stays' : 'goes'} in a directory of wasmtime with a lock ${suffix} that is ${age} s old`, async (t) => {
      const root = rootFor(t, { root: 'wasmtime' });
      const paths = placeModules(root.path, [
        { bytes: 10, age: 3000, statsAge: 3000 },
        { bytes: 10, age: 2000, statsAge: 2000 },
        { bytes: 10, age: 1000, statsAge: 1000 },
      ]);
      const lock = `${paths[0] ?? ''}${suffix}`;
      writeFileSync(lock, '');
      touch([lock], age);
      for (const dryRun of [true, false]) {
        const report = await pruned(root.session(), { maxEntries: 2 }, { dryRun });
        const gone = paths[holds ? 1 : 0] ?? '';
        assert.deepEqual(rows(report), [[below(root.path, gone), 'max-entries']]);
        assert.equal(report.inUse, holds ? 1 : 0);
      }
      assert.deepEqual(modulesLeft(paths), holds ? [0, 2] : [1, 2]);
      assert.equal(existsSync(`${paths[0] ?? ''}.stats`), holds);
      assert.ok(existsSync(lock));
    });
  }

  it('stays in a directory of gear while another process has its flock, and goes when that has died', async (t) => {
    const kind = kindNamed('module of wasmer');
    const root = rootFor(t, kind);
    const [held = ''] = placeUsed(root.path, kind, { text: 'held', age: 300 });
    const [next = ''] = placeUsed(root.path, kind, { text: 'next', age: 200 });
    placeUsed(root.path, kind, { text: 'young', age: 100 });
    const child = await flockHolder(t, held);
    if (child === null) return;
    for (const dryRun of [true, false]) {
      const report = await pruned(root.session(), { maxEntries: 2 }, { dryRun });
      assert.deepEqual(rows(report), [[below(root.path, next), 'max-entries']]);
      assert.deepEqual([report.inUse, report.keptCount, report.failures.length], [1, 2, 0]);
    }
    assert.equal(existsSync(held), true);
    await killed(child);
    touch([held], 300);
    assert.deepEqual(rows(await pruned(root.session(), { maxEntries: 1 })), [
      [below(root.path, held), 'max-entries'],
    ]);
  });
});

describe('an artifact that changed since it was judged', () => {
  for (const kind of ARTIFACT_KINDS) {
    it(`stays: the ${kind.name} was used, or written again with another size`, async (t) => {
      const changes: readonly ((paths: readonly string[]) => void)[] = [
        (paths) => {
          touch(paths, 1);
        },
        (paths) => {
          for (const path of paths) appendFileSync(path, ' ');
          touch(paths, 100);
        },
        // Stored again after the clock went back.
        (paths) => {
          touch(paths, 200);
        },
      ];
      for (const change of changes) {
        const root = rootFor(t, kind);
        const paths = placeUsed(root.path, kind, { text: 'one', age: 100 });
        const replaced = atSecondLook(paths[0] ?? '', () => {
          change(paths);
        });
        const report = await pruned(root.session(hostAtNow(replaced)), { ttlMs: 1000 });
        assert.deepEqual(rows(report), []);
        assert.deepEqual([report.keptCount, report.failures.length], [1, 0]);
        assert.ok(allThere(paths));
      }
    });
  }

  it('stays: a module of wasmtime whose lock appeared', async (t) => {
    const root = rootFor(t, { root: 'wasmtime' });
    const paths = placeModules(root.path, [{ bytes: 10, age: 100 }]);
    const lock = `${paths[0] ?? ''}.wip-4711`;
    const replaced = atSecondLook(paths[0] ?? '', () => {
      writeFileSync(lock, '');
      touch([lock], 0);
    });
    const report = await pruned(root.session(hostAtNow(replaced)), { ttlMs: 1000 });
    assert.deepEqual([report.removedCount, report.inUse], [0, 1]);
  });

  it('stays: a module of wasmtime whose lock appeared a second after the folder was searched for locks', async (t) => {
    const root = rootFor(t, { root: 'wasmtime' });
    const [first = '', second = ''] = placeModules(root.path, [
      { bytes: 10, age: 200 },
      { bytes: 10, age: 100 },
    ]);
    const clock = new FakeClock(NOW_MS);
    const files = failingFiles({
      unlink: (path) => {
        systemFiles.unlink(path);
        if (path !== first) return;
        clock.advance(1000);
        writeFileSync(`${second}.wip-4711`, '');
        touch([`${second}.wip-4711`], 0);
      },
    });
    const report = await pruned(root.session(fakeHost({ clock, files })), { ttlMs: 1000 });
    assert.deepEqual(rows(report), [[below(root.path, first), 'ttl']]);
    assert.deepEqual([report.inUse, existsSync(second)], [1, true]);
  });

  it('is nobody’s removal when it has vanished, and counts no more', async (t) => {
    for (const kind of ARTIFACT_KINDS) {
      const root = rootFor(t, kind);
      const paths = placeUsed(root.path, kind, { text: 'one', age: 100 });
      const young = placeUsed(root.path, kind, { text: 'young', age: 50 });
      const replaced = atSecondLook(paths[0] ?? '', () => {
        for (const path of paths) rmSync(path);
      });
      const report = await pruned(root.session(hostAtNow(replaced)), { maxEntries: 1 });
      assert.deepEqual(rows(report), [], kind.name);
      assert.deepEqual([report.keptCount, report.keptBytes], [1, countedBytes(kind, young)], kind.name);
      assert.ok(allThere(young), kind.name);
    }
  });
});

describe('all rules together', () => {
  /** Ages in days; sizes are all 1000 bytes. */
  const AGES = [100, 50, 20, 10, 5, 0.5, 0.25] as const;
  const PLACES = [
    (root: string, index: number) => join(root, 'wasmtime/modules/cranelift-31.0.0', moduleName(`${index}`)),
    (root: string, index: number) => join(root, 'pvf', `0x${hexOf(`${index}`)}${hexOf('x')}.pvf`),
    (root: string, index: number) => join(root, 'wasmer', hexOf(`${index}`)),
    (root: string, index: number) => join(root, 'pipelines', `${hexOf(`${index}`)}.bin`),
  ] as const;

  function placeAges(root: string): readonly string[] {
    return AGES.map((days, index) => {
      const path = PLACES[index % PLACES.length]?.(root, index) ?? assert.fail();
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, Buffer.alloc(1000));
      touch([path], days * DAY);
      return path;
    });
  }

  /** A file system on which this much is free. */
  function withFree(freeBytes: number): Host {
    return hostAtNow({
      files: failingFiles({ space: () => ({ freeBytes, totalBytes: 1_000_000 }) }),
    });
  }

  const cases: readonly (readonly [
    name: string,
    rules: Partial<RetentionRules>,
    reasons: readonly (string | null)[],
  ])[] = [
    [
      'go first by age, then by size, by number, by what is free, to the first that is young',
      {
        ttlMs: 30 * DAY_MS,
        maxBytes: 4000,
        maxEntries: 3,
        minFree: { bytes: 900_000 },
        minAgeMs: DAY_MS,
      },
      ['ttl', 'ttl', 'max-size', 'max-entries', 'min-free', null, null],
    ],
    [
      'remove past the TTL what the minimum age would keep',
      { ttlMs: 30 * DAY_MS, maxEntries: 1, minAgeMs: 60 * DAY_MS },
      ['ttl', 'ttl', null, null, null, null, null],
    ],
    [
      'count what the TTL took towards the limits',
      { ttlMs: 30 * DAY_MS, maxEntries: 5 },
      ['ttl', 'ttl', null, null, null, null, null],
    ],
    [
      'go down to the low-water mark in one run',
      { ttlMs: 60 * DAY_MS, maxEntries: 5, lowWaterPercent: 60 },
      ['ttl', 'max-entries', 'max-entries', 'max-entries', null, null, null],
    ],
    [
      'apply no low-water mark to what is free',
      { minFree: { bytes: 2000 }, lowWaterPercent: 0 },
      ['min-free', 'min-free', null, null, null, null, null],
    ],
    ['say why when everything goes', { all: true }, AGES.map(() => 'all')],
  ];
  for (const [name, rules, reasons] of cases) {
    it(name, async (t) => {
      const root = rootFor(t, { root: 'vyre' });
      const paths = placeAges(root.path);
      const report = await pruned(root.session(withFree(0)), rules);
      assert.deepEqual(
        rows(report),
        paths.flatMap((path, index) => {
          const reason = reasons[index] ?? null;
          return reason === null ? [] : [[below(root.path, path), reason]];
        }),
      );
      for (const [index, path] of paths.entries())
        assert.equal(existsSync(path), (reasons[index] ?? null) === null, path);
    });
  }
});

describe('a dry run on a root of all systems', () => {
  function figures({
    removedCount,
    removedBytes,
    keptCount,
    keptBytes,
    inUse,
    others,
  }: PruneReport): unknown {
    return { removedCount, removedBytes, keptCount, keptBytes, inUse, others };
  }

  const anyRules = fc.record({
    ttlMs: fc.option(fc.integer({ min: 0, max: 40 * DAY_MS })),
    maxBytes: fc.option(fc.nat(15_000)),
    maxEntries: fc.option(fc.nat(20)),
    minAgeMs: fc.option(fc.nat(20 * DAY_MS)),
    lowWaterPercent: fc.option(fc.nat(100)),
  });
  const layoutChoices: readonly (readonly LayoutName[] | null)[] = [
    null,
    ['wasmtime'],
    ['pvf', 'wasmer'],
    ['vyre'],
  ];
  const anyAges = fc.array(fc.integer({ min: -3 * DAY, max: 40 * DAY }), {
    minLength: ARTIFACT_KINDS.length,
    maxLength: ARTIFACT_KINDS.length,
  });

  it('removes nothing, and agrees with the run after it row by row', async () => {
    const property = fc.asyncProperty(
      anyAges,
      anyRules,
      fc.constantFrom(...layoutChoices),
      async (ages, rules, layouts) => {
        const cleanup: (() => unknown)[] = [];
        const { root, files } = mixedRoot(
          { after: (work) => cleanup.push(work) },
          (index) => ages[index] ?? 0,
        );
        const before = tree(root.path);
        const dry = await pruned(root.session(), rules, { dryRun: true, layouts });
        assert.deepEqual(tree(root.path), before);
        const real = await pruned(root.session(), rules, { layouts });
        assert.deepEqual([...dry.removed], [...real.removed]);
        assert.deepEqual(figures(dry), figures(real));
        const gone = new Set([...real.removed].map(({ path }) => path));
        for (const [kind, paths] of files) {
          const isGone = gone.has(below(root.path, paths[0] ?? ''));
          assert.ok(isGone ? noneThere(paths) : allThere(paths), kind.name);
        }
        assert.equal((await pruned(root.session(), rules, { layouts })).removedCount, 0);
        for (const work of cleanup.toReversed()) await work();
      },
    );
    await checkAsyncProperty(property, 25);
  });
});

describe('a directory of another system', () => {
  const systems: readonly (readonly [ArtifactKind['root'], aliens: readonly string[]])[] = [
    [
      'wasmtime',
      ['.cleanup.wip-4711', 'notes.txt', 'modules/README', 'modules/cranelift-31.0.0/short', 'thesis/a.tex'],
    ],
    [
      'pvf',
      ['abcd.pvf', 'abcd.pvfartifact', 'polkadot_x', 'worker-dir-execute-ab/artifact', 'worker-prepare-x/y'],
    ],
    ['wasmer', ['notes.txt', `${hexOf('x')}.txt`, 'deep/folder/file']],
    ['wasix', ['0123.bin', 'notes-v2/readme', '.tmpAb12Cd']],
  ];
  for (const [system, aliens] of systems) {
    it(`gets nothing of ours, and keeps what is not its own: ${system}`, async (t) => {
      const kinds = ARTIFACT_KINDS.filter((kind) => kind.root === system);
      const root = rootFor(t, { root: system });
      for (const name of aliens) {
        const path = join(root.path, name);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, 'precious');
        touch([path], 3650 * DAY);
      }
      const outside = join(temporaryFolder(t), 'precious');
      writeFileSync(outside, 'precious');
      for (const kind of kinds) {
        placeUsed(root.path, kind, { text: 'one', age: 100 });
        const [path = ''] = placeUsed(root.path, kind, { text: 'link', age: 100 });
        rmSync(path);
        symlinkSync(outside, path);
        rmSync(`${path}.stats`, { force: true });
      }
      const before = listing(root.path);
      const session = root.session();
      assert.equal((await pruned(session, { ttlMs: 3650 * DAY_MS })).removedCount, 0);
      await session.close();
      assert.deepEqual(listing(root.path), before);
      const gone = new Set(
        kinds.flatMap((kind) => Object.keys(kind.filesOf('one')).map((name) => `./${name}`)),
      );
      const last = root.session();
      assert.equal((await pruned(last, { all: true })).removedCount, kinds.length);
      await last.close();
      const isFileLine = (line: string): boolean => / 40000 ?$/.exec(line) === null;
      const left = before.filter((line) => isFileLine(line) && !gone.has(line.split(' ')[0] ?? ''));
      assert.deepEqual(listing(root.path).filter(isFileLine), left);
      assert.equal(readFileSync(outside, 'utf8'), 'precious');
      assert.deepEqual(
        tree(dirname(root.path)).filter((path) => /\.vyre-cache|CACHEDIR|quarantine/.test(path)),
        [],
      );
    });
  }

  it('is no home: a session counts what it removed there elsewhere', async (t) => {
    const kind = kindNamed('artifact of a PVF host');
    const root = rootFor(t, kind);
    placeUsed(root.path, kind, { text: 'one', age: 100 });
    const session = root.session();
    await pruned(session, { all: true });
    await session.close();
    assert.deepEqual(tree(root.path), []);
    const counted = root
      .session()
      .states()
      .flatMap((state) => state.readCounters()?.values.get('evictions') ?? []);
    assert.deepEqual(counted, [1]);
  });
});

describe('an artifact that cannot be removed', () => {
  for (const kind of ARTIFACT_KINDS) {
    it(`is a row of its own, and the rest is done: ${kind.name}`, async (t) => {
      const root = rootFor(t, kind);
      const paths = placeUsed(root.path, kind, { text: 'stuck', age: 300 });
      const others = [200, 100].map((age) => placeUsed(root.path, kind, { text: `${age}`, age }));
      const files = failingFiles({
        unlink: (path) => {
          if (paths.includes(path)) throw errnoError('EACCES');
          systemFiles.unlink(path);
        },
      });
      const report = await pruned(root.session(hostAtNow({ files })), { maxEntries: 1 });
      const [path = ''] = paths;
      assert.deepEqual(report.failures, [{ path: below(root.path, path), error: 'EACCES' }]);
      assert.deepEqual(
        rows(report).map(([, reason]) => reason),
        ['max-entries', 'max-entries'],
      );
      assert.ok(allThere(paths));
      for (const other of others) assert.ok(noneThere(other));
      assert.equal(report.keptCount, 1);
    });

    it(`is a failure and counts nothing when it cannot be looked at: ${kind.name}`, async (t) => {
      const root = rootFor(t, kind);
      const paths = placeUsed(root.path, kind, { text: 'stuck', age: 300 });
      const other = placeUsed(root.path, kind, { text: 'other', age: 200 });
      const files = failingFiles({
        lstat: (path) => {
          if (path === paths[0]) throw errnoError('EIO');
          return systemFiles.lstat(path);
        },
      });
      const report = await pruned(root.session(hostAtNow({ files })), { ttlMs: 1000 });
      assert.deepEqual(report.failures, [{ path: below(root.path, paths[0] ?? ''), error: 'EIO' }]);
      assert.deepEqual([report.removedCount, report.keptCount], [1, 0]);
      assert.ok(allThere(paths));
      assert.ok(noneThere(other));
    });
  }

  it('makes the command exit with 3, in each directory', async (t) => {
    for (const kind of [
      kindNamed('artifact of a PVF host'),
      kindNamed('module of wasmtime with statistics'),
      kindNamed('module of wasmer'),
    ]) {
      const place = makePlace(t);
      const root = join(place.work, kind.root);
      const [path = ''] = placeUsed(root, kind, { text: 'stuck', age: 100 });
      placeUsed(root, kind, { text: 'other', age: 100 });
      const files = failingFiles({
        unlink: (each) => {
          if (each === path) throw errnoError('EPERM');
          systemFiles.unlink(each);
        },
      });
      const ran = await cli(place, ['prune', root, '--ttl', '1s'], { host: hostAtNow({ files }) });
      assert.equal(ran.code, 3);
      assert.equal(ran.stderr, `vyre-cache: "${below(root, path)}" cannot be looked at or removed (EPERM)\n`);
      assert.match(ran.stdout, /^Freed .* \(1 entry: 1 by ttl\); .* in 1 entry left; 1 failed\n$/);
    }
  });

  it('is a folder that cannot be listed, and the rest is done', async (t) => {
    for (const unreadable of ['cranelift-30.0.0', 'cranelift-31.0.0']) {
      const { root, files: placed } = mixedRoot(t);
      const modules = join(root.path, 'wasmtime', 'modules');
      mkdirSync(join(modules, 'cranelift-30.0.0'));
      const other = join(modules, 'cranelift-30.0.0', moduleName('x'));
      writeFileSync(other, 'x');
      const files = failingFiles({
        scanDirectory: (path, visit) => {
          if (path === join(modules, unreadable)) throw errnoError('EACCES');
          systemFiles.scanDirectory(path, visit);
        },
      });
      const report = await pruned(root.session(hostAtNow({ files })), { all: true });
      assert.deepEqual(report.failures, [{ path: `wasmtime/modules/${unreadable}`, error: 'EACCES' }]);
      assert.equal(existsSync(other), unreadable === 'cranelift-30.0.0');
      for (const [kind, paths] of placed) {
        const stays = kind.layout === 'wasmtime' && unreadable === 'cranelift-31.0.0';
        assert.ok(stays ? allThere(paths) : noneThere(paths), kind.name);
      }
    }
  });
});
