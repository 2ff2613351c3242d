import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { CacheSession } from '../../src/compile/session.js';
import { systemFiles, type Files } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import type { VerifyReport } from '../../src/maintenance/reports.js';
import { restoreArtifact, type RestoredArtifact } from '../../src/maintenance/restore.js';
import { verify } from '../../src/maintenance/verify.js';
import { CacheError } from '../../src/model/error.js';
import { fingerprintByte } from '../../src/store/lock-file.js';
import { openHome } from '../../src/store/home.js';
import { entryBytes, fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { write } from '../support/fixture-home.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing, tree } from '../support/listing.js';
import { codeBytes, hexOf, moduleName, wasmerArtifact } from '../support/other-caches.js';
import { asOtherUser } from '../support/other-user.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeAot, writePtx, writeSummary, writeWgpu } from '../support/vyre-files.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const HOUR = 3_600_000;
/** With fractions of a millisecond, as real files have them. */
const SECONDS = 1_700_000_000.123_456;
const CHILD = join(import.meta.dirname, '../support/children/quarantine.ts');

/** Nobody has written anything for an hour. */
function quietHost(replaced: Partial<Host> = {}): Host {
  return fakeHost({ clock: new FakeClock(Date.now() + HOUR), ...replaced });
}

async function quarantine(session: CacheSession, home: string | null = null): Promise<VerifyReport> {
  return verify(session, { fingerprints: null, treatment: { kind: 'quarantine', home } });
}

async function deleteDamaged(session: CacheSession): Promise<VerifyReport> {
  return verify(session, { fingerprints: null, treatment: { kind: 'delete' } });
}

async function check(session: CacheSession): Promise<VerifyReport> {
  return verify(session, { fingerprints: null });
}

function idsIn(root: string): readonly string[] {
  const folder = join(root, 'quarantine');
  return existsSync(folder) ? readdirSync(folder).toSorted() : [];
}

/** The only one. */
function idIn(root: string): string {
  const [id, ...others] = idsIn(root);
  assert.ok(id !== undefined && others.length === 0, `expected one thing, found ${idsIn(root).length}`);
  return id;
}

function actions({ treated }: VerifyReport): readonly (readonly [string, string | null])[] {
  return treated.map(({ action, error }) => [action, error] as const);
}

/** What a file is: its bytes, mode and time. */
function stateOf(path: string): readonly unknown[] {
  const stat = lstatSync(path, { bigint: true });
  return [stat.isFile() ? readFileSync(path).toString('hex') : readlinkSync(path), stat.mode, stat.mtimeNs];
}

function statesOf(paths: readonly string[]): readonly unknown[] {
  return paths.map((path) => [basename(path), ...stateOf(path)]);
}

/** A damaged artifact. */
interface Damage {
  readonly name: string;
  readonly format: string;
  readonly folder: string;
  readonly stem: string;
  readonly reason: string;
  /** All its files below the root. */
  readonly files: readonly string[];
  place(home: TestHome): void;
}

const KEY = hexOf('a key');
const SHORT = KEY.slice(0, 32);
const TEXT = 'fn main() {}\n';

const DAMAGES: readonly Damage[] = [
  {
    name: 'an entry with its record',
    format: 'entry',
    folder: 'pipelines',
    stem: A,
    reason: 'bad-checksum',
    files: [`pipelines/${A}.bin`, `pipelines/${A}.json`],
    place: (home) => {
      home.place(makeArtifact(A, 'vyre'));
      writeFileSync(home.entry(A), entryBytes('vyre').fill('X', 1, 2));
    },
  },
  {
    name: 'an entry of vyre',
    format: 'entry',
    folder: 'pipelines',
    stem: A,
    reason: 'truncated',
    files: [`pipelines/${A}.bin`],
    place: (home) => {
      writeFileSync(home.entry(A), 'cut');
    },
  },
  {
    name: 'four files of a pipeline',
    format: 'wgpu-pipeline',
    folder: 'pipeline',
    stem: KEY,
    reason: 'bad-checksum',
    files: ['.wgsl', '.wgsl.toml', '.pipeline.bin', '.pipeline.toml'].map(
      (suffix) => `pipeline/${KEY}${suffix}`,
    ),
    place: ({ root }) => {
      writeWgpu(join(root, 'pipeline'), KEY, { text: TEXT, blob: 'blob' });
      writeFileSync(join(root, 'pipeline', `${KEY}.pipeline.bin`), 'BLOB');
    },
  },
  {
    name: 'half of a pipeline',
    format: 'wgpu-pipeline',
    folder: 'pipeline',
    stem: KEY,
    reason: 'half-pair',
    files: ['.wgsl', '.wgsl.toml', '.pipeline.bin'].map((suffix) => `pipeline/${KEY}${suffix}`),
    place: ({ root }) => {
      writeWgpu(join(root, 'pipeline'), KEY, { text: TEXT, blob: 'blob' });
      unlinkSync(join(root, 'pipeline', `${KEY}.pipeline.toml`));
    },
  },
  {
    name: 'a shader with its sidecar',
    format: 'aot',
    folder: 'aot',
    stem: KEY,
    reason: 'length-mismatch',
    files: [`aot/${KEY}.wgsl`, `aot/${KEY}.toml`],
    place: ({ root }) => {
      writeAot(join(root, 'aot'), KEY, TEXT);
      appendFileSync(join(root, 'aot', `${KEY}.wgsl`), ' ');
    },
  },
  {
    name: 'an assembler text in its shard',
    format: 'ptx-source',
    folder: `ptx-source/${KEY.slice(0, 2)}`,
    stem: KEY,
    reason: 'not-utf8',
    files: [`ptx-source/${KEY.slice(0, 2)}/${KEY}.ptx`],
    place: ({ root }) => {
      writePtx(join(root, 'ptx-source'), KEY, Buffer.from([0xff]));
    },
  },
  {
    name: 'a summary in its shard',
    format: 'frontend-c-summary',
    folder: `frontend-c-summary/${KEY.slice(0, 2)}`,
    stem: SHORT,
    reason: 'truncated',
    files: [`frontend-c-summary/${KEY.slice(0, 2)}/${SHORT}.bin`],
    place: ({ root }) => {
      writeSummary(join(root, 'frontend-c-summary'), SHORT, Buffer.from('VYREFCPS'));
    },
  },
  {
    name: 'the tokens of a file',
    format: 'parsed-ast-tokens',
    folder: 'parsed-ast',
    stem: SHORT,
    reason: 'bad-magic',
    files: [`parsed-ast/${SHORT}.vct`],
    place: ({ root }) => {
      write(join(root, 'parsed-ast', `${SHORT}.vct`), 'VYRECTS0 and more');
    },
  },
];

function placed(
  t: TestContext,
  damage: Damage,
): { readonly home: TestHome; readonly paths: readonly string[] } {
  const home = new TestHome(t);
  home.place(makeArtifact(B, 'good'));
  damage.place(home);
  const paths = damage.files.map((name) => join(home.root, name));
  for (const [index, path] of paths.entries()) {
    chmodSync(path, index === 0 ? 0o600 : 0o644);
    utimesSync(path, SECONDS, SECONDS + index);
  }
  return { home, paths };
}

describe('verify --quarantine in a home', () => {
  for (const damage of DAMAGES) {
    const { name, format, folder, stem, reason } = damage;
    it(`moves ${name} as a whole, with the reason, and brings it back as it was`, async (t) => {
      const { home, paths } = placed(t, damage);
      const states = statesOf(paths);
      const before = tree(home.root);
      const clock = new FakeClock(Date.now() + HOUR);
      const session = home.session(fakeHost({ clock }));
      const report = await quarantine(session);
      const id = idIn(home.root);
      assert.deepEqual(report.treated, [
        { path: damage.files[0], action: 'quarantined', id, home: home.root, error: null },
      ]);
      assert.deepEqual([report.damaged, report.quarantined], [1, 1]);
      assert.match(id, new RegExp(`^${stem.slice(0, 16)}-[0-9a-f]{8}$`));
      const there = join(home.root, 'quarantine', id);
      assert.deepEqual(
        readdirSync(there).toSorted(),
        [...paths.map((path) => basename(path)), 'reason.json'].toSorted(),
      );
      assert.deepEqual(statesOf(paths.map((path) => join(there, basename(path)))), states);
      assert.deepEqual(JSON.parse(readFileSync(join(there, 'reason.json'), 'utf8')), {
        schema: 'vyre-cache.quarantine/1',
        reason,
        at: new Date(clock.nowMs()).toISOString(),
        root: null,
        folder,
        format,
        stem,
      });
      assert.deepEqual(
        tree(home.root).filter((path) => !path.startsWith('quarantine/') && path !== '.vyre-cache/new/'),
        before.filter((path) => !damage.files.includes(path) && path !== '.vyre-cache/new/'),
      );
      const after = await check(session);
      assert.deepEqual([after.artifacts, after.valid, after.problems, after.quarantined], [1, 1, [], 1]);
      const restored = await restoreArtifact(session, id);
      assert.deepEqual(restored, { id, path: paths[0], reason });
      assert.deepEqual(statesOf(paths), states);
      assert.deepEqual(idsIn(home.root), []);
      assert.equal((await check(session)).problems[0]?.reason, reason);
    });
  }

  it('moves nothing through a link in the place of the quarantine', async (t) => {
    const home = new TestHome(t);
    writeFileSync(home.entry(A), 'damaged');
    const elsewhere = temporaryFolder(t);
    symlinkSync(elsewhere, home.paths.quarantine);
    const { treated } = await quarantine(home.session(quietHost()));
    assert.deepEqual([treated.length, treated[0]?.action], [1, 'failed']);
    assert.match(treated[0]?.error ?? '', /expected a directory at ".*quarantine"/);
    assert.deepEqual([tree(elsewhere), existsSync(home.entry(A))], [[], true]);
  });

  it('touches nothing when nothing is damaged', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'good'));
    write(join(home.root, 'alien'));
    const before = listing(home.root);
    assert.deepEqual((await quarantine(home.session(quietHost()))).treated, []);
    assert.deepEqual(listing(home.root), before);
  });

  it('makes a directory of vyre’s sections a home', async (t) => {
    const root = temporaryFolder(t);
    write(join(root, 'pipelines', `${A}.bin`), 'damaged');
    const session = sessionOf(t, root, { host: quietHost() });
    assert.deepEqual(actions(await quarantine(session)), [['quarantined', null]]);
    assert.ok(existsSync(join(root, '.vyre-cache', 'home.json')));
    await restoreArtifact(session, idIn(root));
    assert.equal(readFileSync(join(root, 'pipelines', `${A}.bin`), 'utf8'), 'damaged');
  });

  it('keeps two that begin alike apart', async (t) => {
    const home = new TestHome(t);
    const keys = [fingerprintFrom('abcd'), fingerprintFrom(`abcd${'0'.repeat(40)}1`)];
    for (const key of keys) writeFileSync(home.entry(key), `damaged ${key}`);
    const session = home.session(quietHost());
    const { treated } = await quarantine(session);
    assert.equal(new Set(treated.map(({ id }) => id)).size, 2);
    for (const { id } of treated) await restoreArtifact(session, id ?? '');
    for (const key of keys) assert.equal(readFileSync(home.entry(key), 'utf8'), `damaged ${key}`);
  });
});

