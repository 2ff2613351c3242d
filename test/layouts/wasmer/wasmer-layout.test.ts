import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasFlock, namesFlock } from '../../../src/host/flocks.js';
import { systemFiles } from '../../../src/host/files.js';
import type { Layout } from '../../../src/layouts/layout.js';
import { hashedModuleFormat } from '../../../src/layouts/wasmer/hashed-module.js';
import { wasixModuleFormat } from '../../../src/layouts/wasmer/wasix-module.js';
import { wasixLayout, wasmerLayout } from '../../../src/layouts/wasmer/wasmer-layout.js';
import { failingFiles, fakeHost } from '../../support/fake-host.js';
import {
  examineAt,
  kindOf,
  NO_FILES,
  replaceBy,
  sectionIn,
  wordOf,
} from '../../support/layout-examination.js';
import { codeBytes, hexOf, wasmerArtifact, writeWasix, writeWasmer } from '../../support/other-caches.js';
import { flockHolder } from '../../support/flock-holder.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const NAME = hexOf('module');
const ENGINE = 'cranelift-x86_64-wasmer-universal-v11';
const MODULE = '0123456789ABCDEF.bin';

function isRecognised(layout: Layout, folder: string): boolean {
  return systemFiles
    .readDirectory(folder)
    .some((item) => layout.suggests(item) && layout.confirms(fakeHost(), folder, item));
}

function folderNamed(t: TestContext, name: string): string {
  const folder = join(temporaryFolder(t), name);
  mkdirSync(folder);
  return folder;
}

describe('a directory of wasmer', () => {
  it('is known by its name, or by what its artifacts begin with', (t) => {
    const named = folderNamed(t, 'my-wasmer-cache');
    assert.equal(isRecognised(wasmerLayout, named), false);
    writeFileSync(join(named, NAME), 'raw');
    assert.ok(isRecognised(wasmerLayout, named));
    const other = folderNamed(t, 'cache');
    writeWasmer(other);
    assert.ok(isRecognised(wasmerLayout, other));
  });
  it('is not any folder of names with 64 digits', (t) => {
    const blobs = folderNamed(t, 'blobs');
    for (const text of ['a', 'b', 'c']) writeFileSync(join(blobs, hexOf(text)), `wasmer-univers${text}`);
    mkdirSync(join(blobs, NAME));
    assert.equal(isRecognised(wasmerLayout, blobs), false);
    assert.equal(isRecognised(wasixLayout, blobs), false);
  });
  it('takes names of 64 digits only', () => {
    assert.equal(kindOf(wasmerLayout.top, NAME), `wasmer-module 0 of ${NAME}`);
    for (const name of [`${NAME}.bin`, NAME.toUpperCase(), `${NAME}0`, `${NAME}\n`, MODULE, '.tmpAbC123'])
      assert.equal(kindOf(wasmerLayout.top, name), 'alien');
    assert.equal(wasmerLayout.top.folder(ENGINE), null);
  });
});

describe('a directory of wasix', () => {
  it('is known by a module in the folder of an engine', (t) => {
    const folder = folderNamed(t, 'cache');
    mkdirSync(join(folder, ENGINE));
    assert.equal(isRecognised(wasixLayout, folder), false);
    writeFileSync(join(folder, ENGINE, 'readme.bin'), '');
    assert.equal(isRecognised(wasixLayout, folder), false);
    writeFileSync(join(folder, ENGINE, MODULE), 'raw');
    assert.ok(isRecognised(wasixLayout, folder));
  });
  it('is known by a module beside it, with a name or a header that tells', (t) => {
    for (const [name, bytes, isKnown] of [
      ['wasmer', Buffer.from('raw'), true],
      ['wasix-modules', Buffer.from('raw'), true],
      ['cache', Buffer.from('raw'), false],
      ['cache', wasmerArtifact(Buffer.from('payload')), true],
    ] as const) {
      const folder = folderNamed(t, name);
      writeFileSync(join(folder, MODULE), bytes);
      assert.equal(isRecognised(wasixLayout, folder), isKnown, name);
    }
  });
  it('tells modules of an engine, older ones and temporary files apart', () => {
    const engine = sectionIn(wasixLayout.top, ENGINE);
    assert.equal(kindOf(engine, MODULE), 'wasix-module 0 of 0123456789ABCDEF');
    assert.equal(kindOf(wasixLayout.top, MODULE), 'wasix-module-old 0 of 0123456789ABCDEF');
    for (const section of [engine, wasixLayout.top]) {
      // Rust's name for every program: only the folder of an engine is wasix's alone.
      assert.equal(kindOf(section, '.tmpAbC123'), section === engine ? 'litter' : 'alien');
      for (const name of [
        '.tmpAbC12',
        '.tmpAbC1234',
        '.tmp',
        MODULE.toLowerCase(),
        NAME,
        `0${MODULE}`,
        `${MODULE}\n`,
      ])
        assert.equal(kindOf(section, name), 'alien');
    }
    for (const name of ['engine', 'engine-v', '-v1', 'engine-v1-x'])
      assert.equal(wasixLayout.top.folder(name), null);
    assert.deepEqual(wasixModuleFormat.compiler?.(`/cache-v3/${ENGINE}`), {
      name: 'cranelift-x86_64-wasmer-universal',
      version: '11',
    });
    assert.equal(wasixModuleFormat.compiler?.('/cache'), null);
  });
});

