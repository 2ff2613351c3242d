import { dirname } from 'node:path';
import type { FileStat } from '../host/files.js';
import { keyedHash, type Blake3 } from '../host/hash.js';
import type { Host } from '../host/host.js';
import { readRegularFile } from '../host/regular-file.js';
import { CacheError, errnoOf } from '../model/error.js';
import { isSigningKey, KEY_BYTES, Signing, type SigningKey } from '../model/signing.js';

export interface KeyFiles {
  /** Absolute. Signs, and is accepted. */
  readonly keyFile: string;
  /** Absolute. Accepted as well. */
  readonly acceptedKeyFiles: readonly string[];
  /** The cache: whoever can write there would decide about a key that lies in it. */
  readonly root: string;
}

/** Read by nobody but the owner, and no program. */
const FORBIDDEN_MODE = 0o177;

/** @throws CacheError usage for a key that is not the user's alone. */
export function loadSigning(host: Host, { keyFile, acceptedKeyFiles, root }: KeyFiles): Signing {
  const read = (path: string): SigningKey => readKey(host, path, root);
  return signingWith(host.hash, [read(keyFile), ...acceptedKeyFiles.map(read)]);
}

/** Keys that were read before, such as in another thread. */
export function signingWith(hash: Blake3, keys: readonly [SigningKey, ...SigningKey[]]): Signing {
  return new Signing(keys, (key, chunks) => keyedHash(hash, key, chunks));
}

function readKey(host: Host, path: string, root: string): SigningKey {
  if (`${realFolder(host, path)}/`.startsWith(`${root}/`)) {
    throw refused(
      `a key outside of the cache`,
      `"${path}" in "${root}"`,
      'Whoever can write to the cache could replace it: move it elsewhere.',
    );
  }
  const read = readRegularFile(host.files, path, KEY_BYTES);
  if (!read.ok) throw unusable(host, path, read.reason);
  judgeOwner(host, path, read.stat);
  const key = new Uint8Array(read.bytes);
  if (isSigningKey(key)) return key;
  throw wrongLength(path, key.byteLength);
}

function realFolder(host: Host, path: string): string {
  try {
    return host.files.realpath(dirname(path));
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return dirname(path);
  }
}

function refused(expected: string, found: string, hint: string): CacheError {
  return new CacheError('usage', `expected ${expected}, found ${found}`, { hint });
}

function unusable(host: Host, path: string, reason: string): CacheError {
  const make = `Make one with: (umask 077; head -c ${KEY_BYTES} /dev/urandom > '${path}')`;
  if (reason === 'absent') return refused(`a key in "${path}"`, 'no file', make);
  const stat = reason === 'unreadable' ? null : host.files.lstat(path);
  if (stat?.type === 'file') return wrongLength(path, stat.bytes);
  if (stat !== null)
    return refused(
      `a regular file as key`,
      `${FOUND[stat.type]} at "${path}"`,
      'Name the file itself, by its own path.',
    );
  return refused(`a key that can be read`, `"${path}" that cannot`, 'Make it readable for its owner alone.');
}

const FOUND: Readonly<Record<FileStat['type'], string>> = {
  file: 'a file',
  directory: 'a directory',
  link: 'a link',
  other: 'a pipe or a device',
};

function wrongLength(path: string, bytes: number): CacheError {
  return refused(
    `a key of ${KEY_BYTES} bytes`,
    `${bytes} in "${path}"`,
    `A key is ${KEY_BYTES} raw bytes, no text and no newline: head -c ${KEY_BYTES} /dev/urandom makes one.`,
  );
}

function judgeOwner(host: Host, path: string, { uid, mode }: FileStat): void {
  if (uid !== host.user.uid) {
    throw refused(
      `a key of user ${host.user.uid}`,
      `"${path}" of user ${uid}`,
      'Use a key of your own, or a copy of this one that belongs to you.',
    );
  }
  if ((mode & FORBIDDEN_MODE) === 0) return;
  throw refused(
    'a key that nobody but its owner can read (mode 600)',
    `"${path}" with mode ${mode.toString(8)}`,
    `Run: chmod 600 '${path}'. If others may have read it, make a new one.`,
  );
}
