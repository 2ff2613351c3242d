import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fingerprint } from '../../src/model/fingerprint.js';
import { fingerprintFrom } from './artifacts.js';

/** Whole seconds, so that the time of a file is exact. */
export const NOW_MS = 1_800_000_000_000;

/** An entry as removal by policy sees it: its bytes are never read. */
export interface StoredFile {
  /** A fingerprint of 64 times this digit, or of these first digits. */
  readonly name: string;
  /** Of the entry. */
  readonly bytes: number;
  /** Of its record; none where it is left out. */
  readonly recordBytes?: number;
  /** In seconds; negative in the future. */
  readonly age: number;
  /** Of the last time it was read; `age` where it is left out. */
  readonly readAge?: number;
}

/** Puts files into a flat folder of entries. */
export function storeFiles(folder: string, stored: readonly StoredFile[]): void {
  for (const { name, bytes, recordBytes, age, readAge } of stored) {
    const fingerprint = fingerprintFrom(name);
    const path = join(folder, `${fingerprint}.bin`);
    writeFileSync(path, Buffer.alloc(bytes), { mode: 0o600 });
    utimesSync(path, NOW_MS / 1000 - (readAge ?? age), NOW_MS / 1000 - age);
    if (recordBytes === undefined) continue;
    writeFileSync(join(folder, `${fingerprint}.json`), Buffer.alloc(recordBytes, ' '), { mode: 0o600 });
  }
}

/** The first digits of the entries that are there. */
export function storedNames(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.bin'))
    .map((name) => name.slice(0, 1))
    .toSorted();
}

/** `count` fingerprints that differ in their first digits. */
export function manyNames(count: number): readonly Fingerprint[] {
  return Array.from({ length: count }, (_, index) => fingerprintFrom(index.toString(16).padStart(8, '0')));
}
