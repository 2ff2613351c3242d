import { resolve } from 'node:path';
import { getPlainly } from '../compile/plain-get.js';
import { isFingerprint, type Fingerprint } from '../model/fingerprint.js';
import { toItsEnd } from './ending.js';
import { EXIT } from './failure.js';
import { isNothingSet } from './settings/nothing-set.js';
import { ROOT_FLAG, standingRoot } from './settings/standing-root.js';
import { directoryOf, type World } from './world.js';

interface PlainWords {
  readonly fingerprint: Fingerprint;
  readonly output: string;
}

/**
 * The exit code of a hit of `get` in plain words: a whole fingerprint, a file for `-o`, and the cache directory at most, where
 * nothing else is set. Null for all others, and where something is in the way: nothing has been said then.
 */
export async function goPlainGet(world: World): Promise<number | null> {
  const words = readWords(world.argv);
  return words === null ? null : toItsEnd(world, false, async () => go(world, words));
}

/** Null for anything else than `get FINGERPRINT -o FILE [--cache-dir DIR]`, in any order. */
function readWords([command, ...words]: readonly string[]): PlainWords | null {
  if (command !== 'get') return null;
  const given = new Map<string, string>();
  while (words.length > 0) {
    const word = words.shift() ?? '';
    const isOption = word === '-o' || word === ROOT_FLAG;
    const value = isOption ? (words.shift() ?? '') : word;
    const name = isOption ? word : 'fingerprint';
    if (value === '' || value.startsWith('-') || given.has(name)) return null;
    given.set(name, value);
  }
  const fingerprint = given.get('fingerprint') ?? '';
  const output = given.get('-o');
  return output !== undefined && isFingerprint(fingerprint) ? { fingerprint, output } : null;
}

async function go(world: World, { fingerprint, output }: PlainWords): Promise<number | null> {
  const { argv, environment } = world;
  const cwd = directoryOf(world);
  if (cwd === null) return null;
  const host = await world.host();
  if (!isNothingSet(host, environment, cwd)) return null;
  const root = standingRoot(host, { argv, environment, cwd });
  if (root === null) return null;
  const get = { host, root, fingerprint, output: resolve(cwd, output) };
  const isDone = await getPlainly(get, {
    get signal() {
      return world.signal;
    },
    onWrite: world.onCleanUp,
    countElsewhere: async (hit) => {
      const { countHit } = await import('./short-session.js');
      await countHit(host, root, environment, hit);
    },
  });
  return isDone ? EXIT.ok : null;
}