describe('verify --quarantine of a directory of another system', () => {
  const content = codeBytes('persistent', 1000);
  const persistent = `1.0.0-abc1234_0x${hexOf('code')}_0x${hexOf('params')}_0x${hexOf('not the content')}`;
  const roots: readonly (readonly [
    name: string,
    folder: string,
    files: Readonly<Record<string, Uint8Array | string>>,
    bad: string,
    format: string,
  ])[] = [
    [
      'a flat store',
      'flat',
      { [`${A}.bin`]: 'damaged', [`${B}.bin`]: entryBytes('good') },
      `${A}.bin`,
      'entry',
    ],
    [
      'a PVF host',
      'pvf-artifacts',
      { [persistent]: content, [`0x${hexOf('a')}${hexOf('b')}.pvf`]: 'raw' },
      persistent,
      'pvf-persistent',
    ],
    [
      'wasmer',
      'wasmer-cache',
      { [KEY]: wasmerArtifact(Buffer.from('payload'), { bytes: 2 ** 32 - 1 }), [hexOf('good')]: 'raw' },
      KEY,
      'wasmer-module',
    ],
    [
      'wasmtime',
      'wasmtime',
      {
        [`modules/cranelift-31.0.0/${moduleName('bad')}`]: 'no zstd stream',
        [`modules/cranelift-31.0.0/${moduleName('bad')}.stats`]: 'usages = 1\noptimized-compression = 3\n',
      },
      `modules/cranelift-31.0.0/${moduleName('bad')}`,
      'wasmtime-module',
    ],
  ];
  for (const [name, folder, files, bad, format] of roots) {
    it(`moves what is damaged of ${name} to the default home, and puts nothing of ours there`, async (t) => {
      const top = temporaryFolder(t);
      const root = join(top, folder);
      const home = join(top, 'cache', 'vyre');
      for (const [file, bytes] of Object.entries(files)) write(join(root, file), bytes);
      const group = tree(root).filter((path) => path === bad || path === `${bad}.stats`);
      for (const path of group) utimesSync(join(root, path), SECONDS, SECONDS);
      const states = statesOf(group.map((path) => join(root, path)));
      const before = tree(root);
      const session = sessionOf(t, root, { host: quietHost(), stateDirectory: join(top, 'state') });
      const report = await quarantine(session, home);
      assert.deepEqual(actions(report), [['quarantined', null]]);
      assert.deepEqual(
        tree(root),
        before.filter((path) => !group.includes(path)),
      );
      const id = idIn(home);
      const why = JSON.parse(readFileSync(join(home, 'quarantine', id, 'reason.json'), 'utf8')) as Record<
        string,
        unknown
      >;
      assert.deepEqual(
        [why['root'], why['folder'], why['format'], why['stem']],
        [root, bad.includes('/') ? dirname(bad) : '', format, basename(bad, '.bin')],
      );
      const after = await check(session);
      assert.deepEqual([after.problems, after.damaged, after.quarantined], [[], 0, 0]);
      const homeSession = sessionOf(t, home, { host: quietHost() });
      assert.equal((await check(homeSession)).quarantined, 1);
      const restored = await restoreArtifact(homeSession, id);
      assert.equal(restored.path, join(root, bad));
      assert.deepEqual(tree(root), before);
      assert.deepEqual(statesOf(group.map((path) => join(root, path))), states);
      assert.deepEqual(idsIn(home), []);
    });
  }

  it('brings back into a folder that is gone since', async (t) => {
    const top = temporaryFolder(t);
    const root = join(top, 'wasmtime');
    const module = join(root, 'modules', 'cranelift-31.0.0', moduleName('bad'));
    write(module, 'no zstd stream');
    const home = join(top, 'vyre');
    await quarantine(sessionOf(t, root, { host: quietHost() }), home);
    rmSync(join(root, 'modules'), { recursive: true });
    await restoreArtifact(sessionOf(t, home, { host: quietHost() }), idIn(home));
    assert.equal(readFileSync(module, 'utf8'), 'no zstd stream');
  });

  it('has an error without a default home, and moves nothing', async (t) => {
    const root = temporaryFolder(t);
    write(join(root, `${A}.bin`), 'damaged');
    const { damaged, treated } = await quarantine(sessionOf(t, root, { host: quietHost() }));
    assert.deepEqual([damaged, treated.length, treated[0]?.action], [1, 1, 'failed']);
    assert.match(treated[0]?.error ?? '', /set HOME or VYRE_CACHE_DIR/);
    assert.deepEqual(tree(root), [`${A}.bin`]);
  });

  it('has an error where the default home cannot be one, and moves nothing', async (t) => {
    const top = temporaryFolder(t);
    const root = join(top, 'flat');
    write(join(root, `${A}.bin`), 'damaged');
    const home = write(join(top, 'vyre'), 'a file');
    const { treated } = await quarantine(sessionOf(t, root, { host: quietHost() }), home);
    assert.deepEqual([treated.length, treated[0]?.action], [1, 'failed']);
    assert.match(treated[0]?.error ?? '', /expected a cache of yours for the quarantine/);
    assert.deepEqual(tree(root), [`${A}.bin`]);
    assert.equal(readFileSync(home, 'utf8'), 'a file');
  });
});

