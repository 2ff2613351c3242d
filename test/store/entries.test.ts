import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemFiles, type Files } from '../../src/host/files.js';
import { hashChunks, loadNativeBlake3, type Blake3 } from '../../src/host/hash.js';
import type { Clock } from '../../src/host/clock.js';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import { HomePaths, StorePaths } from '../../src/layouts/vyre/home-paths.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../../src/model/entry.js';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import { encodeRecord } from '../../src/model/record.js';
import { MAX_RECORD_BYTES } from '../../src/model/record-head.js';
import { DiskTier, type PublishResult } from '../../src/store/disk-tier.js';
import { openHome } from '../../src/store/home.js';
import { fingerprintByte, LockFile } from '../../src/store/lock-file.js';
import type { Artifact } from '../../src/store/tier.js';
import {
  digestOf,
  entryBytes,
  fingerprintFrom,
  hashOf,
  makeArtifact,
  makeRecord,
} from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import type { Signing } from '../../src/model/signing.js';
import { keyOf, signingOf } from '../support/signing-keys.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { goldenBytes, goldenPath } from '../support/golden.js';
import { listing } from '../support/listing.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const BOUND = 1000;
const A = fingerprintFrom('a');
const B = fingerprintFrom('b');

interface Options {
  readonly hash?: Blake3;
  readonly files?: Files;
  readonly clock?: Clock;
  readonly maxPayloadBytes?: number;
  readonly locked?: boolean;
  readonly signing?: Signing | null;
}

class Rig {
  readonly folder: string;
  readonly staging: string;
  readonly tier: DiskTier;
  readonly lock: LockFile | null;
  /** Of its tier. */
  readonly options: ConstructorParameters<typeof DiskTier>[1];

  constructor(t: Cleanup, options: Options = {}) {
    const root = temporaryFolder(t);
    this.folder = join(root, 'store');
    this.staging = join(root, 'staging');
    mkdirSync(this.folder);
    mkdirSync(this.staging);
    const { locked = false, maxPayloadBytes = BOUND, signing = null, ...replaced } = options;
    const host = fakeHost(replaced);
    const lock = locked ? new LockFile(host, join(root, 'lock')) : null;
    if (lock !== null) {
      t.after(() => {
        lock.close();
      });
    }
    this.lock = lock;
    this.options = { paths: new StorePaths(this.folder), maxPayloadBytes, lock, signing };
    this.tier = new DiskTier(host, this.options);
  }

  entry(fingerprint: Fingerprint = A): string {
    return join(this.folder, `${fingerprint}.bin`);
  }

  record(fingerprint: Fingerprint = A): string {
    return join(this.folder, `${fingerprint}.json`);
  }

  /** Puts an artifact in place as another writer would. */
  place(artifact: Artifact): void {
    writeFileSync(this.entry(artifact.fingerprint), entryBytes(artifact.payload));
    if (artifact.record !== null)
      writeFileSync(this.record(artifact.fingerprint), encodeRecord(artifact.record, hashOf));
  }

  async publish(
    artifact: Artifact,
    options: { readonly replace?: boolean; readonly beforeRename?: () => Promise<void> } = {},
  ): Promise<PublishResult> {
    return this.tier.publish(artifact, {
      staging: this.staging,
      replace: options.replace ?? false,
      beforeRename: options.beforeRename ?? (async () => undefined),
    });
  }

  reason(fingerprint: Fingerprint = A): string {
    const read = this.tier.readEntry(fingerprint);
    return read.ok ? 'hit' : read.reason;
  }

  async lookup(fingerprint: Fingerprint = A): Promise<string> {
    const read = await this.tier.get(fingerprint);
    return read.hit ? read.artifact.payload.toString('utf8') : read.reason;
  }
}

const native = loadNativeBlake3();

describe('the native BLAKE3', () => {
  it('is installed where the entries are tested', () => {
    assert.ok(native, 'expected the package @napi-rs/blake-hash; npm ci installs it on this platform');
  });
});

for (const hash of [native ?? portableBlake3, portableBlake3]) {
  describe(`entries under the ${hash.name} BLAKE3`, () => {
    entrySuite(hash);
  });
}

