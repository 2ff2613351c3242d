import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { CacheSession } from '../../src/compile/session.js';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { collectStats, type StatsOptions } from '../../src/maintenance/stats.js';
import type { StatsReport } from '../../src/maintenance/reports.js';
import { verify } from '../../src/maintenance/verify.js';
import {
  ARTIFACT_KINDS,
  countedBytes,
  kindNamed,
  placeAll,
  placeKind,
  placeUsed,
  touch,
  type ArtifactKind,
} from '../support/artifact-kinds.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing } from '../support/listing.js';
import { hexOf, moduleName, writeWasmtime } from '../support/other-caches.js';
import { parsePrometheus, valueOf } from '../support/prometheus-text.js';
import { NOW_MS } from '../support/store-files.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';
import { findTool, has } from '../support/tools.js';
import { cli, makePlace, type Place } from '../cli/support.js';

const HOUR = 3600;
const DAY = 86_400;
const DAY_MS = 86_400_000;
/** Above every pid that Linux gives. */
const NOBODY = 2 ** 22 + 1;

function hostAtNow(replaced: Partial<Host> = {}): Host {
  return fakeHost({ clock: new FakeClock(NOW_MS), ...replaced });
}

async function stats(session: CacheSession, options: Partial<StatsOptions> = {}): Promise<StatsReport> {
  return collectStats(session, { limitBytes: null, ttlMs: null, details: false, ...options });
}

/** A root for this system and no other, as a process that maintains it sees it. */
function rootFor(
  t: Cleanup,
  system: ArtifactKind['root'],
): { path: string; session(host?: Host): CacheSession } {
  if (system === 'vyre') {
    const home = new TestHome(t);
    return { path: home.root, session: (host = hostAtNow()) => home.session(host) };
  }
  const folder = temporaryFolder(t);
  const path = join(folder, system);
  mkdirSync(path);
  return {
    path,
    session: (host = hostAtNow()) => sessionOf(t, path, { host, stateDirectory: join(folder, 'state') }),
  };
}

function write(root: string, name: string, bytes: Uint8Array | string): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes, { mode: 0o600 });
  return path;
}

/** Entries and bytes by format, as the files themselves tell. */
function expectedFormats(
  files: ReadonlyMap<ArtifactKind, readonly string[]>,
): ReadonlyMap<string, { readonly layout: string; readonly entries: number; readonly bytes: number }> {
  const formats = new Map<string, { layout: string; entries: number; bytes: number }>();
  for (const [kind, paths] of files) {
    const before = formats.get(kind.format) ?? { layout: kind.layout, entries: 0, bytes: 0 };
    formats.set(kind.format, {
      layout: kind.layout,
      entries: before.entries + 1,
      bytes: before.bytes + countedBytes(kind, paths),
    });
  }
  return formats;
}

