import { createRequire } from 'node:module';

/** A package with a native addon. */
export interface AddonPackage {
  readonly name: string;
  /** Where the addon itself lies for a platform such as `linux-x64`. */
  readonly binary: (platform: string) => string;
}

/**
 * Loads an addon itself; where that fails the package, whose own loader looks for it in many places, which takes longer
 * than a hit may. `accepts` decides whether what was loaded is the right one; null when neither is.
 */
export function loadAddon<T>(addon: AddonPackage, accepts: (loaded: unknown) => loaded is T): T | null {
  const load = createRequire(import.meta.url);
  for (const path of [addon.binary(`${process.platform}-${process.arch}`), addon.name]) {
    try {
      const loaded: unknown = load(path);
      if (accepts(loaded)) return loaded;
    } catch {
      // Best effort: the package may know another place; without either the caller has a replacement.
    }
  }
  return null;
}
