import type { OptionSpec } from './command.js';
import { settingOf, type SettingKey } from './settings/definitions.js';

/** Settings whose flags every command takes. */
export const GLOBAL_SETTINGS: readonly SettingKey[] = ['cache_dir', 'strict', 'verbose', 'color'];

/** What every command takes besides them. */
const GLOBAL_ONLY: readonly OptionSpec[] = [
  { flags: '--config <file>', doc: 'read settings from this file only' },
  { flags: '--json', doc: 'print one JSON document on stdout' },
  { flags: '-q, --quiet', doc: 'print errors only' },
  { flags: '--no-color', doc: 'the same as --color never' },
];

/** The flag of a setting as an option of a command. */
export function settingOption(key: SettingKey): OptionSpec {
  const setting = settingOf(key);
  if (setting.flag === null) throw new Error(`the setting "${key}" has no flag`);
  return { flags: setting.flag, doc: setting.doc };
}

export function globalOptions(): readonly OptionSpec[] {
  return [...GLOBAL_SETTINGS.map(settingOption), ...GLOBAL_ONLY];
}
