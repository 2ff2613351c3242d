import { dirname, join, resolve } from 'node:path';
import { statOrNull, type FileStat } from '../../host/files.js';
import { readRegularFile } from '../../host/regular-file.js';
import type { Host } from '../../host/host.js';
import { CacheError, errnoOf, messageOf } from '../../model/error.js';
import { nearest } from '../nearest.js';
import {
  CONFIG_VARIABLE,
  decodeSettingToml,
  isPaths,
  showTomlValue,
  settingOf,
  SETTINGS,
  type Setting,
  type SettingKey,
  type SettingValue,
} from './definitions.js';
import { homeDirectory, PROJECT_FILE, userSettingsFile, variable, type Environment } from './environment.js';

/** Far above any real settings file. */
const MAX_SETTINGS_BYTES = 1_048_576;
/**
 * Not by the group: where every user has a group of their own, checkouts are writable by it. That is no reason to refuse
 * a project's file, which decides nothing of weight before it is trusted byte for byte.
 */
const WRITABLE_BY_OTHERS = 0o002;
const WRITABLE_BY_GROUP_OR_OTHERS = 0o022;

/**
 * `named`: by `--config` or VYRE_CACHE_CONFIG. `project`: up the tree. `user`: in the user's configuration folder.
 * `ignored`: up the tree, where others may have put it.
 */
export type SettingsFileKind = 'named' | 'project' | 'user' | 'ignored';

export interface SettingsPlace {
  readonly kind: SettingsFileKind;
  /** Absolute. For a project without a file: where it would be looked for first. */
  readonly path: string;
  readonly found: boolean;
}

export interface PlaceOptions {
  readonly host: Host;
  readonly environment: Environment;
  /** Absolute. */
  readonly cwd: string;
  /** What `--config` names, relative to `cwd` or absolute. */
  readonly named: string | null;
}

/** Where settings files are looked for, the strongest first. A named one replaces the others. */
export function settingsPlaces(options: PlaceOptions): readonly SettingsPlace[] {
  const { host, environment, cwd } = options;
  const named = options.named ?? variable(environment, CONFIG_VARIABLE);
  if (named !== null) {
    const path = resolve(cwd, named);
    return [{ kind: 'named', path, found: statOrNull(host.files, path) !== null }];
  }
  const project = findProjectFile(options);
  const user = userSettingsFile(environment);
  const places: SettingsPlace[] = [
    ...project.ignored.map((path) => ({ kind: 'ignored' as const, path, found: true })),
    { kind: 'project', path: project.found ?? join(cwd, PROJECT_FILE), found: project.found !== null },
  ];
  if (user !== null) places.push({ kind: 'user', path: user, found: statOrNull(host.files, user) !== null });
  return places;
}

interface ProjectSearch {
  /** Null where there is none. */
  readonly found: string | null;
  readonly ignored: readonly string[];
}

/** The nearest `vyre-cache.toml` from `cwd` upwards; $HOME is the last folder looked at, and so is a mount point. */
function findProjectFile({ host, environment, cwd }: PlaceOptions): ProjectSearch {
  const home = homeDirectory(environment);
  const ceiling = home === null ? null : statOrNull(host.files, home);
  const device = statOrNull(host.files, cwd)?.device;
  const ignored: string[] = [];
  for (let folder = cwd; ; folder = dirname(folder)) {
    const stat = statOrNull(host.files, folder);
    if (stat === null || stat.device !== device) return { found: null, ignored };
    const path = join(folder, PROJECT_FILE);
    const file = statOrNull(host.files, path);
    if (file !== null) {
      if (!isPlanted(host, path, { folder: stat, file })) return { found: path, ignored };
      ignored.push(path);
    }
    const isCeiling = ceiling?.inode === stat.inode && ceiling.device === stat.device;
    if (isCeiling || dirname(folder) === folder) return { found: null, ignored };
  }
}

/**
 * True for what somebody else may have put into the way of everybody below: a stranger's file, or a stranger's link,
 * in a folder that is not the user's alone, such as `/tmp`. A stranger's file in the user's own folder is none: how it
 * came there should be looked into.
 */
function isPlanted(
  host: Host,
  path: string,
  stats: { readonly folder: FileStat; readonly file: FileStat },
): boolean {
  if (isOurs(host, stats.folder)) return false;
  const link = host.files.lstat(path);
  return link === null || !isOwned(host, link) || !isOurs(host, stats.file);
}

/** Of the user or root, and not writable by others. */
function isOurs(host: Host, stat: FileStat): boolean {
  return isOwned(host, stat) && (stat.mode & WRITABLE_BY_OTHERS) === 0;
}

function isOwned(host: Host, stat: FileStat): boolean {
  return stat.uid === host.user.uid || stat.uid === 0;
}

export interface SettingsFile {
  readonly place: SettingsPlace;
  /** Links resolved. */
  readonly realPath: string;
  readonly bytes: Uint8Array;
  readonly values: ReadonlyMap<SettingKey, SettingValue>;
}

