import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
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
import { HomePaths, VYRE_SECTIONS } from '../../src/layouts/vyre/home-paths.js';
import { openHome, rootKind, type RootKind } from '../../src/store/home.js';
import { resolveRoot } from '../../src/store/root-path.js';
import { CacheError } from '../../src/model/error.js';
import { fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, fakeHost, sweptFiles } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing, tree } from '../support/listing.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const ENTRY = `${fingerprintFrom('a')}.bin`;
const TAG = 'Signature: 8a477f597d28d172789f06886806bc55';

function open(root: string, host: Host = fakeHost()): string {
  const opened = openHome(host, new HomePaths(root));
  return opened.ok ? 'ok' : opened.problem.reason;
}

function kind(root: string, host: Host = fakeHost()): RootKind {
  return rootKind(host, new HomePaths(root));
}

/** A folder inside a temporary one, made unless it shall be absent. */
function makeRoot(t: Cleanup, make: 'made' | 'absent' = 'made'): string {
  const path = join(temporaryFolder(t), 'root');
  if (make === 'made') mkdirSync(path, { mode: 0o700 });
  return path;
}

const HOME = [
  '.vyre-cache/',
  '.vyre-cache/deps/',
  '.vyre-cache/home.json',
  '.vyre-cache/new/',
  '.vyre-cache/requests/',
  'CACHEDIR.TAG',
  'pipelines/',
];

