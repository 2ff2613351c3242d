import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Files } from '../../src/host/files.js';
import { Tally, type CounterName } from '../../src/model/counters.js';
import { isFingerprint, type Fingerprint } from '../../src/model/fingerprint.js';
import { HitLog } from '../../src/store/hit-log.js';
import { LockFile } from '../../src/store/lock-file.js';
import { PrivateState } from '../../src/store/private-state.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const LONG_MS = 2000;

function fingerprintOf(digits: string): Fingerprint {
  const text = digits.repeat(32);
  assert.ok(isFingerprint(text));
  return text;
}
const ONE = fingerprintOf('1a');
const OTHER = fingerprintOf('2b');

/** A folder of private state. Its clock stands at a time in which no log is young, until it is set back. */
class LogRig {
  readonly folder: string;
  readonly clock = new FakeClock(Date.now() + LONG_MS);
  readonly #lock: LockFile;
  readonly #tally = new Tally();

  constructor(t: Cleanup) {
    this.folder = temporaryFolder(t);
    this.#lock = new LockFile(fakeHost(), join(this.folder, 'lock'));
    t.after(() => {
      this.#lock.close();
    });
  }

  get path(): string {
    return join(this.folder, 'hits');
  }

  get aside(): string {
    return `${this.path}.old`;
  }

  state(files: Partial<Files> = {}): PrivateState {
    return new PrivateState(fakeHost({ clock: this.clock, files: failingFiles(files) }), this.folder);
  }

  log(savedMs: number, fingerprint = ONE): boolean {
    return new HitLog(fakeHost(), this.folder).add({ fingerprint, savedMs, hits: 1 });
  }

