import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EncodingCheck } from '../../../src/layouts/vyre/text-part.js';
import { checkProperty } from '../../support/properties.js';

/** What a decoder says that knows nothing of chunks. */
function isText(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function isTextInChunks(bytes: Buffer, chunkBytes: number): boolean {
  const check = new EncodingCheck();
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    if (!check.take(bytes.subarray(at, at + chunkBytes))) return false;
  }
  return check.isComplete;
}

const pieces = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(
    Buffer.from([0xe2, 0x82]),
    Buffer.from([0xf0, 0x9d, 0x84]),
    Buffer.from([0xf4, 0x90, 0x80, 0x80]),
    Buffer.from([0xc1, 0x81]),
    Buffer.from([0xef, 0xbb, 0xbf]),
  ),
);

describe('the check of an encoding', () => {
  it('says the same of bytes in chunks of any size as of all at once', () => {
    checkProperty(
      fc.property(fc.array(pieces), fc.integer({ min: 1, max: 9 }), (list, chunkBytes) => {
        const bytes = Buffer.concat(list);
        assert.equal(isTextInChunks(bytes, chunkBytes), isText(bytes));
      }),
      1000,
    );
  });

  it('takes nothing for text', () => {
    assert.equal(new EncodingCheck().isComplete, true);
  });
});
