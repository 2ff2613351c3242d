import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  batchShortcutBytes,
  readBatchShortcut,
  type BatchShortcut,
  type KnownJob,
} from '../../src/compile/batch-shortcut.js';
import { leaveBytes } from '../../src/compile/leave-shortcut.js';
import { withChecksum } from '../../src/compile/shortcut.js';
import { standingJobs } from '../../src/compile/take-known.js';
import { isFingerprint } from '../../src/model/fingerprint.js';
import { fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const DAY_MS = 86_400_000;
const host = fakeHost();

function jobOf(index: number, looks = ''): KnownJob {
  const fingerprint = 'cd'.repeat(32);
  assert.ok(isFingerprint(fingerprint));
  return {
    index,
    name: `ü ${index}.c`,
    fingerprint,
    outputs: [{ name: 'a', path: '/a', isStdout: false, executable: true }],
    record: 'file 1 2 3 4 5',
    entryChecksum: 'ef'.repeat(32),
    wallSeconds: 0.5,
    stdout: '',
    stderr: 'd2FybmluZwo=',
    looks,
    states: [],
  };
}

function shortcutWith(jobs: readonly KnownJob[], looks = ''): BatchShortcut {
  return { leftAtMs: host.clock.nowMs(), total: 9, looks, states: [], jobs };
}

/** A folder for one shortcut, and what is read of it. */
class Place {
  readonly folder: string;
  readonly name = 'ab'.repeat(32);

  constructor(t: Cleanup) {
    this.folder = join(temporaryFolder(t), 'shortcuts');
  }

  leave(shortcut: BatchShortcut): void {
    leaveBytes(host, this, batchShortcutBytes(host, shortcut));
  }

  write(bytes: Uint8Array | string): void {
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, this.name), bytes);
  }

  get bytes(): Buffer {
    return readFileSync(join(this.folder, this.name));
  }

  read(): BatchShortcut | null {
    return readBatchShortcut(host, this);
  }
}

describe('the shortcut of a batch', () => {
  it('is read as it was left', (t) => {
    const place = new Place(t);
    const shortcut = shortcutWith([jobOf(2), jobOf(5, 'a/')], 'a/x');
    place.leave(shortcut);
    assert.deepEqual(place.read(), shortcut);
  });

  it('is none where it was changed or cut anywhere', (t) => {
    const place = new Place(t);
    place.leave(shortcutWith([jobOf(0), jobOf(1)]));
    const { bytes } = place;
    for (let at = 0; at < bytes.byteLength; at += 7) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      place.write(changed);
      assert.equal(place.read(), null, `changed at ${at}`);
      place.write(bytes.subarray(0, at));
      assert.equal(place.read(), null, `cut at ${at}`);
    }
    place.write(bytes);
    assert.notEqual(place.read(), null);
  });

  it('is none after a week, and none of tomorrow', (t) => {
    const place = new Place(t);
    for (const ageMs of [7 * DAY_MS + 1, -1000]) {
      place.leave({ ...shortcutWith([jobOf(0)]), leftAtMs: host.clock.nowMs() - ageMs });
      assert.equal(place.read(), null, `${ageMs}`);
    }
  });

  it('is none where others may write', (t) => {
    const place = new Place(t);
    place.leave(shortcutWith([jobOf(0)]));
    chmodSync(place.folder, 0o722);
    assert.equal(place.read(), null);
    place.leave(shortcutWith([jobOf(0), jobOf(1)]));
    chmodSync(place.folder, 0o700);
    assert.equal(place.read()?.jobs.length, 1);
  });

  const [head, job] = batchShortcutBytes(host, shortcutWith([jobOf(0)]))
    .toString()
    .split('\n');
  assert.ok(head !== undefined && job !== undefined);
  for (const [name, lines] of [
    ['another schema', [head.replace('shortcut/1', 'shortcut/2'), job]],
    ['no head', [job]],
    ['a head with more in it', [head.replace('{', '{"more":1,'), job]],
    ['a head behind a job', [head, job, head]],
    ['a job with less in it', [head, job.replace('"name":"ü 0.c",', '')]],
    ['a job without a number', [head, job.replace('"index":0', '"index":-1')]],
    ['a path with NUL', [head, job.replace('"path":"/a"', String.raw`"path":"/a\u0000"`)]],
    ['no JSON', [head, job.slice(1)]],
    ['nothing', []],
  ] as const) {
    it(`is none with ${name}, though the checksum fits`, (t) => {
      const place = new Place(t);
      place.write(withChecksum(host, lines.join('\n')));
      assert.equal(place.read(), null);
    });
  }
});

describe('of the jobs of a shortcut', () => {
  const ABSENT = 'a/vyre-cache-none';
  const OTHER = 'a/';

  it('those stand whose looks see what they saw, and those without any', () => {
    const jobs = [jobOf(0, ABSENT), jobOf(1, OTHER), jobOf(2)];
    const standing = standingJobs(host, shortcutWith(jobs, ABSENT));
    assert.deepEqual(
      standing.map(({ index }) => index),
      [0, 2],
    );
  });

  it('none stands where something has changed for all', () => {
    assert.deepEqual(standingJobs(host, shortcutWith([jobOf(0, ABSENT)], OTHER)), []);
  });
});
