import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { writeDigits } from '../../src/model/write-digits.js';

describe('hex digits of bytes', () => {
  it('are those that Node writes, and touch nothing around them', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    for (const [start, end, at] of [
      [0, 256, 0],
      [7, 8, 1],
      [3, 3, 2],
      [200, 231, 5],
    ] as const) {
      const target = Buffer.alloc(600, '.');
      writeDigits(bytes, { start, end }, new DataView(target.buffer, target.byteOffset, target.length), at);
      const digits = bytes.toString('hex', start, end);
      assert.equal(target.toString('latin1'), `${'.'.repeat(at)}${digits}`.padEnd(600, '.'));
    }
  });
});
