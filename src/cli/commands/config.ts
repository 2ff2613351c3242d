import { resolve } from 'node:path';
import { CacheError } from '../../model/error.js';
import type { Call, CliCommand } from '../command.js';
import { openContext, paintFor } from '../context.js';
import { EXIT } from '../failure.js';
import { GLOBAL_SETTINGS } from '../global-options.js';
import { nearest } from '../nearest.js';
import { renderPlaces, renderPlacesJson, renderSettings, renderSettingsJson } from '../rendering/config.js';
import { renderJson } from '../rendering/json.js';
import { SETTINGS } from '../settings/definitions.js';
import { defaultCacheDirectory, PROJECT_FILE, stateDirectory } from '../settings/environment.js';
import { readSettingsFile, settingsPlaces, type SettingsPlace } from '../settings/files.js';
import type { EffectiveSetting } from '../settings/settings.js';
import { trustedFile, trustFile } from '../settings/trust.js';

export const configCommand: CliCommand = {
  name: 'config',
  synopsis: '[path | trust [file]] [options]',
  description:
    'Shows every setting with its value and origin. `path` shows where settings files are looked for. `trust` accepts ' +
    'a project’s file as it is now: only then does what it says of cache_dir, care_max_size, keys and [prune] count.',
  positionals: { syntax: '[words...]', doc: 'nothing, path, trust, or trust and a file' },
  options: [],
  settings: SETTINGS.filter(({ key, flag }) => flag !== null && !GLOBAL_SETTINGS.includes(key)).map(
    ({ key }) => key,
  ),
  takesCommand: false,
  examples: ['vyre-cache config', 'vyre-cache config path', 'vyre-cache config trust'],
  cleansUp: false,
  run,
};

async function run(call: Call): Promise<number> {
  const [action, file, ...rest] = call.positionals;
  if (rest.length > 0 || (file !== undefined && action !== 'trust')) {
    throw new CacheError(
      'usage',
      `expected path, or trust and at most one file, got "${call.positionals.join(' ')}"`,
    );
  }
  if (action === undefined) return showSettings(call);
  if (action === 'path') return showPlaces(call);
  if (action === 'trust') return trust(call, file ?? null);
  const near = nearest(action, ['path', 'trust']);
  throw new CacheError('usage', `expected path or trust, got "${action}"`, {
    hint: near === null ? 'Run `vyre-cache config` alone to see the settings.' : `Did you mean ${near}?`,
  });
}

async function showSettings(call: Call): Promise<number> {
  const context = await openContext(call);
  const settings = context.settings.all().map((effective) => withDefaultDirectory(call, effective));
  const text = context.json
    ? renderSettingsJson(settings)
    : renderSettings(settings, await paintFor(context));
  call.terminal.stdout.write(text);
  return EXIT.ok;
}

/** The default of the cache directory depends on the environment: shown as what it is now. */
function withDefaultDirectory({ environment }: Call, effective: EffectiveSetting): EffectiveSetting {
  const { setting, value } = effective;
  if (setting.key !== 'cache_dir' || value !== null) return effective;
  return { ...effective, value: defaultCacheDirectory(environment) };
}

/** Does not read the files: it must work when one of them is broken. */
function showPlaces(call: Call): number {
  const places = placesOf(call);
  call.terminal.stdout.write(call.options.flag('json') ? renderPlacesJson(places) : renderPlaces(places));
  return EXIT.ok;
}

function placesOf({ host, environment, cwd, options }: Call): readonly SettingsPlace[] {
  return settingsPlaces({ host, environment, cwd, named: options.text('config') });
}

async function trust(call: Call, named: string | null): Promise<number> {
  const { host, environment, terminal, options } = call;
  const place = placeToTrust(call, named);
  const state = stateDirectory(environment);
  if (state === null) {
    throw new CacheError('usage', 'expected a place for the list of trusted files, got none', {
      hint: 'Set HOME or XDG_STATE_HOME to an absolute path.',
    });
  }
  const { realPath, bytes } = await readSettingsFile(host, place, environment);
  const file = trustedFile(host, realPath, bytes);
  trustFile(host, state, file);
  if (options.flag('json')) {
    terminal.stdout.write(renderJson('vyre-cache.config-trust/1', { path: file.path, digest: file.digest }));
  } else if (!options.flag('quiet')) {
    terminal.stdout.write(`trusted ${file.path}, until it changes\n`);
  }
  return EXIT.ok;
}

function placeToTrust(call: Call, named: string | null): SettingsPlace {
  if (named !== null) return { kind: 'project', path: resolve(call.cwd, named), found: true };
  const found = placesOf(call).find((place) => place.kind === 'project' && place.found);
  if (found !== undefined) return found;
  throw new CacheError('usage', `expected a ${PROJECT_FILE} in this folder or above, got none`, {
    hint: 'Name the file: vyre-cache config trust FILE.',
  });
}
