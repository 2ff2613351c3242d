import type { Decoded } from '../../model/decoder.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../../model/entry.js';
import { decodePercent, decodeShare, writeShare, type Share } from '../../model/share.js';
import { decodeCount, decodeDuration, decodeSize, writeDuration, writeSize } from '../../model/units.js';
import { DEFAULT_LOCK_TIMEOUT_MS } from '../../store/lock-file.js';
import { ROOT_VARIABLE } from './environment.js';

/** What a setting holds: a path or choice, paths, milliseconds, bytes, a count, percent, a switch; null where nothing is set. */
export type SettingValue = string | readonly string[] | number | boolean | Share | null;

interface Common {
  /** A dot stands for a table of the file: `prune.ttl` is `ttl` below `[prune]`. */
  readonly key: string;
  /** As the argument parser reads it; null for settings without a flag. */
  readonly flag: string | null;
  readonly variable: string;
  /** False: a project's file may set it. True: only one that the user has trusted. */
  readonly needsTrust: boolean;
  /** A sentence for help and documents, without a full stop. */
  readonly doc: string;
}

/** One row of the table that generates parser, help and documents. */
export type Setting = Common &
  (
    | { readonly kind: 'folder' | 'file' | 'files'; readonly fallback: null }
    | {
        readonly kind: 'size' | 'duration' | 'count';
        readonly fallback: number | null;
        readonly refuseZero?: string;
      }
    | { readonly kind: 'percent'; readonly fallback: null }
    | { readonly kind: 'share'; readonly fallback: null; readonly refuseZero?: string }
    | { readonly kind: 'switch'; readonly fallback: boolean }
    | { readonly kind: 'choice'; readonly fallback: string; readonly choices: readonly string[] }
  );

/** What PVF keeps. */
const DEFAULT_CARE_MAX_BYTES = 10 * 1024 ** 3;

