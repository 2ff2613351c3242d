import { dirname } from 'node:path';
import { statOrNull } from '../../host/files.js';
import type { Host } from '../../host/host.js';
import {
  PROJECT_FILE,
  ROOT_VARIABLE,
  userSettingsFile,
  VARIABLE_PREFIX,
  type Environment,
} from './environment.js';

/**
 * True where every setting but the cache directory has its default, as far as flags do not say otherwise: no variable sets
 * one, and no file is where one is looked for. Files above the last folder that counts are looked for as well.
 */
export function isNothingSet({ files }: Host, environment: Environment, cwd: string): boolean {
  for (const name of Object.keys(environment)) {
    if (name.startsWith(VARIABLE_PREFIX) && name !== ROOT_VARIABLE) return false;
  }
  const user = userSettingsFile(environment);
  if (user !== null && statOrNull(files, user) !== null) return false;
  for (let folder = cwd; ; folder = dirname(folder)) {
    const isRoot = folder === '/';
    if (statOrNull(files, isRoot ? `/${PROJECT_FILE}` : `${folder}/${PROJECT_FILE}`) !== null) return false;
    if (isRoot) return true;
  }
}
