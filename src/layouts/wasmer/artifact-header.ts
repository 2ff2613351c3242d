import { withScannedFile } from '../../host/files.js';
import type { Host } from '../../host/host.js';
import type { ArtifactReader } from '../artifact-reader.js';
import { damaged, UNVERIFIABLE, type Verdict } from '../verdict.js';

const MAGIC = Buffer.from('wasmer-universal', 'latin1');
const METADATA_MAGIC = Buffer.from('WASMER\0\0', 'latin1');
const VERSION_OFFSET = MAGIC.length + METADATA_MAGIC.length;
const LENGTH_OFFSET = VERSION_OFFSET + 4;
const HEADER_BYTES = LENGTH_OFFSET + 4;

/** True when a file begins with the magic of an artifact. @throws errno errors. */
export function hasArtifactMagic(host: Host, path: string): boolean {
  const { files } = host;
  return withScannedFile(files, path, (fd) => {
    const bytes = Buffer.alloc(MAGIC.length);
    return (
      files.fstat(fd).type === 'file' &&
      files.readAt(fd, bytes, bytes.length, 0) === bytes.length &&
      bytes.equals(MAGIC)
    );
  });
}

/**
 * Judges a serialized module by the header that wasmer gives to its own artifacts. Others have none that all versions
 * share. An empty file is what a failed compilation leaves, and what gear compiles into.
 */
export function checkArtifact(artifact: ArtifactReader): Verdict {
  let metadataBytes: number | null = null;
  const ended = artifact.stream(0, Infinity, (chunk) => {
    // The first chunk holds the header: only the last one is a short one.
    if (artifact.bytesRead > chunk.length) return null;
    const header = readHeader(chunk);
    if (typeof header !== 'number') return header;
    metadataBytes = header;
    return null;
  });
  if (ended !== null) return ended;
  if (artifact.bytesRead === 0) return { kind: 'litter' };
  if (metadataBytes !== null && metadataBytes > artifact.bytesRead - HEADER_BYTES)
    return damaged('bad-length');
  return UNVERIFIABLE;
}

/** How many bytes the header says follow it; null where there is no header; else what is wrong with it. */
function readHeader(bytes: Buffer): number | null | Verdict {
  const common = Math.min(bytes.length, MAGIC.length);
  if (!bytes.subarray(0, common).equals(MAGIC.subarray(0, common))) return null;
  if (bytes.length < HEADER_BYTES) return damaged('truncated');
  if (!bytes.subarray(MAGIC.length, VERSION_OFFSET).equals(METADATA_MAGIC)) return damaged('bad-magic');
  if (bytes.readUInt32LE(VERSION_OFFSET) === 0) return damaged('wrong-version');
  return bytes.readUInt32LE(LENGTH_OFFSET);
}