/** An entry in the quarantine of a home. */
async function quarantined(t: TestContext): Promise<{
  readonly home: TestHome;
  readonly id: string;
  readonly reasonFile: string;
  readonly session: CacheSession;
}> {
  const home = new TestHome(t);
  home.place(makeArtifact(A, 'vyre'));
  writeFileSync(home.entry(A), entryBytes('vyre').fill('X', 1, 2));
  const session = home.session(quietHost());
  await quarantine(session);
  const id = idIn(home.root);
  return { home, id, reasonFile: join(home.root, 'quarantine', id, 'reason.json'), session };
}

async function refused(restoring: Promise<RestoredArtifact>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(restoring, (error) => {
    assert.ok(error instanceof CacheError, `expected a message for the user, got ${String(error)}`);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

describe('verify --restore', () => {
  it('knows a thing by the beginning of its name', async (t) => {
    const { home, session } = await quarantined(t);
    await restoreArtifact(session, 'aaaa');
    assert.deepEqual(idsIn(home.root), []);
  });

  for (const [name, taken] of [
    ['entry', (home: TestHome) => home.entry(A)],
    ['record', (home: TestHome) => home.record(A)],
  ] as const) {
    it(`replaces nothing: a new ${name} in its place stays, and so does the quarantine`, async (t) => {
      const { home, id, session } = await quarantined(t);
      writeFileSync(taken(home), 'new');
      const before = listing(join(home.root, 'quarantine'));
      await refused(restoreArtifact(session, id), 'environment', /expected nothing at .*found a file/);
      assert.equal(readFileSync(taken(home), 'utf8'), 'new');
      assert.deepEqual(listing(join(home.root, 'quarantine')), before);
      assert.deepEqual(tree(home.paths.store), [relative(home.paths.store, taken(home))]);
    });
  }

  for (const name of ['', 'no-such-thing', '..', '../pipelines', String(A), 'b']) {
    it(`knows nothing called "${name}"`, async (t) => {
      const { home, session } = await quarantined(t);
      const before = listing(home.root);
      await refused(restoreArtifact(session, name), 'usage', /names nothing/);
      assert.deepEqual(listing(home.root), before);
    });
  }

  it('wants to know which of several is meant, and takes a whole name for itself', async (t) => {
    const { home, id, session } = await quarantined(t);
    const twin = join(home.root, 'quarantine', `${id}0`);
    mkdirSync(twin);
    await refused(restoreArtifact(session, 'aaaa'), 'usage', /several/);
    await restoreArtifact(session, id);
    assert.deepEqual(idsIn(home.root), [basename(twin)]);
  });

  it('says that a quarantine is empty', async (t) => {
    const home = new TestHome(t);
    await refused(restoreArtifact(home.session(), 'a'), 'usage', /names nothing/);
  });

  it('says that nothing of the artifact is there any more', async (t) => {
    const { home, id, session } = await quarantined(t);
    for (const name of [`${A}.bin`, `${A}.json`]) unlinkSync(join(home.root, 'quarantine', id, name));
    await refused(restoreArtifact(session, id), 'environment', /found none/);
    assert.deepEqual(tree(home.paths.store), []);
  });

  it('leaves what somebody has put into the folder', async (t) => {
    const { home, id, session } = await quarantined(t);
    const note = write(join(home.root, 'quarantine', id, 'note.txt'), 'mine');
    await restoreArtifact(session, id);
    assert.ok(existsSync(home.entry(A)));
    assert.equal(readFileSync(note, 'utf8'), 'mine');
  });

  it('waits for nobody: what is being compiled stays in the quarantine', async (t) => {
    const { home, id, session } = await quarantined(t);
    await home.lock().tryHold(fingerprintByte(A), async () => {
      await refused(restoreArtifact(session, id), 'environment', /being compiled/);
    });
    assert.deepEqual(idsIn(home.root), [id]);
  });

  it('goes back elsewhere only for a reason of the same user, and only where a cache still is', async (t) => {
    const top = temporaryFolder(t);
    const root = join(top, 'flat');
    const home = join(top, 'vyre');
    const entry = write(join(root, `${A}.bin`), 'damaged');
    await quarantine(sessionOf(t, root, { host: quietHost() }), home);
    const id = idIn(home);
    const reasonFile = join(home, 'quarantine', id, 'reason.json');
    const files = failingFiles({
      lstat: (path) => {
        const stat = systemFiles.lstat(path);
        return stat !== null && path === reasonFile ? { ...stat, uid: stat.uid + 1 } : stat;
      },
    });
    await refused(
      restoreArtifact(sessionOf(t, home, { host: quietHost({ files }) }), id),
      'environment',
      /reason\.json" is somebody else's/,
    );
    renameSync(root, `${root}-moved`);
    await refused(
      restoreArtifact(sessionOf(t, home, { host: quietHost() }), id),
      'environment',
      /found nothing/,
    );
    assert.equal(existsSync(root), false);
    renameSync(`${root}-moved`, root);
    await restoreArtifact(sessionOf(t, home, { host: quietHost() }), id);
    assert.equal(readFileSync(entry, 'utf8'), 'damaged');
  });

  it('follows no link below the root', async (t) => {
    const { home, id, session } = await quarantined(t);
    const outside = temporaryFolder(t);
    rmSync(home.paths.store, { recursive: true });
    symlinkSync(outside, home.paths.store);
    await refused(restoreArtifact(session, id), 'environment', /found a link/);
    assert.deepEqual(readdirSync(outside), []);
    assert.deepEqual(idsIn(home.root), [id]);
  });

  const spoiled: readonly (readonly [name: string, spoil: (path: string) => void])[] = [
    ['absent', unlinkSync],
    ['empty', (path) => truncateSync(path, 0)],
    ['cut', (path) => truncateSync(path, 60)],
    ['garbage', (path) => writeFileSync(path, Buffer.from([0xff, 0xfe, 0]))],
    ['a giant', (path) => truncateSync(path, 2 ** 40)],
    ['nested without end', (path) => writeFileSync(path, '['.repeat(60_000))],
    [
      'a link',
      (path) => {
        renameSync(path, `${path}.aside`);
        symlinkSync(`${path}.aside`, path);
      },
    ],
    [
      'a folder',
      (path) => {
        unlinkSync(path);
        mkdirSync(path);
      },
    ],
    [
      'a pipe',
      (path) => {
        unlinkSync(path);
        execFileSync('mkfifo', [path]);
      },
    ],
  ];
  for (const [name, spoil] of spoiled) {
    it(`brings nothing back whose reason is ${name}`, async (t) => {
      const { home, id, reasonFile, session } = await quarantined(t);
      spoil(reasonFile);
      const before = name === 'a giant' ? null : listing(home.root);
      await refused(restoreArtifact(session, id), 'environment', /has no reason\.json that can be read/);
      if (before !== null) assert.deepEqual(listing(home.root), before);
    });
  }

  const hostile: readonly (readonly [name: string, changes: Readonly<Record<string, unknown>>])[] = [
    ['goes up', { folder: '..' }],
    ['goes up in the middle', { folder: 'pipelines/../..' }],
    ['stays in place', { folder: './pipelines' }],
    ['is absolute', { folder: '/tmp' }],
    ['has an empty segment', { folder: 'pipelines//deep' }],
    ['ends in a slash', { folder: 'pipelines/' }],
    ['holds a zero byte', { folder: 'pipe\0lines' }],
    ['is no text', { folder: 7 }],
    ['has a stem with a slash', { stem: `../${A}` }],
    ['has a stem that is a path', { stem: `/tmp/${A}` }],
    ['has no stem', { stem: '' }],
    ['has a stem that is the folder', { stem: '.', format: 'cuda-jit' }],
    ['has a stem that goes up', { stem: '..', format: 'cuda-jit', folder: 'a/b/c' }],
    ['has a stem with a zero byte', { stem: 'a\0b' }],
    ['has an unknown format', { format: 'passwd' }],
    ['has a format of objects', { format: 'constructor' }],
    ['has another schema', { schema: 'vyre-cache.quarantine/2' }],
    ['has a relative root', { root: 'tmp' }],
    ['has a root with a zero byte', { root: '/tmp/\0' }],
    ['has no reason', { reason: undefined }],
  ];
  for (const [name, changes] of hostile) {
    it(`brings nothing back whose place ${name}`, async (t) => {
      const { home, id, reasonFile, session } = await quarantined(t);
      const document = JSON.parse(readFileSync(reasonFile, 'utf8')) as Record<string, unknown>;
      writeFileSync(reasonFile, JSON.stringify({ ...document, ...changes }));
      const before = listing(dirname(home.root));
      await refused(restoreArtifact(session, id), 'environment', /has no reason\.json that can be read/);
      assert.deepEqual(listing(dirname(home.root)), before);
    });
  }

  it('belongs to the owner, and to this version', async (t) => {
    const { home, id } = await quarantined(t);
    const stranger = quietHost({ user: { uid: 12_345 } });
    await refused(
      restoreArtifact(sessionOf(t, home.root, { host: stranger }), id),
      'environment',
      /belongs to user/,
    );
    writeFileSync(home.paths.marker, '{"schema":"vyre-cache.home/2"}');
    await refused(restoreArtifact(sessionOf(t, home.root), id), 'environment', /newer version/);
    assert.deepEqual(idsIn(home.root), [id]);
  });

  it('says by errno why a step failed, and can be repeated', async (t) => {
    const { home, id } = await quarantined(t);
    const files = failingFiles({
      link: (from, to) => {
        if (to === home.entry(A)) throw errnoError('EIO');
        systemFiles.link(from, to);
      },
    });
    await refused(restoreArtifact(home.session(quietHost({ files })), id), 'environment', /\(EIO\)/);
    const { path } = await restoreArtifact(home.session(quietHost()), id);
    assert.equal(path, home.entry(A));
    assert.ok(existsSync(home.record(A)));
  });
});

/** File primitives to which a folder is another file system than all else. */
function apart(folder: string, replaced: Partial<Files> = {}): Files {
  const refuse = (from: string, to: string): void => {
    if (from.startsWith(`${folder}/`) !== to.startsWith(`${folder}/`)) throw errnoError('EXDEV');
  };
  return failingFiles({
    rename: (from, to) => {
      refuse(from, to);
      systemFiles.rename(from, to);
    },
    link: (from, to) => {
      refuse(from, to);
      systemFiles.link(from, to);
    },
    ...replaced,
  });
}

describe('a quarantine on another file system', () => {
  /** Larger than what is copied at once. */
  const large = codeBytes('large', 600_000);

  interface Apart {
    readonly root: string;
    readonly path: string;
    readonly home: string;
  }

  function placeLarge(t: TestContext, root: string): Apart {
    const path = write(join(root, `${A}.bin`), large);
    chmodSync(path, 0o640);
    // Whole seconds: not every file system keeps more.
    utimesSync(path, 1_700_000_000, 1_700_000_001);
    return { root, path, home: join(temporaryFolder(t), 'vyre') };
  }

  async function moveAndBack(t: TestContext, { root, path, home }: Apart, host: Host): Promise<void> {
    const before = stateOf(path);
    const report = await quarantine(sessionOf(t, root, { host }), home);
    assert.deepEqual(actions(report), [['quarantined', null]]);
    assert.deepEqual(readdirSync(root), []);
    const id = idIn(home);
    assert.deepEqual(stateOf(join(home, 'quarantine', id, `${A}.bin`)), before);
    await restoreArtifact(sessionOf(t, home, { host }), id);
    assert.deepEqual(stateOf(path), before);
    assert.deepEqual(idsIn(home), []);
  }

  it('takes a copy and brings it back, with mode and time', async (t) => {
    const place = placeLarge(t, join(temporaryFolder(t), 'flat'));
    await moveAndBack(t, place, quietHost({ files: apart(place.root) }));
  });

  it('does so between two real ones', async (t) => {
    const memory = '/dev/shm';
    if (statSync(memory, { throwIfNoEntry: false })?.dev === statSync(tmpdir()).dev || !existsSync(memory)) {
      t.skip(`needs a file system of its own at ${memory} (mount -t tmpfs tmpfs ${memory})`);
      return;
    }
    const root = mkdtempSync(join(memory, 'vyre-cache-test-'));
    t.after(() => {
      rmSync(root, { recursive: true, force: true });
    });
    await moveAndBack(t, placeLarge(t, root), quietHost());
  });

  for (const code of ['ENOSPC', 'EIO']) {
    it(`loses nothing when the copy fails (${code})`, async (t) => {
      const { root, path, home } = placeLarge(t, join(temporaryFolder(t), 'flat'));
      const before = stateOf(path);
      let isCopying = false;
      const files = apart(root, {
        open: (name, flags, mode) => {
          isCopying ||= name.endsWith(`${A}.bin`) && flags === 'createNew';
          return systemFiles.open(name, flags, mode);
        },
        write: (fd, bytes) => {
          if (isCopying) throw errnoError(code);
          systemFiles.write(fd, bytes);
        },
      });
      const report = await quarantine(sessionOf(t, root, { host: quietHost({ files }) }), home);
      assert.deepEqual(actions(report), [['failed', code]]);
      assert.deepEqual(stateOf(path), before);
      // What was copied of it explains itself, or is not there.
      assert.deepEqual(idsIn(home), []);
    });
  }

  it('leaves a good one in place that has come while the copy was made', async (t) => {
    const { root, path, home } = placeLarge(t, join(temporaryFolder(t), 'flat'));
    const files = apart(root, {
      sync: (fd) => {
        if (systemFiles.fstat(fd).bytes === large.length) publish(path, entryBytes('good'));
        systemFiles.sync(fd);
      },
    });
    const report = await quarantine(sessionOf(t, root, { host: quietHost({ files }) }), home);
    assert.deepEqual(actions(report), [['changed', null]]);
    assert.deepEqual(readFileSync(path), entryBytes('good'));
    assert.deepEqual(idsIn(home), []);
  });

  it('leaves a good one in place that has come before the copy was made', async (t) => {
    const { root, path, home } = placeLarge(t, join(temporaryFolder(t), 'flat'));
    const files = apart(root, {
      rename: (from, to) => {
        if (from !== path) {
          systemFiles.rename(from, to);
          return;
        }
        publish(path, entryBytes('good'));
        throw errnoError('EXDEV');
      },
    });
    const report = await quarantine(sessionOf(t, root, { host: quietHost({ files }) }), home);
    assert.deepEqual(actions(report), [['changed', null]]);
    assert.deepEqual(readFileSync(path), entryBytes('good'));
    assert.deepEqual(idsIn(home), []);
  });

  it('does not move what is no file: a link stays', async (t) => {
    const top = temporaryFolder(t);
    const root = join(top, 'flat');
    write(join(root, `${B}.bin`), entryBytes('good'));
    symlinkSync(join(root, `${B}.bin`), join(root, `${A}.bin`));
    const home = join(top, 'vyre');
    const report = await quarantine(sessionOf(t, root, { host: quietHost({ files: apart(root) }) }), home);
    assert.deepEqual(actions(report), [['failed', 'EXDEV']]);
    assert.equal(readlinkSync(join(root, `${A}.bin`)), join(root, `${B}.bin`));
    assert.deepEqual(idsIn(home), []);
  });
});

/** Puts other bytes into the place of a file as a writer does: by a new name. */
function publish(path: string, bytes: Uint8Array): void {
  writeFileSync(`${path}.new`, bytes);
  renameSync(`${path}.new`, path);
}

describe('what is in use or has changed', () => {
  for (const how of ['quarantine', 'delete'] as const) {
    const treat = how === 'delete' ? deleteDamaged : quarantine;

    it(`stays while its fingerprint is held (--${how})`, async (t) => {
      const home = new TestHome(t);
      writeFileSync(home.entry(A), 'damaged');
      writeFileSync(home.entry(B), 'damaged, too');
      const held = await home.lock().tryHold(fingerprintByte(A), async () => {
        const report = await treat(home.session(quietHost()));
        const done = how === 'delete' ? 'deleted' : 'quarantined';
        assert.deepEqual(actions(report), [
          ['in-use', null],
          [done, null],
        ]);
        assert.equal(readFileSync(home.entry(A), 'utf8'), 'damaged');
        assert.equal(existsSync(home.entry(B)), false);
      });
      assert.ok(held.held);
    });

    it(`stays while another process holds its fingerprint (--${how})`, async (t) => {
      const home = new TestHome(t);
      writeFileSync(home.entry(A), 'damaged');
      const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(fingerprintByte(A)));
      assert.equal(await child.line(), 'held');
      assert.deepEqual(actions(await treat(home.session(quietHost()))), [['in-use', null]]);
      assert.equal(readFileSync(home.entry(A), 'utf8'), 'damaged');
      child.go();
      await child.end();
      assert.equal(actions(await treat(home.session(quietHost())))[0]?.[1], null);
      assert.equal(existsSync(home.entry(A)), false);
    });

    it(`stays when a good one has come since it was judged (--${how})`, async (t) => {
      const home = new TestHome(t);
      writeFileSync(home.entry(A), 'damaged');
      let looks = 0;
      const files = failingFiles({
        open: (path, flags, mode) => {
          if (path === home.entry(A)) looks += 1;
          // The first look of all, the judgement, and the one before the deed.
          if (path === home.entry(A) && looks === 3) publish(path, entryBytes('good'));
          return systemFiles.open(path, flags, mode);
        },
      });
      const report = await treat(home.session(quietHost({ files })));
      assert.deepEqual(actions(report), [['changed', null]]);
      assert.equal(looks, 3);
      assert.deepEqual(readFileSync(home.entry(A)), entryBytes('good'));
      assert.deepEqual(idsIn(home.root), []);
    });

    it(`is left to whoever removed it since (--${how})`, async (t) => {
      const home = new TestHome(t);
      writeFileSync(home.entry(A), 'damaged');
      let looks = 0;
      const files = failingFiles({
        open: (path, flags, mode) => {
          if (path === home.entry(A)) looks += 1;
          if (path === home.entry(A) && looks === 3) unlinkSync(path);
          return systemFiles.open(path, flags, mode);
        },
      });
      assert.deepEqual(actions(await treat(home.session(quietHost({ files })))), [['changed', null]]);
      assert.deepEqual(idsIn(home.root), []);
    });
  }

  it('is put back when a good one has come just before it was moved', async (t) => {
    const root = join(temporaryFolder(t), 'flat');
    const path = write(join(root, `${A}.bin`), 'damaged');
    const home = join(dirname(root), 'vyre');
    const files = failingFiles({
      rename: (from, to) => {
        if (from === path) publish(path, entryBytes('good'));
        systemFiles.rename(from, to);
      },
    });
    const report = await quarantine(sessionOf(t, root, { host: quietHost({ files }) }), home);
    assert.deepEqual(actions(report), [['changed', null]]);
    assert.deepEqual(readFileSync(path), entryBytes('good'));
    assert.deepEqual(idsIn(home), []);
  });

  it('stays in the quarantine, explained, when one more has come while it was put back', async (t) => {
    const root = join(temporaryFolder(t), 'flat');
    const path = write(join(root, `${A}.bin`), 'damaged');
    const home = join(dirname(root), 'vyre');
    const files = failingFiles({
      rename: (from, to) => {
        if (from === path) publish(path, entryBytes('good'));
        systemFiles.rename(from, to);
        if (from === path) writeFileSync(path, entryBytes('better'));
      },
    });
    const report = await quarantine(sessionOf(t, root, { host: quietHost({ files }) }), home);
    assert.deepEqual(actions(report), [['failed', 'EEXIST']]);
    assert.deepEqual(readFileSync(path), entryBytes('better'));
    assert.deepEqual(readFileSync(join(home, 'quarantine', idIn(home), `${A}.bin`)), entryBytes('good'));
  });
});

describe('what is no file in the place of an entry', () => {
  const outsideOf = (home: TestHome): string => join(dirname(home.root), 'outside');
  const kinds: readonly (readonly [name: string, make: (home: TestHome) => void])[] = [
    ['a link', (home) => symlinkSync(write(outsideOf(home), 'target'), home.entry(A))],
    ['a link to nothing', (home) => symlinkSync(outsideOf(home), home.entry(A))],
    ['a pipe', (home) => execFileSync('mkfifo', [home.entry(A)])],
    ['an empty folder', (home) => mkdirSync(home.entry(A))],
  ];
  for (const [name, make] of kinds) {
    it(`${name}: is moved and brought back as it is, or deleted alone`, async (t) => {
      const home = new TestHome(t);
      make(home);
      const before = lstatSync(home.entry(A));
      const outside = (): unknown =>
        existsSync(outsideOf(home)) ? readFileSync(outsideOf(home), 'utf8') : null;
      const target = outside();
      const session = home.session(quietHost());
      assert.deepEqual(actions(await quarantine(session)), [['quarantined', null]]);
      const there = lstatSync(join(home.root, 'quarantine', idIn(home.root), `${A}.bin`));
      assert.deepEqual([there.ino, there.mode], [before.ino, before.mode]);
      await restoreArtifact(session, idIn(home.root));
      const back = lstatSync(home.entry(A));
      assert.deepEqual([back.ino, back.mode], [before.ino, before.mode]);
      assert.deepEqual(actions(await deleteDamaged(session)), [['deleted', null]]);
      assert.equal(lstatSync(home.entry(A), { throwIfNoEntry: false }), undefined);
      assert.equal(outside(), target);
    });
  }

  it('a folder with something in it: is moved with it, and never emptied', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'vyre'));
    unlinkSync(home.entry(A));
    write(join(home.entry(A), 'diary.txt'), 'mine');
    const session = home.session(quietHost());
    assert.deepEqual(actions(await deleteDamaged(session)), [['failed', 'ENOTEMPTY']]);
    assert.equal(readFileSync(join(home.entry(A), 'diary.txt'), 'utf8'), 'mine');
    assert.ok(existsSync(home.record(A)), 'expected the whole of it to stay');
    assert.deepEqual(actions(await quarantine(session)), [['quarantined', null]]);
    const id = idIn(home.root);
    assert.equal(readFileSync(join(home.root, 'quarantine', id, `${A}.bin`, 'diary.txt'), 'utf8'), 'mine');
    await restoreArtifact(session, id);
    assert.equal(readFileSync(join(home.entry(A), 'diary.txt'), 'utf8'), 'mine');
    assert.ok(existsSync(home.record(A)));
  });

  it('a record that is a folder with something in it: is never emptied', async (t) => {
    const home = new TestHome(t);
    writeFileSync(home.entry(A), entryBytes('vyre'));
    write(join(home.record(A), 'diary.txt'), 'mine');
    const report = await deleteDamaged(home.session(quietHost()));
    assert.deepEqual(actions(report), [['failed', 'ENOTEMPTY']]);
    assert.equal(readFileSync(join(home.record(A), 'diary.txt'), 'utf8'), 'mine');
  });
});