export const SETTINGS = [
  {
    key: 'cache_dir',
    kind: 'folder',
    fallback: null,
    flag: '--cache-dir <dir>',
    variable: ROOT_VARIABLE,
    needsTrust: true,
    doc: 'the cache directory; without it $XDG_CACHE_HOME/vyre, else $HOME/.cache/vyre',
  },
  {
    key: 'max_payload',
    kind: 'size',
    fallback: DEFAULT_MAX_PAYLOAD_BYTES,
    refuseZero: 'a size above zero, or disable = true to keep nothing',
    flag: null,
    variable: 'VYRE_CACHE_MAX_PAYLOAD',
    needsTrust: false,
    doc: 'larger artifacts are delivered and not stored; vyre itself reads none above 64MiB',
  },
  {
    key: 'lock_timeout',
    kind: 'duration',
    fallback: DEFAULT_LOCK_TIMEOUT_MS,
    flag: '--lock-timeout <duration>',
    variable: 'VYRE_CACHE_LOCK_TIMEOUT',
    needsTrust: false,
    doc: 'wait this long for another process that compiles the same thing, then compile without storing',
  },
  {
    key: 'timeout',
    kind: 'duration',
    fallback: null,
    refuseZero: 'a time limit above zero, or none at all for no limit',
    flag: '--timeout <duration>',
    variable: 'VYRE_CACHE_TIMEOUT',
    needsTrust: false,
    doc: 'end the compiler and all its children after this time (exit 124)',
  },
  {
    key: 'memory',
    kind: 'size',
    fallback: null,
    refuseZero: 'a memory limit above zero, or none at all for no limit',
    flag: '--memory <size>',
    variable: 'VYRE_CACHE_MEMORY',
    needsTrust: false,
    doc: 'end the compiler and all its children above this much resident memory (exit 137)',
  },
  {
    key: 'strict',
    kind: 'switch',
    fallback: false,
    flag: '--strict',
    variable: 'VYRE_CACHE_STRICT',
    needsTrust: false,
    doc: 'exit 3 when the cache had trouble, even though the build succeeded',
  },
  {
    key: 'verbose',
    kind: 'switch',
    fallback: false,
    flag: '-v, --verbose',
    variable: 'VYRE_CACHE_VERBOSE',
    needsTrust: false,
    doc: 'say on stderr what the cache did',
  },
  {
    key: 'disable',
    kind: 'switch',
    fallback: false,
    flag: null,
    variable: 'VYRE_CACHE_DISABLE',
    needsTrust: false,
    doc: 'compile runs the command untouched, with the environment of the caller',
  },
  {
    key: 'color',
    kind: 'choice',
    fallback: 'auto',
    choices: ['auto', 'always', 'never'],
    flag: '--color <when>',
    variable: 'VYRE_CACHE_COLOR',
    needsTrust: false,
    doc: 'auto, always or never; auto also honours FORCE_COLOR, NO_COLOR and TERM=dumb',
  },
  {
    key: 'failure_memory',
    kind: 'switch',
    fallback: true,
    flag: null,
    variable: 'VYRE_CACHE_FAILURE_MEMORY',
    needsTrust: false,
    doc: 'remember failures, so that a command that cannot succeed is not run again and again',
  },
  {
    key: 'shortcuts',
    kind: 'switch',
    fallback: true,
    flag: null,
    variable: 'VYRE_CACHE_SHORTCUTS',
    needsTrust: false,
    doc: 'leave a shortcut for the next call of the same words, which takes unchanged times of files for unchanged bytes',
  },
  {
    key: 'jobs',
    kind: 'count',
    fallback: null,
    refuseZero: 'a number of jobs above zero, or none at all for one per processor',
    flag: '--jobs <n>',
    variable: 'VYRE_CACHE_JOBS',
    needsTrust: false,
    doc: 'how many compilations of a batch run at once; one per processor unless set',
  },
  {
    key: 'jobs_hard',
    kind: 'count',
    fallback: null,
    refuseZero: 'a number of jobs above zero, or none at all for one more than --jobs',
    flag: '--jobs-hard <n>',
    variable: 'VYRE_CACHE_JOBS_HARD',
    needsTrust: false,
    doc: 'how many may run at once when critical ones wait; one more than --jobs unless set',
  },
  {
    key: 'care_max_size',
    kind: 'size',
    fallback: DEFAULT_CARE_MAX_BYTES,
    flag: null,
    variable: 'VYRE_CACHE_CARE_MAX_SIZE',
    needsTrust: true,
    doc: 'keep the entries with our records below this by themselves, at most hourly; 0B: never',
  },
  {
    key: 'key_file',
    kind: 'file',
    fallback: null,
    flag: null,
    variable: 'VYRE_CACHE_KEY_FILE',
    needsTrust: true,
    doc: 'sign records with the key in this file, and demand that they are signed',
  },
  {
    key: 'accepted_key_files',
    kind: 'files',
    fallback: null,
    flag: null,
    variable: 'VYRE_CACHE_ACCEPTED_KEY_FILES',
    needsTrust: true,
    doc: 'accept what these keys have signed as well; in the variable with a colon between them',
  },
  {
    key: 'prune.ttl',
    kind: 'duration',
    fallback: null,
    refuseZero: 'an age above zero, or --all to remove everything, or no --ttl for no rule by age',
    flag: '--ttl <duration>',
    variable: 'VYRE_CACHE_PRUNE_TTL',
    needsTrust: true,
    doc: 'remove what was last used longer ago than this',
  },
  {
    key: 'prune.max_size',
    kind: 'size',
    fallback: null,
    refuseZero: 'a size above zero, or --all to remove everything, or no --max-size for no limit',
    flag: '--max-size <size>',
    variable: 'VYRE_CACHE_PRUNE_MAX_SIZE',
    needsTrust: true,
    doc: 'keep at most this much, the least recently used goes first',
  },
  {
    key: 'prune.max_entries',
    kind: 'count',
    fallback: null,
    refuseZero: 'a number above zero, or --all to remove everything, or no --max-entries for no limit',
    flag: '--max-entries <n>',
    variable: 'VYRE_CACHE_PRUNE_MAX_ENTRIES',
    needsTrust: true,
    doc: 'keep at most this many entries, the least recently used goes first',
  },
  {
    key: 'prune.min_free',
    kind: 'share',
    fallback: null,
    refuseZero: 'a share above zero, or no --min-free for no such rule',
    flag: '--min-free <share>',
    variable: 'VYRE_CACHE_PRUNE_MIN_FREE',
    needsTrust: true,
    doc: 'remove until this much of the file system is free, such as 10% or 20GiB',
  },
  {
    key: 'prune.min_age',
    kind: 'duration',
    fallback: null,
    flag: '--min-age <duration>',
    variable: 'VYRE_CACHE_PRUNE_MIN_AGE',
    needsTrust: true,
    doc: 'keep what was used within this time, whatever the limits say; --ttl ignores it',
  },
  {
    key: 'prune.low_water',
    kind: 'percent',
    fallback: null,
    flag: '--low-water <percent>',
    variable: 'VYRE_CACHE_PRUNE_LOW_WATER',
    needsTrust: true,
    doc: 'once a limit is exceeded, go on to this share of it, such as 70%',
  },
] as const satisfies readonly Setting[];

export type SettingKey = (typeof SETTINGS)[number]['key'];

