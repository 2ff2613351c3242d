import { join } from 'node:path';
import { lstatOrNull } from '../host/files.js';
import type { Host } from '../host/host.js';
import { errnoOf } from '../model/error.js';
import { writeChecked } from '../store/checked-file.js';
import {
  CHANGING_VARIABLES,
  isOwnFolder,
  MAX_SHORTCUT_BYTES,
  SHORTCUT_SCHEMA,
  type Shortcut,
} from './shortcut.js';

/** Writes what the next call of this name begins with. Best effort: without it that call goes the long way. */
export function leaveShortcut(
  host: Host,
  place: { readonly folder: string; readonly name: string },
  shortcut: Shortcut,
): void {
  const { folder, name } = place;
  if (shortcut.looks.length > MAX_SHORTCUT_BYTES / 2) return;
  // Where others may write nobody would read it, and a link would lead elsewhere.
  if (lstatOrNull(host.files, folder) !== null && !isOwnFolder(host, folder)) return;
  try {
    // Named like one that nobody takes: what a killed process leaves goes with the old ones.
    const file = { folder, path: join(folder, name), staged: join(folder, host.random.hex(32)) };
    writeChecked(host, file, { schema: SHORTCUT_SCHEMA, ...shortcut });
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
}

/** True for `NAME` and `NAME=VALUE` of a variable by which no shortcut tells calls apart. */
export function isChanging(requested: string): boolean {
  return CHANGING_VARIABLES.has(requested.split('=', 1)[0] ?? '');
}