describe('verify --delete', () => {
  for (const damage of DAMAGES) {
    it(`removes ${damage.name}, all of it and nothing else`, async (t) => {
      const { home } = placed(t, damage);
      const before = tree(home.root);
      const session = home.session(quietHost());
      assert.deepEqual((await deleteDamaged(session)).treated, [
        { path: damage.files[0], action: 'deleted', id: null, home: null, error: null },
      ]);
      assert.deepEqual(
        tree(home.root),
        before.filter((path) => !damage.files.includes(path)),
      );
      assert.deepEqual((await check(session)).problems, []);
    });
  }

  it('removes nothing that carries no checksum and has nothing against it', async (t) => {
    const home = new TestHome(t);
    writePtx(join(home.root, 'ptx-source'), KEY, 'text');
    write(join(home.root, 'alien'));
    const before = listing(home.root);
    assert.deepEqual((await deleteDamaged(home.session(quietHost()))).treated, []);
    assert.deepEqual(listing(home.root), before);
  });
});

describe('a step that fails', () => {
  it('is named for its artifact, and the others go their way', async (t) => {
    const home = new TestHome(t);
    for (const key of [A, B]) home.place(makeArtifact(key, 'vyre'));
    for (const key of [A, B]) writeFileSync(home.entry(key), 'damaged');
    const files = failingFiles({
      rename: (from, to) => {
        if (from === home.entry(A)) throw errnoError('EIO');
        systemFiles.rename(from, to);
      },
      unlink: (path) => {
        if (path === home.entry(B)) throw errnoError('EPERM');
        systemFiles.unlink(path);
      },
    });
    const session = home.session(quietHost({ files }));
    assert.deepEqual(actions(await quarantine(session)), [
      ['failed', 'EIO'],
      ['quarantined', null],
    ]);
    assert.equal(readFileSync(home.entry(A), 'utf8'), 'damaged');
    await restoreArtifact(home.session(quietHost()), idIn(home.root));
    assert.deepEqual(actions(await deleteDamaged(session)), [
      ['deleted', null],
      ['failed', 'EPERM'],
    ]);
    assert.ok(existsSync(home.record(B)));
  });

  for (const damage of DAMAGES.filter(({ files }) => files.length > 1)) {
    it(`leaves ${damage.name} in place or to be brought back, whichever it is`, async (t) => {
      for (let failing = 1; failing <= damage.files.length + 1; failing += 1) {
        const { home, paths } = placed(t, damage);
        const states = statesOf(paths);
        let renames = 0;
        const files = failingFiles({
          rename: (from, to) => {
            if (from.startsWith(home.root)) renames += 1;
            if (renames === failing) throw errnoError('ENOSPC');
            systemFiles.rename(from, to);
          },
        });
        const report = await quarantine(home.session(quietHost({ files })));
        assert.deepEqual(actions(report), [['failed', 'ENOSPC']]);
        await bringAllBack(home.session(quietHost()));
        assert.deepEqual(statesOf(paths), states, `rename ${failing}`);
      }
    });
  }

  it('is EACCES for all in a home that is closed to its user', async (t) => {
    const home = new TestHome(t);
    for (const key of [A, B]) writeFileSync(home.entry(key), 'damaged');
    mkdirSync(join(home.root, 'quarantine'));
    await asOtherUser(home.root, async () => {
      chmodSync(home.paths.store, 0o500);
      const host = quietHost({ user: { uid: process.geteuid?.() ?? 0 } });
      const failed = [
        ['failed', 'EACCES'],
        ['failed', 'EACCES'],
      ];
      assert.deepEqual(actions(await deleteDamaged(home.session(host))), failed);
      assert.deepEqual(actions(await quarantine(home.session(host))), failed);
      chmodSync(home.paths.store, 0o700);
    });
    assert.deepEqual(idsIn(home.root), []);
    assert.deepEqual(readdirSync(home.paths.store).toSorted(), [`${A}.bin`, `${B}.bin`]);
  });

  it('is EROFS for all where the file system is read-only', async (t) => {
    const home = new TestHome(t);
    writeFileSync(home.entry(A), 'damaged');
    const refuse = (): never => {
      throw errnoError('EROFS');
    };
    const files = failingFiles({
      rename: refuse,
      unlink: refuse,
      link: refuse,
      makeDirectory: refuse,
      makeDirectories: refuse,
    });
    const before = listing(home.root);
    const session = home.session(quietHost({ files }));
    assert.deepEqual(actions(await deleteDamaged(session)), [['failed', 'EROFS']]);
    assert.deepEqual(actions(await quarantine(session)), [['failed', 'EROFS']]);
    assert.deepEqual(listing(home.root), before);
  });
});

