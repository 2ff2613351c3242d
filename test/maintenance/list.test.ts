import assert from 'node:assert/strict';
import { mkdirSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import { listEntries } from '../../src/maintenance/list.js';
import { verify } from '../../src/maintenance/verify.js';
import { entryBytes, fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const C = fingerprintFrom('c');
const NOW = 1_700_000_000_000;

describe('a list of entries', () => {
  it('begins with the most recently used and tells what the record says', (t) => {
    const home = new TestHome(t);
    const outputs = [
      { name: 'a.o', executable: false },
      { name: 'a.d', executable: false },
    ];
    home.place(makeArtifact(A, 'first', { compiler: 'gcc', outputs }));
    home.place({ ...makeArtifact(B, 'of vyre'), record: null });
    home.place(makeArtifact(C, 'third'));
    for (const [fingerprint, age] of [
      [A, 100],
      [B, 5],
      [C, -50],
    ] as const) {
      utimesSync(home.entry(fingerprint), NOW / 1000 - age, NOW / 1000 - age);
    }
    const report = listEntries(home.session(fakeHost({ clock: new FakeClock(NOW) })));
    assert.equal(report.root, home.root);
    assert.deepEqual(
      report.entries.map(({ fingerprint, ageSeconds }) => [fingerprint, ageSeconds]),
      [
        [C, 0],
        [B, 5],
        [A, 100],
      ],
    );
    assert.deepEqual(report.entries[2], {
      fingerprint: A,
      path: `pipelines/${A}.bin`,
      bytes: 37 + statSync(home.record(A)).size,
      payloadBytes: 5,
      ageSeconds: 100,
      compiler: 'gcc',
      outputs: ['a.o', 'a.d'],
    });
    assert.deepEqual(report.entries[1], {
      fingerprint: B,
      path: `pipelines/${B}.bin`,
      bytes: 39,
      payloadBytes: null,
      ageSeconds: 5,
      compiler: null,
      outputs: null,
    });
  });

  it('shows an entry whose record is damaged without what the record says', (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    truncateSync(home.record(A), 10);
    const [entry] = listEntries(home.session()).entries;
    assert.deepEqual([entry?.fingerprint, entry?.compiler, entry?.outputs], [A, null, null]);
  });

  it('counts the bytes of all files of an artifact, a damaged record included', (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    truncateSync(home.record(A), 10);
    assert.equal(listEntries(home.session()).entries[0]?.bytes, 37 + 10);
  });

  it('leaves out what is no entry', (t) => {
    const home = new TestHome(t);
    symlinkSync('/dev/zero', home.entry(A));
    mkdirSync(home.entry(B));
    writeFileSync(home.record(C), '{}');
    writeFileSync(join(home.paths.store, 'alien.bin'), '');
    assert.deepEqual(listEntries(home.session()).entries, []);
  });

  it('names the paths of a flat foreign store', (t) => {
    const root = temporaryFolder(t);
    writeFileSync(join(root, `${A}.bin`), entryBytes('vyre'));
    assert.equal(listEntries(sessionOf(t, root)).entries[0]?.path, `${A}.bin`);
  });

  it('is empty where nothing is, and fails where nothing can be read', (t) => {
    const root = join(temporaryFolder(t), 'absent');
    assert.deepEqual(listEntries(sessionOf(t, root)).entries, []);
    const home = new TestHome(t);
    const files = failingFiles({
      scanDirectory: (path, visit) => {
        if (path === home.paths.store) throw errnoError('EACCES');
        systemFiles.scanDirectory(path, visit);
      },
    });
    assert.throws(() => listEntries(home.session(fakeHost({ files }))), { code: 'EACCES' });
  });

  it('names the entries of a root that is the file system itself without its slash', async (t) => {
    const home = new TestHome(t);
    const artifact = makeArtifact(fingerprintFrom('a'), 'x');
    home.place(artifact);
    const session = home.session();
    const root = {
      host: session.host,
      root: '/',
      paths: home.paths,
      maxPayloadBytes: session.maxPayloadBytes,
      signing: null,
      kind: () => session.kind(),
      openStore: () => session.openStore(),
      openLock: () => null,
      states: () => session.states(),
      stateDirectory: null,
      stateFolder: () => null,
      addEvent: () => undefined,
    };
    const expected = home.entry(artifact.fingerprint).slice(1);
    assert.deepEqual(
      listEntries(root).entries.map((entry) => entry.path),
      [expected],
    );
    writeFileSync(home.entry(artifact.fingerprint), 'damaged');
    const { problems } = await verify(root, { fingerprints: [artifact.fingerprint] });
    assert.deepEqual(
      problems.map((problem) => problem.path),
      [expected],
    );
  });
});
