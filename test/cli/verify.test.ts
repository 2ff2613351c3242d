import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { openHome } from '../../src/store/home.js';
import { entryBytes, fingerprintFrom } from '../support/artifacts.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { write } from '../support/fixture-home.js';
import { listing, tree } from '../support/listing.js';
import { hexOf, moduleName } from '../support/other-caches.js';
import { asOtherUser } from '../support/other-user.js';
import { shellLine, SOURCES } from '../support/program.js';
import { findTool, has } from '../support/tools.js';
import { cli, makePlace, start, type Place, type Ran, type RunOptions } from './support.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const HOUR = 3_600_000;

interface Verified extends Place {
  readonly paths: HomePaths;
  entry(fingerprint: string): string;
  verify(...argv: readonly string[]): Promise<Ran>;
}

/** A place with a home in its default place: entry `a` is sound, `b` damaged where that is wanted. */
function placeWith(
  t: TestContext,
  options: { readonly damaged: boolean } & RunOptions = { damaged: true },
): Verified {
  const place = makePlace(t);
  const paths = new HomePaths(join(realpathSync(place.home), '.cache', 'vyre'));
  assert.ok(openHome(fakeHost(), paths).ok);
  const entry = (fingerprint: string): string => join(paths.store, `${fingerprint}.bin`);
  writeFileSync(entry(A), entryBytes('vyre'));
  if (options.damaged) writeFileSync(entry(B), 'damaged');
  return { ...place, paths, entry, verify: async (...argv) => verifyIn(place, argv, options) };
}

/** Nobody has written anything for an hour. */
async function verifyIn(place: Place, argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const host = fakeHost({ clock: new FakeClock(Date.now() + HOUR) });
  return cli(place, ['verify', ...argv], { host, ...options });
}

