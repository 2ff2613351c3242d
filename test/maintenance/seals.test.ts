import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import type { VerifyReport } from '../../src/maintenance/reports.js';
import { verify } from '../../src/maintenance/verify.js';
import { CacheError } from '../../src/model/error.js';
import { has } from '../support/tools.js';
import { makeArtifact, fingerprintFrom } from '../support/artifacts.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { write } from '../support/fixture-home.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing } from '../support/listing.js';
import {
  codeBytes,
  hexOf,
  writePvf,
  writeWasix,
  writeWasmer,
  writeWasmtime,
} from '../support/other-caches.js';
import { checkAsyncProperty } from '../support/properties.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeAot, writePtx } from '../support/vyre-files.js';

const HOUR = 3_600_000;
/** Whole seconds: a test can set the time back to it exactly. */
const SECONDS = 1_700_000_000;

/** A root of artifacts without checksums, and the state directory where its seals lie. */
class Sealed {
  readonly root: string;
  readonly stateDirectory: string;
  readonly #t: TestContext;

  constructor(t: TestContext, root: string, stateDirectory = join(temporaryFolder(t), 'state')) {
    this.#t = t;
    this.root = root;
    this.stateDirectory = stateDirectory;
  }

  async verify(seals = false, replaced: Partial<Host> = {}): Promise<VerifyReport> {
    const host = fakeHost({ clock: new FakeClock(Date.now() + HOUR), ...replaced });
    const session = sessionOf(this.#t, this.root, { host, stateDirectory: this.stateDirectory });
    return verify(session, { fingerprints: null, seals });
  }

  async seal(replaced: Partial<Host> = {}): Promise<VerifyReport> {
    return this.verify(true, replaced);
  }

  /** What is kept about this root. */
  get folder(): string {
    const [folder = ''] = readdirSync(join(this.stateDirectory, 'roots'));
    return join(this.stateDirectory, 'roots', folder);
  }

  get book(): string {
    return join(this.folder, 'seals');
  }

  /** The kinds of trouble that were noted. */
  troubles(): readonly string[] {
    const session = sessionOf(this.#t, this.root, { stateDirectory: this.stateDirectory });
    return session.states().flatMap((state) => state.readEvents().map(({ reason }) => reason));
  }
}

/** Raw artifacts of a PVF host: nothing can be held against their content. */
function pvfRoot(
  t: TestContext,
  count: number,
): { readonly sealed: Sealed; readonly paths: readonly string[] } {
  const root = join(temporaryFolder(t), 'pvf-artifacts');
  const paths = Array.from({ length: count }, (_, index) =>
    write(join(root, `0x${hexOf(`a ${index}`)}${hexOf(`b ${index}`)}.pvf`), `artifact ${index}`),
  );
  for (const path of paths) utimesSync(path, SECONDS, SECONDS);
  return { sealed: new Sealed(t, root), paths };
}

/** Flips a bit, as a disk does it: the size and the time stay. */
function rot(path: string, at = 0): void {
  const { mtimeMs, atimeMs } = statSync(path);
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
  assert.equal(statSync(path).mtimeMs, mtimeMs, 'a test has to set whole seconds before');
}

function figures({ artifacts, damaged, unverifiable, sealed }: VerifyReport): readonly number[] {
  return [artifacts, damaged, unverifiable, sealed];
}

function reasons({ problems }: VerifyReport): readonly (readonly [string, string])[] {
  return problems.map(({ path, reason }) => [path, reason] as const);
}

interface Kind {
  readonly name: string;
  readonly folder: string;
  /** @returns the files whose bytes count, and how many artifacts carry no checksum. */
  fill(root: string): { readonly paths: readonly string[]; readonly unverifiable: number };
}

const KINDS: readonly Kind[] = [
  { name: 'wasmtime', folder: 'wasmtime', fill: (root) => ({ paths: writeWasmtime(root), unverifiable: 3 }) },
  {
    name: 'a PVF host',
    folder: 'pvf-artifacts',
    // One of them has its digest in its name.
    fill: (root) => ({ paths: writePvf(root).filter((path) => !path.includes('1.0.0')), unverifiable: 2 }),
  },
  {
    name: 'wasmer',
    folder: 'wasmer',
    fill: (root) => ({ paths: writeWasmer(root).slice(0, 2), unverifiable: 2 }),
  },
  { name: 'wasix', folder: 'wasix', fill: (root) => ({ paths: writeWasix(root), unverifiable: 3 }) },
  {
    name: 'vyre’s shaders',
    folder: 'vyre',
    fill: (root) => {
      for (const text of ['first', 'second']) writeAot(join(root, 'aot'), hexOf(text), `fn ${text}() {}`);
      writePtx(join(root, 'ptx-source'), hexOf('ptx'), 'text');
      const ptx = join(root, 'ptx-source', hexOf('ptx').slice(0, 2), `${hexOf('ptx')}.ptx`);
      return {
        paths: [...['first', 'second'].map((text) => join(root, 'aot', `${hexOf(text)}.wgsl`)), ptx],
        unverifiable: 3,
      };
    },
  },
];

describe('verify --seal', () => {
  for (const kind of KINDS) {
    it(`notes what ${kind.name} holds in the state directory alone, and finds what rots afterwards`, async (t) => {
      if (kind.name === 'wasmtime' && !has(t, 'zstd')) return;
      const root = join(temporaryFolder(t), kind.folder);
      const { paths, unverifiable } = kind.fill(root);
      for (const path of paths) utimesSync(path, SECONDS, SECONDS);
      const sealed = new Sealed(t, root);
      const before = listing(root);
      const first = await sealed.seal();
      assert.deepEqual([first.problems, first.unverifiable, first.sealed], [[], unverifiable, 0]);
      assert.deepEqual(readdirSync(sealed.folder).toSorted(), ['seals', 'verified']);
      const again = await sealed.verify();
      assert.deepEqual([again.problems, again.unverifiable, again.sealed], [[], unverifiable, unverifiable]);
      assert.deepEqual(listing(root), before);
      const [victim = ''] = paths;
      rot(victim, statSync(victim).size - 1);
      const found = await sealed.verify();
      assert.equal(found.damaged, 1);
      // Whatever else can be held against it comes first.
      const [problem] = found.problems;
      assert.equal(problem?.path, relative(root, victim));
      if (kind.name !== 'wasmtime') assert.equal(problem.reason, 'seal-mismatch');
      assert.equal(found.sealed, unverifiable - 1);
    });
  }

  it('tells rot from a module that was written again', async (t) => {
    const { sealed, paths } = pvfRoot(t, 5);
    const [rotten = '', later = '', longer = '', gone = ''] = paths;
    assert.deepEqual(figures(await sealed.seal()), [5, 0, 5, 0]);
    rot(rotten);
    writeFileSync(later, readFileSync(later).fill('x', 0, 1));
    utimesSync(later, SECONDS, SECONDS + 1);
    writeFileSync(longer, 'another length');
    utimesSync(longer, SECONDS, SECONDS);
    unlinkSync(gone);
    const report = await sealed.verify();
    assert.deepEqual(reasons(report), [[relative(sealed.root, rotten), 'seal-mismatch']]);
    assert.deepEqual(figures(report), [4, 1, 3, 1]);
    assert.equal(report.problems[0]?.layout, 'pvf');
  });

  it('finds rot in a module of wasmtime that was used since: statistics are not sealed', async (t) => {
    if (!has(t, 'zstd')) return;
    const root = join(temporaryFolder(t), 'wasmtime');
    const [path = ''] = writeWasmtime(root, [{ code: 'a', content: Buffer.from('one line of a module') }]);
    utimesSync(path, SECONDS, SECONDS);
    const sealed = new Sealed(t, root);
    await sealed.seal();
    writeFileSync(`${path}.stats`, 'usages = 2\noptimized-compression = 3\n');
    assert.deepEqual(figures(await sealed.verify()), [1, 0, 1, 1]);
    // Within the literals: what decodes is another module.
    rot(path, 14);
    const { problems } = await sealed.verify();
    assert.deepEqual(
      problems.map(({ reason }) => reason),
      ['seal-mismatch'],
    );
  });

  it('finds rot again and again, and sealing anew does not launder it', async (t) => {
    const { sealed, paths } = pvfRoot(t, 3);
    const [rotten = ''] = paths;
    await sealed.seal();
    rot(rotten);
    for (const again of [false, true, false, true, true, false]) {
      const report = await sealed.verify(again);
      assert.deepEqual(reasons(report), [[relative(sealed.root, rotten), 'seal-mismatch']]);
      assert.deepEqual(figures(report), [3, 1, 2, 2]);
    }
    rot(rotten);
    assert.deepEqual(figures(await sealed.verify()), [3, 0, 3, 3]);
  });

  it('takes what was written since as it is when it seals anew', async (t) => {
    const { sealed, paths } = pvfRoot(t, 2);
    const [changed = ''] = paths;
    await sealed.seal();
    writeFileSync(changed, 'written anew');
    utimesSync(changed, SECONDS, SECONDS + 5);
    assert.deepEqual(figures(await sealed.seal()), [2, 0, 2, 1]);
    assert.deepEqual(figures(await sealed.verify()), [2, 0, 2, 2]);
    rot(changed);
    assert.deepEqual(figures(await sealed.verify()), [2, 1, 1, 1]);
  });

  it('notes nothing of what has a checksum, and nothing of another root', async (t) => {
    const home = new TestHome(t);
    for (const digit of ['a', 'b']) home.place(makeArtifact(fingerprintFrom(digit), digit));
    writeAot(join(home.root, 'aot'), hexOf('aot'), 'fn main() {}');
    const before = listing(home.root);
    const sealed = new Sealed(t, home.root);
    assert.deepEqual(figures(await sealed.seal()), [3, 0, 1, 0]);
    // A magic of 32 bytes, one row of 64, a digest of 32.
    assert.equal(statSync(sealed.book).size, 128);
    assert.equal((await sealed.verify()).sealed, 1);
    assert.deepEqual(listing(home.root), before);
    const other = pvfRoot(t, 2).sealed;
    assert.equal((await new Sealed(t, other.root, sealed.stateDirectory).verify()).sealed, 0);
  });

  it('tells two artifacts of one name in two places apart', async (t) => {
    const root = join(temporaryFolder(t), 'wasix');
    const places = ['cranelift-v1', 'llvm-v1'].map((engine) => join(root, engine, '0123456789ABCDEF.bin'));
    for (const path of places) {
      write(path, codeBytes(path, 1000));
      utimesSync(path, SECONDS, SECONDS);
    }
    const sealed = new Sealed(t, root);
    await sealed.seal();
    assert.deepEqual(figures(await sealed.verify()), [2, 0, 2, 2]);
    const [one = '', other = ''] = places;
    const bytes = readFileSync(one);
    writeFileSync(one, readFileSync(other));
    writeFileSync(other, bytes);
    for (const path of places) utimesSync(path, SECONDS, SECONDS);
    assert.deepEqual(figures(await sealed.verify()), [2, 2, 0, 0]);
  });

  it('quarantines what has rotted, and not what was written anew before that', async (t) => {
    const { sealed, paths } = pvfRoot(t, 3);
    const [rotten = '', renewed = ''] = paths;
    await sealed.seal();
    rot(rotten);
    rot(renewed);
    let looks = 0;
    const files = failingFiles({
      open: (path, flags, mode) => {
        if (path === renewed) looks += 1;
        // The first look of all, the judgement, and the one before the deed.
        if (path === renewed && looks === 3) writeFileSync(path, 'compiled anew');
        return systemFiles.open(path, flags, mode);
      },
    });
    const home = join(dirname(sealed.root), 'vyre');
    const host = fakeHost({ clock: new FakeClock(Date.now() + HOUR), files });
    const session = sessionOf(t, sealed.root, { host, stateDirectory: sealed.stateDirectory });
    const report = await verify(session, { fingerprints: null, treatment: { kind: 'quarantine', home } });
    assert.equal(looks, 3);
    assert.deepEqual(
      new Map(report.treated.map(({ path, action }) => [join(sealed.root, path), action])),
      new Map([
        [rotten, 'quarantined'],
        [renewed, 'changed'],
      ]),
    );
    assert.equal(readFileSync(renewed, 'utf8'), 'compiled anew');
    assert.deepEqual(figures(await sealed.verify()), [2, 0, 2, 1]);
  });

  it('has an error without a state directory', async (t) => {
    const { sealed } = pvfRoot(t, 1);
    const before = listing(sealed.root);
    await assert.rejects(
      verify(sessionOf(t, sealed.root), { fingerprints: null, seals: true }),
      (error) =>
        error instanceof CacheError &&
        error.code === 'environment' &&
        /expected a state directory/.test(error.message) &&
        /XDG_STATE_HOME/.test(error.hint ?? ''),
    );
    assert.deepEqual(listing(sealed.root), before);
  });

  for (const [step, replaced] of [
    ['make its folder', { makeDirectories: () => fail('EACCES') }],
    ['write', { sync: () => fail('ENOSPC') }],
    [
      'take its place',
      {
        rename: (from: string, to: string) => {
          if (to.endsWith('/seals')) fail('EROFS');
          systemFiles.rename(from, to);
        },
      },
    ],
  ] as const) {
    it(`has an error when the book cannot ${step}, and keeps the old one`, async (t) => {
      const { sealed, paths } = pvfRoot(t, 3);
      await sealed.seal();
      const book = readFileSync(sealed.book);
      const report = await sealed.seal({ files: failingFiles(replaced) });
      assert.match(report.sealError ?? '', /cannot be kept/);
      assert.equal(report.unverifiable, 3);
      assert.deepEqual(readFileSync(sealed.book), book);
      assert.deepEqual(readdirSync(sealed.folder).toSorted(), ['seals', 'verified']);
      rot(paths[0] ?? '');
      assert.equal((await sealed.verify()).damaged, 1);
    });
  }
});

function fail(code: string): never {
  throw errnoError(code);
}

describe('an artifact that is written while it is sealed', () => {
  it('is not sealed with bytes that it no longer has', async (t) => {
    const { sealed, paths } = pvfRoot(t, 2);
    const [busy = ''] = paths;
    let isWritten = false;
    const files = failingFiles({
      readAt: (fd, buffer, length, position) => {
        const count = systemFiles.readAt(fd, buffer, length, position);
        if (!isWritten && systemFiles.fstat(fd).inode === statSync(busy).ino) {
          isWritten = true;
          writeFileSync(busy, readFileSync(busy).fill('n'));
          utimesSync(busy, SECONDS, SECONDS + 60);
        }
        return count;
      },
    });
    await sealed.seal({ files });
    assert.ok(isWritten);
    const report = await sealed.verify();
    assert.deepEqual(report.problems, []);
    assert.deepEqual(figures(report), [2, 0, 2, 1]);
  });

  it('keeps the seal that it has, so that rot is found later', async (t) => {
    const { sealed, paths } = pvfRoot(t, 1);
    const [busy = ''] = paths;
    await sealed.seal();
    const files = failingFiles({
      readAt: (fd, buffer, length, position) => {
        const count = systemFiles.readAt(fd, buffer, length, position);
        // As a hard link does.
        utimesSync(busy, SECONDS, SECONDS);
        return count;
      },
    });
    assert.deepEqual(figures(await sealed.seal({ files })), [1, 0, 1, 0]);
    rot(busy);
    assert.deepEqual(reasons(await sealed.verify()), [[relative(sealed.root, busy), 'seal-mismatch']]);
  });
});

describe('a book of seals that is not what it was', () => {
  const damages: readonly (readonly [name: string, damage: (book: string) => void])[] = [
    ['empty', (book) => truncateSync(book, 0)],
    ['cut', (book) => truncateSync(book, statSync(book).size - 1)],
    ['cut by a row', (book) => truncateSync(book, statSync(book).size - 64)],
    ['without its digest', (book) => truncateSync(book, statSync(book).size - 32)],
    ['longer', (book) => writeFileSync(book, Buffer.concat([readFileSync(book), Buffer.alloc(64)]))],
    ['garbage', (book) => writeFileSync(book, codeBytes('garbage', 32 + 3 * 64 + 32))],
    ['zeros', (book) => writeFileSync(book, Buffer.alloc(statSync(book).size))],
    ['another magic', (book) => flip(book, 0)],
    ['another key', (book) => flip(book, 40)],
    ['another digest of an artifact', (book) => flip(book, 80)],
    ['another digest of its own', (book) => flip(book, statSync(book).size - 1)],
    ['a giant', (book) => truncateSync(book, 2 ** 41)],
  ];
  for (const [name, damage] of damages) {
    it(`counts as absent, is told as trouble, and is healed by sealing: ${name}`, async (t) => {
      const { sealed, paths } = pvfRoot(t, 3);
      await sealed.seal();
      assert.deepEqual(sealed.troubles(), []);
      damage(sealed.book);
      rot(paths[0] ?? '');
      assert.deepEqual(figures(await sealed.verify()), [3, 0, 3, 0]);
      assert.deepEqual(sealed.troubles(), ['seals-damaged']);
      assert.deepEqual(figures(await sealed.seal()), [3, 0, 3, 0]);
      assert.deepEqual(figures(await sealed.verify()), [3, 0, 3, 3]);
    });
  }

  function flip(path: string, at: number): void {
    const bytes = readFileSync(path);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  }

  it('counts as absent when it is gone, without trouble', async (t) => {
    const { sealed } = pvfRoot(t, 3);
    await sealed.seal();
    rmSync(sealed.book);
    assert.deepEqual(figures(await sealed.verify()), [3, 0, 3, 0]);
    assert.deepEqual(sealed.troubles(), []);
  });

  it('is no link: nothing is read through one, and sealing replaces it', async (t) => {
    const { sealed } = pvfRoot(t, 3);
    await sealed.seal();
    const aside = join(sealed.folder, 'aside');
    writeFileSync(aside, readFileSync(sealed.book));
    rmSync(sealed.book);
    symlinkSync(aside, sealed.book);
    assert.deepEqual(figures(await sealed.verify()), [3, 0, 3, 0]);
    await sealed.seal();
    assert.ok(existsSync(aside));
    assert.deepEqual(figures(await sealed.verify()), [3, 0, 3, 3]);
  });

  it('says so where a folder is in its place', async (t) => {
    const { sealed } = pvfRoot(t, 1);
    await sealed.seal();
    rmSync(sealed.book);
    mkdirSync(join(sealed.book, 'deep'), { recursive: true });
    assert.deepEqual(figures(await sealed.verify()), [1, 0, 1, 0]);
    assert.match((await sealed.seal()).sealError ?? '', /EISDIR|ENOTEMPTY/);
    assert.deepEqual(
      readdirSync(sealed.folder).filter((name) => name.startsWith('seals')),
      ['seals'],
    );
  });
});

describe('seals of two thousand artifacts', () => {
  it('find exactly those that rotted, whatever else happened to the others', async (t) => {
    const fates = ['stays', 'stays', 'stays', 'rots', 'is rewritten', 'is removed'] as const;
    const count = 2000;
    await checkAsyncProperty(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...fates), { minLength: count, maxLength: count }),
        fc.integer(),
        async (wishes, salt) => {
          const root = join(temporaryFolder(t), 'pvf-artifacts');
          mkdirSync(root);
          const all = wishes.map((fate, index) => {
            const path = join(root, `0x${hexOf(`${salt} ${index}`)}${hexOf(`${index} ${salt}`)}.pvf`);
            return { path, fate, text: `artifact ${index} of ${salt}` };
          });
          for (const { path, text } of all) {
            writeFileSync(path, text);
            utimesSync(path, SECONDS, SECONDS);
          }
          const sealed = new Sealed(t, root);
          assert.deepEqual(figures(await sealed.seal()), [count, 0, count, 0]);
          for (const { path, fate } of all) {
            if (fate === 'rots') rot(path);
            else if (fate === 'is removed') unlinkSync(path);
            else if (fate === 'is rewritten') utimesSync(path, SECONDS, SECONDS + 1);
          }
          const of = (wanted: string): readonly string[] =>
            all.filter(({ fate }) => fate === wanted).map(({ path }) => relative(root, path));
          const rotten = of('rots')
            .toSorted()
            .map((path) => [path, 'seal-mismatch']);
          const left = count - of('is removed').length;
          for (const again of [false, true, false]) {
            const report = await sealed.verify(again);
            assert.deepEqual(reasons(report), rotten);
            assert.deepEqual([report.artifacts, report.damaged], [left, rotten.length]);
            assert.ok(report.sealed >= of('stays').length);
          }
          assert.equal((await sealed.verify()).sealed, left - rotten.length);
        },
      ),
      3,
    );
  });
});
