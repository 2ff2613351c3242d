import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '../../src/host/clock.js';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import { verify, type VerifyOptions } from '../../src/maintenance/verify.js';
import type { VerifyReport } from '../../src/maintenance/reports.js';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import { encodeRecord } from '../../src/model/record.js';
import { fingerprintByte } from '../../src/store/lock-file.js';
import { createWorkerDirectory } from '../../src/store/worker-directory.js';
import { entryBytes, fingerprintFrom, hashOf, makeArtifact, makeRecord } from '../support/artifacts.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing } from '../support/listing.js';
import { manyNames } from '../support/store-files.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const ALL: VerifyOptions = { fingerprints: null };
const CLEAN = { artifacts: 0, valid: 0, damaged: 0, unverifiable: 0, litter: 0, aliens: 0, quarantined: 0 };

async function check(
  home: TestHome,
  host: Host = fakeHost({ clock: new FakeClock() }),
): Promise<VerifyReport> {
  return verify(home.session(host), ALL);
}

function counts(report: VerifyReport): typeof CLEAN {
  const { artifacts, valid, damaged, unverifiable, litter, aliens, quarantined } = report;
  return { artifacts, valid, damaged, unverifiable, litter, aliens, quarantined };
}

/** Writes a file with its folders. */
function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

describe('verify of a clean home', () => {
  it('finds every artifact valid, with their bytes', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    home.place(makeArtifact(B, ''));
    home.place({ ...makeArtifact(fingerprintFrom('c'), 'of vyre'), record: null });
    const report = await check(home);
    assert.deepEqual(counts(report), { ...CLEAN, artifacts: 3, valid: 3 });
    assert.deepEqual(report.problems, []);
    assert.equal(report.unreadable, 0);
    assert.equal(report.bytes, 5 + 32 + 32 + 7 + 32);
    assert.equal(report.root, home.root);
  });

  it('finds nothing in an empty one', async (t) => {
    const report = await check(new TestHome(t));
    assert.deepEqual(counts(report), CLEAN);
    assert.deepEqual(report.problems, []);
  });

  it('leaves compilations in flight out', async (t) => {
    const home = new TestHome(t);
    const worker = createWorkerDirectory(fakeHost(), home.paths, A);
    writeFileSync(join(worker.path, 'a.o'), 'x');
    write(home.paths.staged('x'), 'x');
    assert.deepEqual(counts(await check(home)), CLEAN);
    worker.remove();
  });

  it('is no use of what it reads: the times of the last reading stay', async (t) => {
    const root = temporaryFolder(t);
    const paths = [A, B].map((fingerprint) => join(root, `${fingerprint}.bin`));
    for (const path of paths) {
      writeFileSync(path, entryBytes('x'.repeat(300_000)));
      utimesSync(path, 1_000_000, 2_000_000);
    }
    assert.equal((await verify(sessionOf(t, root), ALL)).valid, 2);
    for (const path of paths) assert.equal(statSync(path).atimeMs, 1_000_000_000);
    const [first = ''] = paths;
    readFileSync(first);
    if (statSync(first).atimeMs === 1_000_000_000) t.diagnostic('this file system keeps no times of reading');
  });

  it('judges entries of every size, one after another', async (t) => {
    const folder = join(temporaryFolder(t), 'pipelines');
    const sizes = [0, 1, 4096, 4096, 5, 131_039, 131_040, 131_041, 131_072, 131_073, 262_144, 300_000, 4096];
    const names = manyNames(3 * sizes.length);
    const wrong: string[] = [];
    for (const [index, name] of names.entries()) {
      const bytes = entryBytes(Buffer.alloc(sizes[index % sizes.length] ?? 0, index));
      // Whole, with another footer, with another payload where there is one.
      const kind = Math.floor(index / sizes.length);
      const at = kind === 1 ? bytes.length - 1 : 0;
      if (kind > 0) bytes[at] = (bytes[at] ?? 0) ^ 1;
      if (kind > 0) wrong.push(`pipelines/${name}.bin bad-checksum`);
      write(join(folder, `${name}.bin`), bytes);
    }
    const report = await verify(sessionOf(t, dirname(folder)), ALL);
    assert.equal(report.valid, sizes.length);
    assert.deepEqual(
      report.problems.map(({ path, reason }) => `${path} ${reason}`),
      wrong,
    );
  });

  it('tells how far it is', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    home.place(makeArtifact(B, 'second'));
    const seen: number[] = [];
    await verify(home.session(), { fingerprints: null, onProgress: ({ files }) => seen.push(files) });
    assert.deepEqual(seen, [1, 2]);
  });

  it('tells its seconds by the clock', async (t) => {
    const home = new TestHome(t);
    const clock = new FakeClock();
    home.place(makeArtifact(A, 'first'));
    const report = await verify(home.session(fakeHost({ clock })), {
      fingerprints: null,
      onProgress: () => clock.advance(1500),
    });
    assert.equal(report.seconds, 1.5);
  });
});

