import assert from 'node:assert/strict';
import { mkdirSync, rmSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Section } from '../../../src/layouts/layout.js';
import { driverFormat, driverShard } from '../../../src/layouts/vyre/driver-pipeline.js';
import { opaqueFormat, opaqueSection } from '../../../src/layouts/vyre/opaque.js';
import { ptxFormat, ptxSection } from '../../../src/layouts/vyre/ptx-source.js';
import { errnoError, failingFiles, fakeHost } from '../../support/fake-host.js';
import {
  examineAt,
  examineSubject,
  kindOf,
  NO_FILES,
  replaceBy,
  sectionIn,
  wordOf,
} from '../../support/layout-examination.js';
import { checkProperty } from '../../support/properties.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { blake3Hex, writeDriverPipeline, writeInto, writePtx } from '../../support/vyre-files.js';

const KEY = `ab${'0'.repeat(62)}`;
const MIB = 1_048_576;

function assertKinds(section: Section, kinds: readonly (readonly [string, string])[]): void {
  for (const [name, kind] of kinds) assert.equal(kindOf(section, name), kind, name);
}

describe("the driver's shards", () => {
  it('know pipelines and temporary files of their own first digits only', () => {
    assertKinds(driverShard('ab'), [
      [`${KEY}.bin`, `driver-pipeline 0 of ${KEY}`],
      [`${KEY}.bin.tmp.1.0`, 'litter'],
      [`${KEY}.bin.tmp.4294967295.18446744073709551615`, 'litter'],
      [`${KEY}.bin.tmp.0.1`, 'alien'],
      [`${KEY}.bin.tmp.12345678901.1`, 'alien'],
      [`${KEY}.bin.tmp.1`, 'alien'],
      [`${KEY}.bin.tmp`, 'alien'],
      [`${KEY}.json`, 'alien'],
      [`${KEY.toUpperCase()}.bin`, 'alien'],
      [`${KEY}0.bin`, 'alien'],
      [`${KEY.slice(1)}.bin`, 'alien'],
      [`.${KEY}.bin`, 'alien'],
      [`${KEY}.bin\n`, 'alien'],
      [`cd${'0'.repeat(62)}.bin`, 'alien'],
      [`cd${'0'.repeat(62)}.bin.tmp.1.0`, 'alien'],
      ['', 'alien'],
    ]);
    assert.equal(driverShard('ab').folder('ab'), null);
  });

  it('hold pipelines of which every byte is read and nothing can be known', (t) => {
    const folder = temporaryFolder(t);
    for (const blob of ['', 'a blob', Buffer.alloc(262_144, 1), Buffer.alloc(600_000, 2)]) {
      const path = writeDriverPipeline(folder, KEY, blob);
      const { format, verdict, bytesRead, digest } = examineAt(
        driverShard('ab'),
        dirname(path),
        `${KEY}.bin`,
      );
      assert.equal(format, driverFormat);
      assert.deepEqual(verdict, { kind: 'unverifiable' });
      assert.equal(bytesRead, Buffer.byteLength(blob));
      assert.equal(digest, blake3Hex(blob));
    }
  });

  for (const [bytes, word] of [
    [64 * MIB - 1, 'unverifiable'],
    [64 * MIB, 'unverifiable'],
    [64 * MIB + 1, 'oversized'],
  ] as const) {
    it(`hold pipelines of up to 64 MiB: one of ${bytes} bytes is ${word}`, (t) => {
      const path = writeDriverPipeline(temporaryFolder(t), KEY, '');
      truncateSync(path, bytes);
      assert.equal(wordOf(examineAt(driverShard('ab'), dirname(path), `${KEY}.bin`).verdict), word);
    });
  }

  for (const [what, make] of NO_FILES) {
    it(`call ${what} in the place of a pipeline no file`, (t) => {
      const path = writeDriverPipeline(temporaryFolder(t), KEY, 'a blob');
      replaceBy(path, make);
      assert.equal(wordOf(examineAt(driverShard('ab'), dirname(path), `${KEY}.bin`).verdict), 'not-a-file');
    });
  }

  it('call a pipeline gone that is removed before it is read', (t) => {
    const path = writeDriverPipeline(temporaryFolder(t), KEY, 'a blob');
    const subject = { format: driverFormat, folder: dirname(path), stem: KEY, listed: [0] };
    rmSync(path);
    assert.equal(wordOf(examineSubject(subject).verdict), 'gone');
    rmSync(dirname(path), { recursive: true });
    assert.equal(wordOf(examineSubject(subject).verdict), 'gone');
  });

  it('tell by which error a pipeline could not be read', (t) => {
    const path = writeDriverPipeline(temporaryFolder(t), KEY, 'a blob');
    const files = failingFiles({
      readAt: () => {
        throw errnoError('EIO');
      },
    });
    const { verdict } = examineAt(driverShard('ab'), dirname(path), `${KEY}.bin`, fakeHost({ files }));
    assert.deepEqual(verdict, { kind: 'unreadable', errno: 'EIO' });
  });
});

