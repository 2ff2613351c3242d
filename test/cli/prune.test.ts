import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { openHome } from '../../src/store/home.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { childProgram } from '../support/child-program.js';
import { FakeClock, fakeHost } from '../support/fake-host.js';
import { mountNamespace } from '../support/mount-namespace.js';
import { shellLine, SOURCES } from '../support/program.js';
import { manyNames, NOW_MS, storedNames, storeFiles, type StoredFile } from '../support/store-files.js';
import { findTool, has } from '../support/tools.js';
import { Workbench } from '../support/workbench.js';
import { cli, makePlace, start, type Place, type Ran, type RunOptions } from './support.js';

const A = fingerprintFrom('a');
const THREE: readonly StoredFile[] = [
  { name: 'a', bytes: 1000, recordBytes: 24, age: 864_000 },
  { name: 'b', bytes: 2000, recordBytes: 48, age: 7200 },
  { name: 'c', bytes: 1000, recordBytes: 24, age: 60 },
];

interface Pruned extends Place {
  readonly store: string;
  readonly paths: HomePaths;
  prune(...argv: readonly string[]): Promise<Ran>;
}

/** A place whose cache directory holds these entries. */
function placeWith(t: TestContext, files: readonly StoredFile[] = THREE, options: RunOptions = {}): Pruned {
  const place = makePlace(t);
  const paths = new HomePaths(join(place.home, '.cache', 'vyre'));
  assert.ok(openHome(fakeHost(), paths).ok);
  storeFiles(paths.store, files);
  const host = fakeHost({ clock: new FakeClock(NOW_MS) });
  const prune = async (...argv: readonly string[]): Promise<Ran> =>
    cli(place, ['prune', ...argv], { host, ...options });
  return { ...place, store: paths.store, paths, prune };
}