describe('verify of one damaged artifact', () => {
  const damages: readonly (readonly [string, string, (home: TestHome) => void])[] = [
    ['a cut entry', 'truncated', (home) => truncateSync(home.entry(A), 31)],
    ['an empty entry', 'truncated', (home) => truncateSync(home.entry(A), 0)],
    [
      'a flipped byte',
      'bad-checksum',
      (home) => writeFileSync(home.entry(A), entryBytes('vyre').fill('X', 1, 2)),
    ],
    ['a cut payload', 'bad-checksum', (home) => truncateSync(home.entry(A), 33)],
    ['a giant', 'oversized', (home) => truncateSync(home.entry(A), 2 ** 42)],
    ['one byte above the bound', 'oversized', (home) => truncateSync(home.entry(A), 1_000_033)],
    [
      'a link to a valid entry',
      'not-a-file',
      (home) => {
        renameSync(home.entry(A), join(home.root, 'elsewhere'));
        symlinkSync(join(home.root, 'elsewhere'), home.entry(A));
        // The target at the top level is an alien of its own.
        renameSync(join(home.root, 'elsewhere'), join(home.paths.private, 'elsewhere'));
      },
    ],
    [
      'a folder',
      'not-a-file',
      (home) => {
        unlinkSync(home.entry(A));
        mkdirSync(home.entry(A));
      },
    ],
    [
      'a FIFO',
      'not-a-file',
      (home) => {
        unlinkSync(home.entry(A));
        execFileSync('mkfifo', [home.entry(A)]);
      },
    ],
    [
      'a record of another entry',
      'record-mismatch',
      (home) => writeFileSync(home.record(A), encodeRecord(makeRecord(B, Buffer.from('vyre')), hashOf)),
    ],
    [
      'a record of other bytes',
      'record-mismatch',
      (home) => writeFileSync(home.record(A), encodeRecord(makeRecord(A, Buffer.from('other')), hashOf)),
    ],
    ['a damaged record', 'unreadable-record', (home) => truncateSync(home.record(A), 100)],
  ];
  for (const [name, reason, damage] of damages) {
    it(`names ${name}: ${reason}, and changes nothing`, async (t) => {
      const home = new TestHome(t);
      home.place(makeArtifact(A, 'vyre'));
      home.place(makeArtifact(B, 'good'));
      damage(home);
      const before = reason === 'oversized' ? null : listing(home.root);
      const report = await check(home);
      assert.deepEqual(counts(report), { ...CLEAN, artifacts: 2, valid: 1, damaged: 1 });
      assert.deepEqual(report.problems, [
        { path: `pipelines/${A}.bin`, layout: 'vyre', fingerprint: A, reason },
      ]);
      if (before !== null) assert.deepEqual(listing(home.root), before);
    });
  }

  it('reads a file of terabytes no further than its bound', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    truncateSync(home.entry(A), 2 ** 42);
    let bytes = 0;
    const files = failingFiles({
      readAt: (...args) => {
        const count = systemFiles.readAt(...args);
        bytes += count;
        return count;
      },
    });
    const report = await verify(home.session(fakeHost({ files })), { fingerprints: null });
    assert.deepEqual(
      report.problems.map(({ reason }) => reason),
      ['oversized'],
    );
    assert.ok(bytes < 1_000_000, `expected no more than the bound, got ${bytes} bytes`);
  });

  it('misses no flipped bit of a small entry', async (t) => {
    const home = new TestHome(t);
    const good = entryBytes('vyre');
    const session = home.session();
    for (let at = 0; at < good.byteLength * 8; at += 1) {
      const damaged = Buffer.from(good);
      damaged[at >> 3] = (damaged[at >> 3] ?? 0) ^ (1 << (at & 7));
      writeFileSync(home.entry(A), damaged);
      const report = await verify(session, ALL);
      assert.equal(report.problems[0]?.reason, 'bad-checksum', `bit ${at}`);
    }
  });

  it('finds damage at every place of an entry of many chunks', async (t) => {
    const home = new TestHome(t);
    const payload = Buffer.alloc(900_000, 'chunk ');
    home.place(makeArtifact(A, payload));
    const good = readFileSync(home.entry(A));
    const session = home.session();
    assert.equal((await verify(session, ALL)).valid, 1);
    for (const at of [0, 262_143, 262_144, 524_288, 899_999, 900_000, 900_031]) {
      const damaged = Buffer.from(good);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      writeFileSync(home.entry(A), damaged);
      assert.equal((await verify(session, ALL)).damaged, 1, `byte ${at}`);
    }
  });

  it('finds two exchanged valid entries', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    home.place(makeArtifact(B, 'second'));
    const aside = join(home.paths.private, 'aside');
    renameSync(home.entry(A), aside);
    renameSync(home.entry(B), home.entry(A));
    renameSync(aside, home.entry(B));
    const report = await check(home);
    assert.deepEqual(counts(report), { ...CLEAN, artifacts: 2, damaged: 2 });
    assert.deepEqual(
      report.problems.map(({ reason }) => reason),
      ['record-mismatch', 'record-mismatch'],
    );
  });

  it('finds an artifact that was moved under another fingerprint', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    renameSync(home.entry(A), home.entry(B));
    renameSync(home.record(A), home.record(B));
    const report = await check(home);
    assert.deepEqual(
      report.problems.map(({ fingerprint, reason }) => [fingerprint, reason]),
      [[B, 'record-mismatch']],
    );
  });

  it('takes a record of a newer version as it is: the payload is valid', async (t) => {
    const home = new TestHome(t);
    home.place({ ...makeArtifact(A, 'vyre'), record: null });
    writeFileSync(home.record(A), '{"schema":"vyre-cache.record/2"}');
    assert.deepEqual(counts(await check(home)), { ...CLEAN, artifacts: 1, valid: 1 });
  });

  for (const code of ['EACCES', 'EIO']) {
    it(`counts what cannot be read (${code}) apart, and goes on`, async (t) => {
      const home = new TestHome(t);
      home.place(makeArtifact(A, 'first'));
      home.place(makeArtifact(B, 'second'));
      const files = failingFiles({
        open: (path, flags, mode) => {
          if (path === home.entry(A)) throw errnoError(code);
          return systemFiles.open(path, flags, mode);
        },
      });
      const report = await check(home, fakeHost({ files, clock: new FakeClock() }));
      assert.deepEqual(counts(report), { ...CLEAN, artifacts: 1, valid: 1 });
      assert.equal(report.unreadable, 1);
      assert.deepEqual(
        report.problems.map(({ path, fingerprint }) => [path, fingerprint]),
        [[`pipelines/${A}.bin`, A]],
      );
    });
  }

  it('reads an entry again that changed while it was read', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'vyre'));
    let changed = false;
    const files = failingFiles({
      readAt: (fd, buffer, length, position) => {
        const count = systemFiles.readAt(fd, buffer, length, position);
        if (!changed) utimesSync(home.entry(A), 1000, 1000);
        changed = true;
        return count;
      },
    });
    assert.equal((await check(home, fakeHost({ files }))).valid, 1);
    assert.equal(changed, true);
  });
});

