import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BUN_FLAGS } from '../../tools/build-standalone.js';
import type { Command } from '../commands.js';
import { PROJECT } from '../program.js';
import type { Site } from '../site.js';

const FOLDER = join(import.meta.dirname, '..', 'floors');
const PLATFORM = `${process.platform}-${process.arch}`;
const MODULES = join(PROJECT, 'node_modules');

/** The addons that floors load, by their files. */
const BLAKE3_ADDON = join(MODULES, `@napi-rs/blake-hash-${PLATFORM}-gnu/blake.${PLATFORM}-gnu.node`);
const LOCK_ADDON = join(MODULES, `fs-native-extensions/prebuilds/${PLATFORM}/fs-native-extensions.node`);

/** Why floors that hash and lock cannot run here; null where they can. */
export function withoutAddons(): string | null {
  const isThere = [BLAKE3_ADDON, LOCK_ADDON].every((file) => existsSync(file));
  return isThere ? null : `no native addons for ${PLATFORM} in node_modules`;
}

/** The program of a floor. */
export function floorProgram(name: string): string {
  return join(FOLDER, name);
}

/** A floor under the Node that runs ours. */
export function floorCommand(site: Site, name: string, args: readonly string[]): Command {
  return site.command([site.setting.node, floorProgram(name), ...args]);
}

/** What is so small is one chunk. */
const FLOOR_FLAGS = BUN_FLAGS.filter((flag) => flag !== '--splitting');

/** Builds an executable. */
export async function buildExecutable(
  site: Site,
  { bun, source, file }: { readonly bun: string; readonly source: string; readonly file: string },
): Promise<void> {
  site.setting.reporter.step(`hit-standalone: Bun compiles ${basename(source)}`);
  await site.run(site.command([bun, 'build', ...FLOOR_FLAGS, source, '--outfile', file]));
}

export const NO_SHORTCUT = 'a hit leaves no shortcut on this file system';

export interface LeftShortcut {
  readonly path: string;
  readonly fingerprint: string;
}

/** Variables of a call that leaves none and takes none: no folder can be made there. */
export const NO_SHORTCUTS = { XDG_STATE_HOME: '/dev/null' };

/** The only shortcut, which a hit of ours leaves; null where it leaves none, as on a file system without exact times. */
export async function leaveShortcut(site: Site, hit: Command): Promise<LeftShortcut | null> {
  const folder = site.path('user', '.local', 'state', 'vyre-cache', 'shortcuts');
  rmSync(folder, { recursive: true, force: true });
  await site.time(hit);
  if (!existsSync(folder)) return null;
  const [name] = readdirSync(folder);
  if (name === undefined) return null;
  const path = join(folder, name);
  const { fingerprint }: { readonly fingerprint: string } = JSON.parse(
    readFileSync(path, 'utf8').replace(/\n.*$/, ''),
  );
  return { path, fingerprint };
}
