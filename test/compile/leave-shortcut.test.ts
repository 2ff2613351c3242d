import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { leaveShortcut } from '../../src/compile/leave-shortcut.js';
import { readShortcut, type Shortcut } from '../../src/compile/shortcut.js';
import { isFingerprint } from '../../src/model/fingerprint.js';
import { fakeHost } from '../support/fake-host.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const NAME = 'ab'.repeat(32);

function shortcutAt(leftAtMs: number, looks: string): Shortcut {
  const fingerprint = 'cd'.repeat(32);
  assert.ok(isFingerprint(fingerprint));
  return {
    leftAtMs,
    fingerprint,
    maxPayloadBytes: 1024,
    outputs: [{ name: 'a', path: '/a', isStdout: false, executable: true }],
    record: 'file 1 2 3 4 5',
    entryChecksum: 'ef'.repeat(32),
    wallSeconds: 0.5,
    stdout: '',
    stderr: 'd2FybmluZwo=',
    looks,
    states: [1.5, 2],
  };
}

describe('a shortcut', () => {
  it('is read as it was left', (t) => {
    const host = fakeHost();
    const folder = join(temporaryFolder(t), 'made', 'shortcuts');
    const shortcut = shortcutAt(host.clock.nowMs(), 'a/');
    leaveShortcut(host, { folder, name: NAME }, shortcut);
    assert.deepEqual(readShortcut(host, folder, NAME), shortcut);
  });

  it('that nobody could read, for its size, is not left', (t) => {
    const host = fakeHost();
    const folder = join(temporaryFolder(t), 'shortcuts');
    const shortcut = shortcutAt(host.clock.nowMs(), 'x'.repeat(3_000_000));
    leaveShortcut(host, { folder, name: NAME }, shortcut);
    assert.ok(!existsSync(folder));
  });

  it('is not left, and nothing is said, where the system gives no random name', (t) => {
    const host = fakeHost();
    const folder = join(temporaryFolder(t), 'shortcuts');
    const hex = (): string => {
      throw Object.assign(new Error('EIO: read'), { code: 'EIO' });
    };
    const broken = { ...host, random: { ...host.random, hex } };
    leaveShortcut(broken, { folder, name: NAME }, shortcutAt(host.clock.nowMs(), ''));
    assert.ok(!existsSync(folder));
  });
});