function entrySuite(hash: Blake3): void {
  for (const [digit, payload] of [
    ['1', ''],
    ['2', 'vyre'],
    ['3', '\0'],
  ] as const) {
    const fingerprint = fingerprintFrom(digit);
    const golden = `entries/${fingerprint}.bin`;

    it(`reads what vyre wrote: ${JSON.stringify(payload)}`, async (t) => {
      const rig = new Rig(t, { hash });
      copyFileSync(goldenPath(golden), rig.entry(fingerprint));
      const read = await rig.tier.get(fingerprint);
      assert.ok(read.hit);
      assert.equal(read.artifact.payload.toString('latin1'), payload);
      assert.equal(read.artifact.digest, goldenBytes(golden).toString('hex').slice(-64));
      assert.equal(read.artifact.recordMiss, 'absent');
    });

    it(`writes what vyre reads: ${JSON.stringify(payload)}`, async (t) => {
      const rig = new Rig(t, { hash });
      await rig.publish(makeArtifact(fingerprint, payload));
      assert.deepEqual(readFileSync(rig.entry(fingerprint)), goldenBytes(golden));
    });
  }

  it('reads and writes the largest payload of vyre', async (t) => {
    const rig = new Rig(t, { hash, maxPayloadBytes: DEFAULT_MAX_PAYLOAD_BYTES });
    const footer = goldenBytes('entries/largest.footer');
    const payload = Buffer.alloc(DEFAULT_MAX_PAYLOAD_BYTES);
    const digest = Buffer.from(hashChunks(hash, [payload]));
    assert.deepEqual(digest, footer);
    const record = {
      ...makeRecord(A, Buffer.alloc(0)),
      payloadDigest: digestHex(footer),
      payloadBytes: payload.byteLength,
    };
    await rig.publish({ fingerprint: A, payload, digest: digestHex(footer), record, recordMiss: null });
    assert.equal(statSync(rig.entry()).size, 67_108_896);
    assert.equal(rig.reason(), 'hit');
    appendFileSync(rig.entry(), '\0');
    assert.equal(rig.reason(), 'oversized');
  });

  it('misses on every flipped bit of payload and footer', (t) => {
    const rig = new Rig(t, { hash });
    const good = entryBytes('vyre');
    for (let at = 0; at < good.byteLength; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const damaged = Buffer.from(good);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        writeFileSync(rig.entry(), damaged);
        assert.equal(rig.reason(), 'bad-checksum', `byte ${at}, bit ${bit}`);
      }
    }
    writeFileSync(rig.entry(), good);
    assert.equal(rig.reason(), 'hit');
  });

  it('misses when the entry is cut or zeroed anywhere', (t) => {
    const rig = new Rig(t, { hash });
    const good = entryBytes('vyre');
    for (let length = 0; length < good.byteLength; length += 1) {
      writeFileSync(rig.entry(), good.subarray(0, length));
      assert.equal(rig.reason(), length < 32 ? 'truncated' : 'bad-checksum', `cut to ${length}`);
      writeFileSync(rig.entry(), Buffer.concat([good.subarray(0, length), Buffer.alloc(36 - length)]));
      assert.equal(rig.reason(), 'bad-checksum', `zeroed from ${length}`);
    }
  });
}

function digestHex(footer: Buffer): Artifact['digest'] {
  const hex = footer.toString('hex');
  const known = digestOf(Buffer.alloc(0));
  assert.equal(hex.length, known.length);
  return hex as Artifact['digest'];
}

describe('what lies in the place of an entry', () => {
  const places: readonly (readonly [string, string, (rig: Rig) => void])[] = [
    ['nothing', 'absent', () => undefined],
    ['nothing, and no store at all', 'absent', (rig) => rmSync(rig.folder, { recursive: true })],
    [
      'nothing below a file',
      'absent',
      (rig) => {
        rmSync(rig.folder, { recursive: true });
        writeFileSync(rig.folder, '');
      },
    ],
    [
      'a link to a valid entry',
      'not-a-file',
      (rig) => {
        writeFileSync(rig.entry(B), entryBytes('vyre'));
        symlinkSync(rig.entry(B), rig.entry());
      },
    ],
    ['a link to nothing', 'not-a-file', (rig) => symlinkSync(join(rig.folder, 'nowhere'), rig.entry())],
    ['a link to itself', 'not-a-file', (rig) => symlinkSync(rig.entry(), rig.entry())],
    ['a link to a device', 'not-a-file', (rig) => symlinkSync('/dev/zero', rig.entry())],
    ['a link to a folder', 'not-a-file', (rig) => symlinkSync(rig.folder, rig.entry())],
    ['a folder', 'not-a-file', (rig) => mkdirSync(rig.entry())],
    [
      'a FIFO',
      'not-a-file',
      (rig) => {
        execFileSync('mkfifo', [rig.entry()]);
      },
    ],
    ['an empty file', 'truncated', (rig) => writeFileSync(rig.entry(), '')],
    ['31 bytes', 'truncated', (rig) => writeFileSync(rig.entry(), entryBytes('').subarray(0, 31))],
    ['32 bytes that are no hash', 'bad-checksum', (rig) => writeFileSync(rig.entry(), Buffer.alloc(32))],
    ['an empty payload', 'hit', (rig) => writeFileSync(rig.entry(), entryBytes(''))],
    ['the largest payload', 'hit', (rig) => writeFileSync(rig.entry(), entryBytes('x'.repeat(BOUND)))],
    ['one byte more', 'oversized', (rig) => writeFileSync(rig.entry(), entryBytes('x'.repeat(BOUND + 1)))],
    [
      'a sparse giant',
      'oversized',
      (rig) => {
        writeFileSync(rig.entry(), '');
        truncateSync(rig.entry(), 2 ** 42);
      },
    ],
  ];
  for (const [name, reason, make] of places) {
    it(`${name}: ${reason}, and stays as it is`, async (t) => {
      const rig = new Rig(t);
      make(rig);
      const isFolder = existsSync(rig.folder) && statSync(rig.folder).isDirectory() && reason !== 'oversized';
      const before = isFolder ? listing(rig.folder) : null;
      assert.equal(rig.reason(), reason);
      const read = await rig.tier.get(A);
      assert.equal(read.hit ? 'hit' : read.reason, reason);
      if (before !== null) assert.deepEqual(listing(rig.folder), before);
    });
  }

  it('a socket: not-a-file', async (t) => {
    const rig = new Rig(t);
    const server = createServer();
    // The path of a socket is short: it is made in /tmp and moved.
    const short = join(rig.staging, 's');
    server.listen(short);
    await once(server, 'listening');
    renameSync(short, rig.entry());
    assert.equal(rig.reason(), 'not-a-file');
    server.close();
    await once(server, 'close');
  });

  for (const code of ['EACCES', 'EIO', 'EMFILE', 'EPERM', 'ESTALE']) {
    for (const primitive of ['lstat', 'open', 'fstat', 'readAt'] as const) {
      it(`a file whose ${primitive} fails with ${code}: unreadable`, (t) => {
        const files = failingFiles({
          [primitive]: () => {
            throw errnoError(code);
          },
        });
        const rig = new Rig(t, { files });
        writeFileSync(rig.entry(), entryBytes('vyre'));
        assert.equal(rig.reason(), 'unreadable');
      });
    }
  }

  it('leaves no descriptor open, whatever it is', (t) => {
    const rig = new Rig(t);
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    for (const [, , make] of places) {
      rmSync(rig.folder, { recursive: true, force: true });
      mkdirSync(rig.folder);
      make(rig);
      rig.tier.readEntry(A);
    }
    assert.equal(open(), before);
  });
});

