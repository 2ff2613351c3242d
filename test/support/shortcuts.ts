import { readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemFiles } from '../../src/host/files.js';
import { eventually } from './eventually.js';

/** Why no call leaves a shortcut here; null: calls do. */
export function shortcutObstacle(): string | null {
  const folders = [tmpdir(), process.execPath, '/usr/bin'];
  const foreign = folders.find((path) => !systemFiles.isLocal(path));
  return foreign === undefined ? null : `"${foreign}" lies on a file system whose times prove nothing`;
}

/** Younger files leave no shortcut; file systems keep coarser times than the clock. */
const SETTLED_MS = 2100;

/** Waits until no file of a folder is so young that its times need not show a change. */
export async function settled(folder: string): Promise<void> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const newestMs = Math.max(...[...names, '.'].map((name) => changedMs(join(folder, name))));
  await eventually('the files are old enough', () => Date.now() - newestMs >= SETTLED_MS);
}

function changedMs(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 0 : Math.max(stat.mtimeMs, stat.ctimeMs);
}

/** The paths of all shortcuts below a `$XDG_STATE_HOME`, of whatever root. */
export function shortcutsIn(stateHome: string): readonly string[] {
  const folder = join(stateHome, 'vyre-cache/shortcuts');
  return namesIn(folder).map((name) => join(folder, name));
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
