import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { systemFiles } from '../../../src/host/files.js';
import { portableBlake3 } from '../../../src/host/portable-hash.js';
import { pvfLayout } from '../../../src/layouts/pvf/pvf-layout.js';
import { fakeHost } from '../../support/fake-host.js';
import { examineAt, kindOf, NO_FILES, replaceBy, wordOf } from '../../support/layout-examination.js';
import { blake3Hex, codeBytes, hexOf, writePvf } from '../../support/other-caches.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const section = pvfLayout.top;
const RANDOM = `0x${hexOf('a')}${hexOf('b')}`;
const HASHES = `_0x${hexOf('code')}_0x${hexOf('params')}`;

function isRecognised(folder: string): boolean {
  return systemFiles
    .readDirectory(folder)
    .some((item) => pvfLayout.suggests(item) && pvfLayout.confirms(fakeHost(), folder, item));
}

describe('a directory of PVF artifacts', () => {
  it('is known by each of its artifacts', (t) => {
    const source = temporaryFolder(t);
    const paths = writePvf(source);
    assert.equal(paths.length, 3);
    for (const path of paths) {
      const folder = temporaryFolder(t);
      writeFileSync(join(folder, basename(path)), '');
      assert.ok(isRecognised(folder), basename(path));
    }
  });
  it('is known by the folder of a worker, but not by one of vyre-cache', (t) => {
    for (const [files, isKnown] of [
      [[], true],
      [['tmp-artifact'], true],
      [['artifact'], true],
      [['tmp-artifact', 'owner'], false],
      [['owner'], false],
      [['tmp-artifact', 'notes.txt'], false],
    ] as const) {
      for (const kind of ['prepare', 'execute']) {
        const folder = temporaryFolder(t);
        const worker = join(folder, `worker-dir-${kind}-Ab3`);
        mkdirSync(worker);
        for (const file of files) writeFileSync(join(worker, file), '');
        assert.equal(isRecognised(folder), isKnown, `${kind} ${files.join()}`);
      }
    }
  });
  it('is not known by an extension, a folder, a link', (t) => {
    const folder = temporaryFolder(t);
    for (const name of ['abcd.pvf', 'wasmtime_notes', 'worker-dir-prepare-1'])
      writeFileSync(join(folder, name), '');
    mkdirSync(join(folder, `${RANDOM}.pvf`));
    mkdirSync(join(folder, 'worker-dir-test'));
    symlinkSync('nowhere', join(folder, `${RANDOM.replaceAll('a', 'b')}.pvf`));
    assert.equal(isRecognised(folder), false);
  });
});

describe('the names in a directory of PVF artifacts', () => {
  const persistent = `1.0.0-abc_1+x${HASHES}_0x${hexOf('content')}`;
  for (const [name, kind] of [
    [`${RANDOM}.pvf`, `pvf-artifact 0 of ${RANDOM}`],
    [persistent, `pvf-persistent 0 of ${persistent}`],
    [`wasmtime_0x${hexOf('x')}`, `pvf-old 0 of wasmtime_0x${hexOf('x')}`],
    [`wasmtime${HASHES}_0x${hexOf('x')}`, `pvf-old 0 of wasmtime${HASHES}_0x${hexOf('x')}`],
    ['abcd.pvf', 'alien'],
    [`${RANDOM}.pvfartifact`, 'alien'],
    [`${RANDOM.toUpperCase()}.pvf`, 'alien'],
    [`${RANDOM}0.pvf`, 'alien'],
    [RANDOM, 'alien'],
    [`${HASHES.slice(1)}_0x${hexOf('x')}`, 'alien'],
    [`1.0${HASHES}`, 'alien'],
    [`1 0${HASHES}_0x${hexOf('x')}`, 'alien'],
    [`${persistent}\n`, 'alien'],
    ['wasmtime_', 'alien'],
    [`wasmtime_${hexOf('x')}`, 'alien'],
    [`polkadot_0x${hexOf('x')}`, 'alien'],
  ] as const) {
    it(`take ${JSON.stringify(name)} for: ${kind}`, () => assert.equal(kindOf(section, name), kind));
  }
  it('keep the folders of workers for themselves', () => {
    assert.equal(section.folder('worker-dir-prepare-x'), 'private');
    assert.equal(section.folder('worker-dir-execute-x'), 'private');
    for (const name of ['worker-dir-prepare-', 'worker-dir-x', 'worker-prepare-x'])
      assert.equal(section.folder(name), null);
  });
});

describe('a PVF artifact', () => {
  it('is unverifiable, or valid where its name has its hash', (t) => {
    const folder = temporaryFolder(t);
    const verdicts = writePvf(folder).map((path) => {
      const { verdict, bytesRead } = examineAt(section, folder, basename(path));
      assert.equal(bytesRead, readFileSync(path).length);
      return wordOf(verdict);
    });
    assert.deepEqual(verdicts, ['unverifiable', 'valid', 'unverifiable']);
  });
  it('is damaged when it is empty', (t) => {
    const folder = temporaryFolder(t);
    for (const name of [`${RANDOM}.pvf`, `wasmtime_0x${hexOf('x')}`]) {
      writeFileSync(join(folder, name), '');
      assert.equal(wordOf(examineAt(section, folder, name).verdict), 'truncated');
    }
  });
  it('is damaged when its bytes are not those of its name, by either implementation of the hash', (t) => {
    const folder = temporaryFolder(t);
    const content = codeBytes('large', 600_000);
    const name = `1.2.3${HASHES}_0x${blake3Hex(content)}`;
    for (const host of [fakeHost(), fakeHost({ hash: portableBlake3 })]) {
      const verdictOf = (bytes: Buffer) => {
        writeFileSync(join(folder, name), bytes);
        return wordOf(examineAt(section, folder, name, host).verdict);
      };
      assert.equal(verdictOf(content), 'valid');
      assert.equal(verdictOf(content.subarray(1)), 'bad-checksum');
      assert.equal(verdictOf(Buffer.alloc(0)), 'bad-checksum');
      const flipped = Buffer.from(content);
      flipped[599_999] = (flipped[599_999] ?? 0) ^ 1;
      assert.equal(verdictOf(flipped), 'bad-checksum');
    }
  });
  it('is nothing else in the place of a file', (t) => {
    const folder = temporaryFolder(t);
    for (const [name, make] of NO_FILES) {
      replaceBy(join(folder, `${RANDOM}.pvf`), make);
      assert.equal(wordOf(examineAt(section, folder, `${RANDOM}.pvf`).verdict), 'not-a-file', name);
    }
  });
});
