import { statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A package with a native addon. */
export interface AddonPackage {
  readonly name: string;
  /** The file of the addon below `node_modules`, for a platform such as `linux-x64`. */
  readonly binary: (platform: string) => string;
}

/**
 * Loads an addon by its file, from the nearest `node_modules` that has it; where that fails by its package, whose own
 * loader looks for it in many places. Both that and to resolve the name of the package take longer than a hit may.
 * `accepts` decides whether what was loaded is the right one; null when neither is.
 */
export function loadAddon<T>(addon: AddonPackage, accepts: (loaded: unknown) => loaded is T): T | null {
  const file = nearestFile(import.meta.dirname, addon.binary(`${process.platform}-${process.arch}`));
  const ways: readonly (() => unknown)[] = [
    () => (file === null ? null : openAddon(file)),
    (): unknown => process.getBuiltinModule('node:module').createRequire(import.meta.url)(addon.name),
  ];
  for (const load of ways) {
    try {
      const loaded = load();
      if (accepts(loaded)) return loaded;
    } catch {
      // Best effort: the package may know another place; without either the caller has a replacement.
    }
  }
  return null;
}

/** A file below the `node_modules` of a folder or of one above it. */
function nearestFile(from: string, name: string): string | null {
  for (let folder = from; ; folder = dirname(folder)) {
    const file = `${folder}/node_modules/${name}`;
    if (statSync(file, { throwIfNoEntry: false }) !== undefined) return file;
    if (dirname(folder) === folder) return null;
  }
}

function openAddon(file: string): unknown {
  const module = { exports: {} };
  process.dlopen(module, file);
  return module.exports;
}
