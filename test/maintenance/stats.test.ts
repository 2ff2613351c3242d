import assert from 'node:assert/strict';
import {
  mkdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { collectStats } from '../../src/maintenance/stats.js';
import { Tally, type CounterName } from '../../src/model/counters.js';
import { LockFile } from '../../src/store/lock-file.js';
import { foreignStateFolder, PrivateState } from '../../src/store/private-state.js';
import { entryBytes, fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing } from '../support/listing.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const NOW = 1_700_000_000_000;

async function count(state: PrivateState, values: Partial<Record<CounterName, number>>): Promise<void> {
  mkdirSync(state.folder, { recursive: true });
  const lock = new LockFile(fakeHost(), state.lockPath);
  const tally = new Tally();
  for (const [name, amount] of Object.entries(values)) tally.add(name as CounterName, amount);
  await state.addToCounters(tally, lock);
  lock.close();
}

function touch(path: string, ageSeconds: number): void {
  utimesSync(path, NOW / 1000 - ageSeconds, NOW / 1000 - ageSeconds);
}

describe('stats', () => {
  it('tell entries, bytes and ages as they lie on disk', (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    home.place(makeArtifact(B, 'second'));
    home.place({ ...makeArtifact(fingerprintFrom('c'), 'of vyre'), record: null });
    touch(home.entry(A), 10);
    touch(home.entry(B), 1000);
    touch(home.entry(fingerprintFrom('c')), 100);
    touch(home.record(A), 5000);
    const report = collectStats(home.session(fakeHost({ clock: new FakeClock(NOW) })));
    const bytes = 5 + 32 + 6 + 32 + 7 + 32 + statSync(home.record(A)).size + statSync(home.record(B)).size;
    assert.equal(report.root, home.root);
    assert.equal(report.entries, 3);
    assert.equal(report.bytes, bytes);
    assert.equal(report.newestSeconds, 10);
    assert.equal(report.oldestSeconds, 1000);
    assert.equal(report.counters, null);
    assert.deepEqual(report.layouts, [{ layout: 'vyre', entries: 3, bytes }]);
    assert.deepEqual(report.trouble, []);
  });

  it('count damaged entries by their size, and leave out what is no file of ours', (t) => {
    const home = new TestHome(t);
    home.place({ ...makeArtifact(A, 'vyre'), record: null });
    truncateSync(home.entry(A), 10);
    symlinkSync('/dev/zero', home.entry(B));
    mkdirSync(home.entry(fingerprintFrom('c')));
    writeFileSync(join(home.paths.store, `.${A}-0.bin.tmp`), 'x');
    writeFileSync(join(home.paths.store, 'alien.bin'), 'x');
    writeFileSync(home.record(fingerprintFrom('d')), 'x');
    const report = collectStats(home.session());
    assert.deepEqual([report.entries, report.bytes], [1, 10]);
  });

  it('show no negative age for an entry from the future', (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    touch(home.entry(A), -1000);
    const report = collectStats(home.session(fakeHost({ clock: new FakeClock(NOW) })));
    assert.deepEqual([report.newestSeconds, report.oldestSeconds], [0, 0]);
  });

  it('add up what was counted in the home and for it elsewhere', async (t) => {
    const home = new TestHome(t);
    const host = fakeHost({ clock: new FakeClock(NOW) });
    const foreign = foreignStateFolder(host, home.stateDirectory, home.root);
    await count(new PrivateState(host, home.paths.private), { lookups: 10, hits: 7, misses: 3 });
    await count(new PrivateState(fakeHost({ clock: new FakeClock(NOW - 5000) }), foreign), {
      lookups: 2,
      misses: 2,
      'missReason:absent': 2,
    });
    const { counters } = collectStats(home.session(host));
    assert.ok(counters);
    assert.equal(counters.sinceMs, NOW - 5000);
    assert.deepEqual(Object.fromEntries(counters.values), {
      lookups: 12,
      hits: 7,
      misses: 5,
      'missReason:absent': 2,
    });
  });

  it('show trouble once per kind with its count, the latest first', (t) => {
    const home = new TestHome(t);
    const state = new PrivateState(fakeHost(), home.paths.private);
    const base = { kind: 'trouble', fingerprint: null } as const;
    state.addEvent({ ...base, atMs: NOW - 9000, reason: 'no-space', message: 'first' });
    state.addEvent({ ...base, atMs: NOW - 1000, reason: 'no-space', message: 'last' });
    state.addEvent({ ...base, atMs: NOW - 5000, reason: 'io-error', message: 'broken' });
    state.addEvent({
      ...base,
      atMs: NOW - 500,
      reason: 'nondeterministic',
      kind: 'nondeterministic',
      message: 'other',
    });
    state.addEvent({ ...base, atMs: NOW, reason: 'too old', kind: 'removed', message: 'removed' });
    state.addEvent({ ...base, atMs: NOW, reason: 'dead', kind: 'swept', message: 'swept' });
    const report = collectStats(home.session(fakeHost({ clock: new FakeClock(NOW) })));
    assert.deepEqual(report.trouble, [
      { kind: 'nondeterministic', count: 1, message: 'other', lastSeconds: 0.5 },
      { kind: 'no-space', count: 2, message: 'last', lastSeconds: 1 },
      { kind: 'io-error', count: 1, message: 'broken', lastSeconds: 5 },
    ]);
  });

  for (const [name, make] of [
    ['absent', null],
    ['empty', (root: string) => mkdirSync(root)],
    [
      'of strangers',
      (root: string) => {
        mkdirSync(root);
        writeFileSync(join(root, 'thesis.tex'), 'x');
      },
    ],
  ] as const) {
    it(`are empty for a root that is ${name}`, (t) => {
      const root = join(temporaryFolder(t), 'root');
      make?.(root);
      const report = collectStats(sessionOf(t, root));
      assert.deepEqual(
        [report.entries, report.bytes, report.oldestSeconds, report.newestSeconds, report.counters],
        [0, 0, null, null, null],
      );
    });
  }

  it('read a flat foreign store', (t) => {
    const root = temporaryFolder(t);
    writeFileSync(join(root, `${A}.bin`), entryBytes('vyre'));
    const report = collectStats(sessionOf(t, root));
    assert.deepEqual(report.layouts, [{ layout: 'vyre-store', entries: 1, bytes: 36 }]);
  });

  it('change nothing on disk', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    await count(new PrivateState(fakeHost(), home.paths.private), { lookups: 1 });
    unlinkSync(join(home.paths.private, 'lock'));
    const before = listing(home.root);
    collectStats(home.session());
    assert.deepEqual(listing(home.root), before);
  });
});
