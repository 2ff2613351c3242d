import assert from 'node:assert/strict';
import { rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { parsedAstSection, payloadsFormat, tokensFormat } from '../../../src/layouts/vyre/parsed-ast.js';
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
import {
  PARSED_SOURCE,
  payloadsPieces,
  tokensPieces,
  u64,
  writeAst,
  writeInto,
} from '../../support/vyre-files.js';

const KEY = '5a'.repeat(16);
const MIB = 1_048_576;
type Extension = 'vct' | 'vpl';

function wordIn(folder: string, extension: Extension, bytes: Uint8Array): string {
  writeInto(folder, `${KEY}.${extension}`, bytes);
  return wordOf(examineAt(parsedAstSection, folder, `${KEY}.${extension}`).verdict);
}

function wordOn(t: TestContext, extension: Extension, pieces: readonly Buffer[]): string {
  return wordIn(temporaryFolder(t), extension, Buffer.concat(pieces));
}

function replaced(pieces: readonly Buffer[], index: number, piece: Buffer): readonly Buffer[] {
  return pieces.map((each, at) => (at === index ? piece : each));
}

/** The pieces of a `.vct` file that tell how long something in the file is, by their numbers. */
const TOKEN_LENGTHS = [
  [1, 'path'],
  [5, 'first column'],
  [7, 'second column'],
  [9, 'third column'],
  [11, 'fourth column'],
  [13, 'source'],
] as const;
const ABSURD = [
  0xffff_ffffn,
  0x1_0000_0000n,
  0x4000_0000_0000_0000n,
  0x8000_0000_0000_0000n,
  0xffff_ffff_ffff_ffffn,
] as const;

describe('the section of parsed C files', () => {
  it('knows tokens, payloads and the temporary files of both', () => {
    for (const [name, kind] of [
      [`${KEY}.vct`, `parsed-ast-tokens 0 of ${KEY}`],
      [`${KEY}.vpl`, `parsed-ast-payloads 0 of ${KEY}`],
      [`${KEY}.vct.12.0.tmp`, 'litter'],
      [`${KEY}.vpl.12.34.tmp`, 'litter'],
      [`${KEY}.vct.012.0.tmp`, 'alien'],
      [`${KEY}.vct.12.tmp`, 'alien'],
      [`${KEY}.vct.tmp`, 'alien'],
      [`${KEY}.bin`, 'alien'],
      [`${KEY}${KEY}.vct`, 'alien'],
      [`${KEY.toUpperCase()}.vct`, 'alien'],
    ] as const)
      assert.equal(kindOf(parsedAstSection, name), kind, name);
    assert.equal(parsedAstSection.folder('5a'), null);
  });

  it('holds two kinds of artifact that no checksum vouches for, and reads both to the end', (t) => {
    const folder = temporaryFolder(t);
    writeAst(folder, KEY);
    const tokens = examineAt(parsedAstSection, folder, `${KEY}.vct`);
    const payloads = examineAt(parsedAstSection, folder, `${KEY}.vpl`);
    assert.deepEqual([tokens.format, payloads.format], [tokensFormat, payloadsFormat]);
    assert.deepEqual([wordOf(tokens.verdict), wordOf(payloads.verdict)], ['unverifiable', 'unverifiable']);
    assert.equal(tokens.bytesRead, Buffer.concat(tokensPieces()).byteLength);
    assert.equal(payloads.bytesRead, Buffer.concat(payloadsPieces()).byteLength);
  });

  it('holds files of any size, larger than the buffer too', (t) => {
    const large = {
      ...PARSED_SOURCE,
      source: 'x'.repeat(700_000),
      kept: 'y'.repeat(600_000),
      tokens: 100_000,
    };
    assert.equal(wordOn(t, 'vct', tokensPieces(large)), 'unverifiable');
    const payloads = Array.from({ length: 300_000 }, () => Buffer.from([8]));
    assert.equal(wordOn(t, 'vpl', payloadsPieces(large, payloads)), 'unverifiable');
  });

  for (const extension of ['vct', 'vpl'] as const) {
    const pieces = extension === 'vct' ? tokensPieces() : payloadsPieces();
    const whole = Buffer.concat(pieces);

    for (const [what, bytes, word] of [
      ['nothing', Buffer.alloc(0), 'truncated'],
      ['half a magic', whole.subarray(0, 7), 'truncated'],
      ['the magic alone', whole.subarray(0, 8), 'truncated'],
      ['zeros', Buffer.alloc(whole.byteLength), 'bad-magic'],
      ['another magic', Buffer.concat([Buffer.from('VYREFCPS'), whole.subarray(8)]), 'bad-magic'],
      [
        'a magic of another version',
        Buffer.concat([Buffer.from('VYRECTS2'), whole.subarray(8)]),
        'bad-magic',
      ],
    ] as const) {
      it(`judges a .${extension} of ${what}: ${word}`, (t) => {
        assert.equal(wordOn(t, extension, [bytes]), word);
      });
    }

    for (const [what, make] of NO_FILES) {
      it(`calls ${what} in the place of a .${extension} no file`, (t) => {
        const folder = join(temporaryFolder(t), 'parsed-ast');
        writeAst(folder, KEY);
        replaceBy(join(folder, `${KEY}.${extension}`), make);
        assert.equal(
          wordOf(examineAt(parsedAstSection, folder, `${KEY}.${extension}`).verdict),
          'not-a-file',
        );
      });
    }

    it(`calls a .${extension} gone that is removed before it is read`, (t) => {
      const folder = temporaryFolder(t);
      writeAst(folder, KEY);
      rmSync(join(folder, `${KEY}.${extension}`));
      const format = extension === 'vct' ? tokensFormat : payloadsFormat;
      assert.equal(wordOf(examineSubject({ format, folder, stem: KEY, listed: [0] }).verdict), 'gone');
    });

    it(`never fails on random bytes behind the magic of a .${extension}, nor calls them valid`, (t) => {
      const folder = temporaryFolder(t);
      const small = fc.array(
        fc.oneof(
          fc.nat(20).map((value) => u64(value)),
          fc.uint8Array(),
        ),
      );
      const bodies = small.map((list) => Buffer.concat([whole.subarray(0, 8), ...list]));
      checkProperty(
        fc.property(fc.oneof(bodies, fc.uint8Array()), (bytes) => {
          assert.notEqual(wordIn(folder, extension, bytes), 'valid');
        }),
        500,
      );
    });
  }
});

describe('a file of tokens', () => {
  it('is truncated wherever it is cut', (t) => {
    const folder = temporaryFolder(t);
    const whole = Buffer.concat(tokensPieces());
    for (let length = 0; length < whole.byteLength; length += 1)
      assert.equal(wordIn(folder, 'vct', whole.subarray(0, length)), 'truncated', `${length} bytes`);
  });

  it('ends with its source', (t) => {
    for (const more of [1, 8, 300_000])
      assert.equal(wordOn(t, 'vct', [...tokensPieces(), Buffer.alloc(more)]), 'trailing-bytes');
  });

  it('may have no path, no tokens and no source', (t) => {
    const empty = { path: '', source: '', kept: '', tokens: 0 };
    assert.equal(wordOn(t, 'vct', tokensPieces(empty)), 'unverifiable');
  });

  for (const [index, what] of TOKEN_LENGTHS) {
    for (const length of ABSURD) {
      it(`is truncated where its ${what} claims a length of ${length}`, (t) => {
        assert.equal(wordOn(t, 'vct', replaced(tokensPieces(), index, u64(length))), 'truncated');
      });
    }
    it(`is not taken for whole where the length of its ${what} is one off`, (t) => {
      const length = tokensPieces()[index]?.readBigUInt64LE() ?? 0n;
      for (const wrong of [length - 1n, length + 1n])
        assert.notEqual(wordOn(t, 'vct', replaced(tokensPieces(), index, u64(wrong))), 'unverifiable');
    });
  }

  it('keeps what is left of its source without comments, at most all of it', (t) => {
    const { source } = PARSED_SOURCE;
    for (const [kept, word] of [
      ['', 'unverifiable'],
      [source.slice(1), 'unverifiable'],
      [source, 'unverifiable'],
      [`${source}x`, 'key-mismatch'],
    ] as const)
      assert.equal(wordOn(t, 'vct', tokensPieces({ ...PARSED_SOURCE, kept })), word, kept);
  });

  it('has at most 512 MiB', (t) => {
    const folder = temporaryFolder(t);
    const headBytes = Buffer.concat(tokensPieces({ ...PARSED_SOURCE, kept: '' })).byteLength;
    const kept = 512 * MIB - headBytes;
    const pieces = tokensPieces({ ...PARSED_SOURCE, kept: '' });
    const head = replaced(replaced(pieces, 3, u64(kept)), 13, u64(kept));
    const path = writeInto(folder, `${KEY}.vct`, Buffer.concat(head));
    truncateSync(path, 512 * MIB);
    assert.equal(wordOf(examineAt(parsedAstSection, folder, `${KEY}.vct`).verdict), 'unverifiable');
    truncateSync(path, 512 * MIB + 1);
    assert.equal(wordOf(examineAt(parsedAstSection, folder, `${KEY}.vct`).verdict), 'oversized');
  });
});

describe('a file of payloads', () => {
  const COUNT = 6;
  const headBytes = Buffer.concat(payloadsPieces(PARSED_SOURCE, [])).byteLength;

  it('is truncated wherever its head is cut, and where there are fewer bytes than payloads', (t) => {
    const folder = temporaryFolder(t);
    const whole = Buffer.concat(payloadsPieces());
    for (let length = 0; length < headBytes + 3; length += 1)
      assert.equal(wordIn(folder, 'vpl', whole.subarray(0, length)), 'truncated', `${length} bytes`);
    // Three payloads, each at least its tag: what they hold is not looked into.
    assert.equal(wordIn(folder, 'vpl', whole.subarray(0, headBytes + 3)), 'unverifiable');
  });

  it('ends with its count where that is zero', (t) => {
    assert.equal(wordOn(t, 'vpl', payloadsPieces(PARSED_SOURCE, [])), 'unverifiable');
    const longer = [...payloadsPieces(PARSED_SOURCE, []), Buffer.from([0])];
    assert.equal(wordOn(t, 'vpl', longer), 'trailing-bytes');
  });

  for (const [index, what] of [
    [1, 'path'],
    [COUNT, 'list of payloads'],
  ] as const) {
    for (const length of ABSURD) {
      it(`is truncated where its ${what} claims a length of ${length}`, (t) => {
        assert.equal(wordOn(t, 'vpl', replaced(payloadsPieces(), index, u64(length))), 'truncated');
      });
    }
  }

  for (let tag = 0; tag <= 10; tag += 1) {
    const word = tag <= 8 ? 'unverifiable' : 'bad-field';
    it(`begins with a payload of a known kind: ${tag} is ${word}`, (t) => {
      assert.equal(wordOn(t, 'vpl', payloadsPieces(PARSED_SOURCE, [Buffer.from([tag])])), word);
    });
  }
});
