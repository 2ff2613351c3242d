import { hashChunks, type Blake3 } from '../host/hash.js';
import { toHex, type Fingerprint } from '../model/fingerprint.js';
import type { FoundArtifact, Tier, TierRead } from './tier.js';

/** vyre: 256 shards by the first byte of the key, each with 256 entries and 16 MiB; the least recently used goes first. */
export const MEMORY_DEFAULTS = { shardDigits: 2, entriesPerShard: 256, bytesPerShard: 16_777_216 } as const;

/**
 * For a process that passes through many artifacts once: 64 MiB in all, and so few entries that the memory of a batch
 * does not grow with its jobs.
 */
export const MEMORY_OF_BATCH = {
  shardDigits: 0,
  entriesPerShard: 1024,
  bytesPerShard: 67_108_864,
} as const;

export interface MemoryBudget {
  /** A shard for each value of this many leading hex digits; 0 is one shard for all, 2 unless set. */
  readonly shardDigits?: number;
  /** Zero disables the tier. */
  readonly entriesPerShard: number;
  /** Payload bytes. Zero disables the tier. */
  readonly bytesPerShard: number;
}

interface Shard {
  /** Oldest use first: a Map keeps the order of insertion. */
  readonly artifacts: Map<Fingerprint, FoundArtifact>;
  bytes: number;
}

/** Artifacts of this process. */
export class MemoryTier implements Tier {
  readonly name = 'memory';
  readonly #hash: Blake3;
  readonly #budget: MemoryBudget;
  readonly #shards = new Map<string, Shard>();

  constructor(hash: Blake3, budget: MemoryBudget = MEMORY_DEFAULTS) {
    this.#hash = hash;
    this.#budget = budget;
  }

  #shard(fingerprint: Fingerprint): Shard {
    const key = fingerprint.slice(0, this.#budget.shardDigits ?? MEMORY_DEFAULTS.shardDigits);
    let shard = this.#shards.get(key);
    if (shard === undefined) {
      shard = { artifacts: new Map(), bytes: 0 };
      this.#shards.set(key, shard);
    }
    return shard;
  }

  async get(fingerprint: Fingerprint): Promise<TierRead> {
    return this.getNow(fingerprint);
  }

  getNow(fingerprint: Fingerprint): TierRead {
    const shard = this.#shard(fingerprint);
    const artifact = shard.artifacts.get(fingerprint);
    if (artifact === undefined) return { hit: false, reason: 'absent' };
    remove(shard, fingerprint);
    // Whoever got the payload before could have written into it.
    if (toHex(hashChunks(this.#hash, [artifact.payload])) !== artifact.digest) {
      return { hit: false, reason: 'bad-checksum' };
    }
    insert(shard, artifact);
    return { hit: true, artifact };
  }

  /** Drops what was replaced elsewhere. */
  forget(fingerprint: Fingerprint): void {
    remove(this.#shard(fingerprint), fingerprint);
  }

  keep(artifact: FoundArtifact): void {
    const { entriesPerShard, bytesPerShard } = this.#budget;
    const shard = this.#shard(artifact.fingerprint);
    remove(shard, artifact.fingerprint);
    // vyre: an item above the shard's budget is rejected, and the old value for its key is gone.
    if (entriesPerShard === 0 || bytesPerShard === 0 || artifact.payload.byteLength > bytesPerShard) return;
    insert(shard, artifact);
    for (const oldest of shard.artifacts.keys()) {
      if (shard.artifacts.size <= entriesPerShard && shard.bytes <= bytesPerShard) break;
      remove(shard, oldest);
    }
  }
}

function insert(shard: Shard, artifact: FoundArtifact): void {
  shard.artifacts.set(artifact.fingerprint, artifact);
  shard.bytes += artifact.payload.byteLength;
}

function remove(shard: Shard, fingerprint: Fingerprint): void {
  const artifact = shard.artifacts.get(fingerprint);
  if (artifact === undefined) return;
  shard.artifacts.delete(fingerprint);
  shard.bytes -= artifact.payload.byteLength;
}