function documentOf({ stdout }: Ran): Record<string, unknown> {
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('the options of verify', () => {
  const wrong: readonly (readonly [argv: readonly string[], message: RegExp])[] = [
    [['--quarantine', '--delete'], /expected --quarantine or --delete, got both/],
    [['--quarantine', '--restore', 'x'], /expected --quarantine or --restore, got both/],
    [['--delete', '--yes', '--restore', 'x'], /expected --delete or --restore, got both/],
    [['--seal', '--restore', 'x'], /expected --restore or --seal, got both/],
    [['--yes'], /expected --yes with --delete only/],
    [['--quarantine', '--yes'], /expected --yes with --delete only/],
    [['--restore', 'x', '-y'], /expected --yes with --delete only/],
    [['--seal', A], /expected --seal with a directory or none, got fingerprints/],
    [['--restore', 'x', '.', '.'], /expected one directory with --restore, got 2/],
    [['--restore'], /--restore/],
    [['--quarantine=yes'], /--quarantine/],
    [['--dry-run'], /--dry-run/],
    [['.', A], /expected one directory, or fingerprints only, got "\."/],
    [['.', '..'], /expected one directory, or fingerprints only/],
    [
      ['0123456789'],
      /expected the start of an entry’s fingerprint|expected the start of an entry's fingerprint/,
    ],
  ];
  for (const [argv, message] of wrong) {
    it(`are a usage error: ${argv.map((word) => word.slice(0, 12)).join(' ')}`, async (t) => {
      const place = placeWith(t);
      const before = listing(place.paths.root);
      const ran = await place.verify(...argv);
      assert.deepEqual([ran.code, ran.stdout], [2, ''], ran.stderr);
      assert.match(ran.stderr, message);
      assert.deepEqual(listing(place.paths.root), before);
    });
  }

  it('may be combined where that makes sense', async (t) => {
    const place = placeWith(t);
    const ran = await place.verify('--seal', '--quarantine', '--json');
    assert.equal(ran.code, 1);
    assert.equal((documentOf(ran)['treated'] as unknown[]).length, 1);
    assert.equal((await place.verify('--seal', '--delete', '--yes')).code, 0);
  });

  it('are told by --help, with what each exit code means', async (t) => {
    const { code, stdout } = await placeWith(t).verify('--help');
    assert.equal(code, 0);
    for (const word of ['--quarantine', '--restore <name>', '--delete', '--seal', '-y, --yes', 'Exit 0'])
      assert.ok(stdout.includes(word), word);
  });
});

describe('verify without a treatment', () => {
  it('exits 0 when nothing is damaged, and says so', async (t) => {
    const ran = await placeWith(t, { damaged: false }).verify();
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    assert.match(ran.stdout, /^1 entry, 36 B verified in [^:]+: all valid\n$/);
  });

  it('exits 1 when something is, and names it', async (t) => {
    const ran = await placeWith(t).verify();
    assert.deepEqual([ran.code, ran.stderr], [1, '']);
    assert.match(ran.stdout, new RegExp(`^pipelines/${B}.bin  truncated\n2 entries, .*: 1 damaged\n$`));
  });

  it('leaves the problems alone with -q', async (t) => {
    assert.equal((await placeWith(t).verify('-q')).stdout, `pipelines/${B}.bin  truncated\n`);
    assert.deepEqual(await placeWith(t, { damaged: false }).verify('-q'), {
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  it('prints one document with every field', async (t) => {
    const place = placeWith(t);
    const ran = await place.verify('--json');
    assert.equal(ran.code, 1);
    const { seconds, ...document } = documentOf(ran);
    assert.equal(typeof seconds, 'number');
    assert.deepEqual(document, {
      schema: 'vyre-cache.verify/1',
      root: place.paths.root,
      artifacts: 2,
      valid: 1,
      damaged: 1,
      unverifiable: 0,
      litter: 0,
      aliens: 0,
      quarantined: 0,
      sealed: 0,
      sealError: null,
      bytes: 43,
      problems: [{ path: `pipelines/${B}.bin`, layout: 'vyre', fingerprint: B, reason: 'truncated' }],
      treated: [],
    });
    assert.equal(Object.keys(documentOf(ran))[0], 'schema');
  });

  it('counts what was sealed, in the document and in the sentence', async (t) => {
    const place = makePlace(t);
    const path = write(join(place.work, 'pvf', `0x${hexOf('a')}${hexOf('b')}.pvf`), 'raw');
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    assert.equal((await verifyIn(place, ['pvf', '--seal'])).code, 0);
    const ran = await verifyIn(place, ['pvf', '--json']);
    assert.deepEqual([ran.code, documentOf(ran)['sealed']], [0, 1]);
    assert.match((await verifyIn(place, ['pvf'])).stdout, /1 unverifiable \(1 as sealed\)/);
    writeFileSync(path, 'rAw');
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    for (const argv of [['pvf'], ['pvf', '--seal'], ['pvf']]) {
      const found = await verifyIn(place, argv);
      assert.equal(found.code, 1);
      assert.match(found.stdout, /\.pvf {2}seal-mismatch\n/);
    }
  });

  it('exits 3 when seals have no place, and says what to set', async (t) => {
    const place = makePlace(t);
    write(join(place.work, 'pvf', `0x${hexOf('a')}${hexOf('b')}.pvf`), 'raw');
    const ran = await verifyIn({ ...place, environment: {} }, ['pvf', '--seal']);
    assert.equal(ran.code, 3);
    assert.match(ran.stderr, /expected a state directory.*\n.*HOME or XDG_STATE_HOME/);
  });
});

describe('verify --quarantine and --restore', () => {
  it('says what it moved and where to, and exits 1; afterwards all is well', async (t) => {
    const place = placeWith(t);
    const ran = await place.verify('--quarantine');
    const [id = ''] = readdirSync(join(place.paths.root, 'quarantine'));
    assert.equal(ran.code, 1);
    assert.ok(ran.stdout.includes(`pipelines/${B}.bin moved to quarantine/${id}\n`), ran.stdout);
    const clean = await place.verify();
    assert.equal(clean.code, 0);
    assert.match(clean.stdout, /all valid; besides 1 in quarantine\n$/);
    const restored = await place.verify('--restore', id.slice(0, 6));
    assert.deepEqual(restored, { code: 0, stdout: `Restored ${place.entry(B)}\n`, stderr: '' });
    assert.equal(readFileSync(place.entry(B), 'utf8'), 'damaged');
  });

  it('tells the same in documents', async (t) => {
    const place = placeWith(t);
    const ran = await place.verify('--quarantine', '--json');
    const [id = ''] = readdirSync(join(place.paths.root, 'quarantine'));
    const path = `pipelines/${B}.bin`;
    assert.deepEqual(documentOf(ran)['treated'], [
      { path, action: 'quarantined', id, home: place.paths.root, error: null },
    ]);
    assert.equal(documentOf(ran)['quarantined'], 1);
    const restored = await place.verify('--restore', id, '--json');
    assert.deepEqual(documentOf(restored), {
      schema: 'vyre-cache.restore/1',
      id,
      path: place.entry(B),
      reason: 'truncated',
    });
  });

  it('says nothing with -q', async (t) => {
    const place = placeWith(t);
    await place.verify('--quarantine');
    assert.deepEqual(await place.verify('--restore', 'b', '-q'), { code: 0, stdout: '', stderr: '' });
  });

  it('moves named entries only', async (t) => {
    const place = placeWith(t);
    writeFileSync(place.entry(A), 'damaged, too');
    assert.equal((await place.verify(B, '--quarantine')).code, 1);
    assert.deepEqual(readdirSync(place.paths.store), [`${A}.bin`]);
  });

  it('exits 2 for a name that fits nothing, 3 for what cannot be brought back', async (t) => {
    const place = placeWith(t);
    assert.equal((await place.verify('--restore', 'b')).code, 2);
    await place.verify('--quarantine');
    writeFileSync(place.entry(B), entryBytes('new'));
    const ran = await place.verify('--restore', 'b');
    assert.equal(ran.code, 3);
    assert.match(ran.stderr, /expected nothing at .*found a file/);
    assert.deepEqual(readFileSync(place.entry(B)), entryBytes('new'));
  });

  it('takes the quarantine of the default home for other systems, and brings back from there', async (t) => {
    const place = placeWith(t, { damaged: false });
    const name = `1.0_0x${hexOf('a')}_0x${hexOf('b')}_0x${hexOf('c')}`;
    const path = write(join(place.work, 'pvf', name), 'other content');
    assert.equal((await place.verify('pvf', '--quarantine')).code, 1);
    assert.deepEqual(readdirSync(join(place.work, 'pvf')), []);
    assert.equal(readdirSync(join(place.paths.root, 'quarantine')).length, 1);
    assert.equal((await place.verify('--restore', '1.0_')).code, 0);
    assert.equal(readFileSync(path, 'utf8'), 'other content');
  });

  it('brings back by a name that begins like an option', async (t) => {
    const place = placeWith(t, { damaged: false });
    const module = `-${moduleName('a').slice(1)}`;
    const path = write(join(place.work, 'wasmtime', 'modules', 'cranelift-31.0.0', module), 'no zstd stream');
    assert.equal((await place.verify('wasmtime', '--quarantine')).code, 1);
    const [id = ''] = readdirSync(join(place.paths.root, 'quarantine'));
    assert.ok(id.startsWith('-'), id);
    const ran = await place.verify('--restore', id);
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    assert.equal(readFileSync(path, 'utf8'), 'no zstd stream');
  });

  it('exits 3 where there is no home to take the quarantine, and moves nothing', async (t) => {
    const place = makePlace(t);
    write(join(place.work, 'flat', `${A}.bin`), 'damaged');
    const ran = await verifyIn({ ...place, environment: {} }, ['flat', '--quarantine']);
    assert.equal(ran.code, 3);
    assert.match(ran.stdout, /bad-checksum|truncated/);
    assert.match(ran.stdout, /cannot be moved or deleted \(.*set HOME or VYRE_CACHE_DIR\)/);
    assert.deepEqual(tree(join(place.work, 'flat')), [`${A}.bin`]);
  });

  it('exits 3 for what is in use or cannot be moved, whatever else is damaged', async (t) => {
    const place = placeWith(t);
    const files = failingFiles({
      rename: (from, to) => {
        if (from === place.entry(B)) throw errnoError('EIO');
        systemFiles.rename(from, to);
      },
    });
    const host = fakeHost({ files, clock: new FakeClock(Date.now() + HOUR) });
    const ran = await cli(place, ['verify', '--quarantine'], { host });
    assert.equal(ran.code, 3);
    assert.match(ran.stdout, /cannot be moved or deleted \(EIO\)/);
  });
});

describe('verify --delete', () => {
  it('wants --yes where nobody can be asked, before it does anything', async (t) => {
    const place = placeWith(t);
    const before = listing(place.paths.root);
    for (const argv of [['--delete'], ['--delete', '--json'], ['--delete', B]]) {
      const ran = await place.verify(...argv);
      assert.equal(ran.code, 2);
      assert.match(ran.stderr, /expected --yes with --delete: nobody is here to be asked/);
      // There is no such option here.
      assert.doesNotMatch(ran.stderr, /--dry-run/);
    }
    assert.deepEqual(listing(place.paths.root), before);
  });

  it('wants it from a process without a terminal', async (t) => {
    const place = placeWith(t);
    const ran = await start(place, ['verify', '--delete']);
    assert.equal(ran.code, 2);
    assert.ok(existsSync(place.entry(B)));
  });

  it('asks on a terminal, and takes only a yes for one', (t) => {
    if (!has(t, 'script')) return;
    for (const [answer, isGone] of [
      ['n', false],
      ['', false],
      ['yes please', false],
      ['y', true],
    ] as const) {
      const place = placeWith(t);
      const line = shellLine([...SOURCES, 'verify', '--delete']);
      const ran = spawnSync(findTool('script') ?? '', ['-qec', line, '/dev/null'], {
        cwd: place.work,
        env: place.environment,
        input: `${answer}\n`,
        encoding: 'utf8',
      });
      assert.match(ran.stdout, /Delete 1 damaged artifact in .*vyre\? \[y\/N\] /);
      assert.deepEqual([ran.status, !existsSync(place.entry(B))], [1, isGone], `"${answer}"`);
    }
  });

  it('deletes with --yes, says what, and exits 1; afterwards 0', async (t) => {
    const place = placeWith(t);
    const ran = await place.verify('--delete', '--yes');
    assert.equal(ran.code, 1);
    assert.ok(ran.stdout.includes(`pipelines/${B}.bin deleted\n`), ran.stdout);
    assert.deepEqual(readdirSync(place.paths.store), [`${A}.bin`]);
    assert.equal((await place.verify('--delete', '-y')).code, 0);
  });

  it('tells with --json what it deleted', async (t) => {
    const ran = await placeWith(t).verify('--delete', '--yes', '--json');
    const path = `pipelines/${B}.bin`;
    assert.deepEqual(documentOf(ran)['treated'], [
      { path, action: 'deleted', id: null, home: null, error: null },
    ]);
  });
});

describe('the directory of verify', () => {
  it('may be absent or empty where none is typed', async (t) => {
    const place = makePlace(t);
    for (const argv of [[], ['--seal'], ['--quarantine'], ['--delete', '--yes'], ['--json']]) {
      const ran = await verifyIn(place, argv);
      assert.deepEqual([ran.code, ran.stderr], [0, ''], argv.join(' '));
    }
    assert.ok(!existsSync(join(place.home, '.cache')));
  });

  const unusable: readonly (readonly [name: string, make: (place: Place) => string, message: RegExp])[] = [
    [
      'absent',
      (place) => join(place.work, 'absent'),
      /expected a cache directory, found nothing at ".*absent"/,
    ],
    [
      'named by bytes that are not UTF-8',
      (place) => join(place.work, 'nu\uFFFD'),
      /found nothing at ".*"\nhint: Names that are not UTF-8/,
    ],
    ['absent, below a file', (place) => join(place.write('file', 'x'), 'deep'), /found nothing|found a file/],
    ['a file', (place) => place.write('file', 'x'), /expected a cache directory, found a file at ".*file"/],
    [
      'of strangers',
      (place) => {
        place.write('thesis/chapter.tex', 'x');
        return join(place.work, 'thesis');
      },
      /got ".*thesis", which has no known layout/,
    ],
    [
      'a link to nothing',
      (place) => {
        symlinkSync('nowhere', join(place.work, 'link'));
        return join(place.work, 'link');
      },
      /expected a cache directory, found /,
    ],
    [
      'a loop of links',
      (place) => {
        symlinkSync('b', join(place.work, 'a'));
        symlinkSync('a', join(place.work, 'b'));
        return join(place.work, 'a');
      },
      /expected a cache directory|cannot be read \(ELOOP\)/,
    ],
    ['the root of the file system', () => '/', /got "\/", which has no known layout/],
    ['a device', () => '/dev/null', /expected a cache directory, found a file at "\/dev\/null"/],
    ['what the kernel tells', () => '/proc/self', /which has no known layout/],
  ];
  for (const [name, make, message] of unusable) {
    it(`ends with 3 and a sentence of its own when it is ${name}`, async (t) => {
      const place = makePlace(t);
      const path = make(place);
      for (const argv of [
        [path],
        ['--cache-dir', path],
        [path, '--quarantine'],
        [path, '--delete', '--yes'],
      ]) {
        const ran = await verifyIn(place, argv);
        assert.equal(ran.code, 3, `${argv.join(' ')}: ${ran.stderr}${ran.stdout}`);
        assert.match(ran.stderr, message);
        assert.equal(ran.stdout, '');
      }
      const { code, stdout } = await verifyIn(place, [path, '--json']);
      assert.deepEqual([code, documentOf({ code, stdout, stderr: '' })['schema']], [3, 'vyre-cache.error/1']);
    });
  }

  it('may be empty when it is typed', async (t) => {
    const place = makePlace(t);
    mkdirSync(join(place.work, 'empty'));
    const ran = await verifyIn(place, ['empty']);
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    assert.deepEqual(readdirSync(join(place.work, 'empty')), []);
  });

  it('may be a link, which is resolved once; loops and links in it are not entered', async (t) => {
    const place = placeWith(t, { damaged: false });
    symlinkSync(place.paths.root, join(place.work, 'link'));
    symlinkSync('..', join(place.paths.store, 'loop'));
    symlinkSync('.', join(place.paths.root, 'aot'));
    symlinkSync('self', join(place.paths.root, 'self'));
    const ran = await place.verify('link', '--json');
    assert.equal(ran.code, 0, ran.stdout);
    const document = documentOf(ran);
    assert.deepEqual([document['root'], document['valid'], document['aliens']], [place.paths.root, 1, 3]);
  });

  it('has folders that cannot be read named, with 3, even where something is damaged', async (t) => {
    const place = placeWith(t);
    mkdirSync(join(place.paths.root, 'aot'));
    const files = failingFiles({
      scanDirectory: (path, visit) => {
        if (path === join(place.paths.root, 'aot')) throw errnoError('EACCES');
        systemFiles.scanDirectory(path, visit);
      },
    });
    const ran = await cli(place, ['verify', '--json'], { host: fakeHost({ files }) });
    assert.equal(ran.code, 3);
    assert.deepEqual(documentOf(ran)['problems'], [
      { path: 'aot', layout: null, fingerprint: null, reason: 'EACCES' },
      { path: `pipelines/${B}.bin`, layout: 'vyre', fingerprint: B, reason: 'truncated' },
    ]);
  });

  it('has what its user may not read named, with 3', async (t) => {
    const place = placeWith(t, { damaged: false });
    write(join(place.paths.root, 'ptx-source', 'ab', 'x'));
    write(join(place.paths.root, 'photos', 'x'));
    await asOtherUser(place.home, async () => {
      chmodSync(join(place.paths.root, 'ptx-source'), 0);
      chmodSync(join(place.paths.root, 'photos'), 0);
      chmodSync(place.entry(A), 0);
      try {
        const host = fakeHost({
          user: { uid: process.geteuid?.() ?? 0 },
          clock: new FakeClock(Date.now() + HOUR),
        });
        const ran = await cli(place, ['verify', '--json'], { host });
        assert.equal(ran.code, 3);
        const problems = documentOf(ran)['problems'] as { readonly path: string; readonly reason: string }[];
        assert.deepEqual(
          problems.map(({ path, reason }) => [path, reason]),
          [
            ['photos', 'EACCES'],
            [`pipelines/${A}.bin`, 'EACCES'],
            ['ptx-source', 'EACCES'],
          ],
        );
        chmodSync(place.paths.root, 0o300);
        const closed = await cli(place, ['verify'], { host });
        assert.equal(closed.code, 3);
        assert.match(`${closed.stdout}${closed.stderr}`, /EACCES/);
      } finally {
        chmodSync(place.paths.root, 0o700);
        for (const name of ['ptx-source', 'photos']) chmodSync(join(place.paths.root, name), 0o700);
      }
    });
  });

  it('may hold names that are not UTF-8: they are aliens, and stay', async (t) => {
    const place = placeWith(t, { damaged: false });
    const nameIn = (folder: string, last: number): Buffer =>
      Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x66, 0xff, last])]);
    mkdirSync(join(place.paths.root, 'cuda-jit'));
    for (const folder of [place.paths.root, place.paths.store, join(place.paths.root, 'cuda-jit')]) {
      writeFileSync(nameIn(folder, 0x61), 'x');
      mkdirSync(nameIn(folder, 0x62));
      writeFileSync(Buffer.concat([nameIn(folder, 0x62), Buffer.from('/deep')]), 'x');
    }
    const before = listingOfNames(place.paths.root);
    for (const argv of [[], ['--quarantine'], ['--delete', '--yes'], ['--seal']]) {
      const ran = await place.verify(...argv, '--json');
      assert.equal(ran.code, 0, ran.stdout);
      assert.equal(documentOf(ran)['aliens'], 6);
    }
    assert.deepEqual(listingOfNames(place.paths.root), before);
  });

  it('may itself have such a name in its path', async (t) => {
    const place = makePlace(t);
    const folder = join(place.work, 'größer \u{1F600} \u001B[31m');
    write(join(folder, 'pipelines', `${A}.bin`), 'damaged');
    const ran = await verifyIn(place, [folder]);
    assert.equal(ran.code, 1);
    assert.ok(!ran.stdout.includes('\u001B'), 'expected no escape on a terminal');
    assert.equal(documentOf(await verifyIn(place, [folder, '--json']))['root'], realpathSync(folder));
  });

  it('is a store when it is called pipelines: its home is meant', async (t) => {
    const place = placeWith(t, { damaged: false });
    assert.equal(documentOf(await place.verify(place.paths.store, '--json'))['root'], place.paths.root);
  });
});

/** All names below a folder, byte by byte. */
function listingOfNames(folder: string): readonly string[] {
  return readdirSync(Buffer.from(folder), { recursive: false, encoding: 'buffer' }).map((name) =>
    name.toString('hex'),
  );
}