describe('prune', () => {
  it('says in one sentence what it freed and what is left', async (t) => {
    const place = placeWith(t);
    const ran = await place.prune('--ttl', '7d', '--max-size', '2KiB');
    assert.deepEqual(
      [ran.code, ran.stdout],
      [0, 'Freed 3 KiB (2 entries: 1 by ttl, 1 by max-size); 1 KiB in 1 entry left (limit 2 KiB)\n'],
    );
    assert.deepEqual(storedNames(place.store), ['c']);
    const again = await place.prune('--ttl', '7d', '--max-size', '2KiB');
    assert.equal(again.stdout, 'Nothing to remove; 1 KiB in 1 entry left (limit 2 KiB)\n');
    const limits = await place.prune('--max-size', '2KiB', '--max-entries', '3');
    assert.equal(limits.stdout, 'Nothing to remove; 1 KiB in 1 entry left (limits 2 KiB and 3 entries)\n');
  });

  it('lists with --dry-run what would go, and says the same', async (t) => {
    const place = placeWith(t);
    const ran = await place.prune('--ttl', '7d', '--max-entries', '1', '--dry-run');
    assert.equal(ran.code, 0);
    assert.deepEqual(ran.stdout.split('\n'), [
      'aaaaaaaaaaaaaaaa     1 KiB       10 d  ttl',
      'bbbbbbbbbbbbbbbb     2 KiB        2 h  max-entries',
      'Would free 3 KiB (2 entries: 1 by ttl, 1 by max-entries); 1 KiB in 1 entry would be left (limit 1 entry)',
      '',
    ]);
    assert.equal(storedNames(place.store).length, 3);
  });

  it('lists whole paths with -v, and nothing with -q', async (t) => {
    const place = placeWith(t);
    const ran = await place.prune('--ttl', '7d', '-v');
    assert.match(ran.stdout, new RegExp(`^pipelines/${A}\\.bin {5}1 KiB {7}10 d  ttl\\nFreed 1 KiB `));
    const quiet = await place.prune('--ttl', '1h', '-q');
    assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, '', '']);
    assert.deepEqual(storedNames(place.store), ['c']);
  });

  it('prints one document with --json', async (t) => {
    const place = placeWith(t);
    const ran = await place.prune('--ttl', '7d', '--json');
    assert.deepEqual(JSON.parse(ran.stdout), {
      schema: 'vyre-cache.prune/1',
      root: place.paths.root,
      dryRun: false,
      removed: [{ path: `pipelines/${A}.bin`, reason: 'ttl', bytes: 1024, ageSeconds: 864_000 }],
      removedCount: 1,
      removedBytes: 1024,
      keptCount: 2,
      keptBytes: 3072,
      inUse: 0,
      failures: [],
    });
    const none = await place.prune('--ttl', '7d', '--json', '--dry-run');
    assert.match(none.stdout, /"dryRun":true,"removed":\[\],"removedCount":0,/);
  });

  it('streams a long list that is still one document', async (t) => {
    const names = manyNames(2000);
    const place = placeWith(
      t,
      names.map((name) => ({ name, bytes: 1, age: 1 })),
    );
    const ran = await place.prune('--all', '--dry-run', '--json');
    const document = JSON.parse(ran.stdout) as { removed: { path: string }[] };
    assert.deepEqual(
      document.removed.map(({ path }) => path),
      names.map((name) => `pipelines/${name}.bin`),
    );
  });

  it('takes a foreign store', async (t) => {
    const place = makePlace(t);
    const store = join(place.home, 'store');
    mkdirSync(store);
    storeFiles(store, THREE);
    const host = fakeHost({ clock: new FakeClock(NOW_MS) });
    const ran = await cli(place, ['prune', store, '--max-entries', '2', '-v'], { host });
    assert.match(ran.stdout, new RegExp(`^${A}\\.bin `));
    assert.deepEqual(storedNames(store), ['b', 'c']);
  });

  it('gives an empty report for the root that holds anyway, absent or empty, and fails on a typed absent one', async (t) => {
    const place = makePlace(t);
    for (const made of [false, true]) {
      if (made) mkdirSync(join(place.home, '.cache', 'vyre'), { recursive: true });
      const ran = await cli(place, ['prune', '--ttl', '7d']);
      assert.deepEqual([ran.code, ran.stdout], [0, 'Nothing to remove; nothing left\n']);
    }
    assert.equal((await cli(place, ['prune', 'absent', '--ttl', '7d'])).code, 3);
    place.write('full/precious', 'x');
    assert.equal((await cli(place, ['prune', 'full', '--all', '--yes'])).code, 3);
    assert.ok(existsSync(join(place.work, 'full/precious')));
  });

  it('exits 3 when something could not be removed, and removes the rest', async (t) => {
    const place = placeWith(t);
    rmSync(join(place.store, `${A}.json`));
    mkdirSync(join(place.store, `${A}.json`, 'precious'), { recursive: true });
    const ran = await place.prune('--all', '--yes');
    assert.equal(ran.code, 3);
    assert.match(
      ran.stderr,
      new RegExp(`^vyre-cache: "pipelines/${A}\\.bin" cannot be looked at or removed \\(E[A-Z]+\\)\\n`),
    );
    assert.match(ran.stdout, /; nothing left; 1 failed\n$/);
    assert.deepEqual(readdirSync(place.store), [`${A}.json`]);
  });

  it('warns of a limit below what a day uses, and of one that does not hold', async (t) => {
    const place = placeWith(t);
    const thrashing = await place.prune('--max-size', '2KiB', '--dry-run');
    assert.match(
      thrashing.stderr,
      /^vyre-cache: the limit is below what was used during the last day \(3 KiB\): .*\n$/,
    );
    const held = await place.prune('--max-entries', '1', '--min-age', '1h');
    assert.match(held.stderr, /last day \(2 entries\)/);
    const young = await place.prune('--max-size', '500B', '--min-age', '1h', '-q');
    assert.equal(young.stderr, '');
    const over = await place.prune('--max-size', '500B', '--min-age', '1h');
    assert.match(over.stderr, /the limit is still exceeded/);
    assert.deepEqual(storedNames(place.store), ['c']);
  });
});