describe('the section of PTX texts', () => {
  it('knows shards and no files', () => {
    assert.equal(kindOf(ptxSection, `${KEY}.ptx`), 'alien');
    for (const name of ['a', 'abc', 'AB', 'zz', '', 'ab ', '..']) assert.equal(ptxSection.folder(name), null);
    assert.notEqual(ptxSection.folder('ab'), null);
    assert.equal(sectionIn(ptxSection, 'ab').folder('ab'), null);
  });

  it('knows texts and temporary files in the shard of their first digits', () => {
    assertKinds(sectionIn(ptxSection, 'ab'), [
      [`${KEY}.ptx`, `ptx-source 0 of ${KEY}`],
      [`${KEY}.ptx.17.3.tmp`, 'litter'],
      [`${KEY}.ptx.017.3.tmp`, 'alien'],
      [`${KEY}.ptx.17.tmp`, 'alien'],
      [`${KEY}.ptx.tmp`, 'alien'],
      [`${KEY}.bin`, 'alien'],
      [`cd${'0'.repeat(62)}.ptx`, 'alien'],
      [`cd${'0'.repeat(62)}.ptx.17.3.tmp`, 'alien'],
    ]);
  });

  const texts: readonly (readonly [string, Buffer, string])[] = [
    ['nothing', Buffer.alloc(0), 'unverifiable'],
    ['assembler', Buffer.from('.version 8.0\n.target sm_80\n'), 'unverifiable'],
    ['two-byte characters across the buffer', Buffer.from(`x${'é'.repeat(300_000)}`), 'unverifiable'],
    ['three-byte characters across the buffer', Buffer.from(`x${'€'.repeat(300_000)}`), 'unverifiable'],
    ['four-byte characters across the buffer', Buffer.from(`x${'𝄞'.repeat(300_000)}`), 'unverifiable'],
    ['a lone continuation', Buffer.from([0x80]), 'not-utf8'],
    ['a byte that is never used', Buffer.from([0x61, 0xff]), 'not-utf8'],
    ['an overlong slash', Buffer.from([0xc0, 0xaf]), 'not-utf8'],
    ['a surrogate', Buffer.from([0xed, 0xa0, 0x80]), 'not-utf8'],
    ['a cut character', Buffer.from('€').subarray(0, 2), 'not-utf8'],
    [
      'a cut character at the end of the buffer',
      cutAt(Buffer.from(`xx${'€'.repeat(100_000)}`), 262_144),
      'not-utf8',
    ],
    [
      'a bad byte behind the first buffer',
      Buffer.concat([Buffer.alloc(300_000, 'a'), Buffer.from([0xfe])]),
      'not-utf8',
    ],
  ];
  for (const [what, text, word] of texts) {
    it(`holds texts of which each is UTF-8: ${what} is ${word}`, (t) => {
      const path = writePtx(temporaryFolder(t), KEY, text);
      const { format, verdict, bytesRead } = examineAt(
        sectionIn(ptxSection, 'ab'),
        dirname(path),
        `${KEY}.ptx`,
      );
      assert.equal(format, ptxFormat);
      assert.equal(wordOf(verdict), word);
      if (word === 'unverifiable') assert.equal(bytesRead, text.byteLength);
    });
  }

  for (const [bytes, word] of [
    [1024 * MIB, 'unverifiable'],
    [1024 * MIB + 1, 'oversized'],
  ] as const) {
    it(`holds texts of up to 1 GiB: one of ${bytes} bytes is ${word}`, (t) => {
      const path = writePtx(temporaryFolder(t), KEY, '');
      truncateSync(path, bytes);
      assert.equal(wordOf(examineAt(sectionIn(ptxSection, 'ab'), dirname(path), `${KEY}.ptx`).verdict), word);
    });
  }

  for (const [what, make] of NO_FILES) {
    it(`calls ${what} in the place of a text no file`, (t) => {
      const path = writePtx(temporaryFolder(t), KEY, '');
      replaceBy(path, make);
      assert.equal(
        wordOf(examineAt(sectionIn(ptxSection, 'ab'), dirname(path), `${KEY}.ptx`).verdict),
        'not-a-file',
      );
    });
  }

  it('says of random bytes that they are UTF-8 or not, and never that they are valid', (t) => {
    const folder = temporaryFolder(t);
    checkProperty(
      fc.property(fc.uint8Array(), (bytes) => {
        const path = writePtx(folder, KEY, bytes);
        const { verdict } = examineAt(sectionIn(ptxSection, 'ab'), dirname(path), `${KEY}.ptx`);
        assert.equal(wordOf(verdict), isText(bytes) ? 'unverifiable' : 'not-utf8');
      }),
    );
  });
});

describe('an opaque section', () => {
  it('takes every file for an artifact of its own, however deep it lies', () => {
    for (const name of ['index', '.lock', '0a', 'index.tmp.1.1', `${KEY}.bin`])
      assert.equal(kindOf(opaqueSection, name), `cuda-jit 0 of ${name}`);
    assert.equal(opaqueSection.folder('a'), opaqueSection);
  });

  it('is never pruned', () => {
    assert.equal(opaqueFormat.isPrunable, false);
  });

  it('is read to its last byte', (t) => {
    const folder = join(temporaryFolder(t), '0', 'a');
    const bytes = Buffer.alloc(300_000, 7);
    writeInto(folder, 'index', bytes);
    writeInto(folder, 'empty', '');
    const { verdict, bytesRead, digest } = examineAt(opaqueSection, folder, 'index');
    assert.deepEqual(
      [wordOf(verdict), bytesRead, digest],
      ['unverifiable', bytes.byteLength, blake3Hex(bytes)],
    );
    assert.equal(wordOf(examineAt(opaqueSection, folder, 'empty').verdict), 'unverifiable');
  });

  for (const [what, make] of NO_FILES) {
    it(`calls ${what} no file`, (t) => {
      const folder = join(temporaryFolder(t), 'f');
      mkdirSync(folder);
      make(join(folder, 'index'));
      assert.equal(wordOf(examineAt(opaqueSection, folder, 'index').verdict), 'not-a-file');
    });
  }
});

/** Cut in the middle of a character. */
function cutAt(bytes: Buffer, length: number): Buffer {
  const cut = bytes.subarray(0, length);
  assert.equal(isText(cut), false);
  return cut;
}

function isText(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