describe('a module of wasmer or wasix', () => {
  it('is unverifiable with a whole header or none, and litter when it is empty', (t) => {
    const folder = folderNamed(t, 'wasmer');
    const verdicts = writeWasmer(folder).map((path) => {
      const { verdict, bytesRead } = examineAt(wasmerLayout.top, folder, basename(path));
      assert.equal(bytesRead, readFileSync(path).length);
      return wordOf(verdict);
    });
    assert.deepEqual(verdicts, ['unverifiable', 'unverifiable', 'litter']);
    const sections = [sectionIn(wasixLayout.top, ENGINE), wasixLayout.top];
    for (const path of writeWasix(folder)) {
      const section = sections[dirname(path) === folder ? 1 : 0] ?? wasixLayout.top;
      assert.equal(wordOf(examineAt(section, dirname(path), basename(path)).verdict), 'unverifiable');
    }
  });
  it('is damaged by its header, with the reason', (t) => {
    const folder = temporaryFolder(t);
    const payload = codeBytes('payload', 400_000);
    const verdictOf = (bytes: Buffer) => {
      writeFileSync(join(folder, NAME), bytes);
      return wordOf(examineAt(wasmerLayout.top, folder, NAME).verdict);
    };
    const whole = wasmerArtifact(payload);
    assert.equal(verdictOf(whole), 'unverifiable');
    assert.equal(verdictOf(wasmerArtifact(Buffer.alloc(0))), 'unverifiable');
    assert.equal(verdictOf(wasmerArtifact(payload, { bytes: payload.length - 1 })), 'unverifiable');
    assert.equal(verdictOf(wasmerArtifact(payload, { bytes: payload.length + 1 })), 'bad-length');
    assert.equal(verdictOf(wasmerArtifact(payload, { bytes: 0xffff_ffff })), 'bad-length');
    assert.equal(verdictOf(whole.subarray(0, -1)), 'bad-length');
    assert.equal(verdictOf(wasmerArtifact(payload, { version: 0 })), 'wrong-version');
    assert.equal(verdictOf(wasmerArtifact(payload, { magic: 'WASMER\0\x01' })), 'bad-magic');
    for (let bytes = 1; bytes < 32; bytes += 1)
      assert.equal(verdictOf(whole.subarray(0, bytes)), 'truncated');
    assert.equal(verdictOf(Buffer.from('wasmer-universe and everything')), 'unverifiable');
  });
  it('is nothing else in the place of a file', (t) => {
    const folder = temporaryFolder(t);
    for (const [name, make] of NO_FILES) {
      replaceBy(join(folder, NAME), make);
      assert.equal(wordOf(examineAt(wasmerLayout.top, folder, NAME).verdict), 'not-a-file', name);
    }
  });
});

describe('a module that gear holds', () => {
  it('is held until its holder dies', async (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, NAME);
    const isHeld = () => hashedModuleFormat.isHeld?.(fakeHost(), folder, NAME);
    assert.equal(isHeld(), false);
    writeFileSync(path, 'module');
    writeFileSync(join(folder, 'other'), 'module');
    assert.equal(isHeld(), false);
    const child = await flockHolder(t, path);
    if (child === null) return;
    assert.equal(isHeld(), true);
    const other = statSync(join(folder, 'other'));
    assert.equal(hasFlock(systemFiles, { device: other.dev, inode: other.ino }), false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(isHeld(), false);
    rmSync(path);
    assert.equal(isHeld(), false);
  });
  it('is held by who reads it as well', async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, NAME), 'module');
    if ((await flockHolder(t, join(folder, NAME), '--shared')) === null) return;
    assert.equal(hashedModuleFormat.isHeld?.(fakeHost(), folder, NAME), true);
  });
});

describe('the table of locks', () => {
  const device = (major: number, minor: number) =>
    ((major & 0xfff) << 8) + (minor & 0xff) + Math.floor(minor / 256) * 2 ** 20;
  for (const [line, isFlock] of [
    ['1: FLOCK  ADVISORY  WRITE 1234 fe:1a:77 0 EOF', true],
    ['12: FLOCK  ADVISORY  READ  1234 fe:1a:77 0 EOF', true],
    ['1: -> FLOCK  ADVISORY  WRITE 1234 fe:1a:77 0 EOF', false],
    ['1: POSIX  ADVISORY  WRITE 1234 fe:1a:77 0 EOF', false],
    ['1: OFDLCK ADVISORY  WRITE -1 fe:1a:77 0 EOF', false],
    ['1: FLOCK  ADVISORY  WRITE 1234 fe:1a:770 0 EOF', false],
    ['1: FLOCK  ADVISORY  WRITE 1234 fe:1b:77 0 EOF', false],
    ['1: FLOCK  ADVISORY  WRITE 1234 ff:1a:77 0 EOF', false],
    ['1: FLOCK  ADVISORY  WRITE 1234 <none>:0 0 EOF', false],
    ['', false],
  ] as const) {
    it(`${isFlock ? 'names' : 'does not name'} a holder: ${line}`, () =>
      assert.equal(namesFlock(`0: nonsense\n${line}\n`, { device: device(0xfe, 0x1a), inode: 77 }), isFlock));
  }
  it('has large device numbers', () => {
    const file = { device: device(0x103, 0x12345), inode: 5 };
    assert.ok(namesFlock('1: FLOCK  ADVISORY  WRITE 1 103:12345:5 0 EOF', file));
  });
  it('holds nothing where there is none, and everything where it is too large', () => {
    const file = { device: 1, inode: 1 };
    assert.equal(hasFlock(failingFiles({ lstat: () => null }), file), false);
    const huge = systemFiles.lstat('/proc/locks') ?? systemFiles.lstat('/');
    assert.ok(huge !== null);
    assert.ok(hasFlock(failingFiles({ lstat: () => ({ ...huge, type: 'file', bytes: 2 ** 40 }) }), file));
  });
});
