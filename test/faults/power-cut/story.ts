import type { Fingerprint } from '../../../src/index.js';
import type { DiskCall } from './disk-log.js';

/** What a recorded program did, step by step. */
export type Step =
  | { readonly kind: 'stored'; readonly fingerprint: Fingerprint; readonly payload: Buffer }
  | { readonly kind: 'flush' };

/** What is promised of one fingerprint after a power cut. */
export interface Promised {
  readonly fingerprint: Fingerprint;
  /** The payloads that may be served. */
  readonly payloads: readonly Buffer[];
  /** True when a miss is a loss. */
  readonly isDurable: boolean;
}

/**
 * What is promised after the first `calls` calls: what was stored before a flush began that has returned is there. An
 * entry that somebody has begun to replace since is as one that was never flushed.
 */
export function promisedAt(
  steps: readonly Step[],
  log: readonly DiskCall[],
  calls: number,
): readonly Promised[] {
  const said = new Set(
    log.slice(0, calls).flatMap((call) => (call.kind === 'mark' ? [call.text.trim()] : [])),
  );
  const lastFlush = steps.findLastIndex((step, number) => step.kind === 'flush' && said.has(`end ${number}`));
  const promised = new Map<Fingerprint, Promised>();
  for (const [number, step] of steps.entries()) {
    if (step.kind === 'flush') continue;
    const { fingerprint, payload } = step;
    const before = promised.get(fingerprint)?.payloads ?? [];
    const hasBegun = said.has(`begin ${number}`);
    const isDurable = number < lastFlush || (!hasBegun && promised.get(fingerprint)?.isDurable === true);
    // What was replaced before the flush is gone for good.
    const payloads = number < lastFlush ? [payload] : [...before, payload];
    promised.set(fingerprint, { fingerprint, payloads, isDurable });
  }
  return [...promised.values()];
}
