import type { Host } from '../host/host.js';
import type { Signing } from '../model/signing.js';
import type { Verdict } from './verdict.js';

/** The bytes of a part, or why there are none: the verdict on the whole artifact. */
export type PartRead =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly verdict: Verdict };

/** One artifact as the check of its format reads it, in bounded memory. Its methods throw errno errors. */
export interface ArtifactReader {
  readonly host: Host;
  /** The largest payload of a vyre entry. */
  readonly maxPayloadBytes: number;
  /** Null: entries need no MAC. */
  readonly signing: Signing | null;
  readonly stem: string;
  /** The name of the folder, not its path. */
  readonly folderName: string;
  /** A buffer of 128 KiB; its content is lost with the next read. */
  readonly buffer: Buffer;
  /** The first bytes of the buffer. */
  bufferStart(bytes: number): Buffer;
  /** Bytes that were read so far. */
  bytesRead: number;
  /** True when the part is a regular file. */
  has(part: number): boolean;
  path(part: number): string;
  /** All bytes of a part. Above `maxBytes` the artifact is damaged: `oversized`. */
  read(part: number, maxBytes: number): PartRead;
  /**
   * Shows all bytes of a part, a chunk at a time: `sink` keeps none of them, and ends the reading by a verdict.
   * Above `maxBytes` the artifact is damaged: `oversized`. @returns null when all was read, else the verdict.
   */
  stream(part: number, maxBytes: number, sink?: (chunk: Buffer) => Verdict | null): Verdict | null;
  /** Counts, and hashes where that is wanted, what a format reads by itself. */
  noteRead(chunk: Uint8Array): void;
}