describe('stats of a root of all systems', () => {
  it('count each layout and each format in it by the files that lie there, the largest first', async (t) => {
    const home = new TestHome(t);
    const files = placeAll(home.root, () => 100);
    const opaque = write(home.root, 'cuda-jit/a/b', Buffer.alloc(5000));
    const report = await stats(home.session(hostAtNow()));
    const expected = new Map(expectedFormats(files)).set('cuda-jit', {
      layout: 'vyre',
      entries: 1,
      bytes: statSync(opaque).size,
    });
    const seen = new Map(
      report.layouts.flatMap(({ layout, formats }) =>
        formats.map(({ format, entries, bytes }) => [format, { layout, entries, bytes }] as const),
      ),
    );
    assert.deepEqual(seen, expected);
    for (const { layout, entries, bytes, formats } of report.layouts) {
      const own = [...expected.values()].filter((each) => each.layout === layout);
      assert.equal(
        entries,
        own.reduce((sum, each) => sum + each.entries, 0),
      );
      assert.equal(
        bytes,
        own.reduce((sum, each) => sum + each.bytes, 0),
      );
      const sizes = formats.map((each) => each.bytes);
      assert.deepEqual(
        sizes,
        sizes.toSorted((a, b) => b - a),
      );
    }
    const sizes = report.layouts.map((each) => each.bytes);
    assert.deepEqual(
      sizes,
      sizes.toSorted((a, b) => b - a),
    );
    assert.equal(report.entries, ARTIFACT_KINDS.length + 1);
    assert.equal(
      report.bytes,
      sizes.reduce((sum, each) => sum + each, 0),
    );
    const ours = kindNamed('entry with its record');
    assert.equal(report.ourBytes, countedBytes(ours, files.get(ours) ?? []));
    assert.deepEqual(report.unreadable, []);
  });

  it('change nothing', async (t) => {
    const home = new TestHome(t);
    placeAll(home.root, (index) => index * DAY);
    write(home.root, `pipeline/${hexOf('x')}.tmp.${NOBODY}_0`, 'half');
    const before = listing(home.root);
    await stats(home.session(hostAtNow()), { ttlMs: DAY_MS, details: true });
    assert.deepEqual(listing(home.root), before);
  });

  for (const kind of ARTIFACT_KINDS) {
    it(`tell the age of the ${kind.name} by its last use, none below zero`, async (t) => {
      const root = rootFor(t, kind.root);
      const placed = [
        placeUsed(root.path, kind, { text: 'young', age: 60 }),
        placeUsed(root.path, kind, { text: 'within a day', age: DAY }),
        placeUsed(root.path, kind, { text: 'within a week', age: DAY + 1 }),
        placeUsed(root.path, kind, { text: 'oldest', age: 31 * DAY }),
      ].map((paths) => countedBytes(kind, paths));
      const report = await stats(root.session());
      assert.deepEqual([report.newestSeconds, report.oldestSeconds], [60, 31 * DAY]);
      const [young = 0, day = 0, week = 0, oldest = 0] = placed;
      assert.deepEqual(
        report.ageHistogram.map(({ withinSeconds, entries, bytes }) => [withinSeconds, entries, bytes]),
        [
          [HOUR, 1, young],
          [DAY, 1, day],
          [7 * DAY, 1, week],
          [30 * DAY, 0, 0],
          [null, 1, oldest],
        ],
      );
      placeUsed(root.path, kind, { text: 'future', age: -3650 * DAY });
      assert.equal((await stats(root.session())).newestSeconds, 0);
    });
  }

  it('go by statistics of wasmtime alone, by the mtime of our entries, and by reading elsewhere', async (t) => {
    const cases: readonly (readonly [name: string, mtime: number, atime: number, age: number])[] = [
      ['module of wasmtime with statistics', 50, 10, 50],
      ['module of wasmtime without statistics', 50, 10, 50],
      ['entry with its record', 50, 10, 50],
      ['entry of vyre', 50, 10, 10],
      ['pipeline of wgpu', 50, 10, 10],
      ['artifact of a PVF host', 50, 10, 10],
      ['module of wasmer', 10, 50, 10],
    ];
    for (const [name, mtime, atime, age] of cases) {
      const kind = kindNamed(name);
      const root = rootFor(t, kind.root);
      for (const path of placeKind(root.path, kind, 'one'))
        utimesSync(path, NOW_MS / 1000 - atime, NOW_MS / 1000 - mtime);
      const { oldestSeconds, newestSeconds } = await stats(root.session());
      assert.deepEqual([oldestSeconds, newestSeconds], [age, age], name);
    }
    const root = rootFor(t, 'wasmtime');
    const kind = kindNamed('module of wasmtime with statistics');
    const [, usage = ''] = placeUsed(root.path, kind, { text: 'one', age: 0 });
    touch([usage], 70);
    assert.equal((await stats(root.session())).oldestSeconds, 70);
  });
});