describe('the rules of prune', () => {
  const mistakes: readonly (readonly [argv: readonly string[], RegExp])[] = [
    [[], /expected a rule, got none\nhint: .*--ttl.*\[prune\]/],
    [['--min-age', '1d'], /expected a rule, got none/],
    [['--low-water', '70%'], /expected a rule, got none/],
    [['--ttl', '1d', '--low-water', '70%'], /expected --max-size or --max-entries with --low-water/],
    [['--ttl', '0'], /expected an age above zero, or --all .*, or no --ttl .*, got "0" for --ttl/],
    [['--ttl', '0s'], /expected an age above zero, or --all .*, or no --ttl .*, got "0s" for --ttl/],
    [['--max-size', '0'], /expected a size above zero, or --all .*, or no --max-size .*, got "0"/],
    [['--max-entries', '0'], /expected a number above zero, or --all .*, or no --max-entries .*, got "0"/],
    [['--min-free', '0%'], /expected a share above zero, .*, got "0%" for --min-free/],
    [['--min-free', '0'], /expected a share above zero, .*, got "0" for --min-free/],
    [['--ttl', '7'], /expected a duration such as 30m, got "7"/],
    [['--ttl', '1.5d'], /expected a duration such as 30m, got "1\.5d"/],
    [['--ttl=-1d'], /expected a duration such as 30m, got "-1d"/],
    [['--ttl', '1y'], /expected a duration such as 30m, got "1y"/],
    [['--max-size', '10'], /expected a size such as 500MB or 5GiB, got "10"/],
    [['--max-entries', '1k'], /expected a whole number such as 8, got "1k"/],
    [['--min-free', '101%'], /expected a size such as 5GiB, or whole percent up to 100%, got "101%"/],
    [['--max-size', '1G', '--low-water', '70'], /expected whole percent from 0% to 100%, got "70"/],
    [['--all'], /expected --yes with --all: nobody is here to be asked\nhint: .*--dry-run/],
    [['--all', '--yes', '--ttl', '1d'], /expected --all alone/],
    [['a', 'b', '--ttl', '1d'], /expected "vyre-cache prune \[dir\] \[options\]"/],
  ];
  for (const [argv, expected] of mistakes) {
    it(`are asked for: ${argv.join(' ')}`, async (t) => {
      const place = placeWith(t);
      const ran = await place.prune(...argv);
      assert.deepEqual([ran.code, ran.stdout], [2, '']);
      assert.match(ran.stderr, expected);
      assert.equal(storedNames(place.store).length, 3);
    });
  }

  it('come from the flags before the variables before a file before vyre’s variables', async (t) => {
    const VYRE_DISK_CACHE_MAX_BYTES = '4096';
    const environment = { VYRE_DISK_CACHE_MAX_BYTES, VYRE_CACHE_PRUNE_MAX_SIZE: '3KiB' };
    const left = async (files: string | null, options: RunOptions, ...argv: string[]): Promise<string> => {
      const place = placeWith(t, THREE, options);
      if (files !== null) place.write('../.config/vyre-cache/config.toml', files);
      const ran = await place.prune('--dry-run', ...argv);
      assert.equal(ran.code, 0, ran.stderr);
      return / \(limit (.*)\)\n$/.exec(ran.stdout)?.[1] ?? '';
    };
    const file = '[prune]\nmax_size = "2KiB"';
    assert.equal(await left(file, { environment }, '--max-size', '1KiB'), '1 KiB');
    assert.equal(await left(file, { environment }), '3 KiB');
    assert.equal(await left(file, { environment: { VYRE_DISK_CACHE_MAX_BYTES } }), '2 KiB');
    assert.equal(await left(null, { environment: { VYRE_DISK_CACHE_MAX_BYTES } }), '4 KiB');
  });

  it('of a file hold beside those of the flags, but for --all', async (t) => {
    const place = placeWith(t);
    place.write('../.config/vyre-cache/config.toml', '[prune]\nmax_entries = 2\nlow_water = "50%"');
    const ran = await place.prune('--ttl', '30d', '--dry-run');
    assert.match(ran.stdout, /2 by max-entries/);
    assert.match((await place.prune('--all', '--yes')).stdout, /3 by all/);
  });

  it('of a project’s file need trust: what it holds could empty the cache of every project', async (t) => {
    const place = placeWith(t);
    place.write('vyre-cache.toml', '[prune]\nttl = "1s"\n');
    const ran = await place.prune();
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /expected trust in ".*" before its prune\.ttl counts/);
    assert.equal((await cli(place, ['config', 'trust'])).code, 0);
    assert.match((await place.prune()).stdout, /3 by ttl/);
  });

  it('of vyre’s variables hold where nothing else sets them, and prune says so', async (t) => {
    const environment = { VYRE_DISK_CACHE_MAX_BYTES: '1024', VYRE_DISK_CACHE_TTL_DAYS: '30' };
    const place = placeWith(t, THREE, { environment });
    const ran = await place.prune('--dry-run');
    assert.match(
      ran.stderr,
      /^vyre-cache: goes by VYRE_DISK_CACHE_TTL_DAYS and VYRE_DISK_CACHE_MAX_BYTES, .*\n/,
    );
    assert.match(ran.stdout, /2 by max-size\); 1 KiB in 1 entry would be left \(limit 1 KiB\)/);
    assert.doesNotMatch((await place.prune('--dry-run', '--max-size', '1MB')).stderr, /MAX_BYTES/);
    assert.doesNotMatch((await place.prune('--dry-run', '-q')).stderr, /goes by/);
  });

  const days: readonly (readonly [string, number, RegExp])[] = [
    ['9', 0, /1 by ttl/],
    ['10', 0, /Nothing to remove/],
    ['0', 2, /expected a rule, got none/],
    ['-1', 2, /expected a whole number such as 8, got "-1" for VYRE_DISK_CACHE_TTL_DAYS/],
    ['30d', 2, /expected a whole number such as 8, got "30d" for VYRE_DISK_CACHE_TTL_DAYS/],
    ['999999999999', 2, /for VYRE_DISK_CACHE_TTL_DAYS/],
  ];
  for (const [text, code, expected] of days) {
    it(`read VYRE_DISK_CACHE_TTL_DAYS=${text}`, async (t) => {
      const place = placeWith(t, THREE, { environment: { VYRE_DISK_CACHE_TTL_DAYS: text } });
      const ran = await place.prune('--dry-run');
      assert.equal(ran.code, code);
      assert.match(ran.stdout + ran.stderr, expected);
    });
  }

  it('leave nonsense in vyre’s variables alone where it decides nothing', async (t) => {
    const environment = { VYRE_DISK_CACHE_MAX_BYTES: '4GiB', VYRE_DISK_CACHE_TTL_DAYS: 'x' };
    const place = placeWith(t, THREE, { environment });
    assert.equal((await place.prune('--dry-run')).code, 2);
    assert.equal((await place.prune('--dry-run', '--ttl', '1d')).code, 2);
    assert.equal((await place.prune('--dry-run', '--ttl', '1d', '--max-size', '1MB')).code, 0);
    assert.equal((await cli(place, ['ls'], { environment })).code, 0);
  });
});