describe('a file that changes while it is read', () => {
  /** Runs `change` once, at the first open of the file, before or after it. */
  function changing(change: (path: string) => void, when: 'before' | 'after'): Files {
    let done = false;
    return failingFiles({
      open: (path, flags, mode) => {
        if (done || !path.endsWith('.bin')) return systemFiles.open(path, flags, mode);
        done = true;
        if (when === 'before') change(path);
        const fd = systemFiles.open(path, flags, mode);
        if (when === 'after') change(path);
        return fd;
      },
    });
  }

  /** Counts what is read at most. */
  function measuring(files: Files, reads: number[]): Files {
    return {
      ...files,
      readAt: (fd, buffer, length, position) => {
        const count = files.readAt(fd, buffer, length, position);
        reads.push(position + count);
        return count;
      },
    };
  }

  const replacedBy: readonly (readonly [string, string, (path: string) => void])[] = [
    [
      'another valid entry',
      'hit',
      (path) => {
        writeFileSync(`${path}.new`, entryBytes('other'));
        renameSync(`${path}.new`, path);
      },
    ],
    [
      'a link to a valid entry',
      'not-a-file',
      (path) => {
        renameSync(path, `${path}.old`);
        symlinkSync(`${path}.old`, path);
      },
    ],
    [
      'a folder',
      'not-a-file',
      (path) => {
        unlinkSync(path);
        mkdirSync(path);
      },
    ],
    [
      'a FIFO',
      'not-a-file',
      (path) => {
        unlinkSync(path);
        execFileSync('mkfifo', [path]);
      },
    ],
    ['nothing', 'absent', (path) => unlinkSync(path)],
  ];
  for (const [name, reason, change] of replacedBy) {
    it(`replaced by ${name} between lstat and open: ${reason}`, (t) => {
      const rig = new Rig(t, { files: changing(change, 'before') });
      writeFileSync(rig.entry(), entryBytes('vyre'));
      assert.equal(rig.reason(), reason);
    });
  }

  it('replaced again and again: unreadable, after a bounded number of looks', (t) => {
    let opened = 0;
    const files = failingFiles({
      open: (path, flags, mode) => {
        opened += 1;
        writeFileSync(`${path}.new`, entryBytes(`other ${opened}`));
        renameSync(`${path}.new`, path);
        return systemFiles.open(path, flags, mode);
      },
    });
    const rig = new Rig(t, { files });
    writeFileSync(rig.entry(), entryBytes('vyre'));
    assert.equal(rig.reason(), 'unreadable');
    assert.ok(opened < 100);
  });

  it('unlinked after the open: its bytes are what they were', (t) => {
    const rig = new Rig(t, { files: changing((path) => unlinkSync(path), 'after') });
    writeFileSync(rig.entry(), entryBytes('vyre'));
    assert.equal(rig.reason(), 'hit');
  });

  it('grown within the bound while it is read: judged by what it is then', (t) => {
    const grown = entryBytes('x'.repeat(500));
    const files = changing((path) => writeFileSync(path, grown), 'after');
    const rig = new Rig(t, { files });
    writeFileSync(rig.entry(), entryBytes('vyre'));
    const read = rig.tier.readEntry(A);
    assert.ok(read.ok);
    assert.equal(read.payload.byteLength, 500);
  });

  it('grown above the bound while it is read: oversized, after the bound and one byte', (t) => {
    const reads: number[] = [];
    const files = measuring(
      changing((path) => truncateSync(path, 10_000_000), 'after'),
      reads,
    );
    const rig = new Rig(t, { files });
    writeFileSync(rig.entry(), entryBytes('vyre'));
    assert.equal(rig.reason(), 'oversized');
    assert.ok(Math.max(...reads) <= BOUND + 33, `read up to ${Math.max(...reads)}`);
  });

  it('larger than fstat says: oversized, after the bound and one byte', (t) => {
    const reads: number[] = [];
    const small = (stat: ReturnType<Files['fstat']>): ReturnType<Files['fstat']> => ({ ...stat, bytes: 40 });
    const files = measuring(
      failingFiles({
        fstat: (fd) => small(systemFiles.fstat(fd)),
        lstat: (path) => {
          const stat = systemFiles.lstat(path);
          return stat === null ? null : small(stat);
        },
      }),
      reads,
    );
    const rig = new Rig(t, { files });
    writeFileSync(rig.entry(), entryBytes('x'.repeat(5000)));
    assert.equal(rig.reason(), 'oversized');
    assert.equal(Math.max(...reads), BOUND + 33);
  });

  it('shrunk while it is read: truncated or a bad checksum', (t) => {
    for (const [bytes, reason] of [
      [0, 'truncated'],
      [31, 'truncated'],
      [40, 'bad-checksum'],
    ] as const) {
      // The size is known, then the file shrinks.
      let done = false;
      const files = failingFiles({
        fstat: (fd) => {
          const stat = systemFiles.fstat(fd);
          if (!done) truncateSync(rig.entry(), bytes);
          done = true;
          return stat;
        },
      });
      const rig = new Rig(t, { files });
      writeFileSync(rig.entry(), entryBytes('x'.repeat(100)));
      assert.equal(rig.reason(), reason);
    }
  });
});

