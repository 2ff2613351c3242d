import type { Decoded } from '../../model/decoder.js';
import { CacheError } from '../../model/error.js';
import { decodeCount } from '../../model/units.js';
import type { SettingKey, SettingValue } from './definitions.js';
import { variable, type Environment } from './environment.js';

const DAY_MS = 86_400_000;

/** What vyre documents for its disk cache and reads nowhere: the defaults of `prune`. */
const VYRE_VARIABLES = [
  { name: 'VYRE_DISK_CACHE_MAX_BYTES', key: 'prune.max_size', decode: decodeMaxBytes },
  { name: 'VYRE_DISK_CACHE_TTL_DAYS', key: 'prune.ttl', decode: decodeTtlDays },
] as const;

/** Bare bytes. */
function decodeMaxBytes(text: string): Decoded<number> {
  return decodeCount(text, {
    refuseZero: 'a number of bytes above zero, or the variable unset for no limit',
  });
}

/** Bare days; 0 is no rule by age (vyre). */
function decodeTtlDays(text: string): Decoded<number | null> {
  const days = decodeCount(text);
  if (!days.ok) return days;
  const ms = days.value * DAY_MS;
  if (!Number.isSafeInteger(ms)) return { ok: false, reason: `expected days of this era, got "${text}"` };
  return { ok: true, value: ms === 0 ? null : ms };
}

export interface VyreVariables {
  readonly values: ReadonlyMap<SettingKey, { readonly value: SettingValue; readonly origin: string }>;
  /** What is wrong with a variable, by the key that it would set: a mistake only for who asks for that key. */
  readonly mistakes: ReadonlyMap<SettingKey, CacheError>;
}

/** The settings that vyre's own variables stand for. */
export function vyreVariables(environment: Environment): VyreVariables {
  const values = new Map<SettingKey, { readonly value: SettingValue; readonly origin: string }>();
  const mistakes = new Map<SettingKey, CacheError>();
  for (const { name, key, decode } of VYRE_VARIABLES) {
    const text = variable(environment, name);
    if (text === null) continue;
    const decoded = decode(text);
    if (decoded.ok) values.set(key, { value: decoded.value, origin: name });
    else mistakes.set(key, new CacheError('usage', `${decoded.reason} for ${name}`));
  }
  return { values, mistakes };
}

/** True for an {@link EffectiveSetting.origin} that is one of vyre's variables. */
export function isVyreVariable(origin: string): boolean {
  return VYRE_VARIABLES.some(({ name }) => name === origin);
}