describe('what stats call reclaimable', () => {
  it('is by the TTL what prune would remove by it, and nothing opaque', async (t) => {
    const home = new TestHome(t);
    const files = placeAll(home.root, (index) => index * DAY);
    touch([write(home.root, 'cuda-jit/x', Buffer.alloc(5000))], 3650 * DAY);
    const expired = [...files].filter((_, index) => index > 7);
    const bytes = expired.reduce((sum, [kind, paths]) => sum + countedBytes(kind, paths), 0);
    const report = await stats(home.session(hostAtNow()), { ttlMs: 7 * DAY_MS });
    assert.deepEqual(report.reclaimable.expired, { entries: expired.length, bytes });
    assert.equal((await stats(home.session(hostAtNow()))).reclaimable.expired, null);
    const none = await stats(home.session(hostAtNow()), { ttlMs: 3650 * DAY_MS });
    assert.deepEqual(none.reclaimable.expired, { entries: 0, bytes: 0 });
  });

  it('is what the last real verification found damaged, until the next one finds it whole', async (t) => {
    const clock = new FakeClock(NOW_MS);
    const host = fakeHost({ clock });
    for (const [system, name] of [
      ['vyre', 'pipeline of wgpu'],
      ['pvf', 'artifact of a PVF host'],
      ['wasmer', 'module of wasmer'],
    ] as const) {
      const root = rootFor(t, system);
      const kind = kindNamed(name);
      placeUsed(root.path, kind, { text: 'whole', age: 100 });
      const [path = '', ...others] = placeUsed(root.path, kind, { text: 'damaged', age: 100 });
      const bytes = statSync(path).size;
      truncateSync(path, system === 'wasmer' ? 20 : 0);
      assert.equal((await stats(root.session(host))).reclaimable.damaged, null);
      const found = await verify(root.session(host), { fingerprints: null });
      assert.equal(found.damaged, 1, name);
      clock.advance(90_000);
      const left = [path, ...others].reduce((sum, each) => sum + statSync(each).size, 0);
      const { damaged } = (await stats(root.session(host))).reclaimable;
      assert.deepEqual(damaged, { entries: 1, bytes: left, ageSeconds: 90 }, name);
      assert.ok(left < bytes || others.length > 0);
      for (const each of [path, ...others]) rmSync(each);
      await verify(root.session(host), { fingerprints: null });
      const after = (await stats(root.session(host))).reclaimable.damaged;
      assert.deepEqual(after, { entries: 0, bytes: 0, ageSeconds: 0 }, name);
    }
  });
});

describe('the litter in stats', () => {
  it('is temporary files and locks of every writer once gc would remove them, with their bytes', async (t) => {
    const home = new TestHome(t);
    const hex = hexOf('x');
    const temporaries = [
      `pipelines/.${hex}-0.bin.tmp`,
      `pipelines/${hex.slice(0, 2)}/${hex}.bin.tmp.${NOBODY}.0`,
      `pipeline/${hex}.pipeline.tmp.${NOBODY}_0`,
      `ptx-source/${hex.slice(0, 2)}/${hex}.ptx.${NOBODY}.0.tmp`,
      `frontend-c-summary/${hex.slice(0, 2)}/${hex.slice(0, 32)}.bin.${NOBODY}.0.tmp`,
      `parsed-ast/${hex.slice(0, 32)}.vct.${NOBODY}.0.tmp`,
      'wasix/cranelift-x86_64-wasmer-universal-v11/.tmpAb12Cd',
    ];
    placeAll(home.root, () => 100);
    for (const name of temporaries) write(home.root, name, 'half');
    write(home.root, `parsed-ast/${hex.slice(0, 32)}.vpl.${process.pid}.0.tmp`, 'of a living writer');
    const lock = write(home.root, `wasmtime/modules/cranelift-31.0.0/${moduleName('x')}.wip-4711`, 'lock');
    const nowMs = Math.ceil(Date.now()) + 2 * 3_600_000;
    const at = async (ms: number): Promise<StatsReport['litter']> =>
      (await stats(home.session(fakeHost({ clock: new FakeClock(ms) })))).litter;
    utimesSync(lock, nowMs / 1000 - 1799, nowMs / 1000 - 1799);
    const none = { temporaryFiles: 0, orphans: 0, bytes: 0, deadWorkers: null };
    assert.deepEqual(await at(Date.now()), none);
    const old = { ...none, temporaryFiles: temporaries.length, bytes: 4 * temporaries.length };
    assert.deepEqual(await at(nowMs), old);
    assert.deepEqual(await at(nowMs + 1000), {
      ...old,
      temporaryFiles: old.temporaryFiles + 1,
      bytes: old.bytes + 4,
    });
  });

  it('counts orphaned statistics apart from artifacts, and from records without an entry', async (t) => {
    const home = new TestHome(t);
    const files = placeAll(home.root, () => 100);
    write(home.root, `wasmtime/modules/cranelift-31.0.0/${moduleName('gone')}.stats`, 'usages = 1\n');
    write(home.root, `wasmtime/modules/cranelift-30.0.0/${moduleName('gone')}.stats`, 'usages = 1\n');
    write(home.root, `pipelines/${hexOf('gone')}.json`, '{}');
    const report = await stats(home.session(hostAtNow()));
    assert.deepEqual([report.litter.orphans, report.failures], [2, 1]);
    assert.equal(report.entries, files.size);
  });
});