describe('prune --all', () => {
  it('asks on a terminal, and takes only a yes for one', (t) => {
    if (!has(t, 'script')) return;
    for (const [answer, code, left] of [
      ['n', 1, 3],
      ['', 1, 3],
      ['yes please', 1, 3],
      ['y', 0, 0],
    ] as const) {
      const place = placeWith(t);
      const line = shellLine([...SOURCES, 'prune', '--all']);
      const ran = spawnSync(findTool('script') ?? '', ['-qec', line, '/dev/null'], {
        cwd: place.work,
        env: place.environment,
        input: `${answer}\n`,
        encoding: 'utf8',
      });
      assert.match(ran.stdout, /Remove 3 entries, 4 KiB, from .*vyre\? \[y\/N\] /);
      assert.deepEqual([ran.status, storedNames(place.store).length], [code, left], `"${answer}"`);
    }
  });
});

describe('prune beside others', () => {
  it('two processes at once remove together exactly what one would', async (t) => {
    const names = manyNames(400);
    const place = placeWith(
      t,
      names.map((name, index) => ({ name, bytes: 1, recordBytes: 1, age: index })),
    );
    const argv = ['prune', '--max-entries', '100', '--json'];
    const ended = await Promise.all([start(place, argv), start(place, argv)]);
    const removed = ended.map(({ code, stdout, stderr }) => {
      assert.equal(code, 0, stderr);
      return (JSON.parse(stdout) as { removedCount: number }).removedCount;
    });
    assert.equal((removed[0] ?? 0) + (removed[1] ?? 0), 300);
    assert.equal(readdirSync(place.store).length, 200);
  });

  it('removes while 16 processes compile: every build gets its own, and what is left is whole', async (t) => {
    const bench = Workbench.make(t);
    bench.write('in.txt', 'abc');
    const child = fileURLToPath(new URL('../support/children/compile-or-sweep.ts', import.meta.url));
    const program = await childProgram(child, bench.folder);
    const compilers = Array.from({ length: 16 }, (_, number) =>
      bench.spawn(process.execPath, [program, 'compile', bench.root, bench.project, String(number), '12']),
    );
    const beside = { running: true };
    const all = Promise.all(compilers.map(async ({ ended }) => ended)).finally(() => {
      beside.running = false;
    });
    let removed = 0;
    while (beside.running) {
      const ran = await bench.run(['prune', '--max-entries', '3', '--json']);
      assert.equal(ran.status, 0, ran.stderr.toString('utf8'));
      const report = JSON.parse(ran.stdout.toString('utf8')) as { removedCount: number; failures: unknown[] };
      assert.deepEqual(report.failures, []);
      removed += report.removedCount;
    }
    for (const ended of await all) {
      assert.equal(ended.status, 0, ended.stderr.toString('utf8'));
      const seen = JSON.parse(ended.stdout.toString('utf8')) as { stored: number; others: string[] };
      assert.deepEqual(seen, { stored: 12, others: [] });
    }
    assert.ok(removed > 0);
    assert.equal(await bench.verified(), 16 * 12 - removed);
    assert.deepEqual(bench.workers(), []);
  });
});

