import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Reader } from '../../src/model/decoder.js';
import { keyedHash } from '../../src/host/hash.js';
import { isSigningKey, Signing } from '../../src/model/signing.js';
import { KnownDocuments, readChecked, writeChecked } from '../../src/store/checked-file.js';
import { entryBytes } from '../support/artifacts.js';
import { errnoError, failingFiles, fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const host = fakeHost();

interface Place {
  readonly path: string;
  readonly folder: string;
  readonly staged: string;
  readonly staging: string;
}

function makePlace(t: Cleanup): Place {
  const root = temporaryFolder(t);
  const staging = join(root, 'new');
  mkdirSync(staging);
  return { path: join(root, 'docs', 'one'), folder: join(root, 'docs'), staged: join(staging, 'x'), staging };
}

function decode(reader: Reader): string {
  const text = reader.text('text');
  reader.end();
  return text;
}

function read(place: Place, maxBytes = 1000): string | null {
  return readChecked(host, { path: place.path, maxBytes }, decode);
}

describe('a checked document', () => {
  it('comes back as it was written, of 0600, and leaves nothing staged', (t) => {
    const place = makePlace(t);
    assert.equal(read(place), null);
    assert.equal(writeChecked(host, place, { text: 'früh "quoted"\n' }), true);
    assert.equal(read(place), 'früh "quoted"\n');
    assert.equal(statSync(place.path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(place.staging), []);
    assert.equal(writeChecked(host, place, { text: 'second' }), true);
    assert.equal(read(place), 'second');
  });

  it('is the text and its BLAKE3', (t) => {
    const place = makePlace(t);
    writeChecked(host, place, { text: 'x' });
    assert.deepEqual(readFileSync(place.path), entryBytes('{"text":"x"}'));
  });

  it('with a key is the text and its MAC, and nobody without that key reads or makes one', (t) => {
    const place = makePlace(t);
    const keyOf = (byte: number): Signing => {
      const key = new Uint8Array(32).fill(byte);
      assert.ok(isSigningKey(key));
      return new Signing([key], (own, chunks) => keyedHash(host.hash, own, chunks));
    };
    const [ours, theirs] = [keyOf(1), keyOf(2)];
    const readWith = (signing: Signing | null): string | null =>
      readChecked(host, { path: place.path, maxBytes: 1000, signing }, decode);
    for (const signing of [ours, theirs, null]) {
      writeChecked(host, { ...place, signing }, { text: 'x' });
      for (const reader of [ours, theirs, null]) {
        assert.equal(readWith(reader), reader === signing ? 'x' : null);
      }
    }
  });

  it('is as if it were not there when any bit is flipped', (t) => {
    const place = makePlace(t);
    writeChecked(host, place, { text: 'x' });
    const good = readFileSync(place.path);
    for (let at = 0; at < good.byteLength * 8; at += 1) {
      const damaged = Buffer.from(good);
      damaged[at >> 3] = (damaged[at >> 3] ?? 0) ^ (1 << (at & 7));
      writeFileSync(place.path, damaged);
      assert.equal(read(place), null);
    }
  });

  it('is as if it were not there when it is cut or longer', (t) => {
    const place = makePlace(t);
    writeChecked(host, place, { text: 'x' });
    const good = readFileSync(place.path);
    for (let length = 0; length < good.byteLength; length += 1) {
      writeFileSync(place.path, good.subarray(0, length));
      assert.equal(read(place), null);
    }
    writeFileSync(place.path, Buffer.concat([good, Buffer.alloc(1)]));
    assert.equal(read(place), null);
  });

  for (const text of ['', 'no', 'null', '[]', '{}', '{"text":1}', '{"text":"x","more":1}', '{"text":"x"}}']) {
    it(`is as if it were not there when its checksum fits but it holds ${JSON.stringify(text)}`, (t) => {
      const place = makePlace(t);
      mkdirSync(place.folder);
      writeFileSync(place.path, entryBytes(text));
      assert.equal(read(place), null);
    });
  }

  for (const [name, make] of [
    ['a folder', (path: string) => mkdirSync(path)],
    ['a FIFO', (path: string) => void execFileSync('mkfifo', [path])],
    [
      'a link',
      (path: string) => {
        writeFileSync(`${path}.target`, entryBytes('{"text":"x"}'));
        symlinkSync(`${path}.target`, path);
      },
    ],
  ] as const) {
    it(`is not read from ${name}`, (t) => {
      const place = makePlace(t);
      mkdirSync(place.folder);
      make(place.path);
      assert.equal(read(place), null);
    });
  }

  it('is decoded once for the same bytes, and again for others', (t) => {
    const place = makePlace(t);
    const known = new KnownDocuments<string>(1);
    let decoded = 0;
    const readKnown = (): string | null =>
      readChecked(host, { path: place.path, maxBytes: 1000, known }, (reader) => {
        decoded += 1;
        return decode(reader);
      });
    const texts = ['x', 'x', 'y', 'y', 'x'].map((text) => {
      writeChecked(host, place, { text });
      return readKnown();
    });
    assert.deepEqual([texts, decoded], [['x', 'x', 'y', 'y', 'x'], 3]);
    const bytes = readFileSync(place.path);
    bytes.writeUInt8(bytes.readUInt8(3) ^ 1, 3);
    writeFileSync(place.path, bytes);
    assert.equal(readKnown(), null);
  });

  it('is not read above its bound', (t) => {
    const place = makePlace(t);
    writeChecked(host, place, { text: 'x' });
    const { size } = statSync(place.path);
    assert.equal(read(place, size), 'x');
    assert.equal(read(place, size - 1), null);
  });

  for (const primitive of ['open', 'write', 'rename'] as const) {
    it(`may fail to be written, leaves nothing, and the old one stays: ${primitive}`, (t) => {
      const place = makePlace(t);
      writeChecked(host, place, { text: 'old' });
      const files = failingFiles({
        [primitive]: () => {
          throw errnoError('ENOSPC');
        },
      });
      assert.equal(writeChecked(fakeHost({ files }), place, { text: 'new' }), false);
      assert.equal(read(place), 'old');
      assert.deepEqual(readdirSync(place.staging), []);
    });
  }

  it('is written into a folder that somebody has deleted, unless that cannot be made', (t) => {
    const place = makePlace(t);
    writeChecked(host, place, { text: 'old' });
    rmSync(place.folder, { recursive: true });
    const files = failingFiles({
      makeDirectories: () => {
        throw errnoError('ENOSPC');
      },
    });
    assert.equal(writeChecked(fakeHost({ files }), place, { text: 'new' }), false);
    assert.deepEqual(readdirSync(place.staging), []);
    assert.equal(writeChecked(host, place, { text: 'new' }), true);
    assert.equal(read(place), 'new');
    assert.deepEqual(readdirSync(place.staging), []);
  });

  it('cannot be written over a folder, and says so', (t) => {
    const place = makePlace(t);
    mkdirSync(join(place.path, 'x'), { recursive: true });
    assert.equal(writeChecked(host, place, { text: 'x' }), false);
    assert.deepEqual(readdirSync(place.staging), []);
  });

  it('lets bugs through', (t) => {
    const files = failingFiles({
      write: () => {
        throw new TypeError('a bug');
      },
    });
    assert.throws(() => writeChecked(fakeHost({ files }), makePlace(t), {}), TypeError);
  });
});
