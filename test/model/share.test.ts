import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodePercent, decodeShare, shareOf, writeShare } from '../../src/model/share.js';

const REFUSED = { refuseZero: 'something above zero' };

describe('percent', () => {
  for (const [text, value] of [
    ['0%', 0],
    ['7%', 7],
    ['070%', 70],
    ['100%', 100],
  ] as const) {
    it(`reads ${text}`, () => {
      assert.deepEqual(decodePercent(text), { ok: true, value });
    });
  }

  for (const text of ['', '%', '70', '101%', '-1%', '1.5%', '70 %', ' 70%', '70%%', '7e1%', '1000%', '٧%']) {
    it(`refuses "${text}"`, () => {
      const reason = `expected whole percent from 0% to 100%, got "${text}"`;
      assert.deepEqual(decodePercent(text), { ok: false, reason });
    });
  }
});

describe('a share', () => {
  it('is percent or a size', () => {
    assert.deepEqual(decodeShare('10%'), { ok: true, value: { percent: 10 } });
    assert.deepEqual(decodeShare('2KiB'), { ok: true, value: { bytes: 2048 } });
    assert.deepEqual(decodeShare('0%'), { ok: true, value: { percent: 0 } });
    assert.deepEqual(decodeShare('0B'), { ok: true, value: { bytes: 0 } });
  });

  for (const text of ['0', '0%', '0B', '000', '00GiB']) {
    it(`of ${text} is refused where zero says nothing`, () => {
      const reason = `expected something above zero, got "${text}"`;
      assert.deepEqual(decodeShare(text, REFUSED), { ok: false, reason });
    });
  }

  for (const text of ['', '10', '101%', '-10%', '1.5GiB', 'ten']) {
    it(`is not "${text}"`, () => {
      const reason = `expected a size such as 5GiB, or whole percent up to 100%, got "${text}"`;
      assert.deepEqual(decodeShare(text), { ok: false, reason });
      assert.deepEqual(decodeShare(text, REFUSED), { ok: false, reason });
    });
  }

  it('is written as it is read', () => {
    for (const text of ['1%', '100%', '5GiB', '1B']) {
      const read = decodeShare(text);
      assert.ok(read.ok);
      assert.equal(writeShare(read.value), text);
    }
  });

  it('of a whole is rounded down to bytes', () => {
    assert.equal(shareOf({ percent: 70 }, 5), 3);
    assert.equal(shareOf({ percent: 100 }, 5), 5);
    assert.equal(shareOf({ bytes: 9 }, 5), 9);
  });
});
