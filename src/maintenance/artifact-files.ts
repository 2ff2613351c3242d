import type { FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import { partName } from '../layouts/examination.js';
import { errnoOf } from '../model/error.js';
import type { NamedArtifact } from './inventory.js';

/** An artifact as the rules of removal see it, all its files together. */
export interface ArtifactState {
  /** The last use in milliseconds since 1970, whole: a time of day has no fractions to compare them with. */
  readonly usedAtMs: number;
  readonly bytes: number;
}

/** What lies in the place of each part; null for nothing. @throws the errno error of what cannot be looked at. */
export function statParts(host: Host, { format, folder, stem }: NamedArtifact): readonly (FileStat | null)[] {
  return format.parts.map((_, part) => host.files.lstat(`${folder}/${partName(format, part, stem)}`));
}

/** The bit of each part that is there. */
export function presentOf(stats: readonly (FileStat | null)[]): number {
  return stats.reduce((bits, stat, part) => (stat === null ? bits : bits | (1 << part)), 0);
}

/** The artifact as it is now; null when it is none, or gone. @throws the errno error. */
export function lookNow(host: Host, artifact: NamedArtifact): ArtifactState | null {
  const { format } = artifact;
  const stats = statParts(host, artifact).map((stat) => (stat?.type === 'file' ? stat : null));
  const present = presentOf(stats);
  if (present === 0 || format.wholeness(present) === 'orphan') return null;
  return { usedAtMs: format.usedAtMs(stats), bytes: format.bytes(stats) };
}

/** Removes every part, in the order of its format. @throws the errno error of the first that cannot be removed. */
export function removeArtifact(host: Host, { format, folder, stem }: NamedArtifact): void {
  for (const part of format.removal) {
    try {
      host.files.unlink(`${folder}/${partName(format, part, stem)}`);
    } catch (error) {
      // Absent, or removed by somebody else in between, which is what the caller wants.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
}