async function rejected(error: Error): Promise<never> {
  await nothing();
  throw error;
}

async function nothing(): Promise<void> {
  await systemClock.breathe();
}

describe('verify beside the entries', () => {
  it('counts what no layout knows as aliens', async (t) => {
    const home = new TestHome(t);
    for (const name of [
      'notes.txt',
      'photos/summer.jpg',
      'pipelines/README',
      `pipelines/${'A'.repeat(64)}.bin`,
      `pipelines/${'a'.repeat(63)}.bin`,
      `pipelines/${A}.bin.bak`,
      `pipelines/${A}`,
      `pipelines/${A}.pvf`,
      `pipelines/ab/${A}.bin`,
      `pipelines/aa/deep/${A}.bin`,
      `${A}.bin`,
      'wasmtime_x',
    ]) {
      write(join(home.root, name), 'x');
    }
    assert.deepEqual(counts(await check(home)), { ...CLEAN, aliens: 12 });
  });

  it('never calls valid what carries no checksum', async (t) => {
    const home = new TestHome(t);
    write(join(home.root, 'pipelines', 'aa', `${A}.bin`), entryBytes('vyre'));
    write(join(home.root, 'aot', 'x.txt'), 'x');
    write(join(home.root, 'parsed-ast', 'deep', 'x'), 'x');
    write(join(home.root, 'cuda-jit', 'ComputeCache', 'index'), 'x');
    assert.deepEqual(counts(await check(home)), { ...CLEAN, artifacts: 2, unverifiable: 2, aliens: 2 });
  });

  it('knows the temporary files of every writer of the store', async (t) => {
    const home = new TestHome(t);
    for (const name of [`.${A}-0.bin.tmp`, `.${A}-123.bin.tmp`, `.${A}.bin.tmp`, `${A}.bin.tmp`]) {
      write(join(home.paths.store, name), 'x');
    }
    write(join(home.paths.store, 'aa', `${A}.bin.tmp.123.4`), 'x');
    assert.deepEqual(counts(await check(home)), { ...CLEAN, litter: 5 });
  });

  it('follows no link, and reports it', async (t) => {
    const home = new TestHome(t);
    const outside = temporaryFolder(t);
    write(join(outside, `${A}.bin`), 'damaged');
    symlinkSync(outside, join(home.root, 'aot'));
    symlinkSync(outside, join(home.paths.store, 'aa'));
    assert.deepEqual(counts(await check(home)), { ...CLEAN, aliens: 2 });
  });

  it('takes a record without entry for litter', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'vyre'));
    unlinkSync(home.entry(A));
    const report = await check(home);
    assert.deepEqual(counts(report), { ...CLEAN, litter: 1 });
    assert.deepEqual(report.problems, []);
  });

  it('takes a record for no litter while somebody holds its fingerprint', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'vyre'));
    unlinkSync(home.entry(A));
    await home.lock().tryHold(fingerprintByte(A), async () => {
      assert.deepEqual(counts(await check(home)), CLEAN);
    });
    assert.deepEqual(counts(await check(home)), { ...CLEAN, litter: 1 });
  });

  it('believes no mismatch while somebody publishes: it looks again', async (t) => {
    const home = new TestHome(t);
    const published = makeArtifact(A, 'new');
    home.place({ ...makeArtifact(A, 'old'), record: published.record });
    const clock = new FakeClock();
    const publisher = home.lock();
    let release = (): void => undefined;
    const done = new Promise<void>((resolve) => {
      release = resolve;
    });
    const publishing = publisher.tryHold(fingerprintByte(A), async () => done);
    let looks = 0;
    clock.onSleep = () => {
      looks += 1;
      if (looks !== 2) return;
      home.place(published);
      release();
    };
    assert.deepEqual(counts(await check(home, fakeHost({ clock }))), { ...CLEAN, artifacts: 1, valid: 1 });
    await publishing;
  });

  it('goes on behind a folder that cannot be read, and names it', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'vyre'));
    write(join(home.root, 'aot', 'x'), 'x');
    const files = failingFiles({
      scanDirectory: (path, visit) => {
        if (path === join(home.root, 'aot')) throw errnoError('EACCES');
        systemFiles.scanDirectory(path, visit);
      },
    });
    const report = await check(home, fakeHost({ files }));
    assert.deepEqual(counts(report), { ...CLEAN, artifacts: 1, valid: 1 });
    assert.equal(report.unreadable, 1);
    assert.deepEqual(
      report.problems.map(({ path, fingerprint, reason }) => [path, fingerprint, reason]),
      [['aot', null, 'EACCES']],
    );
  });

  it('takes an entry for unreadable, not for damaged, whose record cannot be read', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'vyre'));
    for (const errno of ['EACCES', 'EIO', 'EMFILE']) {
      const files = failingFiles({
        open: (path, flags, mode) => {
          if (path === home.record(A)) throw errnoError(errno);
          return systemFiles.open(path, flags, mode);
        },
      });
      const report = await check(home, fakeHost({ files, clock: new FakeClock() }));
      assert.deepEqual([report.damaged, report.unreadable, report.problems[0]?.reason], [0, 1, errno]);
    }
  });

  it('tells its report, and an unreadable quarantine in it', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'vyre'));
    mkdirSync(home.paths.quarantine);
    const files = failingFiles({
      readDirectory: (path) => {
        if (path === home.paths.quarantine) throw errnoError('EACCES');
        return systemFiles.readDirectory(path);
      },
    });
    const report = await check(home, fakeHost({ files, clock: new FakeClock() }));
    assert.deepEqual([report.valid, report.unreadable], [1, 1]);
    assert.deepEqual(
      report.problems.map(({ path, reason }) => [path, reason]),
      [['quarantine', 'EACCES']],
    );
  });

  it('does in its own thread what others cannot, and passes on what is a mistake', async (t) => {
    const root = temporaryFolder(t);
    for (const fingerprint of manyNames(5000))
      writeFileSync(join(root, `${fingerprint}.bin`), entryBytes(''));
    // Claims nothing: what it did not do is all left.
    const threads = (thrown: Error): Host['threads'] => ({
      start: () => ({ ask: async () => rejected(thrown), stop: nothing }),
    });
    const machine = { ...fakeHost().machine, processors: 4 };
    const shortage = Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
    const short = sessionOf(t, root, { host: fakeHost({ machine, threads: threads(shortage) }) });
    assert.equal((await verify(short, ALL)).valid, 5000);
    const broken = sessionOf(t, root, { host: fakeHost({ machine, threads: threads(new TypeError('x')) }) });
    await assert.rejects(verify(broken, ALL), TypeError);
  });

  it('reads on where a file comes in pieces', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    const files = failingFiles({
      readAt: (fd, buffer, length, position, enough) =>
        systemFiles.readAt(fd, buffer, enough === 1 ? 7 : length, position),
    });
    assert.equal((await check(home, fakeHost({ files }))).valid, 1);
  });

  it('is not troubled by what vanishes meanwhile', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    home.place(makeArtifact(B, 'second'));
    const files = failingFiles({
      open: (path, flags, mode) => {
        if (path === home.entry(A)) rmSync(path, { force: true });
        return systemFiles.open(path, flags, mode);
      },
    });
    const report = await check(home, fakeHost({ files }));
    assert.equal(report.damaged, 0);
    assert.equal(report.valid, 1);
  });
});

