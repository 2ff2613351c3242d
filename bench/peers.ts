import { execFileSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The programs that take part, and the Debian package of each. */
const PACKAGES = {
  b3sum: 'b3sum',
  ccache: 'ccache',
  find: 'findutils',
  gcc: 'gcc',
  sccache: 'sccache',
  sync: 'coreutils',
  time: 'time',
  xargs: 'findutils',
} as const;

export type PeerName = keyof typeof PACKAGES;

const NAMES = Object.keys(PACKAGES).toSorted() as readonly PeerName[];

export interface Peer {
  readonly name: PeerName;
  readonly debianPackage: string;
  /** Absolute; null where it is not installed. */
  readonly path: string | null;
  /** What it says about itself; null where it says nothing. */
  readonly version: string | null;
}

/** Looks for all peers on a search path. */
export function findPeers(searchPath: string): ReadonlyMap<PeerName, Peer> {
  return new Map(
    NAMES.map((name) => {
      const path = findProgram(name, searchPath);
      const version = path === null ? null : versionOf(path);
      return [name, { name, debianPackage: PACKAGES[name], path, version }];
    }),
  );
}

function findProgram(name: string, searchPath: string): string | null {
  for (const folder of searchPath.split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not here.
    }
  }
  return null;
}

/** The version number in the first line of `--version`. */
function versionOf(path: string): string | null {
  try {
    const text = execFileSync(path, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const [line = ''] = text.split('\n');
    return /\d+(?:\.\d+)+[-\w.]*/.exec(line)?.[0] ?? null;
  } catch {
    // Best effort: a peer that does not tell its version takes part all the same.
    return null;
  }
}