describe('prune on a file system', () => {
  const SELF = shellLine(SOURCES);

  function inNamespace(place: Place, words: readonly string[], lines: readonly string[]): readonly string[] {
    const [program = '', ...args] = words;
    const ran = spawnSync(program, [...args, lines.join('\n')], {
      cwd: place.work,
      env: place.environment,
      encoding: 'utf8',
    });
    assert.equal(ran.status, 0, ran.stderr);
    return ran.stdout.trim().split('\n');
  }

  it('that is full frees it', (t) => {
    const words = mountNamespace(t);
    if (words === null) return;
    const place = makePlace(t);
    const root = join(place.home, '.cache', 'vyre');
    mkdirSync(root, { recursive: true });
    const names = manyNames(5);
    const [last, exit, left] = inNamespace(place, words, [
      `mount -t tmpfs -o size=256k,mode=700 tmpfs '${root}'`,
      `mkdir '${root}/pipelines'`,
      ...names.map((name) => `head -c 40000 /dev/zero > '${root}/pipelines/${name}.bin'`),
      `head -c 1000000 /dev/zero > '${root}/pipelines/filler' 2> /dev/null || true`,
      `${SELF} prune --max-entries 2`,
      'echo "exit $?"',
      `ls '${root}/pipelines' | wc -l`,
    ]);
    assert.match(last ?? '', /^Freed 117 KiB \(3 entries: 3 by max-entries\); /);
    assert.deepEqual([exit, left?.trim()], ['exit 0', '3']);
  });

  it('that is read-only reports each, and shows with --dry-run what it would do', (t) => {
    const words = mountNamespace(t);
    if (words === null) return;
    const place = placeWith(t);
    const root = place.paths.root;
    const [dry, exitDry, real, exit] = inNamespace(place, words, [
      `mount --bind '${root}' '${root}'`,
      `mount -o remount,ro,bind '${root}'`,
      `${SELF} prune --all --json --dry-run`,
      'echo "exit $?"',
      `${SELF} prune --all --yes --json 2> /dev/null || echo "exit $?"`,
    ]);
    const report = JSON.parse(real ?? '') as { removedCount: number; failures: { error: string }[] };
    assert.equal((JSON.parse(dry ?? '') as { removedCount: number }).removedCount, 3);
    assert.deepEqual(
      report.failures.map(({ error }) => error),
      ['EROFS', 'EROFS', 'EROFS'],
    );
    assert.deepEqual([exitDry, exit, report.removedCount], ['exit 0', 'exit 3', 0]);
    assert.equal(storedNames(place.store).length, 3);
  });
});

describe('automatic care after a compilation', () => {
  const CALL = ['compile', 'in.txt', '-o', 'out.txt', '--', 'cp', '{input}', '{output}'] as const;
  const environment = { VYRE_CACHE_CARE_MAX_SIZE: '3KiB' };

  it('keeps the bound where something was published, and does nothing after a hit', async (t) => {
    const place = placeWith(t);
    place.write('in.txt', 'abc');
    const compiled = await cli(place, CALL, { environment });
    assert.deepEqual([compiled.code, compiled.stdout, compiled.stderr], [0, '', '']);
    // Of the three old ones the youngest stays beside the new one, which is larger than it was.
    assert.ok(!existsSync(join(place.store, `${A}.bin`)));
    assert.equal(statSync(place.paths.care).isFile(), true);
    rmSync(place.paths.care);
    assert.equal((await cli(place, CALL, { environment })).code, 0);
    assert.ok(!existsSync(place.paths.care));
  });

  it('is off with a bound of nothing, and never touches the result of a build', async (t) => {
    const place = placeWith(t);
    place.write('in.txt', 'abc');
    const off = { VYRE_CACHE_CARE_MAX_SIZE: '0B' };
    assert.equal((await cli(place, CALL, { environment: off })).code, 0);
    assert.ok(!existsSync(place.paths.care));
    assert.equal(storedNames(place.store).length, 4);
    mkdirSync(place.paths.care);
    utimesSync(place.paths.care, 1, 1);
    place.write('in.txt', 'abcd');
    const ran = await cli(place, [...CALL.slice(0, 1), '--strict', ...CALL.slice(1)], { environment });
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    const stats = await cli(place, ['stats', '--json']);
    assert.match(stats.stdout, /"kind":"care-failed"/);
    writeFileSync(join(place.work, 'in.txt'), 'abc');
  });
});