describe('verify changes nothing', () => {
  it('in a home full of everything', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    home.place(makeArtifact(B, 'second'));
    truncateSync(home.entry(B), 10);
    home.place(makeArtifact(fingerprintFrom('c'), 'third'));
    unlinkSync(home.entry(fingerprintFrom('c')));
    symlinkSync('/dev/zero', home.entry(fingerprintFrom('d')));
    mkdirSync(home.entry(fingerprintFrom('e')));
    write(join(home.root, 'aot', 'x'), 'x');
    write(join(home.root, 'quarantine', 'x'), 'x');
    write(join(home.root, 'alien'), 'x');
    write(join(home.paths.store, `.${A}-0.bin.tmp`), 'x');
    utimesSync(home.entry(A), 1000, 1000);
    const before = listing(home.root);
    await check(home);
    assert.deepEqual(listing(home.root), before);
  });

  it('in a home whose private state was deleted', async (t) => {
    for (const part of ['.vyre-cache/lock', '.vyre-cache']) {
      const home = new TestHome(t);
      home.place(makeArtifact(A, 'first'));
      home.place(makeArtifact(B, 'second'));
      truncateSync(home.entry(B), 10);
      rmSync(join(home.root, part), { recursive: true });
      const before = listing(home.root);
      const report = await check(home);
      assert.deepEqual([report.valid, report.damaged], [1, 1]);
      assert.deepEqual(listing(home.root), before, part);
    }
  });

  it('in vyre’s own directory', async (t) => {
    const root = temporaryFolder(t);
    write(join(root, 'pipelines', `${A}.bin`), entryBytes('vyre'));
    write(join(root, 'pipelines', `${B}.bin`), 'damaged');
    const before = listing(root);
    const report = await verify(sessionOf(t, root), ALL);
    assert.deepEqual(counts(report), { ...CLEAN, artifacts: 2, valid: 1, damaged: 1 });
    assert.deepEqual(listing(root), before);
  });
});