describe('an entry and its record', () => {
  it('are found together', async (t) => {
    const rig = new Rig(t);
    rig.place(makeArtifact(A, 'vyre'));
    const read = await rig.tier.get(A);
    assert.ok(read.hit);
    assert.equal(read.artifact.payload.toString(), 'vyre');
    assert.equal(read.artifact.record?.fingerprint, A);
    assert.equal(read.artifact.recordMiss, null);
  });

  const VALID = makeArtifact(A, 'vyre');
  const unusable: readonly (readonly [
    string,
    'absent' | 'unreadable' | 'newer-format',
    (rig: Rig) => void,
  ])[] = [
    ['absent', 'absent', () => undefined],
    ['newer', 'newer-format', (rig) => writeFileSync(rig.record(), '{"schema":"vyre-cache.record/2"}')],
    ['empty', 'unreadable', (rig) => writeFileSync(rig.record(), '')],
    ['no JSON', 'unreadable', (rig) => writeFileSync(rig.record(), 'no')],
    ['a link', 'unreadable', (rig) => symlinkSync(rig.entry(), rig.record())],
    ['a folder', 'unreadable', (rig) => mkdirSync(rig.record())],
    ['a FIFO', 'unreadable', (rig) => void execFileSync('mkfifo', [rig.record()])],
    ['too large', 'unreadable', (rig) => writeFileSync(rig.record(), ' '.repeat(MAX_RECORD_BYTES + 1))],
  ];
  for (const [name, miss, make] of unusable) {
    it(`are a hit whose record is ${miss} when the record is ${name}`, async (t) => {
      const rig = new Rig(t);
      rig.place({ ...VALID, record: null });
      make(rig);
      const read = await rig.tier.get(A);
      assert.ok(read.hit);
      assert.equal(read.artifact.record, null);
      assert.equal(read.artifact.recordMiss, miss);
    });
  }

  const foreign = makeRecord(A, VALID.payload);
  for (const [name, record] of [
    ['fingerprint', { ...foreign, fingerprint: B }],
    ['digest', { ...foreign, payloadDigest: digestOf(Buffer.from('other')) }],
    ['size', { ...foreign, payloadBytes: 5 }],
  ] as const) {
    it(`do not belong together when the record tells of another ${name}`, async (t) => {
      const rig = new Rig(t, { locked: true });
      rig.place({ ...VALID, record });
      assert.equal(await rig.lookup(), 'record-mismatch');
    });
  }

  it('tell when two valid entries were exchanged', async (t) => {
    const rig = new Rig(t, { locked: true });
    rig.place(makeArtifact(A, 'first'));
    rig.place(makeArtifact(B, 'second'));
    renameSync(rig.entry(A), rig.entry(fingerprintFrom('c')));
    renameSync(rig.entry(B), rig.entry(A));
    renameSync(rig.entry(fingerprintFrom('c')), rig.entry(B));
    assert.equal(await rig.lookup(A), 'record-mismatch');
    assert.equal(await rig.lookup(B), 'record-mismatch');
  });

  it('tell when two artifacts were exchanged with their records', async (t) => {
    const rig = new Rig(t, { locked: true });
    rig.place(makeArtifact(A, 'first'));
    copyFileSync(rig.entry(A), rig.entry(B));
    copyFileSync(rig.record(A), rig.record(B));
    assert.equal(await rig.lookup(B), 'record-mismatch');
    assert.equal(await rig.lookup(A), 'first');
  });

  it('are no mismatch while somebody publishes them: they are looked at again', async (t) => {
    const clock = new FakeClock();
    const rig = new Rig(t, { locked: true, clock });
    const published = makeArtifact(A, 'new');
    // The record is in place, the entry is not yet.
    rig.place({ ...makeArtifact(A, 'old'), record: published.record });
    const publisher = new LockFile(fakeHost(), join(rig.folder, '..', 'lock'));
    t.after(() => {
      publisher.close();
    });
    let looks = 0;
    await publisher.tryHold(fingerprintByte(A), async () => {
      clock.onSleep = () => {
        looks += 1;
        if (looks === 3) rig.place(published);
      };
      assert.equal(await rig.lookup(), 'new');
    });
    assert.equal(looks, 3);
  });

  it('are believed not to belong together by the one who holds the lock', async (t) => {
    const rig = new Rig(t, { locked: true });
    rig.place({ ...VALID, record: { ...foreign, payloadBytes: 5 } });
    const held = await rig.lock?.tryHold(fingerprintByte(A), async () => rig.lookup());
    assert.deepEqual(held, { held: true, value: 'record-mismatch' });
  });
});

