import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ACTIVE_VARIABLE,
  isDamage,
  isHit,
  MISS_REASONS,
  OUTCOMES,
  type MissReason,
  type Outcome,
} from '../../src/model/lifecycle.js';

describe('the outcome of a lookup', () => {
  const hits: Readonly<Record<Outcome, boolean>> = {
    memory: true,
    disk: true,
    remote: true,
    joined: true,
    compiled: false,
    recompiled: false,
    failed: false,
    'remembered-failure': false,
  };

  for (const outcome of OUTCOMES) {
    it(`${outcome} ${hits[outcome] ? 'spared' : 'spared no'} run of a compiler that makes the artifact`, () => {
      assert.equal(isHit(outcome), hits[outcome]);
    });
  }
});

describe('a lookup that missed because of', () => {
  const damage: Readonly<Record<MissReason, boolean>> = {
    absent: false,
    'empty-cache': false,
    truncated: true,
    oversized: true,
    'bad-checksum': true,
    'not-a-file': true,
    'record-mismatch': true,
    'no-record': false,
    'newer-format': false,
    unsigned: true,
    'bad-mac': true,
    unreadable: true,
    'compiler-changed': false,
    'flags-changed': false,
    'environment-changed': false,
    'program-changed': false,
    'dependency-changed': false,
    'remembered-failure': false,
    refresh: false,
  };

  for (const reason of MISS_REASONS) {
    it(`${reason} ${damage[reason] ? 'found something that cannot be used' : 'found nothing damaged'}`, () => {
      assert.equal(isDamage(reason), damage[reason]);
    });
  }
});

it('a compiler that calls another version of this program is known by the variable that both read', () => {
  assert.equal(ACTIVE_VARIABLE, 'VYRE_CACHE_ACTIVE');
});