describe('verify of a flat foreign store', () => {
  it('checks its entries and leaves it as it is', async (t) => {
    const root = temporaryFolder(t);
    write(join(root, `${A}.bin`), entryBytes('vyre'));
    write(join(root, `${B}.bin`), 'damaged, and longer than 32 bytes altogether');
    write(join(root, `.${A}-7.bin.tmp`), 'x');
    write(join(root, 'alien.txt'), 'x');
    write(join(root, 'deep', `${A}.bin`), entryBytes('vyre'));
    const before = listing(root);
    const report = await verify(sessionOf(t, root), ALL);
    assert.deepEqual(counts(report), { ...CLEAN, artifacts: 2, valid: 1, damaged: 1, litter: 1, aliens: 2 });
    assert.deepEqual(report.problems, [
      { path: `${B}.bin`, layout: 'vyre', fingerprint: B, reason: 'bad-checksum' },
    ]);
    assert.deepEqual(listing(root), before);
  });

  for (const [name, make] of [
    ['absent', (root: string) => rmSync(root, { recursive: true })],
    ['empty', () => undefined],
    ['of strangers', (root: string) => write(join(root, 'thesis.tex'), 'x')],
  ] as const) {
    it(`finds nothing in a root that is ${name}`, async (t) => {
      const root = join(temporaryFolder(t), 'root');
      mkdirSync(root);
      make(root);
      const report = await verify(sessionOf(t, root), ALL);
      assert.deepEqual([report.artifacts, report.problems], [0, []]);
    });
  }
});

