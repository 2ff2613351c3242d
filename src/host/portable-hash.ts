import { blake3 } from '@noble/hashes/blake3.js';
import type { Blake3 } from './hash.js';

/** The pure JavaScript implementation: some 100 times slower, available everywhere, the oracle of the tests. */
export const portableBlake3: Blake3 = {
  name: 'portable',
  create() {
    const state = blake3.create({});
    return {
      update(bytes) {
        state.update(bytes);
      },
      digest: () => state.digest(),
    };
  },
  digest: (bytes) => Buffer.from(blake3(bytes)),
  matches: (bytes, digest) => digest.equals(blake3(bytes)),
};
