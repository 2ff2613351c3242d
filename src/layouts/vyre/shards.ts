import type { Format, Named, Section } from '../layout.js';

const DIGITS = /^[0-9a-f]{2}$/;
const TEMPORARY: Named = { kind: 'litter', rule: 'temporary' };

/** How the files of a shard are called. */
export interface ShardNames {
  /** Its artifacts are one file each. */
  readonly format: Format;
  /** Matches the names of artifacts; its first group is the stem. */
  readonly artifact: RegExp;
  readonly temporary: RegExp;
}

/** A folder that holds nothing but shards. */
export function sharded(shard: (digits: string) => Section): Section {
  return { file: () => null, folder: (name) => (DIGITS.test(name) ? shard(name) : null) };
}

/**
 * The folder of all names that begin with two hex digits. Its writer looks a name up nowhere else: a file in the wrong
 * shard is nobody's.
 */
export function shardOf(digits: string, { format, artifact, temporary }: ShardNames): Section {
  return {
    file: (name) => {
      if (!name.startsWith(digits)) return null;
      const stem = artifact.exec(name)?.[1];
      if (stem !== undefined) return { kind: 'part', format, part: 0, stem };
      return temporary.test(name) ? TEMPORARY : null;
    },
    folder: () => null,
  };
}