describe('verify of named fingerprints', () => {
  const named = async (home: TestHome, ...fingerprints: Fingerprint[]): Promise<VerifyReport> =>
    verify(home.session(fakeHost({ clock: new FakeClock() })), { fingerprints });

  it('checks those and no others', async (t) => {
    const home = new TestHome(t);
    home.place(makeArtifact(A, 'first'));
    home.place(makeArtifact(B, 'second'));
    truncateSync(home.entry(B), 10);
    write(join(home.root, 'alien'), 'x');
    assert.deepEqual(counts(await named(home, A)), { ...CLEAN, artifacts: 1, valid: 1 });
    const report = await named(home, A, B);
    assert.deepEqual(counts(report), { ...CLEAN, artifacts: 2, valid: 1, damaged: 1 });
    assert.deepEqual(
      report.problems.map(({ fingerprint, reason }) => [fingerprint, reason]),
      [[B, 'truncated']],
    );
  });

  it('names one that is absent', async (t) => {
    const home = new TestHome(t);
    const report = await named(home, A);
    assert.deepEqual(
      report.problems.map(({ fingerprint, reason }) => [fingerprint, reason]),
      [[A, 'absent']],
    );
  });

  it('finds them in a flat foreign store', async (t) => {
    const root = temporaryFolder(t);
    write(join(root, `${A}.bin`), entryBytes('vyre'));
    copyFileSync(join(root, `${A}.bin`), join(root, `${B}.bin`));
    const report = await verify(sessionOf(t, root), { fingerprints: [A, B] });
    assert.equal(report.valid, 2);
  });
});
