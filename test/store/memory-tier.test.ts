import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import fc from 'fast-check';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import { MEMORY_DEFAULTS, MEMORY_OF_BATCH, MemoryTier } from '../../src/store/memory-tier.js';
import { fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { checkAsyncProperty } from '../support/properties.js';

/** Fingerprints of one shard: the same first byte. */
const inShard = (index: number, shard = '00'): Fingerprint =>
  fingerprintFrom(`${shard}${index.toString(16).padStart(8, '0')}`);

function makeTier(entriesPerShard: number, bytesPerShard: number): MemoryTier {
  return new MemoryTier(portableBlake3, { entriesPerShard, bytesPerShard });
}

async function lookup(tier: MemoryTier, fingerprint: Fingerprint): Promise<string> {
  const read = await tier.get(fingerprint);
  return read.hit ? read.artifact.payload.toString() : read.reason;
}

async function present(tier: MemoryTier, fingerprints: readonly Fingerprint[]): Promise<readonly boolean[]> {
  const found: boolean[] = [];
  for (const fingerprint of fingerprints) found.push((await lookup(tier, fingerprint)) !== 'absent');
  return found;
}

describe('the memory tier', () => {
  it('has the budgets of vyre', () => {
    const budget = { shardDigits: 2, entriesPerShard: 256, bytesPerShard: 16 * 1024 * 1024 };
    assert.deepEqual(MEMORY_DEFAULTS, budget);
  });

  it('of a batch has one budget of 64 MiB, whatever the first byte is', async () => {
    const { entriesPerShard, bytesPerShard, shardDigits } = MEMORY_OF_BATCH;
    assert.deepEqual([bytesPerShard, entriesPerShard], [64 * 1024 * 1024, 1024]);
    const tier = new MemoryTier(portableBlake3, { shardDigits, entriesPerShard: 100, bytesPerShard: 10 });
    const keys = ['00', '7f', 'ff'].map((byte) => inShard(1, byte));
    for (const key of keys) tier.keep(makeArtifact(key, 'vyre'));
    assert.deepEqual(await present(tier, keys), [false, true, true]);
  });

  it('gives what it keeps, with the record', async () => {
    const tier = makeTier(2, 100);
    const artifact = makeArtifact(inShard(1), 'vyre');
    tier.keep(artifact);
    assert.deepEqual(await tier.get(inShard(1)), { hit: true, artifact });
    assert.equal(await lookup(tier, inShard(2)), 'absent');
  });

  it('keeps the last value of a key', async () => {
    const tier = makeTier(2, 8);
    tier.keep(makeArtifact(inShard(1), 'first'));
    tier.keep(makeArtifact(inShard(1), 'second'));
    assert.equal(await lookup(tier, inShard(1)), 'second');
  });

  it('gives each of the 256 first bytes a budget of its own', async () => {
    const tier = makeTier(1, 100);
    const keys = Array.from({ length: 256 }, (_, index) => inShard(1, index.toString(16).padStart(2, '0')));
    for (const key of keys) tier.keep(makeArtifact(key, 'vyre'));
    assert.ok((await present(tier, keys)).every(Boolean));
    tier.keep(makeArtifact(inShard(2, 'ab'), 'vyre'));
    const left = await present(tier, keys);
    assert.equal(left.filter((is) => !is).length, 1);
    assert.equal(left[0xab], false);
  });

  it('drops the least recently used one above its entries', async () => {
    const tier = makeTier(3, 1000);
    const keys = [1, 2, 3, 4].map((index) => inShard(index));
    for (const index of [1, 2, 3]) tier.keep(makeArtifact(inShard(index), 'vyre'));
    await tier.get(inShard(1));
    tier.keep(makeArtifact(inShard(4), 'vyre'));
    assert.deepEqual(await present(tier, keys), [true, false, true, true]);
  });

  it('drops as many as its bytes demand, and none at the limit', async () => {
    const tier = makeTier(100, 10);
    const keys = [1, 2, 3].map((index) => inShard(index));
    tier.keep(makeArtifact(inShard(1), '12345'));
    tier.keep(makeArtifact(inShard(2), '12345'));
    assert.deepEqual(await present(tier, keys), [true, true, false]);
    tier.keep(makeArtifact(inShard(3), '1'));
    assert.deepEqual(await present(tier, keys), [false, true, true]);
    tier.keep(makeArtifact(inShard(1), '1234567890'));
    assert.deepEqual(await present(tier, keys), [true, false, false]);
  });

  it('rejects what is larger than its bytes, and drops the old value of that key only', async () => {
    const tier = makeTier(100, 10);
    tier.keep(makeArtifact(inShard(1), 'old'));
    tier.keep(makeArtifact(inShard(2), 'other'));
    tier.keep(makeArtifact(inShard(1), '12345678901'));
    assert.equal(await lookup(tier, inShard(1)), 'absent');
    assert.equal(await lookup(tier, inShard(2)), 'other');
    tier.keep(makeArtifact(inShard(3), '12345'));
    assert.equal(await lookup(tier, inShard(2)), 'other');
  });

  for (const [entries, bytes] of [
    [0, 100],
    [100, 0],
    [0, 0],
  ] as const) {
    it(`keeps nothing with ${entries} entries and ${bytes} bytes, not even an empty payload`, async () => {
      const tier = makeTier(entries, bytes);
      tier.keep(makeArtifact(inShard(1), ''));
      tier.keep(makeArtifact(inShard(2), 'vyre'));
      assert.equal(await lookup(tier, inShard(1)), 'absent');
      assert.equal(await lookup(tier, inShard(2)), 'absent');
    });
  }

  it('never serves a payload into which somebody wrote', async () => {
    const tier = makeTier(2, 100);
    tier.keep(makeArtifact(inShard(1), 'vyre'));
    const read = await tier.get(inShard(1));
    assert.ok(read.hit);
    read.artifact.payload.write('evil');
    assert.equal(await lookup(tier, inShard(1)), 'bad-checksum');
    assert.equal(await lookup(tier, inShard(1)), 'absent');
    tier.keep(makeArtifact(inShard(1), 'vyre'));
    assert.equal(await lookup(tier, inShard(1)), 'vyre');
  });

  it('never serves a payload that was wrong from the start', async () => {
    const tier = makeTier(2, 100);
    tier.keep({ ...makeArtifact(inShard(1), 'vyre'), payload: Buffer.from('evil') });
    assert.equal(await lookup(tier, inShard(1)), 'bad-checksum');
  });

  it('behaves like a list of the last used ones', async () => {
    const BYTES = 12;
    const ENTRIES = 4;
    const step = fc.oneof(
      fc.record({ kind: fc.constant('keep' as const), key: fc.nat(6), bytes: fc.nat(14) }),
      fc.record({ kind: fc.constant('get' as const), key: fc.nat(6), bytes: fc.constant(0) }),
    );
    await checkAsyncProperty(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const tier = makeTier(ENTRIES, BYTES);
        let model: (readonly [number, number])[] = [];
        for (const { kind, key, bytes } of steps) {
          const known = model.find(([used]) => used === key);
          if (kind === 'get') {
            assert.equal((await tier.get(inShard(key))).hit, known !== undefined);
            if (known !== undefined) model = [...model.filter((item) => item !== known), known];
            continue;
          }
          tier.keep(makeArtifact(inShard(key), 'x'.repeat(bytes)));
          model = model.filter((item) => item !== known);
          if (bytes <= BYTES) model.push([key, bytes]);
          const total = (): number => model.reduce((sum, [, size]) => sum + size, 0);
          while (model.length > ENTRIES || total() > BYTES) model.shift();
        }
        const left = await present(
          tier,
          Array.from({ length: 7 }, (_, index) => inShard(index)),
        );
        assert.deepEqual(
          left,
          left.map((_, index) => model.some(([key]) => key === index)),
        );
      }),
      100,
    );
  });
});
