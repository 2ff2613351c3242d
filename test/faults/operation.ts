import type { Compilation } from './compilation.js';
import type { Site } from './site.js';
import type { Threads } from './strace.js';

/** What is disturbed, and what must be true afterwards. */
export interface Operation {
  /** As the matrix names it. */
  readonly where: string;
  readonly words: readonly string[];
  /** What the words deliver; empty for what only maintains the cache. */
  readonly delivers: readonly Compilation[];
  /** Statuses with which it ends when nothing disturbs it, for what delivers nothing. */
  readonly statuses: readonly number[];
  /** Artifacts that are in the home before, and must be hits afterwards, whatever happens. */
  readonly stays: readonly Compilation[];
  /** Artifacts that it may remove, or finds damaged: a hit with the right bytes or a miss. */
  readonly mayGo: readonly Compilation[];
  /** True where an artifact of `mayGo` is damaged until the operation has ended. */
  readonly isDamagedBefore: boolean;
  /** The full form takes every point of it; of others a sample, which `--every` turns off. */
  readonly isWhole: boolean;
  /** In which threads it touches the cache. */
  readonly threads: Threads;
  /** Fills the project and the home of a fresh site. */
  prepare(site: Site): Promise<void>;
  /** Why it cannot be done here; null, or left out: it can. */
  readonly obstacle?: () => string | null;
  /** What cannot be copied from a saved site, such as processes. */
  arrange?(site: Site): Promise<void>;
}
