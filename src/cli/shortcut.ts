import {
  readShortcut,
  shortcutName,
  takeShortcut,
  type Shortcut,
  type TypedCall,
} from '../compile/shortcut.js';
import type { Host } from '../host/host.js';
import { shortcutsIn } from '../store/state-folders.js';
import { toItsEnd } from './ending.js';
import { EXIT } from './failure.js';
import { stateDirectory } from './settings/environment.js';
import { standingRoot } from './settings/standing-root.js';
import { VERSION } from './version.js';
import { directoryOf, type World } from './world.js';

/** The origin of the monotonic clock: who calls us waits from here on. */
const PROCESS_START_MS = 0;

export interface ShortcutPlace {
  readonly root: string;
  readonly folder: string;
  readonly name: string;
}

/**
 * Where the shortcut of a call lies, of a schema of its own for a batch; null where no root or no state directory is known.
 */
export function placeOfShortcut(
  host: Host,
  call: Omit<TypedCall, 'version'>,
  root: string | null = standingRoot(host, call),
  schema?: string,
): ShortcutPlace | null {
  const state = stateDirectory(call.environment);
  if (root === null || state === null) return null;
  const name = shortcutName(host, root, { ...call, version: VERSION }, schema);
  return { root, folder: shortcutsIn(state), name };
}

/**
 * The exit code of a call of `compile` that a shortcut answers, before a word of it is parsed. Null for all others, and
 * where something is in the way: nothing has been said then.
 */
export async function goShortcut(world: World): Promise<number | null> {
  return world.argv[0] === 'compile' ? toItsEnd(world, false, async () => go(world)) : null;
}

async function go(world: World): Promise<number | null> {
  const { argv, environment, terminal } = world;
  const cwd = directoryOf(world);
  if (cwd === null) return null;
  const host = await world.host();
  const place = placeOfShortcut(host, { argv, environment, cwd });
  const shortcut = place === null ? null : readShortcut(host, place.folder, place.name);
  if (place === null || shortcut === null) return null;
  const said = await take(world, { host, root: place.root, shortcut });
  if (said === null) return null;
  terminal.stdout.write(said.stdout);
  terminal.stderr.write(said.stderr);
  return EXIT.ok;
}

async function take(
  world: World,
  found: { readonly host: Host; readonly root: string; readonly shortcut: Shortcut },
): ReturnType<typeof takeShortcut> {
  const { host, root, shortcut } = found;
  const { environment } = world;
  return takeShortcut({ host, root }, shortcut, {
    get signal() {
      return world.signal;
    },
    onWrite: world.onCleanUp,
    startedAtMs: PROCESS_START_MS,
    sweep: async () => {
      world.onCleanUp();
      const { sweepAlone } = await import('./short-session.js');
      await sweepAlone(host, root, environment);
    },
    countElsewhere: async (hit) => {
      const { countHit } = await import('./short-session.js');
      await countHit(host, root, environment, hit);
    },
  });
}
