import { dirname } from 'node:path';
import type { Files } from '../host/files.js';
import { readRegularFile } from '../host/regular-file.js';

/** A package.json with a version. */
export interface FoundPackage {
  /** Absolute path of the package.json. */
  readonly path: string;
  /** Empty when the package has none. */
  readonly name: string;
  readonly version: string;
}

const MAX_PACKAGE_BYTES = 4_194_304;

/**
 * The nearest package.json with a version in the folder of `script` or above. Those without one only mark folders
 * (`{"type":"module"}`) and are passed over.
 */
export function findPackage(files: Files, script: string): FoundPackage | null {
  for (let folder = dirname(script); ; folder = dirname(folder)) {
    const found = readPackage(files, `${folder === '/' ? '' : folder}/package.json`);
    if (found !== null) return found;
    if (folder === dirname(folder)) return null;
  }
}

function readPackage(files: Files, path: string): FoundPackage | null {
  const read = readRegularFile(files, path, MAX_PACKAGE_BYTES);
  if (!read.ok) return null;
  let value: unknown;
  try {
    value = JSON.parse(read.bytes.toString('utf8'));
  } catch {
    // Best effort: a damaged package.json names no version; the search goes on above it.
    return null;
  }
  if (typeof value !== 'object' || value === null || !('version' in value)) return null;
  const { version } = value;
  if (typeof version !== 'string' || version === '') return null;
  const name = 'name' in value && typeof value.name === 'string' ? value.name : '';
  return { path, name, version };
}