describe('publishing', () => {
  it('makes a verified entry with its record, in files of 0600, and nothing else', async (t) => {
    const rig = new Rig(t);
    const result = await rig.publish(makeArtifact(A, 'vyre'));
    assert.deepEqual(result, { stored: true, kept: false, nondeterministic: false });
    assert.deepEqual(readdirSync(rig.folder).toSorted(), [`${A}.bin`, `${A}.json`]);
    assert.equal(statSync(rig.entry()).mode & 0o777, 0o600);
    assert.equal(statSync(rig.record()).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(rig.staging), []);
    assert.equal(await rig.lookup(), 'vyre');
  });

  it('shows nothing before everything is written', async (t) => {
    const rig = new Rig(t);
    let seen: readonly string[] | null = null;
    await rig.publish(makeArtifact(A, 'vyre'), {
      beforeRename: async () => {
        seen = readdirSync(rig.folder);
        assert.equal(statSync(join(rig.staging, 'entry')).size, 36);
      },
    });
    assert.deepEqual(seen, []);
  });

  it('renames the record before the entry, whose rename is the commit', async (t) => {
    const renamed: string[] = [];
    const files = failingFiles({
      rename: (from, to) => {
        renamed.push(to.slice(-5));
        systemFiles.rename(from, to);
      },
    });
    const rig = new Rig(t, { files });
    await rig.publish(makeArtifact(A, 'vyre'));
    assert.deepEqual(renamed, ['.json', 'a.bin']);
  });

  it('keeps a valid entry of the same bytes', async (t) => {
    const rig = new Rig(t);
    await rig.publish(makeArtifact(A, 'vyre'));
    const before = listing(rig.folder);
    const result = await rig.publish(makeArtifact(A, 'vyre', { compiler: 'other' }));
    assert.deepEqual(result, { stored: true, kept: true, nondeterministic: false });
    assert.deepEqual(listing(rig.folder), before);
  });

  it('keeps a valid entry of other bytes and tells that the compiler is nondeterministic', async (t) => {
    const rig = new Rig(t);
    await rig.publish(makeArtifact(A, 'first'));
    const result = await rig.publish(makeArtifact(A, 'second'));
    assert.deepEqual(result, { stored: true, kept: true, nondeterministic: true });
    assert.equal(await rig.lookup(), 'first');
  });

  for (const [text, nondeterministic] of [
    ['first', false],
    ['second', true],
  ] as const) {
    it(`replaces on refresh, ${nondeterministic ? 'and tells of other bytes' : 'the same bytes, too'}`, async (t) => {
      const rig = new Rig(t);
      await rig.publish(makeArtifact(A, 'first'));
      const inode = statSync(rig.entry()).ino;
      const result = await rig.publish(makeArtifact(A, text, { compiler: 'other' }), { replace: true });
      assert.deepEqual(result, { stored: true, kept: false, nondeterministic });
      assert.notEqual(statSync(rig.entry()).ino, inode);
      const read = await rig.tier.get(A);
      assert.equal(read.hit && read.artifact.record?.compiler, 'other');
      assert.equal(await rig.lookup(), text);
    });
  }

  const repaired: readonly (readonly [string, (rig: Rig) => void])[] = [
    ['a damaged entry', (rig) => truncateSync(rig.entry(), 10)],
    ['an entry with a flipped bit', (rig) => writeFileSync(rig.entry(), entryBytes('evil').fill(1, 0, 1))],
    ['an entry of vyre without record', (rig) => unlinkSync(rig.record())],
    ['an entry with a damaged record', (rig) => truncateSync(rig.record(), 10)],
    [
      'an entry with a record of another',
      (rig) => writeFileSync(rig.record(), encodeRecord(makeRecord(B, Buffer.from('old')), hashOf)),
    ],
    ['a record without entry', (rig) => unlinkSync(rig.entry())],
    [
      'a FIFO',
      (rig) => {
        unlinkSync(rig.entry());
        execFileSync('mkfifo', [rig.entry()]);
      },
    ],
    [
      'a link to nothing',
      (rig) => {
        unlinkSync(rig.entry());
        symlinkSync('/nonexistent/place', rig.entry());
      },
    ],
    [
      'a link in the place of the record',
      (rig) => {
        unlinkSync(rig.record());
        symlinkSync('/nonexistent/place', rig.record());
      },
    ],
  ];
  for (const [name, damage] of repaired) {
    it(`repairs ${name}`, async (t) => {
      const rig = new Rig(t);
      rig.place(makeArtifact(A, 'old'));
      damage(rig);
      const result = await rig.publish(makeArtifact(A, 'new'));
      assert.deepEqual(result, { stored: true, kept: false, nondeterministic: false });
      assert.equal(await rig.lookup(), 'new');
      assert.ok(lstatSync(rig.record()).isFile());
    });
  }

  it('replaces a link without touching its target', async (t) => {
    const rig = new Rig(t);
    const target = join(rig.staging, 'target');
    writeFileSync(target, entryBytes('precious'));
    symlinkSync(target, rig.entry());
    symlinkSync(target, rig.record());
    const before = [readFileSync(target), statSync(target).mtimeMs];
    await rig.publish(makeArtifact(A, 'vyre'));
    assert.ok(lstatSync(rig.entry()).isFile());
    assert.ok(lstatSync(rig.record()).isFile());
    assert.deepEqual([readFileSync(target), statSync(target).mtimeMs], before);
    assert.equal(await rig.lookup(), 'vyre');
  });

  for (const place of ['entry', 'record'] as const) {
    for (const content of [true, false]) {
      it(`refuses a folder in the place of the ${place}, ${content ? 'with content' : 'empty'}`, async (t) => {
        const rig = new Rig(t);
        mkdirSync(rig[place]());
        if (content) writeFileSync(join(rig[place](), 'precious'), '');
        const before = listing(rig.folder);
        const result = await rig.publish(makeArtifact(A, 'vyre'));
        assert.deepEqual(result, { stored: false, reason: 'not-a-file' });
        assert.deepEqual(listing(rig.folder), before);
        assert.deepEqual(readdirSync(rig.staging), []);
      });
    }
  }

  it('refuses a payload above the bound, and takes one at it', async (t) => {
    const rig = new Rig(t);
    const result = await rig.publish(makeArtifact(A, 'x'.repeat(BOUND + 1)));
    assert.deepEqual(result, { stored: false, reason: 'payload-too-large' });
    assert.deepEqual(readdirSync(rig.folder), []);
    assert.deepEqual(readdirSync(rig.staging), []);
    assert.equal((await rig.publish(makeArtifact(A, 'x'.repeat(BOUND)))).stored, true);
    assert.equal(rig.reason(), 'hit');
  });

  it('refuses a record above 1 MiB', async (t) => {
    const rig = new Rig(t);
    const command = ['x'.repeat(MAX_RECORD_BYTES)];
    const result = await rig.publish(makeArtifact(A, 'vyre', { command }));
    assert.deepEqual(result, { stored: false, reason: 'output-too-large' });
    assert.deepEqual(readdirSync(rig.folder), []);
    assert.deepEqual(readdirSync(rig.staging), []);
  });

  for (const withEntry of [true, false]) {
    it(`never overwrites a record of a newer version ${withEntry ? 'with' : 'without'} its entry`, async (t) => {
      const rig = new Rig(t);
      if (withEntry) writeFileSync(rig.entry(), entryBytes('newer'));
      writeFileSync(rig.record(), '{"schema":"vyre-cache.record/2"}');
      const before = listing(rig.folder);
      for (const replace of [false, true]) {
        const result = await rig.publish(makeArtifact(A, 'vyre'), { replace });
        assert.deepEqual(result, { stored: false, reason: 'newer-format' });
      }
      assert.deepEqual(listing(rig.folder), before);
    });
  }

  it('demands a record', async (t) => {
    const rig = new Rig(t);
    await assert.rejects(rig.publish({ ...makeArtifact(A, 'vyre'), record: null, recordMiss: 'absent' }));
  });
});