describe('what stats cannot look at', () => {
  for (const kind of ARTIFACT_KINDS) {
    it(`is told and in no figure, and the rest is counted: ${kind.name}`, async (t) => {
      const root = rootFor(t, kind.root);
      const [path = ''] = placeUsed(root.path, kind, { text: 'unreadable', age: 1000 });
      const other = placeUsed(root.path, kind, { text: 'other', age: 100 });
      const files = failingFiles({
        lstat: (each) => {
          if (each === path) throw errnoError('EIO');
          return systemFiles.lstat(each);
        },
      });
      const report = await stats(root.session(hostAtNow({ files })), { ttlMs: 1, details: true });
      assert.deepEqual(report.unreadable, [{ path: path.slice(root.path.length + 1), error: 'EIO' }]);
      const bytes = countedBytes(kind, other);
      assert.deepEqual([report.entries, report.bytes, report.oldestSeconds], [1, bytes, 100]);
      assert.deepEqual(report.reclaimable.expired, { entries: 1, bytes });
    });
  }

  it('makes the command exit with 3, with the figures of the rest, a folder as well', async (t) => {
    const place = makePlace(t);
    const root = join(place.work, 'wasmtime');
    const kind = kindNamed('module of wasmtime with statistics');
    const [path = ''] = placeUsed(root, kind, { text: 'unreadable', age: 100 });
    placeUsed(root, kind, { text: 'other', age: 100 });
    const locked = join(root, 'modules', 'cranelift-30.0.0');
    mkdirSync(locked);
    const files = failingFiles({
      lstat: (each) => {
        if (each === path) throw errnoError('EIO');
        return systemFiles.lstat(each);
      },
      scanDirectory: (each, visit) => {
        if (each === locked) throw errnoError('EACCES');
        systemFiles.scanDirectory(each, visit);
      },
    });
    const host = hostAtNow({ files });
    const ran = await cli(place, ['stats', root], { host });
    assert.equal(ran.code, 3);
    assert.match(ran.stdout, /^1 entry, 900 B in /m);
    assert.deepEqual(
      ran.stderr.trimEnd().split('\n').toSorted(),
      [
        'vyre-cache: "modules/cranelift-30.0.0" cannot be looked at (EACCES)',
        `vyre-cache: "${path.slice(root.length + 1)}" cannot be looked at (EIO)`,
      ].toSorted(),
    );
    const json = await cli(place, ['stats', root, '--json'], { host });
    const document = JSON.parse(json.stdout) as { entries: number; unreadable: readonly { error: string }[] };
    assert.equal(json.code, 3);
    assert.deepEqual([document.entries, document.unreadable.length], [1, 2]);
    const metrics = await cli(place, ['stats', root, '--prometheus'], { host });
    assert.equal(metrics.code, 3);
    assert.equal(valueOf(parsePrometheus(metrics.stdout), 'vyre_cache_unreadable'), 2);
    assert.equal((await cli(place, ['stats', root], { host: hostAtNow() })).code, 0);
  });
});

