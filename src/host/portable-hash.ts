import { blake3 } from '@noble/hashes/blake3.js';
import type { Blake3, HashState } from './hash.js';

/** The pure JavaScript implementation: some 100 times slower, available everywhere, the oracle of the tests. */
export const portableBlake3: Blake3 = {
  name: 'portable',
  create: () => portableState({}),
  createKeyed: (key) => portableState({ key }),
  digest: (bytes) => Buffer.from(blake3(bytes)),
  text: (bytes) => `${Buffer.from(blake3(bytes)).toString('base64url')}=`,
  matches: (bytes, footer, start = 0) => {
    const digest = blake3(bytes);
    return footer.subarray(start, start + digest.byteLength).equals(digest);
  },
};

function portableState(options: { readonly key?: Uint8Array }): HashState {
  const state = blake3.create(options);
  return {
    update(bytes) {
      state.update(bytes);
    },
    digest: () => state.digest(),
  };
}