describe('who may treat what is damaged', () => {
  for (const treat of [quarantine, deleteDamaged]) {
    it(`is the owner alone (${treat.name})`, async (t) => {
      const home = new TestHome(t);
      writeFileSync(home.entry(A), 'damaged');
      const before = listing(home.root);
      await assert.rejects(
        treat(home.session(quietHost({ user: { uid: 12_345 } }))),
        (error) =>
          error instanceof CacheError &&
          error.code === 'environment' &&
          /belongs to user/.test(error.message),
      );
      assert.deepEqual(listing(home.root), before);
    });

    it(`is no older version (${treat.name})`, async (t) => {
      const home = new TestHome(t);
      writeFileSync(home.entry(A), 'damaged');
      writeFileSync(home.paths.marker, '{"schema":"vyre-cache.home/2"}');
      const before = listing(home.root);
      await assert.rejects(
        treat(home.session(quietHost())),
        (error) =>
          error instanceof CacheError && error.code === 'environment' && /newer version/.test(error.message),
      );
      assert.deepEqual(listing(home.root), before);
    });
  }
});

/** Brings back whatever lies in a quarantine; a folder with nothing but a reason has nothing to bring. */
async function bringAllBack(session: CacheSession): Promise<void> {
  for (const id of idsIn(session.root)) {
    if (readdirSync(join(session.root, 'quarantine', id)).length === 1) continue;
    await restoreArtifact(session, id);
  }
}