describe('stats -v', () => {
  it('tell the compilers of the folders of wasmtime and of wasix, with what each keeps', async (t) => {
    if (!has(t, 'zstd')) return;
    const root = rootFor(t, 'wasmtime');
    const paths = writeWasmtime(root.path, [
      { code: 'one', usages: 3, compiler: 'cranelift-31.0.0' },
      { code: 'two', usages: 300, compiler: 'cranelift-31.0.0' },
      { code: 'three', usages: null, compiler: 'cranelift-31.0.0' },
      { code: 'four', usages: 1, compiler: 'cranelift-32.0.0-1712345678901' },
      { code: 'five', usages: 1, compiler: 'winch-20.0.1' },
    ]);
    const [one = 0, two = 0, three = 0, four = 0, five = 0] = paths.map((path) => statSync(path).size);
    writeFileSync(`${paths[4] ?? ''}.stats`, 'of a new module');
    assert.equal((await stats(root.session())).details, null);
    const { details } = await stats(root.session(), { details: true });
    const compilers = new Map(
      details?.compilers.map(({ compiler, entries, bytes, uses }) => [compiler, { entries, bytes, uses }]),
    );
    assert.deepEqual(
      compilers,
      new Map([
        ['cranelift 31.0.0', { entries: 3, bytes: one + two + three, uses: 303 }],
        ['cranelift 32.0.0-1712345678901', { entries: 1, bytes: four, uses: 1 }],
        ['winch 20.0.1', { entries: 1, bytes: five, uses: null }],
      ]),
    );
    const largest = details?.largest ?? [];
    assert.deepEqual(
      new Set(largest.map(({ path, fingerprint }) => `${path} ${fingerprint}`)),
      new Set(paths.map((path) => `${path.slice(root.path.length + 1)} null`)),
    );
    const wasix = rootFor(t, 'wasix');
    placeUsed(wasix.path, kindNamed('module of wasix'), { text: 'x', age: 1 });
    const engines = (await stats(wasix.session(), { details: true })).details?.compilers;
    assert.deepEqual(
      engines?.map(({ compiler, entries }) => [compiler, entries]),
      [['cranelift-x86_64-wasmer-universal 11', 1]],
    );
  });
});

/** A home with everything that stats can tell of, below $HOME of a place. */
function fullHome(t: TestContext): Place {
  const place = makePlace(t);
  const root = join(place.home, '.cache', 'vyre');
  placeAll(root, (index) => (index + 1) * DAY);
  placeUsed(root, kindNamed('entry with its record'), { text: 'young', age: 60 });
  touch([write(root, 'cuda-jit/x', Buffer.alloc(70_000))], 3650 * DAY);
  const longest = 'cranelift-31.0.0-1712345678901-a-very-long-suffix';
  touch([write(root, `wasmtime/modules/${longest}/${moduleName('x')}`, 'x')], 60);
  write(root, `wasmtime/modules/cranelift-31.0.0/${moduleName('gone')}.stats`, 'usages = 1\n');
  write(root, `pipelines/${hexOf('gone')}.json`, '{}');
  const lock = write(root, `wasmtime/modules/cranelift-31.0.0/${moduleName('x')}.wip-4711`, 'lock');
  touch([lock], DAY);
  return place;
}

const TTL = { VYRE_CACHE_PRUNE_TTL: '7d' };