/** Variables of ours that are no settings: where a settings file is, and what we tell our own children. */
export const CONFIG_VARIABLE = 'VYRE_CACHE_CONFIG';
const INTERNAL_VARIABLES = ['VYRE_CACHE_ACTIVE'] as const;
export const KNOWN_VARIABLES: readonly string[] = [
  ...SETTINGS.map((setting) => setting.variable),
  CONFIG_VARIABLE,
  ...INTERNAL_VARIABLES,
];

/** @throws Error for a key that the table does not have: a bug. */
export function settingOf(key: string): Setting {
  const found = SETTINGS.find((setting) => setting.key === key);
  if (found === undefined) throw new Error(`there is no setting "${key}"`);
  return found;
}

const ON: ReadonlySet<string> = new Set(['1', 'true', 'yes', 'on']);
const OFF: ReadonlySet<string> = new Set(['0', 'false', 'no', 'off']);

/** Reads a value as it stands behind a flag or in a variable. */
export function decodeSettingText(setting: Setting, text: string): Decoded<SettingValue> {
  switch (setting.kind) {
    case 'folder':
      return text === '' ? unexpected('a directory', text) : { ok: true, value: text };
    case 'file':
      return text === '' ? unexpected('a file', text) : { ok: true, value: text };
    case 'files':
      return decodePaths(text.split(':'), text);
    case 'size':
      return decodeSize(text, zeroRule(setting));
    case 'duration':
      return decodeDuration(text, zeroRule(setting));
    case 'count':
      return decodeCount(text, zeroRule(setting));
    case 'percent':
      return decodePercent(text);
    case 'share':
      return decodeShare(text, zeroRule(setting));
    case 'switch':
      if (ON.has(text.toLowerCase())) return { ok: true, value: true };
      return OFF.has(text.toLowerCase()) ? { ok: true, value: false } : unexpected('1 or 0', text);
    case 'choice':
      return setting.choices.includes(text)
        ? { ok: true, value: text }
        : unexpected(`one of ${setting.choices.join(', ')}`, text);
    default:
      return setting satisfies never;
  }
}

function decodePaths(paths: readonly string[], shown: string): Decoded<SettingValue> {
  return paths.includes('')
    ? unexpected('files with a colon between them', shown)
    : { ok: true, value: paths };
}

function zeroRule(setting: { readonly refuseZero?: string }): { readonly refuseZero?: string } {
  return setting.refuseZero === undefined ? {} : { refuseZero: setting.refuseZero };
}

function unexpected(expected: string, got: string): Decoded<SettingValue> {
  return { ok: false, reason: `expected ${expected}, got "${got}"` };
}

/** Reads a value of a TOML file: switches are booleans, counts numbers, all else is quoted text in the units of the flags. */
export function decodeSettingToml(setting: Setting, value: unknown): Decoded<SettingValue> {
  if (setting.kind === 'switch') {
    return typeof value === 'boolean'
      ? { ok: true, value }
      : unexpected('true or false', showTomlValue(value));
  }
  if (setting.kind === 'files') return decodeTomlPaths(value);
  if (setting.kind === 'count' && typeof value === 'number') return decodeSettingText(setting, String(value));
  if (typeof value === 'string') return decodeSettingText(setting, value);
  if (setting.kind === 'count') return unexpected('a whole number such as 8', showTomlValue(value));
  return unexpected(`quoted text (${EXAMPLES[setting.kind]})`, showTomlValue(value));
}

function decodeTomlPaths(value: unknown): Decoded<SettingValue> {
  const paths = Array.isArray(value) ? value.filter((path) => typeof path === 'string' && path !== '') : null;
  return Array.isArray(value) && paths?.length === value.length
    ? { ok: true, value: paths }
    : unexpected('a list of quoted files (["old.key"])', showTomlValue(value));
}

const EXAMPLES = {
  file: '"/home/you/.config/vyre-cache/key"',
  folder: '"/var/cache/vyre"',
  size: '"5GiB"',
  duration: '"30m"',
  percent: '"70%"',
  share: '"10%"',
  choice: '"auto"',
} as const;

/** A value of a TOML file in an error message. */
export function showTomlValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) return 'a table';
  return String(value);
}

/** A value as a flag, a variable or a file would hold it; `-` where nothing is set. */
export function showSettingValue(setting: Setting, value: SettingValue): string {
  if (value === null) return '-';
  if (isPaths(value)) return value.join(':');
  if (typeof value === 'object') return writeShare(value);
  if (setting.kind === 'size' && typeof value === 'number') return writeSize(value);
  if (setting.kind === 'duration' && typeof value === 'number') return writeDuration(value);
  return setting.kind === 'percent' ? `${value}%` : String(value);
}

export function isPaths(value: SettingValue): value is readonly string[] {
  return Array.isArray(value);
}
