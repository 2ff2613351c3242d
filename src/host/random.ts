import { randomBytes } from 'node:crypto';

/** Randomness enters the program here and nowhere else. */
export interface Random {
  /** `bytes` random bytes as lowercase hex. */
  hex(bytes: number): string;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  fraction(): number;
}

export const systemRandom: Random = {
  hex: (bytes) => randomBytes(bytes).toString('hex'),
  fraction: () => Math.random(),
};