/** The bytes of a settings file that only the user and root can have written. @throws CacheError `usage`. */
function readSettingsBytes(
  host: Host,
  place: SettingsPlace,
): { readonly realPath: string; readonly bytes: Uint8Array } {
  // A link is fine: people keep their settings in a repository and link to them.
  const realPath = resolveLinks(host, place);
  const read = readRegularFile(host.files, realPath, MAX_SETTINGS_BYTES);
  if (!read.ok) throw unusable(place, read.reason);
  judgeOwner(host, place, read.stat);
  return { realPath, bytes: read.bytes };
}

function resolveLinks(host: Host, place: SettingsPlace): string {
  try {
    return host.files.realpath(place.path);
  } catch (error) {
    throw unusable(place, errnoOf(error) ?? messageOf(error), error);
  }
}

function unusable(place: SettingsPlace, reason: string, cause?: unknown): CacheError {
  return new CacheError('usage', `expected a readable settings file, got "${place.path}" (${reason})`, {
    hint:
      place.kind === 'named'
        ? `Name a file that exists with --config or ${CONFIG_VARIABLE}, or leave it out.`
        : 'Make it a readable regular file, or move it away.',
    cause,
  });
}

function judgeOwner(host: Host, place: SettingsPlace, stat: FileStat): void {
  const { uid } = host.user;
  if (!isOwned(host, stat)) {
    throw new CacheError(
      'usage',
      `expected settings that belong to user ${uid} or root, got "${place.path}" of user ${stat.uid}`,
      { hint: 'Read it, then make it yours with chown, move it away, or name another file with --config.' },
    );
  }
  const mask = place.kind === 'project' ? WRITABLE_BY_OTHERS : WRITABLE_BY_GROUP_OR_OTHERS;
  if ((stat.mode & mask) === 0) return;
  throw new CacheError(
    'usage',
    `expected settings that only their owner may write, got "${place.path}" of user ${stat.uid} with mode ${stat.mode.toString(8)}`,
    { hint: `Read it, then run: chmod go-w '${place.path}'` },
  );
}

/** Reads, checks and decodes one settings file. @throws CacheError `usage` naming file, key and expectation. */
export async function readSettingsFile(
  host: Host,
  place: SettingsPlace,
  environment: Environment,
): Promise<SettingsFile> {
  const { realPath, bytes } = readSettingsBytes(host, place);
  const table = await parseToml(place.path, Buffer.from(bytes).toString('utf8'));
  const values = new Map<SettingKey, SettingValue>();
  for (const [key, value] of flatten(place.path, table)) {
    const known = SETTINGS.find((setting) => setting.key === key);
    if (known === undefined) throw unknownKey(place.path, key);
    const decoded = decodeSettingToml(known, value);
    if (!decoded.ok) {
      throw new CacheError('usage', `${decoded.reason} for "${key}" in "${place.path}"`, {
        hint: `${known.key}: ${known.doc}.`,
      });
    }
    values.set(known.key, locate(known.key, decoded.value, { place, environment }));
  }
  return { place, realPath, bytes, values };
}

/** The keys of a known table, such as `[prune]`, with its name and a dot before them. */
function flatten(path: string, table: Readonly<Record<string, unknown>>): readonly [string, unknown][] {
  return Object.entries(table).flatMap(([key, value]): [string, unknown][] => {
    if (!SETTINGS.some((setting) => setting.key.startsWith(`${key}.`))) return [[key, value]];
    if (isTable(value)) return Object.entries(value).map(([name, inner]) => [`${key}.${name}`, inner]);
    throw new CacheError('usage', `expected a table [${key}] in "${path}", got "${showTomlValue(value)}"`);
  });
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

async function parseToml(path: string, text: string): Promise<Readonly<Record<string, unknown>>> {
  const { parse, TomlError } = await import('smol-toml');
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = messageOf(error).split('\n')[0] ?? '';
    throw new CacheError('usage', `expected TOML in "${path}", got line ${error.line}: ${reason}`, {
      cause: error,
    });
  }
}

function unknownKey(path: string, key: string): CacheError {
  const keys = SETTINGS.map((setting) => setting.key);
  const near = nearest(key, keys);
  return new CacheError('usage', `expected a known setting, got "${key}" in "${path}"`, {
    hint: near === null ? `The settings are ${keys.join(', ')}.` : `Did you mean ${near}?`,
  });
}

const PATHS: ReadonlySet<Setting['kind']> = new Set<Setting['kind']>(['folder', 'file', 'files']);

/** A relative path lies beside its file, and `~/` is the home directory: no shell has read the text. */
function locate(
  key: SettingKey,
  value: SettingValue,
  context: { readonly place: SettingsPlace; readonly environment: Environment },
): SettingValue {
  if (!PATHS.has(settingOf(key).kind) || value === null) return value;
  const home = homeDirectory(context.environment);
  const locateOne = (path: string): string =>
    home !== null && (path === '~' || path.startsWith('~/'))
      ? join(home, path.slice(1))
      : resolve(dirname(context.place.path), path);
  if (isPaths(value)) return value.map(locateOne);
  return typeof value === 'string' ? locateOne(value) : value;
}
