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
import fc from 'fast-check';
import { systemFiles } from '../../src/host/files.js';
import { collectStats, countDeadWorkers } from '../../src/maintenance/stats.js';
import { Tally, type CounterName } from '../../src/model/counters.js';
import { LockFile } from '../../src/store/lock-file.js';
import { createWorkerDirectory } from '../../src/store/worker-directory.js';
import { PrivateState } from '../../src/store/private-state.js';
import { foreignStateFolder } from '../../src/store/state-folders.js';
import { entryBytes, fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing } from '../support/listing.js';
import { checkAsyncProperty } from '../support/properties.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { ownerOf, placeWorker } from '../support/workers.js';

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
  it('tell entries, bytes and ages as they lie on disk', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    home.place(makeArtifact(B, 'second'));
    home.place({ ...makeArtifact(fingerprintFrom('c'), 'of vyre'), record: null });
    touch(home.entry(A), 10);
    touch(home.entry(B), 1000);
    touch(home.entry(fingerprintFrom('c')), 100);
    touch(home.record(A), 5000);
    const report = await collectStats(home.session(fakeHost({ clock: new FakeClock(NOW) })));
    const bytes = 5 + 32 + 6 + 32 + 7 + 32 + statSync(home.record(A)).size + statSync(home.record(B)).size;
    assert.equal(report.root, home.root);
    assert.equal(report.entries, 3);
    assert.equal(report.bytes, bytes);
    assert.equal(report.newestSeconds, 10);
    assert.equal(report.oldestSeconds, 1000);
    assert.equal(report.counters, null);
    const formats = [{ format: 'entry', entries: 3, bytes }];
    assert.deepEqual(report.layouts, [{ layout: 'vyre', entries: 3, bytes, formats }]);
    assert.deepEqual(report.trouble, []);
  });

  it('count damaged entries by their size, and leave out what is no file of ours', async (t) => {
    const home = new TestHome(t);
    home.place({ ...makeArtifact(A, 'vyre'), record: null });
    truncateSync(home.entry(A), 10);
    symlinkSync('/dev/zero', home.entry(B));
    mkdirSync(home.entry(fingerprintFrom('c')));
    writeFileSync(join(home.paths.store, `.${A}-0.bin.tmp`), 'x');
    writeFileSync(join(home.paths.store, 'alien.bin'), 'x');
    writeFileSync(home.record(fingerprintFrom('d')), 'x');
    const report = await collectStats(home.session());
    assert.deepEqual([report.entries, report.bytes], [1, 10]);
  });

  it('show no negative age for an entry from the future', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    touch(home.entry(A), -1000);
    const report = await collectStats(home.session(fakeHost({ clock: new FakeClock(NOW) })));
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
    const { counters } = await collectStats(home.session(host));
    assert.ok(counters);
    assert.equal(counters.sinceMs, NOW - 5000);
    assert.deepEqual(Object.fromEntries(counters.values), {
      lookups: 12,
      hits: 7,
      misses: 5,
      'missReason:absent': 2,
    });
  });

  const HOUR = 3600;
  const DAY = 24 * HOUR;
  const boundaries: readonly (readonly [ageSeconds: number, group: number])[] = [
    [-10 * 365 * DAY, 0],
    [0, 0],
    [HOUR, 0],
    [HOUR + 1, 1],
    [DAY, 1],
    [DAY + 1, 2],
    [7 * DAY, 2],
    [7 * DAY + 1, 3],
    [30 * DAY, 3],
    [30 * DAY + 1, 4],
    [50 * 365 * DAY, 4],
  ];
  for (const [age, group] of boundaries) {
    it(`put an entry that was used ${age} s ago, with its record, into group ${group}`, async (t) => {
      const home = new TestHome(t);
      home.place(makeArtifact(A, 'first'));
      touch(home.entry(A), age);
      const { ageHistogram, bytes } = await collectStats(
        home.session(fakeHost({ clock: new FakeClock(NOW) })),
      );
      assert.deepEqual(
        ageHistogram.map((each) => each.withinSeconds),
        [HOUR, DAY, 7 * DAY, 30 * DAY, null],
      );
      assert.deepEqual(
        ageHistogram.map((each) => [each.entries, each.bytes]),
        [0, 1, 2, 3, 4].map((index) => (index === group ? [1, bytes] : [0, 0])),
      );
    });
  }

  it('count each record with its entry, and alone without one, whatever lies in the store', async () => {
    const kinds = fc.constantFrom('entry', 'record', 'both');
    const fingerprints = fc.stringMatching(/^[0-9a-f]{4}$/);
    const stores = fc.uniqueArray(fc.tuple(fingerprints, kinds, fc.nat(40 * DAY)), {
      selector: ([digits]) => digits,
      maxLength: 40,
    });
    await checkAsyncProperty(
      fc.asyncProperty(stores, async (items) => {
        const cleanup: (() => void)[] = [];
        const home = new TestHome({ after: (work) => cleanup.push(work) });
        let bytes = 0;
        for (const [digits, kind, age] of items) {
          const artifact = makeArtifact(fingerprintFrom(digits), digits);
          home.place(artifact);
          touch(home.entry(artifact.fingerprint), age);
          if (kind === 'entry') unlinkSync(home.record(artifact.fingerprint));
          else if (kind === 'both') bytes += statSync(home.record(artifact.fingerprint)).size;
          if (kind === 'record') unlinkSync(home.entry(artifact.fingerprint));
          else bytes += statSync(home.entry(artifact.fingerprint)).size;
        }
        const report = await collectStats(home.session(fakeHost({ clock: new FakeClock(NOW) })));
        for (const work of cleanup.toReversed()) work();
        const ofKind = (wanted: string): number => items.filter(([, kind]) => kind === wanted).length;
        assert.equal(report.failures, ofKind('record'));
        assert.equal(report.entries, ofKind('entry') + ofKind('both'));
        assert.equal(report.bytes, bytes);
        const sum = (field: 'entries' | 'bytes'): number =>
          report.ageHistogram.reduce((total, group) => total + group[field], 0);
        assert.deepEqual([sum('entries'), sum('bytes')], [report.entries, report.bytes]);
      }),
      30,
    );
  });

  it('find the entry of a record among thousands', async (t) => {
    const home = new TestHome(t);
    const all = Array.from({ length: 3000 }, (_, index) =>
      fingerprintFrom((index * 1_431_655).toString(16).padStart(12, '0')),
    );
    for (const [index, fingerprint] of all.entries()) {
      if (index % 3 !== 0) writeFileSync(home.entry(fingerprint), 'e');
      if (index % 3 !== 1) writeFileSync(home.record(fingerprint), 'rr');
    }
    const report = await collectStats(home.session());
    assert.deepEqual([report.entries, report.bytes, report.failures], [2000, 4000, 1000]);
  });

  it('count temporary files once nobody can be writing them any more', async (t) => {
    const home = new TestHome(t);
    writeFileSync(join(home.paths.store, `.${A}-0.bin.tmp`), 'x');
    writeFileSync(join(home.paths.store, `${B}.bin.tmp`), 'x');
    writeFileSync(join(home.paths.store, 'thesis.bin.tmp'), 'x');
    const at = async (ms: number): Promise<number> =>
      (await collectStats(home.session(fakeHost({ clock: new FakeClock(Date.now() + ms) })))).litter
        .temporaryFiles;
    assert.deepEqual([await at(0), await at(2 * HOUR * 1000)], [0, 2]);
  });

  it('count the worker directories of dead processes, and none of the living', async (t) => {
    const host = fakeHost();
    const home = new TestHome(t);
    placeWorker(home.paths, 'dead', `${JSON.stringify(ownerOf(host))}\n`);
    placeWorker(home.paths, 'torn', '{');
    mkdirSync(home.paths.workerDirectory('strange'));
    const alive = createWorkerDirectory(host, home.paths, A);
    const before = listing(home.root);
    assert.equal(await countDeadWorkers(home.session()), 2);
    assert.deepEqual(listing(home.root), before);
    alive.remove();
  });

  it('look for worker directories only where there can be some', async (t) => {
    const root = temporaryFolder(t);
    writeFileSync(join(root, `${A}.bin`), entryBytes('vyre'));
    assert.equal(await countDeadWorkers(sessionOf(t, root)), 0);
    assert.equal(await countDeadWorkers(sessionOf(t, join(root, 'absent'))), 0);
  });

  it('know a limit only for homes, which care is taken of', async (t) => {
    const options = { limitBytes: 5000, ttlMs: null, details: false };
    assert.equal((await collectStats(new TestHome(t).session(), options)).limitBytes, 5000);
    const root = temporaryFolder(t);
    writeFileSync(join(root, `${A}.bin`), entryBytes('vyre'));
    assert.equal((await collectStats(sessionOf(t, root), options)).limitBytes, null);
    assert.equal((await collectStats(new TestHome(t).session())).limitBytes, null);
  });

  it('read records only when asked, and then tell what each compiler keeps', async (t) => {
    const home = new TestHome(t);
    const cost = (wallSeconds: number) => ({ wallSeconds, cpuSeconds: null, peakMemoryBytes: null });
    home.place(makeArtifact(A, 'x'.repeat(5000), { compiler: 'gcc', cost: cost(0.5) }));
    home.place(makeArtifact(B, 'y'.repeat(1000), { compiler: 'gcc', cost: cost(3) }));
    home.place(makeArtifact(fingerprintFrom('c'), 'third', { compiler: 'nvcc', cost: cost(60) }));
    home.place({ ...makeArtifact(fingerprintFrom('d'), 'of vyre'), record: null });
    writeFileSync(home.record(fingerprintFrom('d')), 'broken');
    assert.equal((await collectStats(home.session())).details, null);
    const { details, failures } = await collectStats(home.session(), {
      limitBytes: null,
      ttlMs: null,
      details: true,
    });
    assert.ok(details);
    assert.equal(failures, 0);
    assert.deepEqual(
      details.compilers.map(({ compiler, entries, wallSeconds }) => [compiler, entries, wallSeconds]),
      [
        ['gcc', 2, 3.5],
        ['nvcc', 1, 60],
        [null, 1, 0],
      ],
    );
    assert.deepEqual(
      details.largest.map(({ fingerprint }) => fingerprint?.[0]),
      ['a', 'b', 'c', 'd'],
    );
    assert.deepEqual(
      details.costliest.map(({ fingerprint }) => fingerprint?.[0]),
      ['c', 'b', 'a'],
    );
    assert.equal(details.largest[0]?.bytes, 5032 + statSync(home.record(A)).size);
    assert.deepEqual(details.largest[0].outputs, ['a.o']);
  });

  it('name the ten largest of many entries', async (t) => {
    const home = new TestHome(t);
    for (let index = 0; index < 40; index += 1) {
      const size = (index * 7) % 40;
      writeFileSync(home.entry(fingerprintFrom(index.toString(16).padStart(4, '0'))), 'x'.repeat(size));
    }
    const { details } = await collectStats(home.session(), { limitBytes: null, ttlMs: null, details: true });
    assert.deepEqual(
      details?.largest.map(({ bytes }) => bytes),
      [39, 38, 37, 36, 35, 34, 33, 32, 31, 30],
    );
    assert.deepEqual(details.costliest, []);
  });

  it('look at each file of the store once', async (t) => {
    const home = new TestHome(t);
    for (const digit of ['1', '2', '3']) home.place(makeArtifact(fingerprintFrom(digit), digit));
    const seen: string[] = [];
    const { lstat } = systemFiles;
    const files = failingFiles({
      lstat: (path) => {
        if (path.startsWith(`${home.paths.store}/`)) seen.push(path);
        return lstat(path);
      },
      open: (path, flags, mode) => {
        assert.ok(!path.startsWith(`${home.paths.store}/`), path);
        return systemFiles.open(path, flags, mode);
      },
    });
    assert.equal((await collectStats(home.session(fakeHost({ files })))).entries, 3);
    assert.equal(seen.length, 6);
    assert.equal(new Set(seen).size, 6);
  });

  it('show trouble once per kind with its count, the latest first', async (t) => {
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
    const report = await collectStats(home.session(fakeHost({ clock: new FakeClock(NOW) })));
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
    it(`are empty for a root that is ${name}`, async (t) => {
      const root = join(temporaryFolder(t), 'root');
      make?.(root);
      const report = await collectStats(sessionOf(t, root));
      assert.deepEqual(
        [report.entries, report.bytes, report.oldestSeconds, report.newestSeconds, report.counters],
        [0, 0, null, null, null],
      );
    });
  }

  it('read a flat foreign store', async (t) => {
    const root = temporaryFolder(t);
    writeFileSync(join(root, `${A}.bin`), entryBytes('vyre'));
    const report = await collectStats(sessionOf(t, root));
    assert.deepEqual(report.layouts, [
      { layout: 'vyre', entries: 1, bytes: 36, formats: [{ format: 'entry', entries: 1, bytes: 36 }] },
    ]);
  });

  it('change nothing on disk', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    await count(new PrivateState(fakeHost(), home.paths.private), { lookups: 1 });
    unlinkSync(join(home.paths.private, 'lock'));
    const before = listing(home.root);
    await collectStats(home.session());
    assert.deepEqual(listing(home.root), before);
  });
});
