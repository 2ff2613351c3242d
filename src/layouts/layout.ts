import type { Fingerprint } from '../model/fingerprint.js';

/** What a file is to a layout, judged by its place and name alone. */
export type Classified =
  /** An artifact that carries its checksum. */
  | { readonly kind: 'entry'; readonly fingerprint: Fingerprint }
  /** Belongs to the entry of that fingerprint and lives and dies with it. */
  | { readonly kind: 'record'; readonly fingerprint: Fingerprint }
  /** An artifact, or a part of one, whose content cannot be checked. */
  | { readonly kind: 'unverifiable' }
  /** A temporary file of a known writer. */
  | { readonly kind: 'litter' }
  /** State of the cache itself. */
  | { readonly kind: 'private' }
  /** Nothing that this layout knows. */
  | { readonly kind: 'alien' };

/** A recogniser for one system's on-disk format. */
export interface Layout {
  readonly name: string;
  /** `segments` is the path of a file below the root. */
  classify(segments: readonly string[]): Classified;
  /** False for folders whose files are not looked at one by one. */
  enters(segments: readonly string[]): boolean;
}