interface ChildEnd {
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
  readonly stdout: string;
}

/** Runs `children/quarantine.ts`. */
async function inChild(...argv: readonly string[]): Promise<ChildEnd> {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
  });
  await once(child, 'close');
  return { signal: child.signalCode, code: child.exitCode, stdout };
}

describe('a process that is killed while it moves an artifact', () => {
  for (const damage of DAMAGES.filter(({ name }) => /record|four/.test(name))) {
    it(`leaves ${damage.name} in place or to be brought back, at whatever step`, async (t) => {
      // The folder with the reason, and each file.
      const steps = damage.files.length + 1;
      for (let step = 1; step <= steps; step += 1) {
        const { home, paths } = placed(t, damage);
        const states = statesOf(paths);
        assert.equal((await inChild(home.root, home.root, String(step))).signal, 'SIGKILL');
        const left = idsIn(home.root);
        for (const id of left)
          assert.ok(
            existsSync(join(home.root, 'quarantine', id, 'reason.json')),
            `step ${step} explains nothing`,
          );
        assert.equal(left.length, step === 1 ? 0 : 1);
        await bringAllBack(home.session(quietHost()));
        assert.deepEqual(statesOf(paths), states, `step ${step}`);
        const after = await quarantine(home.session(quietHost()));
        assert.deepEqual(actions(after), [['quarantined', null]]);
        assert.deepEqual((await check(home.session(quietHost()))).problems, []);
      }
    });

    it(`can be quarantined to its end after that: ${damage.name}`, async (t) => {
      const { home, paths } = placed(t, damage);
      const states = statesOf(paths);
      await inChild(home.root, home.root, '3');
      const session = home.session(quietHost());
      await quarantine(session);
      const after = await check(session);
      assert.deepEqual(after.problems, []);
      await bringAllBack(session);
      assert.deepEqual(statesOf(paths), states);
    });

    it(`loses nothing of ${damage.name} when it is killed while it brings it back`, async (t) => {
      const { home, paths } = placed(t, damage);
      const states = statesOf(paths);
      await quarantine(home.session(quietHost()));
      // A link and an unlink for each file, and the reason.
      for (let step = 1; step <= 2 * damage.files.length + 1; step += 1) {
        const id = idIn(home.root);
        assert.equal((await inChild(home.root, home.root, String(step), id)).signal, 'SIGKILL');
        if (readdirSync(join(home.root, 'quarantine', id)).length > 1)
          await bringAllBack(home.session(quietHost()));
        assert.deepEqual(statesOf(paths), states, `step ${step}`);
        rmSync(join(home.root, 'quarantine'), { recursive: true });
        await quarantine(home.session(quietHost()));
      }
    });
  }
});