  /** Counts a miss: with it the log is taken in. */
  async count(files: Partial<Files> = {}): Promise<void> {
    this.#tally.add('misses');
    assert.equal(await this.state(files).addToCounters(this.#tally.take(), this.#lock), true);
  }

  async zero(): Promise<number | undefined> {
    return (await this.state().zero(this.#lock))?.values.get('hits');
  }

  figure(name: CounterName): number {
    return this.state().readCounters()?.values.get(name) ?? 0;
  }

  savedBy(fingerprint: Fingerprint): number {
    const found = this.state()
      .readSavings()
      .filter((saving) => saving.fingerprint === fingerprint);
    return found.reduce((sum, { savedMs }) => sum + savedMs, 0);
  }
}

function failing(): never {
  throw errnoError('EIO');
}

describe('the log of hits', () => {
  it('is part of the counters as it is', (t) => {
    const rig = new LogRig(t);
    for (const savedMs of [5, 0, 7]) rig.log(savedMs);
    rig.log(11, OTHER);
    const { values, sinceMs } = rig.state().readCounters() ?? {};
    assert.deepEqual(Object.fromEntries(values ?? []), {
      lookups: 4,
      hits: 4,
      'outcome:disk': 4,
      savedMilliseconds: 23,
    });
    assert.equal(sinceMs, statSync(rig.path).mtimeMs);
    assert.equal(rig.savedBy(ONE), 12);
    assert.equal(rig.savedBy(OTHER), 11);
    assert.equal(statSync(rig.path).mode & 0o777, 0o600);
  });

  it('is taken into the counters by who adds to them, once, and is gone then', async (t) => {
    const rig = new LogRig(t);
    for (let round = 1; round <= 5; round += 1) {
      rig.log(10);
      rig.log(1, OTHER);
      await rig.count();
      assert.equal(rig.figure('hits'), 2 * round);
      assert.equal(rig.figure('savedMilliseconds'), 11 * round);
      assert.equal(rig.savedBy(ONE), 10 * round);
    }
    for (let round = 0; round < 2; round += 1) await rig.count();
    assert.ok(!existsSync(rig.path) && !existsSync(rig.aside));
    assert.equal(rig.figure('hits'), 10);
    assert.equal(rig.figure('misses'), 7);
    assert.equal(rig.savedBy(OTHER), 5);
  });

  it('is complete before it is taken in: who has opened it may still write', async (t) => {
    const rig = new LogRig(t);
    rig.log(1);
    await rig.count();
    appendFileSync(rig.aside, `\n${ONE} 2.`);
    rig.clock.advance(-LONG_MS + 500);
    await rig.count();
    assert.ok(existsSync(rig.aside));
    appendFileSync(rig.aside, `\n${ONE} 4.`);
    assert.equal(rig.figure('hits'), 3);
    rig.clock.advance(LONG_MS);
    await rig.count();
    assert.ok(!existsSync(rig.aside));
    assert.equal(rig.figure('hits'), 3);
    assert.equal(rig.savedBy(ONE), 7);
  });

  it('is taken in under a clock that was set back', async (t) => {
    const rig = new LogRig(t);
    rig.clock.advance(-86_400_000);
    rig.log(1);
    await rig.count();
    await rig.count();
    assert.ok(!existsSync(rig.aside));
    assert.equal(rig.figure('hits'), 1);
  });

  const broken: readonly (readonly [string, Partial<Files>])[] = [
    ['cannot be removed', { unlink: failing }],
    ['cannot be put aside', { rename: failing }],
  ];
  for (const [name, files] of broken) {
    it(`counts nothing twice when it ${name}`, async (t) => {
      const rig = new LogRig(t);
      rig.log(1);
      await rig.count();
      rig.log(2);
      await rig.count(files);
      await rig.count(files);
      assert.equal(rig.figure('hits'), 2);
      rig.log(4);
      for (let round = 0; round < 3; round += 1) await rig.count();
      assert.equal(rig.figure('hits'), 3);
      assert.equal(rig.figure('savedMilliseconds'), 7);
      assert.equal(rig.figure('misses'), 6);
    });
  }

  it('does not keep others from counting when it cannot be looked at', async (t) => {
    const rig = new LogRig(t);
    rig.log(1);
    const { lstat } = fakeHost().files;
    await rig.count({ lstat: (path) => (path.includes('/hits') ? failing() : lstat(path)) });
    assert.equal(rig.figure('misses'), 1);
    assert.equal(rig.figure('hits'), 1);
  });

  it('says when it is full', (t) => {
    const rig = new LogRig(t);
    writeFileSync(rig.path, `${ONE} 1.\n`.repeat(963));
    assert.equal(rig.log(1), true);
    assert.equal(rig.log(1), false);
    assert.equal(rig.figure('hits'), 964);
  });

  it('leaves out what is no line, and lines that were not written to their end', (t) => {
    const rig = new LogRig(t);
    const lines = [
      `${ONE} 1.`,
      `${ONE} 12`,
      ONE,
      `${ONE.toUpperCase()} 1.`,
      `${ONE} -1.`,
      `${ONE} 1e9.`,
      `${ONE} 1.5.`,
      ` ${ONE} 1.`,
      `${ONE} ${'9'.repeat(30)}.`,
      '',
      '\0\0\0',
      `${OTHER} 2.`,
      `${OTHER} 3`,
    ];
    writeFileSync(rig.path, lines.join('\n'));
    assert.equal(rig.figure('hits'), 2);
    assert.equal(rig.figure('savedMilliseconds'), 3);
  });

  it('loses no other line when a disk was full in the middle of one', (t) => {
    const rig = new LogRig(t);
    rig.log(1);
    appendFileSync(rig.path, `\n${ONE} 1`);
    rig.log(2);
    appendFileSync(rig.path, `\n${ONE.slice(0, 10)}`);
    rig.log(4);
    assert.equal(rig.figure('hits'), 3);
    assert.equal(rig.figure('savedMilliseconds'), 7);
  });

  it('starts again with the counters', async (t) => {
    const rig = new LogRig(t);
    rig.log(1);
    await rig.count();
    rig.log(2);
    assert.equal(await rig.zero(), 2);
    assert.ok(!existsSync(rig.path) && !existsSync(rig.aside));
    assert.equal(rig.figure('hits'), 0);
    rig.log(4);
    await rig.count();
    await rig.count();
    assert.equal(rig.figure('hits'), 1);
  });

  it('is a new one after the counters were deleted, whatever they had taken in', async (t) => {
    const rig = new LogRig(t);
    rig.log(1);
    await rig.count();
    await rig.count();
    unlinkSync(join(rig.folder, 'counters'));
    rig.log(2);
    await rig.count();
    await rig.count();
    assert.equal(rig.figure('hits'), 1);
  });

  it('is told from one that had its inode before', async (t) => {
    const rig = new LogRig(t);
    rig.log(1);
    await rig.count();
    const { ino } = statSync(rig.aside);
    await rig.count({ unlink: failing });
    // What a new file would be that got the number again.
    writeFileSync(rig.aside, `${ONE} 2.\n`);
    utimesSync(rig.aside, 1, 1);
    assert.equal(statSync(rig.aside).ino, ino);
    await rig.count();
    assert.equal(rig.figure('hits'), 2);
    assert.equal(rig.figure('savedMilliseconds'), 3);
  });

  for (const [name, make] of [
    ['a folder', (path: string) => mkdirSync(path)],
    ['a link', (path: string) => symlinkSync('/dev/null', path)],
    ['a pipe that nobody reads', (path: string) => execFileSync('mkfifo', [path])],
  ] as const) {
    it(`is not written where ${name} lies in its place, and the counters go on`, async (t) => {
      const rig = new LogRig(t);
      make(rig.path);
      assert.equal(rig.log(1), false);
      for (let round = 0; round < 3; round += 1) await rig.count();
      assert.equal(rig.figure('misses'), 3);
      assert.equal(rig.figure('hits'), 0);
    });
  }

  it('adds up exactly while some processes append and others take it in', async (t) => {
    const folder = temporaryFolder(t);
    const children = [
      ...Array.from({ length: 4 }, () => startChild(t, 'logHits', folder, '1500')),
      ...Array.from({ length: 2 }, () => startChild(t, 'count', folder, '1500')),
    ];
    for (const child of children) assert.equal(await child.line(), 'ready');
    for (const child of children) child.go();
    for (const child of children) await child.end();
    const state = new PrivateState(fakeHost(), folder);
    const read = readFileSync(join(folder, 'counters'));
    assert.equal(read.byteLength, 8192);
    const { values } = state.readCounters() ?? {};
    assert.equal(values?.get('lookups'), 4 * 1500 + 2 * 1500);
    assert.equal(values?.get('hits'), 4 * 1500 + 2 * 1500);
    assert.equal(values?.get('outcome:disk'), 4 * 1500);
    assert.equal(values?.get('savedMilliseconds'), 4 * 1500 * 3);
  });
});