describe('a home', () => {
  it('is made although its marker is swept away half-made', (t) => {
    const root = makeRoot(t, 'absent');
    assert.equal(open(root, fakeHost({ files: sweptFiles(4) })), 'ok');
    assert.equal(kind(root), 'home');
    assert.equal(open(makeRoot(t), fakeHost({ files: sweptFiles(99) })), 'io-error');
  });

  const becoming: readonly (readonly [string, RootKind, (path: string) => void])[] = [
    ['where nothing is', 'absent', () => undefined],
    ['in an empty folder', 'empty', (path) => mkdirSync(path, { mode: 0o700 })],
    ...VYRE_SECTIONS.map((section): readonly [string, RootKind, (path: string) => void] => [
      `beside vyre's section ${section}`,
      'sections',
      (path) => mkdirSync(join(path, section), { recursive: true, mode: 0o700 }),
    ]),
    [
      'in private state without a marker',
      'sections',
      (path) => mkdirSync(join(path, '.vyre-cache'), { recursive: true, mode: 0o700 }),
    ],
  ];
  for (const [name, expected, make] of becoming) {
    it(`is made ${name}`, (t) => {
      const path = makeRoot(t, 'absent');
      make(path);
      assert.equal(kind(path), expected);
      assert.equal(open(path), 'ok');
      assert.equal(kind(path), 'home');
      const there = tree(path);
      for (const item of HOME) assert.ok(there.includes(item), `expected ${item} in ${there.join(' ')}`);
      const before = listing(path);
      assert.equal(open(path), 'ok');
      assert.deepEqual(listing(path), before);
    });
  }

  it('is made with its parents', (t) => {
    const path = join(temporaryFolder(t), 'a', 'b', 'vyre');
    assert.equal(open(path), 'ok');
    assert.deepEqual(tree(path), HOME);
  });

  it('has folders of 0700 and files of 0600', (t) => {
    const path = join(temporaryFolder(t), 'a', 'vyre');
    assert.equal(open(path), 'ok');
    for (const item of ['', ...tree(path)]) {
      const stat = statSync(join(path, item));
      assert.equal(stat.mode & 0o777, stat.isDirectory() ? 0o700 : 0o600, item);
    }
    assert.equal(statSync(join(path, '..')).mode & 0o777, 0o700);
  });

  it('is skipped by backups: the first line of CACHEDIR.TAG says so', (t) => {
    const path = makeRoot(t, 'absent');
    open(path);
    const text = readFileSync(join(path, 'CACHEDIR.TAG'), 'utf8');
    assert.equal(text.split('\n')[0], TAG);
    assert.ok(text.startsWith(TAG));
  });

  it('leaves a CACHEDIR.TAG that is there', (t) => {
    const path = makeRoot(t);
    mkdirSync(join(path, 'aot'));
    writeFileSync(join(path, 'CACHEDIR.TAG'), 'mine');
    assert.equal(open(path), 'ok');
    assert.equal(readFileSync(join(path, 'CACHEDIR.TAG'), 'utf8'), 'mine');
  });

  it('leaves aliens beside it alone', (t) => {
    const path = makeRoot(t);
    mkdirSync(join(path, 'pipelines'), { mode: 0o700 });
    mkdirSync(join(path, 'holiday'));
    writeFileSync(join(path, 'holiday', 'photo.bin'), 'x');
    writeFileSync(join(path, 'notes'), 'x');
    const before = listing(join(path, 'holiday'));
    assert.equal(open(path), 'ok');
    assert.deepEqual(listing(join(path, 'holiday')), before);
    assert.equal(readFileSync(join(path, 'notes'), 'utf8'), 'x');
  });

  for (const part of [
    'pipelines',
    '.vyre-cache',
    '.vyre-cache/new',
    'CACHEDIR.TAG',
    '.vyre-cache/home.json',
  ]) {
    it(`is made whole again when somebody deleted ${part}`, (t) => {
      const path = makeRoot(t, 'absent');
      open(path);
      writeFileSync(join(path, 'pipelines', ENTRY), 'kept');
      rmSync(join(path, part), { recursive: true });
      assert.equal(open(path), 'ok');
      assert.ok(lstatSync(join(path, 'pipelines')).isDirectory());
      assert.ok(lstatSync(join(path, '.vyre-cache')).isDirectory());
      if (part !== 'pipelines') assert.equal(readFileSync(join(path, 'pipelines', ENTRY), 'utf8'), 'kept');
    });
  }

  for (const folder of ['new', 'requests', 'deps']) {
    for (const [name, put] of [
      ['nothing', () => undefined],
      ['a file', (path: string) => writeFileSync(path, 'x')],
      ['a FIFO', (path: string) => void execFileSync('mkfifo', [path])],
      ['a link to a folder', (path: string, outside: string) => symlinkSync(outside, path)],
      ['a link to nothing', (path: string) => symlinkSync('/nonexistent', path)],
    ] as const) {
      it(`has its folder ${folder} again when ${name} lies in its place`, (t) => {
        const outside = temporaryFolder(t);
        writeFileSync(join(outside, 'precious'), 'x');
        const path = makeRoot(t, 'absent');
        open(path);
        rmSync(join(path, '.vyre-cache', folder), { recursive: true });
        put(join(path, '.vyre-cache', folder), outside);
        assert.equal(open(path), 'ok');
        assert.deepEqual(tree(path), HOME);
        assert.ok(lstatSync(join(path, '.vyre-cache', folder)).isDirectory());
        assert.deepEqual(readdirSync(outside), ['precious']);
      });
    }
  }

  for (const [name, make, found] of [
    ['a folder', (path: string) => mkdirSync(path), /found a directory; remove it/],
    ['a link', (path: string) => symlinkSync('/nonexistent/lock', path), /found a link; remove it/],
  ] as const) {
    it(`with ${name} in the place of its lock file says so, and which`, async (t) => {
      const path = makeRoot(t, 'absent');
      open(path);
      make(join(path, '.vyre-cache', 'lock'));
      const access = await sessionOf(t, path).openHome();
      assert.ok(!access.ok);
      assert.equal(access.problem.reason, 'home-unwritable');
      assert.match(access.problem.message, found);
      assert.ok(access.problem.message.includes(join(path, '.vyre-cache', 'lock')));
    });
  }

  it('whose store is a link is not read through it', (t) => {
    const elsewhere = new TestHome(t);
    elsewhere.place(makeArtifact(fingerprintFrom('a'), 'theirs'));
    const home = new TestHome(t);
    rmSync(home.paths.store, { recursive: true });
    symlinkSync(elsewhere.paths.store, home.paths.store);
    assert.throws(
      () => home.session().openStore(),
      (error) =>
        error instanceof CacheError &&
        error.code === 'environment' &&
        error.message === `expected a directory at "${home.paths.store}", found a link`,
    );
  });

  it('whose private state is a link is none, and nothing is written behind the link', async (t) => {
    const elsewhere = new TestHome(t);
    const home = new TestHome(t);
    rmSync(home.paths.private, { recursive: true });
    symlinkSync(elsewhere.paths.private, home.paths.private);
    assert.equal(kind(home.root), 'sections');
    assert.equal(open(home.root), 'home-not-a-directory');
    const before = listing(elsewhere.root);
    const session = home.session();
    session.tally.add('lookups');
    await session.close();
    assert.deepEqual(listing(elsewhere.root), before);
  });

  for (const [name, text] of [
    ['empty', ''],
    ['no JSON', '{'],
    ['something else', '[1, 2]'],
    ['a zeroed one', '\0'.repeat(100)],
  ] as const) {
    it(`stays one when its marker is ${name}`, (t) => {
      const path = makeRoot(t, 'absent');
      open(path);
      writeFileSync(join(path, '.vyre-cache', 'home.json'), text);
      assert.equal(open(path), 'ok');
    });
  }

  it('stays one whichever bit of its marker flips', (t) => {
    const path = makeRoot(t, 'absent');
    open(path);
    const marker = join(path, '.vyre-cache', 'home.json');
    const written = readFileSync(marker);
    for (let bit = 0; bit < written.byteLength * 8; bit += 1) {
      const flipped = Buffer.from(written);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      writeFileSync(marker, flipped);
      assert.equal(kind(path), 'home', `bit ${bit & 7} of byte ${bit >> 3}`);
    }
  });

  it('is made once by eight processes at the same time', async (t) => {
    for (let round = 0; round < 3; round += 1) {
      const path = join(temporaryFolder(t), 'deep', 'vyre');
      const children = Array.from({ length: 8 }, () => startChild(t, 'openHome', path));
      for (const child of children) assert.equal(await child.line(), 'ready');
      for (const child of children) child.go();
      for (const child of children) assert.deepEqual(await child.end(), ['ready', 'ok']);
      assert.deepEqual(tree(path), HOME);
      assert.equal(readFileSync(join(path, 'CACHEDIR.TAG'), 'utf8').split('\n')[0], TAG);
    }
  });
});

