import { dirname, join } from 'node:path';
import type { Host } from '../../host/host.js';
import { writeNewFile } from '../../host/files.js';
import { readRegularFile } from '../../host/regular-file.js';
import { hashChunks } from '../../host/hash.js';
import { decoding, mismatch, parseJson, Reader } from '../../model/decoder.js';
import { CacheError, errnoOf } from '../../model/error.js';
import { digestOfBytes, isDigest, type Digest } from '../../model/fingerprint.js';

const SCHEMA = 'vyre-cache.trusted/1';
/** Some 150 bytes a file: thousands of projects. */
const MAX_BYTES = 1_048_576;
const WRITABLE_BY_OTHERS = 0o022;

/** A settings file whose content the user has read and accepted. A changed byte or another place ends the trust. */
export interface TrustedFile {
  /** Links resolved. */
  readonly path: string;
  readonly digest: Digest;
}

export function trustedFile(host: Host, path: string, bytes: Uint8Array): TrustedFile {
  return { path, digest: digestOfBytes(hashChunks(host.hash, [bytes])) };
}

function listPath(stateDirectory: string): string {
  return join(stateDirectory, 'trusted.json');
}

/** The files that the user trusts: none where the list is missing, damaged, or not the user's alone. */
export function readTrusted(host: Host, stateDirectory: string | null): readonly TrustedFile[] {
  if (stateDirectory === null) return [];
  const read = readRegularFile(host.files, listPath(stateDirectory), MAX_BYTES);
  if (!read.ok || read.stat.uid !== host.user.uid || (read.stat.mode & WRITABLE_BY_OTHERS) !== 0) return [];
  const decoded = decoding(() => readList(new Reader(parseJson(read.bytes.toString('utf8')), 'trusted')));
  return decoded.ok ? decoded.value : [];
}

function readList(reader: Reader): readonly TrustedFile[] {
  if (reader.text('schema') !== SCHEMA) mismatch('unknown schema');
  const files = reader.list('files', (value, path) => {
    const item = new Reader(value, path);
    const digest = item.text('digest');
    const file = {
      path: item.text('path'),
      digest: isDigest(digest) ? digest : mismatch(`${path}: no digest`),
    };
    item.end();
    return file;
  });
  reader.end();
  return files;
}

export function isTrusted(trusted: readonly TrustedFile[], file: TrustedFile): boolean {
  return trusted.some((known) => known.path === file.path && known.digest === file.digest);
}

/**
 * Adds a file to the list, in place of what was trusted under its path. Of two processes that do this at once the last
 * one wins: the other's file has to be trusted again.
 * @throws CacheError `environment` when the list cannot be written.
 */
export function trustFile(host: Host, stateDirectory: string, file: TrustedFile): void {
  const others = readTrusted(host, stateDirectory).filter((known) => known.path !== file.path);
  const body = `${JSON.stringify({ schema: SCHEMA, files: [...others, file] }, null, 2)}\n`;
  const target = listPath(stateDirectory);
  const temporary = `${target}.${host.random.hex(8)}`;
  try {
    host.files.makeDirectories(dirname(target), 0o700);
    writeNewFile(host.files, temporary, [Buffer.from(body, 'utf8')], 0o600);
    host.files.rename(temporary, target);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    throw new CacheError(
      'environment',
      `the list of trusted files "${target}" cannot be written (${errno})`,
      {
        hint: 'Make its folder writable for you, or set XDG_STATE_HOME to one that is.',
        cause: error,
      },
    );
  }
}
