import type { Host } from '../../host/host.js';
import { CacheError } from '../../model/error.js';
import type { RetentionRules } from '../../model/retention.js';
import type { Share } from '../../model/share.js';
import { nearest } from '../nearest.js';
import {
  decodeSettingText,
  isPaths,
  KNOWN_VARIABLES,
  settingOf,
  SETTINGS,
  type Setting,
  type SettingKey,
  type SettingValue,
} from './definitions.js';
import { stateDirectory, variable, VARIABLE_PREFIX, type Environment } from './environment.js';
import { readSettingsFile, settingsPlaces, type SettingsFile } from './files.js';
import { isTrusted, readTrusted, trustedFile } from './trust.js';
import { isVyreVariable, vyreVariables, type VyreVariables } from './vyre-variables.js';

/** What was typed behind a flag; true for a switch. */
export type FlagValues = ReadonlyMap<SettingKey, string | true>;

export interface SettingsSources {
  readonly host: Host;
  readonly environment: Environment;
  /** Absolute. */
  readonly cwd: string;
  readonly flags: FlagValues;
  /** What `--config` names. */
  readonly configFile: string | null;
}

/** One place that sets something: all flags together, all variables together, one file, the defaults. */
interface Layer {
  readonly typed: boolean;
  readonly values: ReadonlyMap<SettingKey, { readonly value: SettingValue; readonly origin: string }>;
}

/** `error` lines stay even with `--quiet`. */
export interface SettingsNotice {
  readonly level: 'error' | 'warning';
  readonly message: string;
  readonly hint: string | null;
}

export interface EffectiveSetting {
  readonly setting: Setting;
  readonly value: SettingValue;
  /** The flag, the variable, the path of the file, or `default`. */
  readonly origin: string;
}

/** What `prune` goes by; null where a rule is not set. */
export interface PruneSettings extends Omit<RetentionRules, 'all'> {
  /** The variables of vyre that set one of the rules. */
  readonly vyreVariables: readonly string[];
}

/** The settings of {@link PruneSettings}. */
export const PRUNE_KEYS = [
  'prune.ttl',
  'prune.max_size',
  'prune.max_entries',
  'prune.min_free',
  'prune.min_age',
  'prune.low_water',
] as const satisfies readonly SettingKey[];

/** All settings as they hold for this process, each with its origin. */
export class Settings {
  readonly #layers: readonly Layer[];
  readonly #vyre: VyreVariables;
  readonly notices: readonly SettingsNotice[];

  /** `vyre`: weaker than every layer, stronger than the defaults. */
  constructor(layers: readonly Layer[], notices: readonly SettingsNotice[], vyre: VyreVariables) {
    this.#layers = [...layers, { typed: false, values: vyre.values }];
    this.#vyre = vyre;
    this.notices = notices;
  }

  effective(key: SettingKey): EffectiveSetting {
    return this.#first(key, this.#layers);
  }

  /** Every setting, in the order of the table. */
  all(): readonly EffectiveSetting[] {
    return SETTINGS.map((setting) => this.effective(setting.key));
  }