describe('what a power cut may leave of a home', () => {
  const leftovers: readonly (readonly [string, (path: string) => void])[] = [
    ['its tag alone', (path) => writeFileSync(join(path, 'CACHEDIR.TAG'), '')],
    ['a worker directory alone', (path) => mkdirSync(join(path, 'worker-dir-prepare-0123456789abcdef'))],
  ];
  for (const [name, make] of leftovers) {
    it(`is made a home again: ${name}`, (t) => {
      const path = makeRoot(t, 'absent');
      mkdirSync(path);
      make(path);
      assert.equal(kind(path), 'empty');
      assert.equal(open(path), 'ok');
      assert.equal(kind(path), 'home');
    });
  }

  it('is no worker directory of a PVF host', (t) => {
    const path = makeRoot(t, 'absent');
    mkdirSync(join(path, 'worker-dir-prepare-a1B2c3D4e5'), { recursive: true });
    assert.equal(kind(path), 'foreign');
  });
});

describe('a directory that is not ours', () => {
  const refused: readonly (readonly [string, RootKind, string, (path: string) => void])[] = [
    ['a file in its place', 'not-a-directory', 'home-not-a-directory', (path) => writeFileSync(path, 'x')],
    [
      'a FIFO in its place',
      'not-a-directory',
      'home-not-a-directory',
      (path) => void execFileSync('mkfifo', [path]),
    ],
    [
      'a link to nothing',
      'not-a-directory',
      'home-not-a-directory',
      (path) => symlinkSync('/nonexistent', path),
    ],
    [
      'strangers’ files',
      'foreign',
      'home-foreign',
      (path) => {
        mkdirSync(path);
        writeFileSync(join(path, 'thesis.tex'), 'x');
      },
    ],
    [
      'a file called like a section',
      'foreign',
      'home-foreign',
      (path) => {
        mkdirSync(path);
        writeFileSync(join(path, 'pipelines'), 'x');
      },
    ],
    [
      'a link called like a section',
      'foreign',
      'home-foreign',
      (path) => {
        mkdirSync(path);
        symlinkSync('/tmp', join(path, 'pipelines'));
      },
    ],
    [
      'a flat folder of entries',
      'store',
      'home-foreign',
      (path) => {
        mkdirSync(path);
        writeFileSync(join(path, ENTRY), 'x');
        writeFileSync(join(path, 'alien'), 'x');
      },
    ],
    [
      'a home of a newer version',
      'newer-home',
      'home-newer-format',
      (path) => {
        mkdirSync(join(path, '.vyre-cache'), { recursive: true });
        writeFileSync(join(path, '.vyre-cache', 'home.json'), '{"schema":"vyre-cache.home/2"}\n');
      },
    ],
    [
      'a newer home with spaces in its marker',
      'newer-home',
      'home-newer-format',
      (path) => {
        mkdirSync(join(path, '.vyre-cache'), { recursive: true });
        writeFileSync(join(path, '.vyre-cache', 'home.json'), '{\n  "schema": "vyre-cache.home/12"\n}\n');
      },
    ],
  ];
  for (const [name, expected, reason, make] of refused) {
    it(`is refused and left as it is: ${name}`, (t) => {
      const path = makeRoot(t, 'absent');
      make(path);
      assert.equal(kind(path), expected);
      const before = listing(path);
      assert.equal(open(path), reason);
      assert.deepEqual(listing(path), before);
    });
  }

  it('is refused below a file', (t) => {
    const path = makeRoot(t, 'absent');
    writeFileSync(path, 'x');
    assert.equal(kind(join(path, 'below')), 'absent');
    assert.equal(open(join(path, 'below')), 'home-not-a-directory');
  });

  for (const folder of ['pipelines', '.vyre-cache']) {
    it(`is refused when ${folder} is a link, whose target stays as it is`, (t) => {
      const outside = temporaryFolder(t);
      const path = makeRoot(t);
      mkdirSync(join(path, 'aot'));
      symlinkSync(outside, join(path, folder));
      assert.equal(open(path), 'home-not-a-directory');
      assert.deepEqual(readdirSync(outside), []);
    });
  }

  it('names the path in its message', (t) => {
    const path = makeRoot(t);
    writeFileSync(join(path, 'thesis.tex'), 'x');
    const opened = openHome(fakeHost(), new HomePaths(path));
    assert.ok(!opened.ok && opened.problem.message.includes(path));
  });
});

