/** How a lookup of `compile` or `get` ended. The first four are hits. */
export const OUTCOMES = [
  'memory',
  'disk',
  'remote',
  'joined',
  'compiled',
  'recompiled',
  'failed',
  'remembered-failure',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export function isHit(outcome: Outcome): boolean {
  return outcome === 'memory' || outcome === 'disk' || outcome === 'remote' || outcome === 'joined';
}

/** Why a lookup missed; exactly one per miss. */
export const MISS_REASONS = [
  'absent',
  'empty-cache',
  'truncated',
  'oversized',
  'bad-checksum',
  'not-a-file',
  'record-mismatch',
  'no-record',
  'newer-format',
  'unsigned',
  'bad-mac',
  'unreadable',
  'compiler-changed',
  'flags-changed',
  'environment-changed',
  'program-changed',
  'dependency-changed',
  'remembered-failure',
  'refresh',
] as const;
export type MissReason = (typeof MISS_REASONS)[number];

/** Reasons that say that something lies in the entry's place and cannot be used: the next compilation repairs it. */
const DAMAGE: ReadonlySet<MissReason> = new Set<MissReason>([
  'truncated',
  'oversized',
  'bad-checksum',
  'not-a-file',
  'record-mismatch',
  'unsigned',
  'bad-mac',
  'unreadable',
]);

export function isDamage(reason: MissReason): boolean {
  return DAMAGE.has(reason);
}

/** Why a call was not cached, or why the result of a lookup could not be kept. New words are appended, never moved. */
export const UNCACHEABLE = [
  'unknown-identity',
  'not-utf8',
  'undeclared-output',
  'embeds-path',
  'irregular-output',
  'input-changed',
  'output-too-large',
  'payload-too-large',
  'lock-timeout',
  'launcher-unsupported',
  'preset:response-file',
  'preset:time-macro',
  'preset:unlisted-read',
  'preset:watch',
  'preset:runs-program',
  'store-failed',
  'unreadable-input',
  'output-contested',
] as const;
export type Uncacheable = (typeof UNCACHEABLE)[number];

/** Why the cache itself could not be used for a call. Shown once, counted as `degraded`. */
export const DEGRADED = [
  'home-not-a-directory',
  'home-foreign',
  'home-newer-format',
  'home-owner',
  'home-mode',
  'home-unwritable',
  'no-space',
  'io-error',
] as const;
export type Degraded = (typeof DEGRADED)[number];

/** Tells a child which compilations it is part of: `<fingerprint>/<worker>` each, separated by `:`. */
export const ACTIVE_VARIABLE = 'VYRE_CACHE_ACTIVE';
