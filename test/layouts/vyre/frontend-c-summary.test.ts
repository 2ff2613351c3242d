import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { frontendFormat, frontendSection } from '../../../src/layouts/vyre/frontend-c-summary.js';
import {
  examineAt,
  kindOf,
  NO_FILES,
  replaceBy,
  sectionIn,
  wordOf,
  type Examined,
} from '../../support/layout-examination.js';
import { checkProperty } from '../../support/properties.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { SUMMARY_NUMBERS, summaryBytes, u32, writeSummary } from '../../support/vyre-files.js';

const KEY = `ab${'0'.repeat(30)}`;

function examine(path: string): Examined {
  return examineAt(sectionIn(frontendSection, 'ab'), dirname(path), `${KEY}.bin`);
}

function wordOn(t: TestContext, bytes: Uint8Array): string {
  return wordOf(examine(writeSummary(temporaryFolder(t), KEY, bytes)).verdict);
}

/** The bytes of a summary with others written over them. */
function changed(offset: number, bytes: Uint8Array): Buffer {
  const summary = summaryBytes();
  summary.set(bytes, offset);
  return summary;
}

function withNumber(index: number, value: bigint): Buffer {
  return summaryBytes(SUMMARY_NUMBERS.map((number, each) => (each === index ? value : number)));
}

describe('the section of C summaries', () => {
  it('knows shards of summaries and temporary files', () => {
    const shard = sectionIn(frontendSection, 'ab');
    for (const [name, kind] of [
      [`${KEY}.bin`, `frontend-c-summary 0 of ${KEY}`],
      [`${KEY}.bin.12.0.tmp`, 'litter'],
      [`${KEY}.bin.12.tmp`, 'alien'],
      [`${KEY}.bin.tmp.12.0`, 'alien'],
      [`${KEY}0.bin`, 'alien'],
      [`${KEY}${KEY}.bin`, 'alien'],
      [`cd${'0'.repeat(30)}.bin`, 'alien'],
      [`cd${'0'.repeat(30)}.bin.12.0.tmp`, 'alien'],
    ] as const)
      assert.equal(kindOf(shard, name), kind, name);
    assert.equal(kindOf(frontendSection, `${KEY}.bin`), 'alien');
    assert.equal(frontendSection.folder('abc'), null);
  });

  it('holds summaries of 116 bytes that no checksum vouches for', (t) => {
    const { format, verdict, bytesRead } = examine(writeSummary(temporaryFolder(t), KEY));
    assert.equal(format, frontendFormat);
    assert.deepEqual([verdict.kind, bytesRead], ['unverifiable', 116]);
  });

  const faults: readonly (readonly [string, Buffer, string])[] = [
    ['nothing', Buffer.alloc(0), 'truncated'],
    ['the magic alone', summaryBytes().subarray(0, 8), 'truncated'],
    ['no number', summaryBytes().subarray(0, 12), 'truncated'],
    ['twelve numbers', summaryBytes().subarray(0, 108), 'truncated'],
    ['a byte less', summaryBytes().subarray(0, 115), 'truncated'],
    ['a byte more', Buffer.concat([summaryBytes(), Buffer.from([0])]), 'oversized'],
    ['much more', Buffer.concat([summaryBytes(), Buffer.alloc(1_000_000)]), 'oversized'],
    ['a wrong first letter', changed(0, Buffer.from('X')), 'bad-magic'],
    ['a wrong last letter', changed(7, Buffer.from('X')), 'bad-magic'],
    ['only zeros', Buffer.alloc(116), 'bad-magic'],
    ['version 0', changed(8, u32(0)), 'wrong-version'],
    ['version 2', changed(8, u32(2)), 'wrong-version'],
    ['the version of a big-endian writer', changed(8, Buffer.from([0, 0, 0, 1])), 'wrong-version'],
    ['as many tokens as 32 bits count', withNumber(1, 0xffff_ffffn), 'unverifiable'],
    ['one token more', withNumber(1, 0x1_0000_0000n), 'bad-field'],
    ['as many nodes as 32 bits count', withNumber(3, 0xffff_ffffn), 'unverifiable'],
    ['one node more', withNumber(3, 0x1_0000_0000n), 'bad-field'],
    ['absurdly many nodes', withNumber(3, 0xffff_ffff_ffff_ffffn), 'bad-field'],
  ];
  for (const [what, bytes, word] of faults) {
    it(`judges a summary with ${what}: ${word}`, (t) => {
      assert.equal(wordOn(t, bytes), word);
    });
  }

  for (const index of [0, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
    it(`lets number ${index} have all of its 64 bits`, (t) => {
      assert.equal(wordOn(t, withNumber(index, 0xffff_ffff_ffff_ffffn)), 'unverifiable');
    });
  }

  for (const [what, make] of NO_FILES) {
    it(`calls ${what} in the place of a summary no file`, (t) => {
      const path = writeSummary(temporaryFolder(t), KEY);
      replaceBy(path, make);
      assert.equal(wordOf(examine(path).verdict), 'not-a-file');
    });
  }

  it('never calls random bytes valid', (t) => {
    const folder = temporaryFolder(t);
    const body = fc.uint8Array({ maxLength: 130 });
    const anything = fc.oneof(
      body,
      body.map((bytes) => Buffer.concat([Buffer.from('VYREFCPS'), bytes])),
      fc.uint8Array({ minLength: 104, maxLength: 104 }).map((bytes) => changed(12, bytes)),
    );
    checkProperty(
      fc.property(anything, (bytes) => {
        const { verdict } = examine(writeSummary(folder, KEY, bytes));
        assert.ok(verdict.kind === 'unverifiable' || verdict.kind === 'damaged');
        assert.ok(verdict.kind === 'damaged' || bytes.byteLength === 116);
      }),
    );
  });
});