describe('the owner and the mode of a home', () => {
  const uid = process.geteuid?.() ?? 0;
  /** The state of files as if others owned them. */
  const ownedBy = (owner: number, asUser: number): Host =>
    fakeHost({
      user: { uid: asUser },
      files: failingFiles({
        lstat: (path) => {
          const stat = systemFiles.lstat(path);
          return stat === null ? null : { ...stat, uid: owner };
        },
      }),
    });

  for (const [owner, user, reason] of [
    [1000, 1000, 'ok'],
    [0, 1000, 'ok'],
    [0, 0, 'ok'],
    [1001, 1000, 'home-owner'],
    [1000, 0, 'home-owner'],
  ] as const) {
    it(`of user ${owner} are ${reason} for user ${user}`, (t) => {
      const path = makeRoot(t, 'absent');
      open(path);
      assert.equal(open(path, ownedBy(owner, user)), reason);
    });
  }

  for (const [mode, reason] of [
    [0o700, 'ok'],
    [0o755, 'ok'],
    [0o750, 'ok'],
    [0o770, 'home-mode'],
    [0o702, 'home-mode'],
    [0o777, 'home-mode'],
    [0o1777, 'home-mode'],
  ] as const) {
    it(`of ${mode.toString(8)} are ${reason}`, (t) => {
      for (const folder of ['', 'pipelines', '.vyre-cache']) {
        const path = makeRoot(t, 'absent');
        open(path);
        chmodSync(join(path, folder), mode);
        assert.equal(open(path), reason, folder);
      }
    });
  }

  it('are judged before anything is made', (t) => {
    const path = makeRoot(t);
    chmodSync(path, 0o777);
    assert.equal(open(path), 'home-mode');
    assert.deepEqual(readdirSync(path), []);
  });

  it('of another real user are refused, where this test may make one', (t) => {
    const path = makeRoot(t, 'absent');
    open(path);
    if (uid !== 0) {
      assert.equal(open(path, fakeHost({ user: { uid: uid + 1 } })), 'home-owner');
      return;
    }
    chownSync(path, 12_345, 12_345);
    assert.equal(open(path), 'home-owner');
  });
});

