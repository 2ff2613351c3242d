import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errnoOf } from '../../src/model/error.js';

function failed(code: string, errno: number): Error {
  return Object.assign(new Error(code), { code, errno });
}

describe('the name of a failed system call', () => {
  for (const [code, errno, name] of [
    ['ENOENT', -2, 'ENOENT'],
    // libuv knows no name for these: two ways in which Node says so.
    ['UNKNOWN', -122, 'EDQUOT'],
    ['Unknown system error -122', -122, 'EDQUOT'],
    ['Unknown system error -116', -116, 'ESTALE'],
    ['UNKNOWN', -999, 'E999'],
  ] as const) {
    it(`is ${name} for code "${code}" with errno ${errno}`, () => {
      assert.equal(errnoOf(failed(code, errno)), name);
    });
  }

  for (const error of [
    new Error('UNKNOWN'),
    failed('ERR_INVALID_ARG_TYPE', -22),
    failed('usage', -122),
    'EIO',
  ]) {
    it(`is none for ${String(error)}`, () => {
      assert.equal(errnoOf(error), null);
    });
  }
});
