import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { processEnvironment, whileOff } from '../../src/cli/settings/environment.js';

const NAME = 'VYRE_TEST_OFF';

describe('a variable that is off', () => {
  it('is 0 for the work, and absent before and behind it', () => {
    assert.equal(
      whileOff(NAME, () => process.env[NAME]),
      '0',
    );
    assert.ok(!Object.hasOwn(processEnvironment(), NAME));
  });

  it('is absent behind work that throws', () => {
    const broken = (): never => {
      throw new TypeError('made by a test');
    };
    assert.throws(() => whileOff(NAME, broken), TypeError);
    assert.ok(!Object.hasOwn(processEnvironment(), NAME));
  });

  for (const value of ['1', '']) {
    it(`stays "${value}" where it is set`, () => {
      process.env[NAME] = value;
      try {
        assert.equal(
          whileOff(NAME, () => process.env[NAME]),
          value,
        );
        assert.equal(processEnvironment()[NAME], value);
      } finally {
        delete process.env[NAME];
      }
    });
  }
});