describe('a home that cannot be made', () => {
  for (const [code, reason] of [
    ['ENOSPC', 'no-space'],
    ['EDQUOT', 'no-space'],
    ['EACCES', 'home-unwritable'],
    ['EPERM', 'home-unwritable'],
    ['EROFS', 'home-unwritable'],
    ['EIO', 'io-error'],
    ['EMFILE', 'io-error'],
  ] as const) {
    for (const primitive of ['makeDirectories', 'makeDirectory', 'open', 'write', 'rename'] as const) {
      it(`because ${primitive} fails with ${code} is ${reason}, and can be made afterwards`, (t) => {
        const path = makeRoot(t, 'absent');
        const files = failingFiles({
          [primitive]: (...args: readonly unknown[]) => {
            // Reading the marker is no making.
            if (primitive === 'open' && args[1] === 'read') throw errnoError('ENOENT');
            throw errnoError(code);
          },
        });
        assert.equal(open(path, fakeHost({ files })), reason);
        assert.equal(open(path), 'ok');
        assert.equal(kind(path), 'home');
      });
    }
  }

  it('lets bugs through', (t) => {
    const files = failingFiles({
      lstat: () => {
        throw new TypeError('a bug');
      },
    });
    assert.throws(() => open(makeRoot(t), fakeHost({ files })), TypeError);
  });
});

describe('the root', () => {
  const resolved = (path: string): string => resolveRoot(fakeHost(), path);

  it('is what it is', (t) => {
    const path = makeRoot(t);
    assert.equal(resolved(path), path);
    assert.equal(resolved(`${path}/`), path);
    assert.equal(resolved(`${path}//.`), path);
  });

  it('called pipelines means its parent, whether it exists or not', (t) => {
    const path = makeRoot(t);
    const store = join(path, 'pipelines');
    assert.equal(resolved(store), path);
    assert.equal(resolved(`${store}/`), path);
    mkdirSync(store);
    assert.equal(resolved(store), path);
    assert.equal(resolved(`${store}/`), path);
  });

  it('called something that ends like it means itself', (t) => {
    const path = join(makeRoot(t), 'my-pipelines');
    assert.equal(resolved(path), path);
  });

  it('has its links resolved', (t) => {
    const path = makeRoot(t);
    mkdirSync(join(path, 'pipelines'));
    const link = join(temporaryFolder(t), 'link');
    symlinkSync(path, link);
    assert.equal(resolved(link), path);
    assert.equal(resolved(join(link, 'absent', 'deep')), join(path, 'absent', 'deep'));
    const toStore = join(temporaryFolder(t), 'to-store');
    symlinkSync(join(path, 'pipelines'), toStore);
    assert.equal(resolved(toStore), path);
  });

  it('that does not exist has the links of its existing part resolved', (t) => {
    const path = makeRoot(t);
    const link = join(temporaryFolder(t), 'link');
    symlinkSync(path, link);
    assert.equal(resolved(join(link, 'vyre')), join(path, 'vyre'));
    assert.equal(resolved(join(link, 'pipelines')), path);
    assert.equal(resolved(`${link}/vyre/`), join(path, 'vyre'));
    assert.equal(resolved(`${link}//a//b`), join(path, 'a', 'b'));
    assert.equal(resolved(`${link}/a/../b`), join(path, 'b'));
  });

  it('below a file is itself', (t) => {
    const path = makeRoot(t, 'absent');
    writeFileSync(path, 'x');
    assert.equal(resolved(join(path, 'below')), join(path, 'below'));
  });

  it('at the top of the file system is itself', () => {
    assert.equal(resolved('/'), '/');
    assert.equal(resolved('/nonexistent'), '/nonexistent');
  });
});