describe('two processes that quarantine at once', () => {
  it('move each artifact once and lose none', async (t) => {
    const home = new TestHome(t);
    const paths: string[] = [];
    for (let index = 0; index < 40; index += 1) {
      const key = fingerprintFrom(`${index.toString(16).padStart(2, '0')}aa`);
      home.place(makeArtifact(key, `entry ${index}`));
      writeFileSync(home.entry(key), `damaged ${index}`);
      writeWgpu(join(home.root, 'pipeline'), key, { text: TEXT, blob: `blob ${index}` });
      writeFileSync(join(home.root, 'pipeline', `${key}.wgsl`), `damaged ${index}`);
      paths.push(home.entry(key), home.record(key));
      for (const suffix of ['.wgsl', '.wgsl.toml', '.pipeline.bin', '.pipeline.toml'])
        paths.push(join(home.root, 'pipeline', `${key}${suffix}`));
    }
    const states = statesOf(paths);
    const ends = await Promise.all([1, 2].map(async () => inChild(home.root, home.root, '0')));
    for (const { code } of ends) assert.equal(code, 0);
    const session = home.session(quietHost());
    const treated = ends.flatMap(({ stdout }) => JSON.parse(stdout) as VerifyReport['treated']);
    assert.deepEqual(
      treated.filter(({ action }) => action === 'failed'),
      [],
    );
    // What one of them found held by the other may be left.
    await quarantine(session);
    assert.deepEqual((await check(session)).problems, []);
    assert.deepEqual(readdirSync(join(home.root, 'pipeline')), []);
    await bringAllBack(session);
    assert.deepEqual(statesOf(paths), states);
  });

  it('do so with a directory that has no locks', async (t) => {
    const root = join(temporaryFolder(t), 'flat');
    const home = join(dirname(root), 'vyre');
    const keys = Array.from({ length: 60 }, (_, index) =>
      fingerprintFrom(`${index.toString(16).padStart(2, '0')}bb`),
    );
    for (const key of keys) write(join(root, `${key}.bin`), `damaged ${key}`);
    const states = statesOf(keys.map((key) => join(root, `${key}.bin`)));
    const ends = await Promise.all([1, 2].map(async () => inChild(root, home, '0')));
    const treated = ends.flatMap(({ stdout }) => JSON.parse(stdout) as VerifyReport['treated']);
    assert.deepEqual(
      treated.filter(({ action }) => action === 'failed'),
      [],
    );
    assert.equal(treated.filter(({ action }) => action === 'quarantined').length, keys.length);
    assert.deepEqual(readdirSync(root), []);
    assert.ok(openHome(fakeHost(), new HomePaths(home)).ok);
    await bringAllBack(sessionOf(t, home, { host: quietHost() }));
    assert.deepEqual(statesOf(keys.map((key) => join(root, `${key}.bin`))), states);
  });
});
