import assert from 'node:assert/strict';
import { rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { aotFormat, aotSection } from '../../../src/layouts/vyre/aot.js';
import {
  examineAt,
  examineSubject,
  kindOf,
  NO_FILES,
  replaceBy,
  wordOf,
} from '../../support/layout-examination.js';
import { checkProperty } from '../../support/properties.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { aotSidecar, tomlOf, writeAot, writeInto } from '../../support/vyre-files.js';

const KEY = 'c'.repeat(64);
const TEXT = '@compute fn main() { /* é */ }\n';
const MIB = 1_048_576;

function wordOn(folder: string): string {
  return wordOf(examineAt(aotSection, folder, `${KEY}.wgsl`).verdict);
}

/** The verdict where fields of the sidecar are changed; null leaves one out. */
function wordWith(t: TestContext, changes: Readonly<Record<string, string | null>>): string {
  const folder = temporaryFolder(t);
  writeAot(folder, KEY, TEXT);
  writeInto(folder, `${KEY}.toml`, tomlOf(aotSidecar(TEXT), changes));
  return wordOn(folder);
}

describe('the section of ahead-of-time texts', () => {
  it('knows texts and their sidecars', () => {
    for (const [name, kind] of [
      [`${KEY}.wgsl`, `aot 0 of ${KEY}`],
      [`${KEY}.toml`, `aot 1 of ${KEY}`],
      [`${KEY}.wgsl.toml`, 'alien'],
      [`${KEY}.tmp.1_0`, 'alien'],
      [`${KEY}c.wgsl`, 'alien'],
      [`x${KEY}.wgsl`, 'alien'],
      [`${KEY}.WGSL`, 'alien'],
      ['pgo.toml', 'alien'],
    ] as const)
      assert.equal(kindOf(aotSection, name), kind, name);
    assert.equal(aotSection.folder('aa'), null);
  });

  it('holds pairs of which every byte is read and no digest vouches', (t) => {
    const folder = temporaryFolder(t);
    writeAot(folder, KEY, TEXT);
    const { format, verdict, bytesRead } = examineAt(aotSection, folder, `${KEY}.toml`);
    assert.equal(format, aotFormat);
    assert.equal(verdict.kind, 'unverifiable');
    assert.equal(bytesRead, Buffer.byteLength(TEXT) + tomlOf(aotSidecar(TEXT)).length);
  });

  it('holds nothing of use where one of two is missing', (t) => {
    const folder = temporaryFolder(t);
    writeAot(folder, KEY, TEXT);
    rmSync(join(folder, `${KEY}.toml`));
    assert.equal(wordOn(folder), 'half-pair');
    writeAot(folder, KEY, TEXT);
    rmSync(join(folder, `${KEY}.wgsl`));
    assert.equal(wordOf(examineAt(aotSection, folder, `${KEY}.toml`).verdict), 'half-pair');
  });

  it('loses the sidecar before the text', () => {
    assert.deepEqual(
      aotFormat.removal.map((part) => aotFormat.parts[part]?.suffix),
      ['.toml', '.wgsl'],
    );
  });

  it('does not miss what was removed since it was listed', (t) => {
    const folder = temporaryFolder(t);
    writeAot(folder, KEY, TEXT);
    rmSync(join(folder, `${KEY}.wgsl`));
    const { verdict } = examineSubject({ format: aotFormat, folder, stem: KEY, listed: [0, 1] });
    assert.equal(verdict.kind, 'gone');
  });

  const textBytes = Buffer.byteLength(TEXT);
  const fields: readonly (readonly [string, string | null, string])[] = [
    ['version', '0', 'wrong-version'],
    ['version', '2', 'wrong-version'],
    ['version', '9223372036854775807', 'wrong-version'],
    ['version', '-1', 'unreadable-sidecar'],
    ['version', '1.0', 'unreadable-sidecar'],
    ['version', '"1"', 'unreadable-sidecar'],
    ['version', 'true', 'unreadable-sidecar'],
    ['version', null, 'unreadable-sidecar'],
    ['spec_hash', `"${'d'.repeat(64)}"`, 'unverifiable'],
    ['spec_hash', `"${'d'.repeat(63)}"`, 'unreadable-sidecar'],
    ['spec_hash', `"${'d'.repeat(65)}"`, 'unreadable-sidecar'],
    ['spec_hash', `"${'D'.repeat(64)}"`, 'unreadable-sidecar'],
    ['spec_hash', '""', 'unreadable-sidecar'],
    ['spec_hash', '7', 'unreadable-sidecar'],
    ['spec_hash', null, 'unreadable-sidecar'],
    ['backend_fingerprint', '""', 'unverifiable'],
    ['backend_fingerprint', '"é\\u20ac"', 'unverifiable'],
    ['backend_fingerprint', '7', 'unreadable-sidecar'],
    ['backend_fingerprint', '["a"]', 'unreadable-sidecar'],
    ['backend_fingerprint', null, 'unreadable-sidecar'],
    ['created_unix_ms', '0', 'unverifiable'],
    ['created_unix_ms', '9007199254740993', 'unverifiable'],
    ['created_unix_ms', '18446744073709551615', 'unverifiable'],
    ['created_unix_ms', '18446744073709551616', 'unreadable-sidecar'],
    ['created_unix_ms', '-1', 'unreadable-sidecar'],
    ['created_unix_ms', '1.5', 'unreadable-sidecar'],
    ['created_unix_ms', 'nan', 'unreadable-sidecar'],
    ['created_unix_ms', '2026-06-08', 'unreadable-sidecar'],
    ['created_unix_ms', null, 'unreadable-sidecar'],
    ['wgsl_bytes', String(textBytes - 1), 'length-mismatch'],
    ['wgsl_bytes', String(textBytes + 1), 'length-mismatch'],
    ['wgsl_bytes', '0', 'length-mismatch'],
    ['wgsl_bytes', '9223372036854775807', 'length-mismatch'],
    ['wgsl_bytes', String(TEXT.length), 'length-mismatch'],
    ['wgsl_bytes', `${textBytes}.0`, 'unreadable-sidecar'],
    ['wgsl_bytes', '-1', 'unreadable-sidecar'],
    ['wgsl_bytes', null, 'unreadable-sidecar'],
    ['of_a_later_vyre', '{ a = [1] }', 'unverifiable'],
    ['__proto__', '{ version = 2 }', 'unverifiable'],
  ];
  for (const [field, value, word] of fields) {
    it(`judges a sidecar with ${field} ${value === null ? 'missing' : `= ${value}`}: ${word}`, (t) => {
      assert.equal(wordWith(t, { [field]: value }), word);
    });
  }

  const sidecars: readonly (readonly [string, string | Buffer, string])[] = [
    ['nothing', '', 'unreadable-sidecar'],
    ['no TOML', '{"version": 1}', 'unreadable-sidecar'],
    ['half a line', tomlOf(aotSidecar(TEXT)).slice(0, -20), 'unreadable-sidecar'],
    ['a field twice', `${tomlOf(aotSidecar(TEXT))}version = 1\n`, 'unreadable-sidecar'],
    [
      'no UTF-8',
      Buffer.concat([Buffer.from(`${tomlOf(aotSidecar(TEXT))}#`), Buffer.from([0xff])]),
      'unreadable-sidecar',
    ],
    ['64 KiB', tomlOf(aotSidecar(TEXT)).padEnd(65_536, '\n'), 'unverifiable'],
    ['64 KiB and a byte', tomlOf(aotSidecar(TEXT)).padEnd(65_537, '\n'), 'oversized'],
    ['arrays within arrays', `a = ${'['.repeat(30_000)}`, 'unreadable-sidecar'],
    ['tables within tables', `[a${'.a'.repeat(30_000)}]`, 'unreadable-sidecar'],
    ['only a table of its fields', `[metadata]\n${tomlOf(aotSidecar(TEXT))}`, 'unreadable-sidecar'],
  ];
  for (const [what, sidecar, word] of sidecars) {
    it(`judges a sidecar of ${what}: ${word}`, (t) => {
      const folder = temporaryFolder(t);
      writeAot(folder, KEY, TEXT);
      writeInto(folder, `${KEY}.toml`, sidecar);
      assert.equal(wordOn(folder), word);
    });
  }

  const texts: readonly (readonly [string, string | Buffer, string])[] = [
    ['nothing', '', 'length-mismatch'],
    ['a byte less', TEXT.slice(0, -1), 'length-mismatch'],
    ['a byte more', `${TEXT}\n`, 'length-mismatch'],
    ['other bytes', TEXT.replace('main', 'mine'), 'unverifiable'],
    ['no UTF-8', Buffer.from(TEXT, 'latin1'), 'not-utf8'],
  ];
  for (const [what, text, word] of texts) {
    it(`judges a text of ${what}: ${word}`, (t) => {
      const folder = temporaryFolder(t);
      writeAot(folder, KEY, TEXT);
      writeInto(folder, `${KEY}.wgsl`, text);
      assert.equal(wordOn(folder), word);
    });
  }

  for (const [length, word] of [
    [16 * MIB, 'unverifiable'],
    [16 * MIB + 1, 'oversized'],
  ] as const) {
    it(`holds texts of up to 16 MiB: one of ${length} bytes is ${word}`, (t) => {
      const folder = temporaryFolder(t);
      writeAot(folder, KEY, '');
      truncateSync(join(folder, `${KEY}.wgsl`), length);
      writeInto(folder, `${KEY}.toml`, tomlOf(aotSidecar(''), { wgsl_bytes: String(length) }));
      assert.equal(wordOn(folder), word);
    });
  }

  it('holds an empty text where its sidecar says so', (t) => {
    const folder = temporaryFolder(t);
    writeAot(folder, KEY, '');
    assert.equal(wordOn(folder), 'unverifiable');
  });

  for (const suffix of ['.wgsl', '.toml']) {
    for (const [what, make] of NO_FILES) {
      it(`calls ${what} in the place of ${suffix} no file`, (t) => {
        const folder = join(temporaryFolder(t), 'aot');
        writeAot(folder, KEY, TEXT);
        replaceBy(join(folder, `${KEY}${suffix}`), make);
        assert.equal(wordOn(folder), 'not-a-file');
      });
    }
  }

  it('never calls random bytes valid', (t) => {
    const folder = temporaryFolder(t);
    const lines = tomlOf(aotSidecar(TEXT));
    const sidecar = fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(fc.nat(lines.length), fc.nat(9), fc.string({ unit: 'binary', maxLength: 4 }))
        .map(([at, count, text]) => Buffer.from(lines.slice(0, at) + text + lines.slice(at + count))),
    );
    checkProperty(
      fc.property(sidecar, fc.uint8Array({ maxLength: 64 }), (toml, text) => {
        writeInto(folder, `${KEY}.toml`, toml);
        writeInto(folder, `${KEY}.wgsl`, text);
        const { verdict } = examineAt(aotSection, folder, `${KEY}.wgsl`);
        assert.ok(verdict.kind === 'unverifiable' || verdict.kind === 'damaged');
      }),
      500,
    );
  });
});
