import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { StorePaths } from '../../src/layouts/vyre/home-paths.js';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import { encodeRecord, sealRecord } from '../../src/model/record.js';
import { MAX_RECORD_BYTES } from '../../src/model/record-head.js';
import { DiskTier } from '../../src/store/disk-tier.js';
import { entryBytes, fingerprintFrom, hashOf, makeArtifact, makeFailure } from '../support/artifacts.js';
import { errnoError, failingFiles, fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const BOUND = 1000;

class Rig {
  readonly folder: string;
  readonly staging: string;
  readonly tier: DiskTier;

  constructor(t: Cleanup, host = fakeHost()) {
    const root = temporaryFolder(t);
    this.folder = join(root, 'store');
    this.staging = join(root, 'staging');
    mkdirSync(this.folder);
    mkdirSync(this.staging);
    const paths = new StorePaths(this.folder);
    this.tier = new DiskTier(host, { paths, maxPayloadBytes: BOUND, lock: null });
  }

  get entry(): string {
    return join(this.folder, `${A}.bin`);
  }

  get record(): string {
    return join(this.folder, `${A}.json`);
  }

  remember(fingerprint: Fingerprint = A): boolean {
    return this.tier.recordFailure(makeFailure(fingerprint), this.staging);
  }

  async publish(): Promise<void> {
    const options = { staging: this.staging, replace: false, beforeRename: async () => undefined };
    assert.ok((await this.tier.publish(makeArtifact(A, 'good'), options)).stored);
  }
}

describe('a remembered failure', () => {
  it('comes back, and leaves nothing behind where it was made', (t) => {
    const rig = new Rig(t);
    assert.equal(rig.remember(), true);
    const found = rig.tier.readFailure(A);
    assert.deepEqual(found?.failure, makeFailure(A).failure);
    assert.equal(Buffer.from(found.stderr).toString('utf8'), 'a.c: nonsense\n');
    assert.deepEqual(readdirSync(rig.staging), []);
  });

  it('is no record of an artifact', async (t) => {
    const rig = new Rig(t);
    rig.remember();
    assert.deepEqual(rig.tier.readRecord(A), { ok: false, reason: 'absent' });
    assert.deepEqual(await rig.tier.get(A), { hit: false, reason: 'absent' });
  });

  it('does not hide a valid entry that another program has put beside it', async (t) => {
    const rig = new Rig(t);
    rig.remember();
    writeFileSync(rig.entry, entryBytes('of vyre'));
    const read = await rig.tier.get(A);
    assert.ok(read.hit);
    assert.equal(read.artifact.payload.toString('utf8'), 'of vyre');
    assert.deepEqual([read.artifact.record, read.artifact.recordMiss], [null, 'absent']);
  });

  it('gives way to the artifact that is published', async (t) => {
    const rig = new Rig(t);
    rig.remember();
    await rig.publish();
    assert.equal(rig.tier.readFailure(A), null);
    assert.equal((await rig.tier.get(A)).hit, true);
  });

  it('is replaced by the next one', (t) => {
    const rig = new Rig(t);
    rig.remember();
    assert.equal(rig.tier.recordFailure(makeFailure(A, { count: 2 }), rig.staging), true);
    assert.equal(rig.tier.readFailure(A)?.failure.count, 2);
  });

  it('goes with rm', (t) => {
    const rig = new Rig(t);
    rig.remember();
    assert.ok((rig.tier.remove(A) ?? 0) > 0);
    assert.equal(rig.tier.readFailure(A), null);
    assert.equal(rig.tier.remove(A), null);
  });

  it('of another fingerprint says nothing about this one', (t) => {
    const rig = new Rig(t);
    rig.remember(B);
    writeFileSync(rig.record, readFileSync(join(rig.folder, `${B}.json`)));
    assert.equal(rig.tier.readFailure(A), null);
    assert.notEqual(rig.tier.readFailure(B), null);
  });

  it('that is damaged, a link or a folder is none', (t) => {
    const rig = new Rig(t);
    rig.remember(B);
    const valid = readFileSync(join(rig.folder, `${B}.json`));
    symlinkSync(join(rig.folder, `${B}.json`), rig.record);
    assert.equal(rig.tier.readFailure(A), null);
    mkdirSync(join(rig.folder, `${fingerprintFrom('c')}.json`));
    assert.equal(rig.tier.readFailure(fingerprintFrom('c')), null);
    writeFileSync(join(rig.folder, `${B}.json`), valid.subarray(0, -20));
    assert.equal(rig.tier.readFailure(B), null);
  });
});

describe('a failure is not written', () => {
  it('over the record of a valid entry', async (t) => {
    const rig = new Rig(t);
    await rig.publish();
    const before = readFileSync(rig.record);
    assert.equal(rig.remember(), false);
    assert.deepEqual(readFileSync(rig.record), before);
    assert.equal((await rig.tier.get(A)).hit, true);
  });

  for (const [name, bytes] of [
    ['a valid entry of another program', entryBytes('of vyre')],
    ['an entry above our bound, which may be valid with another one', entryBytes('x'.repeat(BOUND + 1))],
  ] as const) {
    it(`beside ${name}`, (t) => {
      const rig = new Rig(t);
      writeFileSync(rig.entry, bytes);
      assert.equal(rig.remember(), false);
      assert.deepEqual(readdirSync(rig.folder), [`${A}.bin`]);
    });
  }

  it('beside an entry that cannot be read now', (t) => {
    const open = failingFiles({}).open;
    const files = failingFiles({
      open: (path, flags, mode) => {
        if (path.endsWith('.bin')) throw errnoError('EIO');
        return open(path, flags, mode);
      },
    });
    const rig = new Rig(t, fakeHost({ files }));
    writeFileSync(rig.entry, entryBytes('good'));
    assert.equal(rig.remember(), false);
  });

  it('over a record of a newer version, nor over a folder', (t) => {
    const rig = new Rig(t);
    const newer = sealRecord(Buffer.from('{"schema":"vyre-cache.record/2","checksum":"","x":1}\n'), hashOf);
    writeFileSync(rig.record, newer);
    assert.equal(rig.remember(), false);
    assert.deepEqual(readFileSync(rig.record), newer);
    mkdirSync(join(rig.folder, `${B}.json`));
    assert.equal(rig.remember(B), false);
  });

  it('when it is larger than a record may be', (t) => {
    const rig = new Rig(t);
    const record = { ...makeFailure(A), command: ['x'.repeat(MAX_RECORD_BYTES)] };
    assert.equal(rig.tier.recordFailure(record, rig.staging), false);
    assert.deepEqual(readdirSync(rig.folder), []);
  });

  it('half: a full disk leaves the store as it was', (t) => {
    const writeAt = (): never => {
      throw errnoError('ENOSPC');
    };
    const rig = new Rig(t, fakeHost({ files: failingFiles({ write: writeAt }) }));
    assert.throws(() => rig.remember(), { code: 'ENOSPC' });
    assert.deepEqual(readdirSync(rig.folder), []);
  });
});

describe('a failure is written', () => {
  for (const [name, bytes] of [
    ['truncated', Buffer.from('short')],
    ['with another checksum', Buffer.concat([entryBytes('good'), Buffer.from('!')])],
  ] as const) {
    it(`beside an entry that is damaged: ${name}`, (t) => {
      const rig = new Rig(t);
      writeFileSync(rig.entry, bytes);
      assert.equal(rig.remember(), true);
      assert.notEqual(rig.tier.readFailure(A), null);
      assert.deepEqual(readFileSync(rig.entry), bytes);
    });
  }

  it('over a record that lost its entry, and over one that is damaged', (t) => {
    const rig = new Rig(t);
    const { record } = makeArtifact(A, 'gone');
    assert.ok(record !== null);
    writeFileSync(rig.record, encodeRecord(record, hashOf));
    assert.equal(rig.remember(), true);
    writeFileSync(rig.record, 'damage');
    assert.equal(rig.remember(), true);
    assert.notEqual(rig.tier.readFailure(A), null);
  });
});
