import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { systemFiles as files } from '../../src/host/files.js';
import { systemHost } from '../../src/host/host.js';
import { decodeElfFacts, encodeElfFacts, readElf } from '../../src/compile/elf.js';
import { isLibcName, Libraries } from '../../src/compile/libraries.js';
import { Stamps } from '../../src/compile/stamps.js';
import { temporaryFolder } from './preset-runs.js';

const NOWHERE = { libraryPath: undefined, cwd: '/' } as const;

function gcc(cwd: string, ...args: readonly string[]): void {
  execFileSync('/usr/bin/gcc', args, { cwd, stdio: 'pipe' });
}

function libraries(): Libraries {
  return new Libraries(files, new Stamps(systemHost(), null));
}

/** `ldd`, as the oracle: name and path, without the C library's own. */
function ldd(path: string): ReadonlyMap<string, string> {
  const text = execFileSync('/usr/bin/ldd', [path], { encoding: 'utf8' });
  return new Map(
    [...text.matchAll(/^\t(\S+) => (\S+) \(/gm)]
      .map((match) => [match[1] ?? '', match[2] ?? ''] as const)
      .filter(([name]) => !isLibcName(name)),
  );
}

describe('the libraries of real programs are those of the loader', () => {
  const cc1 = execFileSync('/usr/bin/gcc', ['-print-prog-name=cc1'], { encoding: 'utf8' }).trim();
  for (const program of [
    '/usr/bin/gcc',
    cc1,
    '/usr/bin/as',
    '/usr/bin/wat2wasm',
    '/usr/bin/glslangValidator',
    '/usr/bin/ld',
    process.execPath,
  ]) {
    test(program, () => {
      const path = files.realpath(program);
      const found = libraries()
        .of(path, NOWHERE)
        .filter(({ name }) => !name.startsWith('glibc-hwcaps/'));
      const real = (library: string | null): string =>
        library === null ? 'not found' : files.realpath(library);
      const lines = (entries: readonly (readonly [string, string | null])[]): readonly string[] =>
        entries.map(([name, library]) => `${name} => ${real(library)}`).toSorted();
      assert.deepEqual(lines(found.map((library) => [library.name, library.path])), lines([...ldd(path)]));
    });
  }

  test('libstdc++ and libgcc_s count, libc does not', () => {
    const names = libraries()
      .of('/usr/bin/wat2wasm', NOWHERE)
      .map(({ name }) => name);
    assert.ok(names.includes('libstdc++.so.6') && names.includes('libgcc_s.so.1'), names.join(' '));
    assert.ok(!names.some((name) => /^lib(?:c|m|dl|pthread)\.so/.test(name)), names.join(' '));
  });

  test('scripts and data have none', () => {
    assert.deepEqual(libraries().of('/etc/passwd', NOWHERE), []);
    assert.equal(readElf(files, '/etc/passwd'), null);
    assert.equal(readElf(files, '/etc'), null);
    assert.equal(readElf(files, '/no/such/file'), null);
  });
});

describe('search folders', () => {
  const root = temporaryFolder();
  mkdirSync(join(root, 'lib'));
  mkdirSync(join(root, 'other'));
  writeFileSync(join(root, 'in.c'), 'int inner(void) { return 1; }\n');
  writeFileSync(join(root, 'out.c'), 'int inner(void); int outer(void) { return inner(); }\n');
  writeFileSync(join(root, 'main.c'), 'int outer(void); int main(void) { return outer(); }\n');
  gcc(root, '-shared', '-fPIC', 'in.c', '-o', 'lib/libinner.so');
  gcc(root, '-shared', '-fPIC', 'in.c', '-o', 'other/libinner.so');
  gcc(root, '-shared', '-fPIC', 'out.c', '-Llib', '-linner', '-o', 'lib/libouter.so');
  const link = (name: string, ...args: readonly string[]): string => {
    gcc(root, 'main.c', '-Llib', '-Wl,-rpath-link,lib', '-louter', ...args, '-o', name);
    return join(root, name);
  };
  const inLib = (name: string): { name: string; path: string } => ({ name, path: join(root, 'lib', name) });

  test('RPATH with $ORIGIN holds for the libraries of libraries', () => {
    const program = link('with-rpath', '-Wl,--disable-new-dtags,-rpath,$ORIGIN/lib');
    assert.deepEqual(libraries().of(program, NOWHERE), [inLib('libouter.so'), inLib('libinner.so')]);
  });

  test('RUNPATH holds for the program alone', () => {
    const program = link('with-runpath', '-Wl,--enable-new-dtags,-rpath,${ORIGIN}/lib');
    assert.deepEqual(libraries().of(program, NOWHERE), [
      inLib('libouter.so'),
      { name: 'libinner.so', path: null },
    ]);
  });

  test('LD_LIBRARY_PATH comes before RUNPATH', () => {
    const program = join(root, 'with-runpath');
    assert.deepEqual(libraries().of(program, { ...NOWHERE, libraryPath: `${root}/nowhere:${root}/other` }), [
      inLib('libouter.so'),
      { name: 'libinner.so', path: join(root, 'other/libinner.so') },
    ]);
  });

  for (const [name, libraryPath, cwd] of [
    ['an empty element at the end', '/nowhere:', 'other'],
    ['an empty element at the start', ':/nowhere', 'other'],
    ['a relative folder', 'other', '.'],
    ['$ORIGIN of the program', '$ORIGIN/other', 'lib'],
  ] as const) {
    test(`LD_LIBRARY_PATH: ${name} is looked up from the folder of the request, as the loader does`, () => {
      const program = join(root, 'with-runpath');
      const here = join(root, cwd);
      const oracle = execFileSync('/usr/bin/ldd', [program], {
        cwd: here,
        encoding: 'utf8',
        env: { LD_LIBRARY_PATH: libraryPath },
      });
      const real = /^\tlibinner\.so => (\S+) /m.exec(oracle)?.[1] ?? 'libinner.so';
      const found = libraries().of(program, { libraryPath, cwd: here });
      assert.equal(found.find((library) => library.name === 'libinner.so')?.path, resolve(here, real));
      assert.equal(resolve(here, real), join(root, 'other/libinner.so'));
    });
  }

  test('an empty LD_LIBRARY_PATH is none', () => {
    const found = libraries().of(join(root, 'with-runpath'), { libraryPath: '', cwd: join(root, 'other') });
    assert.deepEqual(found.at(-1), { name: 'libinner.so', path: null });
  });

  test('an empty element of RPATH and a relative one are looked up from the folder of the request', () => {
    const program = link('with-relative', '-Wl,--disable-new-dtags,-rpath,/nowhere::lib');
    const paths = (cwd: string) =>
      libraries()
        .of(program, { ...NOWHERE, cwd })
        .map(({ path }) => path);
    assert.deepEqual(paths(root), [join(root, 'lib/libouter.so'), join(root, 'lib/libinner.so')]);
    assert.deepEqual(paths(join(root, 'lib')), [
      join(root, 'lib/libouter.so'),
      join(root, 'lib/libinner.so'),
    ]);
  });

  test('$ORIGIN is where the links lead', () => {
    symlinkSync(join(root, 'with-rpath'), join(root, 'other/linked'));
    assert.deepEqual(libraries().of(join(root, 'other/linked'), NOWHERE)[0], inLib('libouter.so'));
  });
});

describe('hostile files', () => {
  const root = temporaryFolder();
  const honest = readFileSync(files.realpath('/usr/bin/as')).subarray(0, 65_536);
  const read = (bytes: Uint8Array): ReturnType<typeof readElf> => {
    const path = join(root, 'file');
    writeFileSync(path, bytes);
    return readElf(files, path);
  };

  for (const length of [0, 1, 4, 16, 63, 64, 65, 119, 120, 1000]) {
    test(`cut to ${length} bytes`, () => {
      const facts = read(honest.subarray(0, length));
      assert.ok(facts === null || facts.needed.length === 0);
    });
  }

  test('32-bit and big-endian files are not read', () => {
    for (const [at, value] of [
      [4, 1],
      [5, 2],
    ] as const) {
      const changed = Buffer.from(honest);
      changed[at] = value;
      assert.equal(read(changed), null);
    }
  });

  test('any damage is a value', () => {
    const damage = fc.array(fc.tuple(fc.integer({ min: 0, max: 1023 }), fc.integer({ min: 0, max: 255 })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(damage, (changes) => {
        const changed = Buffer.from(honest);
        for (const [at, value] of changes) changed[at] = value;
        read(changed);
      }),
      { numRuns: 300 },
    );
  });

  test('huge offsets, counts and sizes', () => {
    for (const [at, bytes] of [
      [32, 8],
      [54, 2],
      [56, 2],
      [72, 8],
      [96, 8],
    ] as const) {
      for (const value of [0x00, 0x7f, 0xff]) {
        const changed = Buffer.from(honest);
        changed.fill(value, at, at + bytes);
        read(changed);
      }
    }
  });
});

test('facts survive the stamps, and other texts are none', () => {
  const facts = readElf(files, files.realpath('/usr/bin/gcc'));
  assert.deepEqual(decodeElfFacts(encodeElfFacts(facts)), facts);
  assert.equal(decodeElfFacts(encodeElfFacts(null)), null);
  for (const text of ['', '{}', '{"facts":{}}', '{"facts":{"machine":"x"}}', '[]']) {
    assert.equal(decodeElfFacts(text), undefined);
  }
});
