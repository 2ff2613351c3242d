import type { DirectoryItem, FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { ArtifactReader } from './artifact-reader.js';
import type { Verdict } from './verdict.js';

export const LAYOUT_NAMES = ['vyre', 'wasmtime', 'pvf', 'wasmer'] as const;
export type LayoutName = (typeof LAYOUT_NAMES)[number];

/** What a file is to a section, judged by its name alone: its place is the section. */
export type Named =
  | NamedPart
  /** A temporary file or a lock of a known writer. */
  | { readonly kind: 'litter'; readonly rule: LitterRule }
  /** State of the cache itself. */
  | { readonly kind: 'private' };

/** One of the files of an artifact. */
export interface NamedPart {
  readonly kind: 'part';
  readonly format: Format;
  /** Counts the parts of the format. */
  readonly part: number;
  /** What all of them share. */
  readonly stem: string;
}

/** When a file of a writer that is not at work any more is litter. */
export type LitterRule =
  /** Untouched for an hour, and no process lives that it names as its writer. */
  | 'temporary'
  /** wasmtime: older than 30 minutes, or more than a day ahead. */
  | 'wasmtime-lock';

/** One folder of a layout. What neither function knows is alien. */
export interface Section {
  /**
   * The format of every file that is named after 64 hex digits and the suffix of a part: there may be a million of them,
   * and who lists them need not ask {@link file}. Absent: of none.
   */
  readonly hexFormat?: Format;
  /** Null for a name that this section does not know. */
  file(name: string): Named | null;
  /** The section of a folder in it; `private`: not looked into; null: not known. */
  folder(name: string): Section | 'private' | null;
}

/** What a file is called whose stem is `s`: `prefix`, `s`, `suffix`. */
export interface Part {
  readonly prefix: string;
  readonly suffix: string;
}

/** The states of the parts of one artifact, by their numbers; null for one that is absent. */
export type PartStats = readonly (FileStat | null)[];

/** What the parts that are there are together. */
export type Wholeness =
  | 'artifact'
  /** Parts are missing without which the others serve nobody. */
  | 'half'
  /** Belongs to an artifact that is gone: litter. */
  | 'orphan';

/** One kind of artifact: which files form it and what can be known of it. Its files live and die together. */
export interface Format {
  /** Unique, as reports show it. */
  readonly name: string;
  readonly layout: LayoutName;
  /** At most {@link MAX_PARTS}. */
  readonly parts: readonly Part[];
  /** Part numbers in the order of removal: killed in between, no reader takes what is left for an artifact. */
  readonly removal: readonly number[];
  /** False: sized, never removed by policy. */
  readonly isPrunable: boolean;
  /** True: an artifact of a home is locked by its fingerprint, which is its stem. */
  readonly isLockedByFingerprint: boolean;
  /** The parts that are sealed; all unless it is said. */
  readonly sealedParts?: readonly number[];
  /** True: an empty file in the place of the artifact is what a failed compilation left. */
  readonly emptyIsLitter?: true;
  /** True: its system has given up names like these, and does not read them any more. */
  readonly isOldScheme?: true;
  /** `present` has the bit of each part that is a regular file. */
  wholeness(present: number): Wholeness;
  /** Milliseconds since 1970, whole. */
  usedAtMs(stats: PartStats): number;
  /** The size by which limits count. */
  bytes(stats: PartStats): number;
  /** Reads every byte. Called for what is whole. */
  check(artifact: ArtifactReader): Verdict;
  /**
   * True while the system itself holds the artifact, by a lock of its own. Absent where the system has none.
   * `folder` is absolute. Throws errno errors.
   */
  isHeld?(host: Host, folder: string, stem: string): boolean;
  /**
   * The stems that the system itself holds in a folder, where asking for one costs as much as asking for all. `folder` is
   * absolute. Throws errno errors.
   */
  heldStems?(host: Host, folder: string): ReadonlySet<string>;
  /** How often its system says that it was used; null where it does not say. `folder` is absolute. */
  uses?(host: Host, folder: string, stem: string): number | null;
  /** What compiled it, as far as its place tells: the name without and with its version. `folder` is absolute. */
  compiler?(folder: string): { readonly name: string; readonly version: string } | null;
}

/** A bit each, in a byte that holds two more. */
export const MAX_PARTS = 6;

/** A recogniser for the directories of one system. */
export interface Layout {
  readonly name: LayoutName;
  /** True when an item of this name suggests that the folder which holds it is one of this system's. */
  suggests(item: DirectoryItem): boolean;
  /** Looks closer at the suggesting item of a folder: true when the folder is one. May throw errno errors. */
  confirms(host: Host, folder: string, item: DirectoryItem): boolean;
  /** The section of such a folder. */
  readonly top: Section;
}

/** The later of mtime and atime over all parts: other writers do not set the time of a use, the file system notes it. */
export function latestUseMs(stats: PartStats): number {
  let latest = -Infinity;
  for (const stat of stats) {
    if (stat !== null) latest = Math.max(latest, stat.mtimeMs, stat.atimeMs);
  }
  return Math.round(latest);
}

export function sumOfBytes(stats: PartStats): number {
  let sum = 0;
  for (const stat of stats) sum += stat?.bytes ?? 0;
  return sum;
}

/** The parts of a format whose artifact is one file. */
export function oneFile(prefix: string, suffix: string): Pick<Format, 'parts' | 'removal' | 'wholeness'> {
  return { parts: [{ prefix, suffix }], removal: [0], wholeness: () => 'artifact' };
}

/** What most formats of other systems have in common: no lock, pruned by the last use of any of their files. */
export const OTHER_WRITER = {
  isPrunable: true,
  isLockedByFingerprint: false,
  usedAtMs: latestUseMs,
  bytes: sumOfBytes,
} as const;