  #first(key: SettingKey, layers: readonly Layer[]): EffectiveSetting {
    const setting = settingOf(key);
    const found = layers.map((layer) => layer.values.get(key)).find((value) => value !== undefined);
    return { setting, value: found?.value ?? setting.fallback, origin: found?.origin ?? 'default' };
  }

  /** The cache directory, and the one that would hold had none been typed. */
  get cacheDirectory(): {
    readonly effective: string | null;
    readonly untyped: string | null;
    readonly typed: boolean;
  } {
    const typed = this.#layers.find((layer) => layer.values.has('cache_dir'))?.typed === true;
    const untyped = this.#first(
      'cache_dir',
      this.#layers.filter((layer) => !layer.typed),
    );
    return { effective: textOrNull(this.effective('cache_dir')), untyped: textOrNull(untyped), typed };
  }

  get maxPayloadBytes(): number {
    return amount(this.effective('max_payload'));
  }

  get lockTimeoutMs(): number {
    return amount(this.effective('lock_timeout'));
  }

  get timeoutMs(): number | null {
    return amountOrNull(this.effective('timeout'));
  }

  get memoryBytes(): number | null {
    return amountOrNull(this.effective('memory'));
  }

  get strict(): boolean {
    return this.effective('strict').value === true;
  }

  get verbose(): boolean {
    return this.effective('verbose').value === true;
  }

  get disable(): boolean {
    return this.effective('disable').value === true;
  }

  get failureMemory(): boolean {
    return this.effective('failure_memory').value === true;
  }

  get shortcuts(): boolean {
    return this.effective('shortcuts').value === true;
  }

  /** Null: as many as there are processors. */
  get jobs(): number | null {
    return amountOrNull(this.effective('jobs'));
  }

  /** Null: one more than `jobs`. */
  get jobsHard(): number | null {
    return amountOrNull(this.effective('jobs_hard'));
  }

  /**
   * Where the keys of records lie, as they stand in the settings; null where none is demanded.
   * @throws CacheError `usage` for keys that are accepted where none signs: nothing could be stored.
   */
  get keyFiles(): { readonly keyFile: string; readonly acceptedKeyFiles: readonly string[] } | null {
    const keyFile = textOrNull(this.effective('key_file'));
    const { value, origin } = this.effective('accepted_key_files');
    const acceptedKeyFiles = value !== null && isPaths(value) ? value : [];
    if (keyFile !== null) return { keyFile, acceptedKeyFiles };
    if (acceptedKeyFiles.length === 0) return null;
    throw new CacheError('usage', `expected key_file beside accepted_key_files, got only that of ${origin}`, {
      hint: 'Name the key that signs as key_file; it is accepted as well.',
    });
  }

  /** 0: no automatic care. */
  get careMaxBytes(): number {
    return amount(this.effective('care_max_size'));
  }

  /** @throws CacheError `usage` when a variable of vyre would decide and holds nonsense. */
  get prune(): PruneSettings {
    for (const [key, mistake] of this.#vyre.mistakes) {
      if (this.effective(key).origin === 'default') throw mistake;
    }
    return {
      ttlMs: amountOrNull(this.effective('prune.ttl')),
      maxBytes: amountOrNull(this.effective('prune.max_size')),
      maxEntries: amountOrNull(this.effective('prune.max_entries')),
      minFree: shareOrNull(this.effective('prune.min_free')),
      minAgeMs: amountOrNull(this.effective('prune.min_age')),
      lowWaterPercent: amountOrNull(this.effective('prune.low_water')),
      vyreVariables: PRUNE_KEYS.map((key) => this.effective(key).origin).filter(isVyreVariable),
    };
  }

  /** `auto`, `always` or `never`. */
  get color(): string {
    return textOrNull(this.effective('color')) ?? 'auto';
  }
}

function textOrNull({ setting, value }: EffectiveSetting): string | null {
  if (value === null || typeof value === 'string') return value;
  throw new Error(`the setting "${setting.key}" holds no text`);
}

function amountOrNull({ setting, value }: EffectiveSetting): number | null {
  if (value === null || typeof value === 'number') return value;
  throw new Error(`the setting "${setting.key}" holds no number`);
}

function shareOrNull({ setting, value }: EffectiveSetting): Share | null {
  if (value === null || (typeof value === 'object' && !isPaths(value))) return value;
  throw new Error(`the setting "${setting.key}" holds no share`);
}

function amount(effective: EffectiveSetting): number {
  const value = amountOrNull(effective);
  if (value === null) throw new Error(`the setting "${effective.setting.key}" has no value`);
  return value;
}

/**
 * Flags, then variables, then the named file or the project's and the user's, then defaults.
 * @throws CacheError `usage` for a value, a key or a file that cannot be accepted.
 */