describe('publishing that fails', () => {
  /** What is found after a failure at the first, second, third change of a name, and after none. */
  const LEFT = {
    killed: {
      bare: ['old, record', 'old', 'new', 'new, record'],
      signed: ['old, record', 'absent', 'absent', 'new, record'],
    },
    failed: {
      bare: ['old, record', 'old, record', 'new', 'new, record'],
      signed: ['old, record', 'old, record', 'absent', 'new, record'],
    },
  } as const;
  const STEPS = ['open', 'write', 'close', 'rename'] as const;

  /** The file primitives; the n-th use of one of those that publishing needs fails. */
  function failingAt(n: number, code: string, used: { count: number; name: string }): Files {
    const wrap = <Args extends unknown[], T>(name: string, work: (...args: Args) => T) => {
      return (...args: Args): T => {
        used.count += 1;
        if (used.count !== n) return work(...args);
        used.name = name;
        throw errnoError(code);
      };
    };
    return failingFiles({
      open: wrap('open', systemFiles.open),
      write: wrap('write', systemFiles.write),
      rename: wrap('rename', systemFiles.rename),
    });
  }

  for (const code of ['ENOSPC', 'EIO', 'EROFS', 'EACCES', 'EMFILE']) {
    it(`with ${code} at any step throws it, serves nothing wrong, and the next one repairs`, async (t) => {
      const used = { count: 0, name: '' };
      const failed = new Set<string>();
      for (let step = 1; ; step += 1) {
        used.count = 0;
        used.name = '';
        const rig = new Rig(t, { files: failingAt(step, code, used) });
        const outcome = await rig.publish(makeArtifact(A, 'vyre')).then(
          () => 'stored',
          (error: unknown) => (error instanceof Error && 'code' in error ? error.code : String(error)),
        );
        if (used.name === '') break;
        failed.add(used.name);
        assert.ok(STEPS.some((name) => name === used.name));
        assert.equal(outcome, code, `step ${step}: ${used.name}`);
        assert.equal(await rig.lookup(), 'absent', `step ${step}: ${used.name}`);
        for (const item of readdirSync(rig.staging)) rmSync(join(rig.staging, item));
        assert.equal((await rig.publish(makeArtifact(A, 'vyre'))).stored, true);
        assert.equal(await rig.lookup(), 'vyre');
      }
      assert.deepEqual([...failed].toSorted(), ['open', 'rename', 'write']);
    });
  }

  for (const [name, signing] of [
    ['without a key', null],
    ['with a key', signingOf(keyOf(1))],
  ] as const) {
    for (const how of ['killed', 'failed'] as const) {
      it(`that replaces other bytes ${name} leaves no two halves, ${how} at any change of a name`, async (t) => {
        const seen: string[] = [];
        for (let step = 1; ; step += 1) {
          let steps = 0;
          const rename: Files['rename'] = (from, to) => {
            steps += 1;
            // Who is killed does nothing afterwards.
            if (how === 'killed' ? steps >= step : steps === step) throw errnoError('EIO');
            systemFiles.rename(from, to);
          };
          const rig = new Rig(t, { files: failingFiles({ rename }), signing });
          const whole = new DiskTier(fakeHost(), { ...rig.options, signing });
          const publish = async (text: string, replace: boolean, tier: DiskTier) =>
            tier.publish(makeArtifact(A, text), {
              staging: rig.staging,
              replace,
              beforeRename: async () => undefined,
            });
          await publish('old', false, whole);
          const isWhole = await publish('new', true, rig.tier).then(
            () => true,
            () => false,
          );
          const read = await whole.get(A);
          const word = read.hit ? read.artifact.payload.toString('utf8') : read.reason;
          const hasRecord = read.hit && read.artifact.record !== null;
          seen.push(hasRecord ? `${word}, record` : word);
          if (isWhole) break;
          for (const item of readdirSync(rig.staging)) rmSync(join(rig.staging, item));
          await publish('new', true, whole);
          assert.equal((await whole.get(A)).hit, true);
        }
        assert.deepEqual(seen, LEFT[how][signing === null ? 'bare' : 'signed']);
      });
    }
  }

  it('leaves a valid entry as it was when it cannot write', async (t) => {
    const files = failingFiles({
      write: () => {
        throw errnoError('ENOSPC');
      },
    });
    const rig = new Rig(t, { files });
    rig.place(makeArtifact(A, 'old'));
    const before = listing(rig.folder);
    await assert.rejects(rig.publish(makeArtifact(A, 'new'), { replace: true }), { code: 'ENOSPC' });
    assert.deepEqual(listing(rig.folder), before);
  });

  it('before the rename publishes nothing', async (t) => {
    const rig = new Rig(t);
    const beforeRename = async (): Promise<void> => {
      throw errnoError('EIO');
    };
    await assert.rejects(rig.publish(makeArtifact(A, 'vyre'), { beforeRename }), { code: 'EIO' });
    assert.deepEqual(readdirSync(rig.folder), []);
  });
});

