import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hasHexAt, writeHex } from '../../src/model/hex.js';

describe('hex digits', () => {
  it('are lowercase only', () => {
    const digits = '0123456789abcdef';
    for (let code = 0; code < 300; code += 1) {
      const char = String.fromCharCode(code);
      assert.equal(hasHexAt(char, 0, 1), digits.includes(char), `character ${code}`);
    }
    for (const char of ['é', '０', '\u{1F600}', '\uD800']) assert.equal(hasHexAt(`${char}00`, 0, 2), false);
  });

  it('are asked for at the start of a text, as many as that', () => {
    assert.deepEqual(
      [0, 2, 4, 5].map((length) => hasHexAt('beef.bin', 0, length)),
      [true, true, true, false],
    );
    assert.equal(hasHexAt('bee', 0, 4), false);
  });

  it('are written as Node writes them, from a place on', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(8), (bytes, start) => {
        const target = Buffer.alloc(start + bytes.length + 1, 0xee);
        const text = `${Buffer.from(bytes).toString('hex')}.bin`;
        assert.equal(writeHex(text, target, start, 2 * bytes.length), true);
        assert.deepEqual(target.subarray(start, start + bytes.length), Buffer.from(bytes));
        assert.equal(target.at(-1), 0xee);
      }),
    );
  });

  it('are refused in odd numbers and among others', () => {
    for (const text of ['a', '0g', 'g0', 'AB', '00 0', 'é0', 'ab.bin'])
      assert.equal(writeHex(text, new Uint8Array(8), 0, text.length), false, text);
    assert.equal(writeHex('abc', new Uint8Array(8), 0, 4), false, 'more than there are');
  });
});
