import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lazyLocks } from '../../src/host/locks.js';

const NO_DESCRIPTOR = 99_999;

describe('a lock that fails', () => {
  it('throws the error of a system call, not that of a bug', (t) => {
    const locks = lazyLocks();
    if (!locks.available) {
      t.skip('missing: fs-native-extensions (`npm ci` brings it)');
      return;
    }
    const range = { offset: 0, length: 1 };
    assert.throws(() => locks.tryLock(NO_DESCRIPTOR, range), { code: 'EBADF', syscall: 'lock' });
    assert.throws(() => locks.unlock(NO_DESCRIPTOR, range), { code: 'EBADF', syscall: 'unlock' });
  });
});
