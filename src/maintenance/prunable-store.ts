import { relative } from 'node:path';
import type { Host } from '../host/host.js';
import { classifyStoreName } from '../layouts/vyre/vyre-layout.js';
import type { Fingerprint } from '../model/fingerprint.js';
import type { DiskTier } from '../store/disk-tier.js';
import { scanIfThere } from './scan.js';

/** An artifact as the rules of removal see it, all its files together. */
export interface ArtifactState {
  /** The last use in milliseconds since 1970, whole: a time of day has no fractions to compare them with. */
  readonly usedAtMs: number;
  readonly bytes: number;
  /** True for an artifact that we published. */
  readonly isOurs: boolean;
}

/** What removal by policy needs of a layout. */
export interface PrunableStore {
  /** Names whatever may be an artifact. What is published or removed meanwhile may be named or not. */
  list(visit: (fingerprint: Fingerprint) => void): void;
  /** The artifact as it is now; null when it is none, or gone. */
  look(fingerprint: Fingerprint): ArtifactState | null;
  /** Relative to the root. */
  path(fingerprint: Fingerprint): string;
  /** @throws the errno error of the file that cannot be removed. */
  remove(fingerprint: Fingerprint): void;
}

/** What lies in a root that is no cache. */
export const NO_STORE: PrunableStore = {
  list: () => undefined,
  look: () => null,
  path: (fingerprint) => fingerprint,
  remove: () => undefined,
};

/** Entries with their records: the store of a home, or any flat folder of entries. */
export class EntryStore implements PrunableStore {
  readonly #host: Host;
  readonly #disk: DiskTier;
  readonly #prefix: string;

  constructor(host: Host, root: string, disk: DiskTier) {
    const folder = relative(root, disk.paths.folder);
    this.#host = host;
    this.#disk = disk;
    this.#prefix = folder === '' ? '' : `${folder}/`;
  }

  list(visit: (fingerprint: Fingerprint) => void): void {
    scanIfThere(this.#host.files, this.#disk.paths.folder, ({ name }) => {
      const classified = classifyStoreName(name);
      if (classified.kind === 'entry') visit(classified.fingerprint);
    });
  }

  /** The bytes are not read: age and size decide, and a damaged entry is no less an entry. */
  look(fingerprint: Fingerprint): ArtifactState | null {
    const { files } = this.#host;
    const entry = files.lstat(this.#disk.paths.entry(fingerprint));
    // A folder or a link in the place of an entry is no artifact: `verify` tells of it.
    if (entry?.type !== 'file') return null;
    const record = files.lstat(this.#disk.paths.record(fingerprint));
    const isOurs = record?.type === 'file';
    // Other writers do not set the time of the last use; the file system notes when they read.
    const usedAtMs = isOurs ? entry.mtimeMs : Math.max(entry.mtimeMs, entry.atimeMs);
    return { usedAtMs: Math.round(usedAtMs), bytes: entry.bytes + (isOurs ? record.bytes : 0), isOurs };
  }

  path(fingerprint: Fingerprint): string {
    return `${this.#prefix}${fingerprint}.bin`;
  }

  remove(fingerprint: Fingerprint): void {
    this.#disk.remove(fingerprint);
  }
}
