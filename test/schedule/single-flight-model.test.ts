import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explore } from '../support/single-flight/exploration.js';
import { BROKEN_PROTOCOLS, SMALL_WORLDS } from '../support/single-flight/worlds.js';

describe('in every order of steps, with two kills before any of them,', () => {
  for (const [name, world] of SMALL_WORLDS) {
    it(`${name} keep every promise`, (t) => {
      const { violation, by, states, ends, kills } = explore(world);
      assert.deepEqual({ violation, by }, { violation: null, by: null });
      assert.ok(states > 100 && ends > 0 && kills > 0);
      t.diagnostic(`${states} states`);
    });
  }
});

describe('the model finds what is wrong with', () => {
  for (const { name, rules, world, violation } of BROKEN_PROTOCOLS) {
    it(name, () => {
      assert.equal(explore(world, rules).violation, violation);
      // Without the mistake the same world is sound.
      assert.equal(explore(world).violation, null);
    });
  }
});
