import type { Decoded } from '../../model/decoder.js';
import { DEFAULT_MAX_PAYLOAD_BYTES } from '../../model/entry.js';
import { decodeDuration, decodeSize, writeDuration, writeSize } from '../../model/units.js';

/** What a setting holds: a folder or choice, milliseconds, bytes, a switch; null where nothing is set. */
export type SettingValue = string | number | boolean | null;

interface Common {
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
    | { readonly kind: 'folder'; readonly fallback: null }
    | { readonly kind: 'size' | 'duration'; readonly fallback: number | null; readonly refuseZero?: string }
    | { readonly kind: 'switch'; readonly fallback: boolean }
    | { readonly kind: 'choice'; readonly fallback: string; readonly choices: readonly string[] }
  );

/** Ten minutes: longer than nearly every compilation, short enough that a stuck one does not stop a build for good. */
const DEFAULT_LOCK_TIMEOUT_MS = 600_000;

export const SETTINGS = [
  {
    key: 'cache_dir',
    kind: 'folder',
    fallback: null,
    flag: '--cache-dir <dir>',
    variable: 'VYRE_CACHE_DIR',
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
] as const satisfies readonly Setting[];

export type SettingKey = (typeof SETTINGS)[number]['key'];

/** Variables of ours that are no settings: where a settings file is, and what we tell our own children. */
export const CONFIG_VARIABLE = 'VYRE_CACHE_CONFIG';
const INTERNAL_VARIABLES = ['VYRE_CACHE_ACTIVE'] as const;
export const VARIABLE_PREFIX = 'VYRE_CACHE_';
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
    case 'size':
      return decodeSize(text, zeroRule(setting));
    case 'duration':
      return decodeDuration(text, zeroRule(setting));
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

function zeroRule(setting: { readonly refuseZero?: string }): { readonly refuseZero?: string } {
  return setting.refuseZero === undefined ? {} : { refuseZero: setting.refuseZero };
}

function unexpected(expected: string, got: string): Decoded<SettingValue> {
  return { ok: false, reason: `expected ${expected}, got "${got}"` };
}

/** Reads a value of a TOML file: switches are booleans, all else is quoted text in the units of the flags. */
export function decodeSettingToml(setting: Setting, value: unknown): Decoded<SettingValue> {
  if (setting.kind === 'switch') {
    return typeof value === 'boolean' ? { ok: true, value } : unexpected('true or false', shown(value));
  }
  if (typeof value === 'string') return decodeSettingText(setting, value);
  return unexpected(`quoted text (${EXAMPLES[setting.kind]})`, shown(value));
}

const EXAMPLES = {
  folder: '"/var/cache/vyre"',
  size: '"5GiB"',
  duration: '"30m"',
  choice: '"auto"',
} as const;

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) return 'a table';
  return String(value);
}

/** A value as a flag, a variable or a file would hold it; `-` where nothing is set. */
export function showSettingValue(setting: Setting, value: SettingValue): string {
  if (value === null) return '-';
  if (setting.kind === 'size' && typeof value === 'number') return writeSize(value);
  if (setting.kind === 'duration' && typeof value === 'number') return writeDuration(value);
  return String(value);
}
