import assert from 'node:assert/strict';
import { mkdirSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import { StorePaths } from '../../src/layouts/vyre/home-paths.js';
import { encodeRecord } from '../../src/model/record.js';
import { DiskTier } from '../../src/store/disk-tier.js';
import { LayeredStore } from '../../src/store/layered-store.js';
import { MemoryTier } from '../../src/store/memory-tier.js';
import type { Tier } from '../../src/store/tier.js';
import { entryBytes, fingerprintFrom, hashOf, makeArtifact } from '../support/artifacts.js';
import { fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');

interface Rig {
  readonly folder: string;
  readonly memory: MemoryTier;
  readonly store: LayeredStore;
}

function makeRig(t: Cleanup, bytesPerShard = 1000): Rig {
  const folder = join(temporaryFolder(t), 'store');
  mkdirSync(folder);
  const memory = new MemoryTier(portableBlake3, { entriesPerShard: 4, bytesPerShard });
  const disk = new DiskTier(fakeHost(), { paths: new StorePaths(folder), maxPayloadBytes: 1000, lock: null });
  return { folder, memory, store: new LayeredStore([memory, disk]) };
}

async function lookup(rig: Rig): Promise<string> {
  const read = await rig.store.get(A);
  return read.hit ? `${read.tier}: ${read.artifact.payload.toString()}` : read.reason;
}

function place(rig: Rig, text: string): void {
  const artifact = makeArtifact(A, text);
  writeFileSync(join(rig.folder, `${A}.bin`), entryBytes(text));
  if (artifact.record !== null)
    writeFileSync(join(rig.folder, `${A}.json`), encodeRecord(artifact.record, hashOf));
}

describe('tiers in order', () => {
  it('ask the second only after the first missed, and copy its hit up', async (t) => {
    const rig = makeRig(t);
    place(rig, 'vyre');
    assert.equal(await lookup(rig), 'disk: vyre');
    assert.equal(await lookup(rig), 'memory: vyre');
    unlinkSync(join(rig.folder, `${A}.bin`));
    assert.equal(await lookup(rig), 'memory: vyre');
  });

  it('give the record with a hit of either', async (t) => {
    const rig = makeRig(t);
    place(rig, 'vyre');
    for (const tier of ['disk', 'memory']) {
      const read = await rig.store.get(A);
      assert.ok(read.hit);
      assert.equal(read.tier, tier);
      assert.equal(read.artifact.record?.fingerprint, A);
    }
  });

  it('name the reason of the lowest', async (t) => {
    const rig = makeRig(t);
    assert.equal(await lookup(rig), 'absent');
    place(rig, 'vyre');
    truncateSync(join(rig.folder, `${A}.bin`), 31);
    assert.equal(await lookup(rig), 'truncated');
  });

  it('go on to the disk when the memory was written into', async (t) => {
    const rig = makeRig(t);
    place(rig, 'vyre');
    await lookup(rig);
    const read = await rig.store.get(A);
    assert.ok(read.hit);
    read.artifact.payload.write('evil');
    assert.equal(await lookup(rig), 'disk: vyre');
    assert.equal(await lookup(rig), 'memory: vyre');
  });

  it('serve from the disk what is too large for the memory', async (t) => {
    const rig = makeRig(t, 3);
    place(rig, 'vyre');
    assert.equal(await lookup(rig), 'disk: vyre');
    assert.equal(await lookup(rig), 'disk: vyre');
  });

  it('copy nothing up on a miss and write nothing down on a hit', async (t) => {
    const rig = makeRig(t);
    rig.memory.keep(makeArtifact(A, 'vyre'));
    const before = statSync(rig.folder).mtimeMs;
    assert.equal(await lookup(rig), 'memory: vyre');
    assert.equal(statSync(rig.folder).mtimeMs, before);
  });

  it('miss without any tier', async () => {
    assert.deepEqual(await new LayeredStore([]).get(A), { hit: false, reason: 'absent' });
  });
});

describe('tiers at once', () => {
  it('give what they give to those who wait, and copy a hit up', (t) => {
    const rig = makeRig(t);
    assert.deepEqual(rig.store.getNow(A), { hit: false, reason: 'absent' });
    place(rig, 'vyre');
    const tiers = [rig.store.getNow(A), rig.store.getNow(A)].map((read) => read?.hit === true && read.tier);
    assert.deepEqual(tiers, ['disk', 'memory']);
  });

  it('say nothing where an entry and a record may be in the middle of an exchange', (t) => {
    const rig = makeRig(t);
    place(rig, 'vyre');
    writeFileSync(join(rig.folder, `${A}.bin`), entryBytes('other'));
    assert.equal(rig.store.getNow(A), null);
    unlinkSync(join(rig.folder, `${A}.json`));
    assert.equal(rig.store.getNow(A), null);
  });

  it('say nothing where one of them always has to be waited for', async () => {
    const far: Tier = { name: 'disk', get: async () => ({ hit: false, reason: 'absent' }) };
    const store = new LayeredStore([far]);
    assert.equal(store.getNow(A), null);
    assert.deepEqual(await store.get(A), { hit: false, reason: 'absent' });
  });
});