describe('the figures of all layouts on the command line', () => {
  it('fit 80 columns, whatever is shown', async (t) => {
    const place = fullHome(t);
    for (const flags of [[], ['-v']]) {
      assert.ok([0, 1].includes((await cli(place, ['verify'], { host: hostAtNow() })).code));
      const ran = await cli(place, ['stats', ...flags], {
        host: hostAtNow(),
        environment: TTL,
        terminal: true,
      });
      assert.equal(ran.code, 0, ran.stderr);
      for (const line of ran.stdout.split('\n')) {
        // A long path is shown whole.
        if (line.includes(place.home)) continue;
        // eslint-disable-next-line no-control-regex
        assert.ok(line.replaceAll(/\u001B\[[0-9;]*m/g, '').length <= 80, line);
      }
      for (const { format } of ARTIFACT_KINDS) assert.match(ran.stdout, new RegExp(` ${format} `));
      for (const layout of ['vyre', 'wasmtime', 'pvf', 'wasmer'])
        assert.match(ran.stdout, new RegExp(`^${layout} `, 'm'));
      const text = ran.stdout.replaceAll(/\s+/g, ' ');
      assert.match(text, /reclaimable: 1 temporary file \(4 B\), 1 orphaned file, /);
      assert.match(text, / past the TTL \(/);
    }
  });

  it('are the same in JSON, each layout with its formats', async (t) => {
    const place = fullHome(t);
    const ran = await cli(place, ['stats', '--json'], { host: hostAtNow(), environment: TTL });
    assert.equal(ran.code, 0, ran.stderr);
    const document = JSON.parse(ran.stdout) as {
      entries: number;
      bytes: number;
      layouts: readonly {
        layout: string;
        entries: number;
        bytes: number;
        formats: readonly { format: string; entries: number; bytes: number }[];
      }[];
      reclaimable: { expired: { entries: number } | null; damaged: unknown };
      litter: { orphans: number; temporaryFiles: number };
    };
    assert.equal(document.entries, ARTIFACT_KINDS.length + 3);
    assert.deepEqual(document.layouts.map(({ layout }) => layout).toSorted(), [
      'pvf',
      'vyre',
      'wasmer',
      'wasmtime',
    ]);
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    assert.equal(sum(document.layouts.map(({ bytes }) => bytes)), document.bytes);
    for (const { entries, formats } of document.layouts)
      assert.equal(sum(formats.map((each) => each.entries)), entries);
    assert.equal(document.reclaimable.expired?.entries, ARTIFACT_KINDS.length - 7);
    assert.equal(document.reclaimable.damaged, null);
    assert.deepEqual([document.litter.orphans, document.litter.temporaryFiles], [1, 1]);
  });

  it('are accepted by the grammar of Prometheus and by its own tool, with a sample per format', async (t) => {
    const place = fullHome(t);
    await cli(place, ['verify'], { host: hostAtNow() });
    const ran = await cli(place, ['stats', '--prometheus'], { host: hostAtNow(), environment: TTL });
    assert.equal(ran.code, 0, ran.stderr);
    const metrics = parsePrometheus(ran.stdout);
    for (const format of new Set(ARTIFACT_KINDS.map((kind) => kind.format))) {
      const kinds = ARTIFACT_KINDS.filter((kind) => kind.format === format);
      const entries = valueOf(metrics, 'vyre_cache_format_entries', { format });
      assert.ok((entries ?? 0) >= kinds.length, format);
      assert.ok((valueOf(metrics, 'vyre_cache_format_size_bytes', { format }) ?? 0) > 0, format);
    }
    const sizes = metrics.filter(({ name }) => name === 'vyre_cache_format_size_bytes');
    assert.equal(
      sizes.reduce((total, { value }) => total + value, 0),
      valueOf(metrics, 'vyre_cache_size_bytes'),
    );
    assert.equal(valueOf(metrics, 'vyre_cache_litter', { kind: 'orphans' }), 1);
    assert.equal(valueOf(metrics, 'vyre_cache_litter', { kind: 'temporary-files' }), 1);
    assert.ok((valueOf(metrics, 'vyre_cache_expired_bytes') ?? 0) > 0);
    assert.ok(valueOf(metrics, 'vyre_cache_damaged') !== null);
    if (!has(t, 'promtool')) return;
    const { status, stderr } = spawnSync(findTool('promtool') ?? '', ['check', 'metrics'], {
      input: ran.stdout,
      encoding: 'utf8',
    });
    assert.deepEqual([status, stderr], [0, '']);
  });
});