describe('readers and writers of one entry', () => {
  it('never meet half an artifact', async (t) => {
    const root = temporaryFolder(t);
    const paths = new HomePaths(root);
    const host = fakeHost();
    assert.ok(openHome(host, paths).ok);
    const lock = new LockFile(host, join(paths.private, 'lock'));
    t.after(() => {
      lock.close();
    });
    const store = new StorePaths(paths.store);
    const tier = new DiskTier(host, { paths: store, maxPayloadBytes: 1_000_000, lock });
    const writers = ['1', '2', '3'].map((seed) => startChild(t, 'publish', root, A, seed, '60'));
    const writing = { running: true };
    const ended = Promise.all(writers.map(async (writer) => writer.end())).finally(() => {
      writing.running = false;
    });
    const seen = new Set<string>();
    while (writing.running) {
      const read = await tier.get(A);
      if (read.hit) {
        const words = new Set(read.artifact.payload.toString().trim().split(' '));
        assert.equal(words.size, 1);
        assert.notEqual(read.artifact.record, null);
        for (const word of words) seen.add(word);
      } else {
        assert.equal(read.reason, 'absent');
        assert.equal(seen.size, 0, 'an entry that was there has vanished');
      }
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    await ended;
    const last = await tier.get(A);
    assert.ok(last.hit);
    assert.deepEqual(readdirSync(paths.store).toSorted(), [`${A}.bin`, `${A}.json`]);
    assert.deepEqual(readdirSync(paths.staging), []);
  });
});

describe('removing', () => {
  it('removes the entry before its record and tells the bytes of both', (t) => {
    const removed: string[] = [];
    const files = failingFiles({
      unlink: (path) => {
        removed.push(path.slice(-5));
        systemFiles.unlink(path);
      },
    });
    const rig = new Rig(t, { files });
    rig.place(makeArtifact(A, 'vyre'));
    const bytes = statSync(rig.entry()).size + statSync(rig.record()).size;
    assert.equal(rig.tier.remove(A), bytes);
    assert.deepEqual(removed, ['a.bin', '.json']);
    assert.deepEqual(readdirSync(rig.folder), []);
    assert.equal(rig.tier.remove(A), null);
  });

  it('leaves the record when the entry cannot be removed', (t) => {
    const files = failingFiles({
      unlink: () => {
        throw errnoError('EACCES');
      },
    });
    const rig = new Rig(t, { files });
    rig.place(makeArtifact(A, 'vyre'));
    assert.throws(() => rig.tier.remove(A), { code: 'EACCES' });
    assert.equal(readdirSync(rig.folder).length, 2);
  });

  it('is happy when somebody else was faster', (t) => {
    const files = failingFiles({
      unlink: (path) => {
        systemFiles.unlink(path);
        systemFiles.unlink(path);
      },
    });
    const rig = new Rig(t, { files });
    rig.place(makeArtifact(A, 'vyre'));
    assert.notEqual(rig.tier.remove(A), null);
    assert.deepEqual(readdirSync(rig.folder), []);
  });

  it('removes a link, not its target', (t) => {
    const rig = new Rig(t);
    writeFileSync(rig.entry(B), entryBytes('vyre'));
    symlinkSync(rig.entry(B), rig.entry());
    assert.equal(readlinkSync(rig.entry()), rig.entry(B));
    rig.tier.remove(A);
    assert.deepEqual(readdirSync(rig.folder), [`${B}.bin`]);
  });

  it('touches no other entry', (t) => {
    const rig = new Rig(t);
    rig.place(makeArtifact(A, 'first'));
    rig.place(makeArtifact(B, 'second'));
    rig.tier.remove(A);
    assert.deepEqual(readdirSync(rig.folder).toSorted(), [`${B}.bin`, `${B}.json`]);
  });
});

describe('the recency of an entry', () => {
  const NOW = 1_700_000_000_000;
  const MINUTE = 60_000;
  const ages: readonly (readonly [string, number, boolean])[] = [
    ['a minute and a second old', MINUTE + 1000, true],
    ['a minute and a millisecond old', MINUTE + 1, true],
    ['exactly a minute old', MINUTE, false],
    ['a second less than a minute old', MINUTE - 1000, false],
    ['now', 0, false],
    ['an hour ahead', -60 * MINUTE, false],
    ['ten years old', 10 * 365 * 24 * 60 * MINUTE, true],
  ];
  for (const [name, age, isSet] of ages) {
    it(`${isSet ? 'is set' : 'stays'} when it is ${name}`, (t) => {
      const rig = new Rig(t, { clock: new FakeClock(NOW) });
      rig.place(makeArtifact(A, 'vyre'));
      const then = (NOW - age) / 1000;
      utimesSync(rig.entry(), then, then);
      const before = statSync(rig.entry(), { bigint: true }).mtimeNs;
      rig.tier.markUsed(A);
      const after = statSync(rig.entry(), { bigint: true }).mtimeNs;
      if (isSet) assert.equal(Math.round(statSync(rig.entry()).mtimeMs), NOW);
      else assert.equal(after, before);
    });
  }

  it('is not set through a link', (t) => {
    const rig = new Rig(t, { clock: new FakeClock(NOW) });
    writeFileSync(rig.entry(B), entryBytes('vyre'));
    utimesSync(rig.entry(B), 1000, 1000);
    symlinkSync(rig.entry(B), rig.entry());
    rig.tier.markUsed(A);
    assert.equal(statSync(rig.entry(B)).mtimeMs, 1_000_000);
  });

  it('may fail', async (t) => {
    const files = failingFiles({
      setTimes: () => {
        throw errnoError('EPERM');
      },
    });
    const rig = new Rig(t, { files, clock: new FakeClock(NOW) });
    rig.place(makeArtifact(A, 'vyre'));
    utimesSync(rig.entry(), 1000, 1000);
    rig.tier.markUsed(A);
    rig.tier.markUsed(B);
    assert.equal(await rig.lookup(), 'vyre');
  });

  it('is not set by reading', async (t) => {
    const rig = new Rig(t);
    rig.place(makeArtifact(A, 'vyre'));
    utimesSync(rig.entry(), 1000, 1000);
    await rig.lookup();
    assert.equal(statSync(rig.entry()).mtimeMs, 1_000_000);
  });
});

describe('an empty store', () => {
  const stores: readonly (readonly [string, boolean, (rig: Rig) => void])[] = [
    ['that does not exist', true, (rig) => rmSync(rig.folder, { recursive: true })],
    ['without files', true, () => undefined],
    ['with a record only', true, (rig) => writeFileSync(rig.record(), '')],
    ['with a temporary file of vyre', true, (rig) => writeFileSync(join(rig.folder, `.${A}-0.bin.tmp`), '')],
    ['with an alien that ends in .bin', true, (rig) => writeFileSync(join(rig.folder, 'notes.bin'), '')],
    ['with an entry', false, (rig) => writeFileSync(rig.entry(), '')],
  ];
  for (const [name, isEmpty, make] of stores) {
    it(`is one ${name}: ${isEmpty}`, (t) => {
      const rig = new Rig(t);
      make(rig);
      assert.equal(rig.tier.isEmpty(), isEmpty);
    });
  }
});
