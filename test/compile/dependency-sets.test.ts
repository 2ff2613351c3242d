import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  currentSets,
  dependencyFields,
  NO_DEPENDENCIES,
  readSets,
  rememberSet,
  type DependencySet,
} from '../../src/compile/dependency-sets.js';
import { FileDigests } from '../../src/compile/file-digests.js';
import { Stamps } from '../../src/compile/stamps.js';
import { systemFiles } from '../../src/host/files.js';
import { hashChunks } from '../../src/host/hash.js';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import { fingerprintOf, textField } from '../../src/model/fields.js';
import { openHome } from '../../src/store/home.js';
import { digestOf, entryBytes, fingerprintFrom } from '../support/artifacts.js';
import { errnoError, failingFiles, fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const host = fakeHost();

function makeHome(t: Cleanup): HomePaths {
  const paths = new HomePaths(join(temporaryFolder(t), 'vyre'));
  assert.ok(openHome(host, paths).ok);
  return paths;
}

function setOf(name: string, content: string, absent: readonly string[] = []): DependencySet {
  return { files: [{ name, digest: digestOf(Buffer.from(content)) }], absent };
}

describe('the dependency sets of a primary fingerprint', () => {
  it('are none at first, and come back as they were', (t) => {
    const paths = makeHome(t);
    assert.deepEqual(readSets(host, paths, A), []);
    const set = setOf('include/ö config.h', 'x', ['config.h', '/usr/local/include/config.h']);
    rememberSet(host, paths, A, set);
    assert.deepEqual(readSets(host, paths, A), [set]);
    assert.deepEqual(readSets(host, paths, B), []);
    assert.equal(statSync(paths.dependencies(A)).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(paths.staging), []);
  });

  it('are at most eight, the least recently used out first', (t) => {
    const paths = makeHome(t);
    const sets = Array.from({ length: 12 }, (_, index) => setOf('config.h', String(index)));
    for (const [index, set] of sets.entries()) {
      rememberSet(host, paths, A, set);
      assert.equal(readSets(host, paths, A).length, Math.min(8, index + 1));
    }
    assert.deepEqual(readSets(host, paths, A), sets.slice(4).toReversed());
  });

  it('have one that is remembered again in front, once', (t) => {
    const paths = makeHome(t);
    const sets = ['1', '2', '3'].map((content) => setOf('config.h', content));
    for (const set of sets) rememberSet(host, paths, A, set);
    const [first = NO_DEPENDENCIES, second, third] = sets;
    rememberSet(host, paths, A, first);
    assert.deepEqual(readSets(host, paths, A), [first, third, second]);
  });

  it('may be empty sets', (t) => {
    const paths = makeHome(t);
    rememberSet(host, paths, A, NO_DEPENDENCIES);
    assert.deepEqual(readSets(host, paths, A), [NO_DEPENDENCIES]);
  });

  it('are none when any byte of their file is damaged', (t) => {
    const paths = makeHome(t);
    rememberSet(host, paths, A, setOf('config.h', 'x'));
    const good = readFileSync(paths.dependencies(A));
    for (let at = 0; at < good.byteLength; at += 1) {
      const damaged = Buffer.from(good);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      writeFileSync(paths.dependencies(A), damaged);
      assert.deepEqual(readSets(host, paths, A), [], `byte ${at}`);
    }
  });

  const digest = digestOf(Buffer.from('x'));
  const document = { schema: 'vyre-cache.deps/1', sets: [{ files: [{ name: 'a', digest }], absent: ['b'] }] };
  it('are read from a document of schema 1', (t) => {
    const paths = makeHome(t);
    writeFileSync(paths.dependencies(A), entryBytes(JSON.stringify(document)));
    assert.deepEqual(readSets(host, paths, A), document.sets);
  });
  for (const [name, wrong] of [
    ['another schema', { ...document, schema: 'vyre-cache.deps/2' }],
    ['an unknown key', { ...document, more: 1 }],
    ['a digest that is none', { ...document, sets: [{ files: [{ name: 'a', digest: 'x' }], absent: [] }] }],
    ['a name that is none', { ...document, sets: [{ files: [{ name: 1, digest }], absent: [] }] }],
    ['an absent name that is none', { ...document, sets: [{ files: [], absent: [null] }] }],
    ['a set without names', { ...document, sets: [{ files: [] }] }],
    ['no sets', { schema: 'vyre-cache.deps/1' }],
  ] as const) {
    it(`are none in a document with ${name}, even when its checksum fits`, (t) => {
      const paths = makeHome(t);
      writeFileSync(paths.dependencies(A), entryBytes(JSON.stringify(wrong)));
      assert.deepEqual(readSets(host, paths, A), []);
    });
  }

  it('may fail to be remembered', (t) => {
    const paths = makeHome(t);
    const files = failingFiles({
      write: () => {
        throw errnoError('ENOSPC');
      },
    });
    rememberSet(fakeHost({ files }), paths, A, setOf('config.h', 'x'));
    assert.deepEqual(readSets(host, paths, A), []);
  });

  it('are remembered although somebody deleted their folder', (t) => {
    const paths = makeHome(t);
    rmSync(paths.dependencySets, { recursive: true });
    rememberSet(host, paths, A, setOf('config.h', 'x'));
    assert.equal(readSets(host, paths, A).length, 1);
  });
});

describe('a dependency set is current', () => {
  function isCurrent(cwd: string, set: DependencySet): boolean {
    return currentSets(host, new FileDigests(host, new Stamps(host, null)), cwd)(set);
  }

  const cases: readonly (readonly [string, boolean, (cwd: string) => void])[] = [
    ['when nothing changed', true, () => undefined],
    ['not when a file changed', false, (cwd) => writeFileSync(join(cwd, 'a.h'), 'other')],
    ['not when a file is gone', false, (cwd) => unlinkSync(join(cwd, 'a.h'))],
    [
      'not when a folder took its place',
      false,
      (cwd) => {
        unlinkSync(join(cwd, 'a.h'));
        mkdirSync(join(cwd, 'a.h'));
      },
    ],
    [
      'when a link leads to the same bytes',
      true,
      (cwd) => {
        unlinkSync(join(cwd, 'a.h'));
        writeFileSync(join(cwd, 'twin'), 'x');
        symlinkSync('twin', join(cwd, 'a.h'));
      },
    ],
    ['not when a file appeared that must not exist', false, (cwd) => writeFileSync(join(cwd, 'b.h'), '')],
    ['not when a folder appeared there', false, (cwd) => mkdirSync(join(cwd, 'b.h'))],
    ['when a link to nothing appeared there', true, (cwd) => symlinkSync('nowhere', join(cwd, 'b.h'))],
    ['when another file changed', true, (cwd) => writeFileSync(join(cwd, 'c.h'), 'x')],
  ];
  for (const [name, expected, change] of cases) {
    it(name, (t) => {
      const cwd = temporaryFolder(t);
      writeFileSync(join(cwd, 'a.h'), 'x');
      const set = setOf('a.h', 'x', ['b.h', 'folder/b.h', 'a.h/b.h']);
      assert.equal(isCurrent(cwd, set), true);
      change(cwd);
      assert.equal(isCurrent(cwd, set), expected);
    });
  }

  it('by its paths: relative to the folder, or absolute', (t) => {
    const cwd = temporaryFolder(t);
    mkdirSync(join(cwd, 'sub'));
    writeFileSync(join(cwd, 'a.h'), 'x');
    assert.equal(isCurrent(join(cwd, 'sub'), setOf('../a.h', 'x')), true);
    assert.equal(isCurrent('/', setOf(join(cwd, 'a.h'), 'x')), true);
    assert.equal(isCurrent(join(cwd, 'sub'), setOf('a.h', 'x')), false);
  });

  it('not when a file cannot be read', (t) => {
    const cwd = temporaryFolder(t);
    writeFileSync(join(cwd, 'a.h'), 'x');
    const files = failingFiles({
      open: () => {
        throw errnoError('EACCES');
      },
    });
    const broken = fakeHost({ files });
    const isNow = currentSets(broken, new FileDigests(broken, new Stamps(broken, null)), cwd);
    assert.equal(isNow(setOf('a.h', 'x')), false);
  });

  it('and each file is looked at once for all sets of a pass', (t) => {
    const cwd = temporaryFolder(t);
    writeFileSync(join(cwd, 'a.h'), 'x');
    let opened = 0;
    const files = failingFiles({
      open: (path, flags, mode) => {
        opened += 1;
        return systemFiles.open(path, flags, mode);
      },
    });
    const counting = fakeHost({ files });
    const isNow = currentSets(counting, new FileDigests(counting, new Stamps(counting, null)), cwd);
    assert.deepEqual(
      ['1', '2', 'x', '3'].map((content) => isNow(setOf('a.h', content))),
      [false, false, true, false],
    );
    assert.equal(opened, 1);
  });
});

describe('the fields of a dependency set', () => {
  const complete = (set: DependencySet): Fingerprint =>
    fingerprintOf([textField('input/a.c', 'x'), ...dependencyFields(set, new Set(['input/a.c']))], (chunks) =>
      hashChunks(portableBlake3, chunks),
    );

  it('make another fingerprint for every difference', () => {
    const all = [
      NO_DEPENDENCIES,
      setOf('config.h', 'x'),
      setOf('config.h', 'y'),
      setOf('config.hh', 'x'),
      setOf('config.h', 'x', ['a/config.h']),
      { files: [], absent: ['config.h'] },
      { files: [], absent: ['a/config.h'] },
    ].map(complete);
    assert.equal(new Set(all).size, all.length);
  });

  it('do not depend on the order in which the compiler listed them', () => {
    const one = setOf('a.h', '1').files;
    const two = setOf('b.h', '2').files;
    assert.equal(
      complete({ files: [...one, ...two], absent: ['c', 'd'] }),
      complete({ files: [...two, ...one], absent: ['d', 'c'] }),
    );
  });

  it('leave out what was declared already, and names that came twice', () => {
    const [file] = setOf('a.h', '1').files;
    assert.ok(file);
    assert.deepEqual(
      dependencyFields({ files: [file], absent: ['b.h'] }, new Set(['dep/a.h', 'dep/b.h'])),
      [],
    );
    assert.equal(
      dependencyFields({ files: [file, file], absent: ['a.h', 'b.h', 'b.h'] }, new Set()).length,
      2,
    );
  });
});
