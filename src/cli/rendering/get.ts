import type { LookupResult } from '../../compile/request.js';
import { renderJson } from './json.js';

/** `vyre-cache.get/1`. */
export function renderGetJson(result: LookupResult): string {
  return renderJson('vyre-cache.get/1', {
    fingerprint: result.fingerprint,
    outcome: result.hit ? 'hit' : 'miss',
    tier: result.hit ? result.tier : null,
    reason: result.hit ? null : result.reason,
    payloadBytes: result.hit ? result.payload.byteLength : null,
  });
}

/** `miss (absent), <fingerprint>`. */
export function renderMiss(result: Extract<LookupResult, { hit: false }>): string {
  return `miss (${result.reason})${result.fingerprint === null ? '' : `, ${result.fingerprint}`}`;
}

/** True for bytes that a terminal would not show as text: no UTF-8, or control characters other than white space. */
export function isBinary(bytes: Uint8Array): boolean {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return true;
  }
  return /[^\P{Cc}\t\n\r\f]/u.test(text);
}
