import type { Decoded } from './decoder.js';
import { decodeSize, writeSize, type UnitOptions } from './units.js';

/** A part of something: so many percent of it, or so many bytes. */
export type Share = { readonly percent: number } | { readonly bytes: number };

const PERCENT = /^([0-9]{1,3})%$/;

/** Whole percent with their sign, 0% to 100% (wasmtime). */
export function decodePercent(text: string): Decoded<number> {
  const value = Number(PERCENT.exec(text)?.[1] ?? Number.NaN);
  if (value <= 100) return { ok: true, value };
  return { ok: false, reason: `expected whole percent from 0% to 100%, got "${text}"` };
}

/** Percent or a size. */
export function decodeShare(text: string, options: UnitOptions = {}): Decoded<Share> {
  const percent = decodePercent(text);
  if (percent.ok && (percent.value > 0 || options.refuseZero === undefined))
    return { ok: true, value: { percent: percent.value } };
  if (percent.ok) return { ok: false, reason: `expected ${options.refuseZero}, got "${text}"` };
  const size = decodeSize(text, options);
  if (size.ok) return { ok: true, value: { bytes: size.value } };
  const reason = `expected a size such as 5GiB, or whole percent up to 100%, got "${text}"`;
  return { ok: false, reason: options.refuseZero === undefined || !isZero(text) ? reason : size.reason };
}

function isZero(text: string): boolean {
  const size = decodeSize(text);
  return /^0+$/.test(text) || (size.ok && size.value === 0);
}

/** The shortest text that {@link decodeShare} reads back. */
export function writeShare(share: Share): string {
  return 'percent' in share ? `${share.percent}%` : writeSize(share.bytes);
}

/** The share of `total` in whole bytes. */
export function shareOf(share: Share, total: number): number {
  return 'percent' in share ? Math.floor((total * share.percent) / 100) : share.bytes;
}