export async function loadSettings(sources: SettingsSources): Promise<Settings> {
  const notices = unknownVariables(sources.environment);
  const layers = [flagLayer(sources.flags), variableLayer(sources.environment)];
  const vyre = vyreVariables(sources.environment);
  // Whoever switches the cache off wants the bare command: a broken file must not stand in its way.
  if (layers.some((layer) => layer.values.get('disable')?.value === true))
    return new Settings(layers, notices, vyre);
  const { host, environment, cwd, configFile } = sources;
  for (const place of settingsPlaces({ host, environment, cwd, named: configFile })) {
    if (place.kind === 'ignored') {
      notices.push(ignoredNotice(place.path));
      continue;
    }
    if (!place.found && place.kind !== 'named') continue;
    const file = await readSettingsFile(host, place, environment);
    layers.push(fileLayer(file, trustNotices(sources, file, notices)));
  }
  return new Settings(layers, notices, vyre);
}

function ignoredNotice(path: string): SettingsNotice {
  return {
    level: 'warning',
    message: `the settings file "${path}" is ignored: it is somebody else's, in a folder where others may put files`,
    hint: 'Copy it into a folder of your own if it shall count.',
  };
}

function flagLayer(flags: FlagValues): Layer {
  const values = [...flags].map(([key, text]): [SettingKey, { value: SettingValue; origin: string }] => {
    const setting = settingOf(key);
    const origin = flagName(setting);
    return [key, { value: text === true ? true : decoded(setting, text, origin), origin }];
  });
  return { typed: true, values: new Map(values) };
}

/** The long name of a setting's flag. */
function flagName(setting: Setting): string {
  return /--[a-z-]+/.exec(setting.flag ?? '')?.[0] ?? setting.key;
}

function variableLayer(environment: Environment): Layer {
  const values = SETTINGS.flatMap((setting): [SettingKey, { value: SettingValue; origin: string }][] => {
    const text = variable(environment, setting.variable);
    if (text === null) return [];
    return [[setting.key, { value: decoded(setting, text, setting.variable), origin: setting.variable }]];
  });
  return { typed: false, values: new Map(values) };
}

function decoded(setting: Setting, text: string, origin: string): SettingValue {
  const result = decodeSettingText(setting, text);
  if (result.ok) return result.value;
  throw new CacheError('usage', `${result.reason} for ${origin}`);
}

/** The keys of a project's file that need the user's trust and do not have it. */
function trustNotices(
  { host, environment }: SettingsSources,
  file: SettingsFile,
  notices: SettingsNotice[],
): ReadonlySet<SettingKey> {
  const wanting = [...file.values.keys()].filter((key) => settingOf(key).needsTrust);
  if (file.place.kind !== 'project' || wanting.length === 0) return new Set();
  const trusted = readTrusted(host, stateDirectory(environment));
  if (isTrusted(trusted, trustedFile(host, file.realPath, file.bytes))) return new Set();
  for (const key of wanting) {
    notices.push({
      level: 'error',
      message: `expected trust in "${file.place.path}" before its ${key} counts; it is ignored`,
      hint: 'Read the file, then run `vyre-cache config trust` in its folder.',
    });
  }
  return new Set(wanting);
}

function fileLayer(file: SettingsFile, ignored: ReadonlySet<SettingKey>): Layer {
  const kept = [...file.values].filter(([key]) => !ignored.has(key));
  return {
    typed: false,
    values: new Map(kept.map(([key, value]) => [key, { value, origin: file.place.path }])),
  };
}

function unknownVariables(environment: Environment): SettingsNotice[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith(VARIABLE_PREFIX) && !KNOWN_VARIABLES.includes(name))
    .toSorted()
    .map((name) => {
      const near = nearest(name, KNOWN_VARIABLES);
      const hint = near === null ? 'Run `vyre-cache config` to see the settings.' : `Did you mean ${near}?`;
      return { level: 'warning' as const, message: `the variable "${name}" is unknown and ignored`, hint };
    });
}
