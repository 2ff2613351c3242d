import type { Paint } from '../color.js';
import { isPaths, showSettingValue, type Setting, type SettingValue } from '../settings/definitions.js';
import type { SettingsPlace } from '../settings/files.js';
import type { EffectiveSetting } from '../settings/settings.js';
import { renderJson } from './json.js';
import { renderTable } from './table.js';
import { printable } from './text.js';

/** A table of key, value and origin. */
export function renderSettings(settings: readonly EffectiveSetting[], paint: Paint): string {
  const rows = settings.map(({ setting, value, origin }) => [
    setting.key,
    printable(showSettingValue(setting, value)),
    printable(origin),
  ]);
  return renderTable({ head: ['Key', 'Value', 'Origin'], align: ['left', 'left', 'left'], rows }, paint);
}

/** `vyre-cache.config/1`: the values as a settings file would hold them, null where nothing is set. */
export function renderSettingsJson(settings: readonly EffectiveSetting[]): string {
  return renderJson('vyre-cache.config/1', {
    settings: settings.map(({ setting, value, origin }) => ({
      key: setting.key,
      value: isBare(setting, value) ? value : showSettingValue(setting, value),
      origin,
    })),
  });
}

/** What a settings file holds without quotes, lists, and nothing. */
function isBare(setting: Setting, value: SettingValue): boolean {
  return value === null || typeof value === 'boolean' || isPaths(value) || setting.kind === 'count';
}

/** Where settings files are looked for. */
export function renderPlaces(places: readonly SettingsPlace[]): string {
  const rows = places.map(({ kind, path, found }) => [kind, found ? 'found' : 'absent', printable(path)]);
  return renderTable({ head: null, align: ['left', 'left', 'left'], rows });
}

/** `vyre-cache.config-path/1`. */
export function renderPlacesJson(places: readonly SettingsPlace[]): string {
  return renderJson('vyre-cache.config-path/1', {
    files: places.map(({ kind, path, found }) => ({ kind, path, found })),
  });
}
