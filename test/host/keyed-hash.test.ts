import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyedHash, loadNativeBlake3, type Blake3 } from '../../src/host/hash.js';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import { isSigningKey, type SigningKey } from '../../src/model/signing.js';

/** The key and two rows of the test vectors of the authors of BLAKE3. */
const KEY = Buffer.from('whats the Elvish word for friend');
const VECTORS: readonly (readonly [input: Buffer, keyed: string])[] = [
  [Buffer.alloc(0), '92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26'],
  [Buffer.from([0]), '6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b'],
];

const native = loadNativeBlake3();
const implementations: readonly Blake3[] = native === null ? [portableBlake3] : [native, portableBlake3];

for (const hash of implementations) {
  describe(`keyed BLAKE3 (${hash.name})`, () => {
    it('is that of the test vectors', () => {
      assert.ok(isSigningKey(KEY));
      for (const [input, keyed] of VECTORS)
        assert.equal(Buffer.from(keyedHash(hash, KEY, [input])).toString('hex'), keyed);
    });

    it('is the same for the same bytes in other chunks', () => {
      assert.ok(isSigningKey(KEY));
      const bytes = Buffer.alloc(100_000, 'abc');
      const whole = keyedHash(hash, KEY, [bytes]);
      assert.deepEqual(keyedHash(hash, KEY, [bytes.subarray(0, 1), bytes.subarray(1)]), whole);
      assert.deepEqual(Buffer.from(whole), Buffer.from(keyedHash(portableBlake3, KEY, [bytes])));
    });

    it('refuses a key of another length with an error, and the process goes on', () => {
      for (const length of [0, 31, 33, 64]) {
        const key = Buffer.alloc(length) as Uint8Array as SigningKey;
        assert.throws(() => hash.createKeyed(key), /32|length/);
      }
    });
  });
}
