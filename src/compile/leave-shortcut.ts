import { join } from 'node:path';
import { lstatOrNull } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { StorePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import { replaceFile } from '../store/checked-file.js';
import { readEntryFile } from '../store/entry-file.js';
import { EntryReader } from '../store/entry-reader.js';
import { answerOf, type Looks } from './looks.js';
import type { PlannedOutput } from './plan.js';
import {
  CHANGING_VARIABLES,
  isOwnFolder,
  MAX_SHORTCUT_BYTES,
  shortcutBytes,
  type Shortcut,
} from './shortcut.js';
import { isSettled } from './stamps.js';

/** What a shortcut holds of the artifact that it leads to. */
type Recorded = Omit<Shortcut, 'leftAtMs' | keyof Looks>;

/**
 * What the record of an artifact says of the outputs of a call. Null where there is none, it tells of other outputs, or
 * it is so young that it could change once more without a change of its times.
 */
export function recordedOf(
  host: Host,
  artifact: { readonly store: StorePaths } & Pick<Shortcut, 'fingerprint' | 'maxPayloadBytes'>,
  planned: readonly PlannedOutput[],
): Recorded | null {
  const { store: paths, fingerprint, maxPayloadBytes } = artifact;
  const read = new EntryReader(host, { paths, maxPayloadBytes }).readRecord(fingerprint);
  if (!read.ok || !isSettled(read.stat, host.clock.nowMs())) return null;
  const { record, stat } = read;
  const outputs = record.outputs.flatMap(({ executable }, index) => {
    const output = planned[index];
    return output === undefined ? [] : [{ ...output, executable }];
  });
  if (record.fingerprint !== fingerprint || outputs.length !== planned.length) return null;
  const entry = readEntryFile(host, paths.entry(fingerprint), maxPayloadBytes);
  if (!entry.ok || entry.digest !== record.payloadDigest) return null;
  return {
    fingerprint,
    maxPayloadBytes,
    outputs,
    record: answerOf('lstat', stat),
    entryChecksum: host.checksum(entry.bytes),
    wallSeconds: record.cost.wallSeconds,
    stdout: Buffer.from(record.stdout).toString('base64'),
    stderr: Buffer.from(record.stderr).toString('base64'),
  };
}

/** Writes what the next call of this name begins with. Best effort: without it that call goes the long way. */
export function leaveShortcut(
  host: Host,
  place: { readonly folder: string; readonly name: string },
  shortcut: Shortcut,
): void {
  const { folder, name } = place;
  if (shortcut.looks.length > MAX_SHORTCUT_BYTES / 2) return;
  // Where others may write nobody would read it, and a link would lead elsewhere.
  if (lstatOrNull(host.files, folder) !== null && !isOwnFolder(host, folder)) return;
  try {
    // Named like one that nobody takes: what a killed process leaves goes with the old ones.
    const file = { folder, path: join(folder, name), staged: join(folder, host.random.hex(32)) };
    replaceFile(host, file, [shortcutBytes(host, shortcut)]);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
}

/** True for `NAME` and `NAME=VALUE` of a variable by which no shortcut tells calls apart. */
export function isChanging(requested: string): boolean {
  return CHANGING_VARIABLES.has(requested.split('=', 1)[0] ?? '');
}
