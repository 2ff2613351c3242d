import { isUtf8 } from 'node:buffer';
import type { ArtifactReader } from '../artifact-reader.js';
import { damaged, type Verdict } from '../verdict.js';

export interface TextOptions {
  readonly maxBytes: number;
  /** Sees every chunk, and keeps none. */
  readonly sink?: (chunk: Buffer) => void;
}

/** Reads a text to its end without holding it. @returns null when it is UTF-8, else the verdict on the artifact. */
export function streamText(
  artifact: ArtifactReader,
  part: number,
  { maxBytes, sink }: TextOptions,
): Verdict | null {
  const encoding = new EncodingCheck();
  const verdict = artifact.stream(part, maxBytes, (chunk) => {
    sink?.(chunk);
    return encoding.take(chunk) ? null : damaged('not-utf8');
  });
  return verdict ?? (encoding.isComplete ? null : damaged('not-utf8'));
}

/**
 * Tells whether bytes that come in chunks are UTF-8. Node's own check of whole buffers is hundreds of times faster than
 * a TextDecoder, whose text nobody needs here.
 */
export class EncodingCheck {
  /** The first bytes of a character whose last ones have not come yet. */
  #begun: Buffer = Buffer.alloc(0);

  /** False when no further bytes can make it UTF-8. */
  take(chunk: Buffer): boolean {
    const bytes = this.#begun.byteLength === 0 ? chunk : Buffer.concat([this.#begun, chunk]);
    const whole = bytes.byteLength - begunBytes(bytes);
    this.#begun = Buffer.from(bytes.subarray(whole));
    return isUtf8(bytes.subarray(0, whole));
  }

  get isComplete(): boolean {
    return this.#begun.byteLength === 0;
  }
}

/** How many bytes at the end, at most three, begin a character that is longer. */
function begunBytes(bytes: Buffer): number {
  const farthest = Math.min(3, bytes.byteLength);
  for (let back = 1; back <= farthest; back += 1) {
    const byte = bytes[bytes.byteLength - back] ?? 0;
    // Between 0x80 and 0xbf lies what continues a character: its first byte stands before.
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return characterBytes(byte) > back ? back : 0;
  }
  return 0;
}

/** By its first byte. */
function characterBytes(first: number): number {
  if (first >= 0xf0) return 4;
  return first >= 0xe0 ? 3 : 2;
}
