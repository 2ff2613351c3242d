import type { Fingerprint } from '../model/fingerprint.js';
import type { MissReason } from '../model/lifecycle.js';
import type { FoundArtifact, Tier } from './tier.js';

export type LayeredRead =
  | { readonly hit: true; readonly tier: Tier['name']; readonly artifact: FoundArtifact }
  | { readonly hit: false; readonly reason: MissReason };

/**
 * Tiers read through in order, fastest first. A hit in a lower tier is put into those above it. The reason of a miss
 * is that of the lowest tier: the others merely do not have it yet.
 */
export class LayeredStore {
  readonly #tiers: readonly Tier[];

  constructor(tiers: readonly Tier[]) {
    this.#tiers = tiers;
  }

  async get(fingerprint: Fingerprint): Promise<LayeredRead> {
    let reason: MissReason = 'absent';
    for (const tier of this.#tiers) {
      const read = await tier.get(fingerprint);
      if (read.hit) return this.#found(tier, read.artifact);
      reason = read.reason;
    }
    return { hit: false, reason };
  }

  /** {@link get} where no tier has to be waited for; null where one has. */
  getNow(fingerprint: Fingerprint): LayeredRead | null {
    let reason: MissReason = 'absent';
    for (const tier of this.#tiers) {
      const read = tier.getNow?.(fingerprint) ?? null;
      if (read === null) return null;
      if (read.hit) return this.#found(tier, read.artifact);
      reason = read.reason;
    }
    return { hit: false, reason };
  }

  #found(tier: Tier, artifact: FoundArtifact): LayeredRead {
    for (const above of this.#tiers) {
      if (above === tier) break;
      above.keep?.(artifact);
    }
    return { hit: true, tier: tier.name, artifact };
  }
}
