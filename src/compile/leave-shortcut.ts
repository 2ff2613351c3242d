import { join } from 'node:path';
import { lstatOrNull, type FileStat } from '../host/files.js';
import type { Host } from '../host/host.js';
import type { StorePaths } from '../layouts/vyre/home-paths.js';
import { errnoOf } from '../model/error.js';
import type { ArtifactSummary } from '../model/record-head.js';
import { replaceFile } from '../store/checked-file.js';
import { readEntryFile } from '../store/entry-file.js';
import { EntryReader } from '../store/entry-reader.js';
import { answerOf } from './looks.js';
import type { PlannedOutput } from './plan.js';
import {
  CHANGING_VARIABLES,
  isOwnFolder,
  MAX_SHORTCUT_BYTES,
  shortcutBytes,
  type KnownArtifact,
  type Shortcut,
} from './shortcut.js';
import { isSettled } from './stamps.js';

/**
 * What the record of an artifact says of the outputs of a call. Null where there is none, it tells of other outputs, or
 * it is so young that it could change once more without a change of its times.
 */
export function recordedOf(
  host: Host,
  artifact: { readonly store: StorePaths } & Pick<Shortcut, 'fingerprint' | 'maxPayloadBytes'>,
  planned: readonly PlannedOutput[],
): KnownArtifact | null {
  const { store: paths, fingerprint, maxPayloadBytes } = artifact;
  const read = new EntryReader(host, { paths, maxPayloadBytes }).readSummary(fingerprint);
  if (!read.ok || !isSettled(read.stat, host.clock.nowMs())) return null;
  const { record, stat } = read;
  const outputs = record.outputs.flatMap(({ executable }, index) => {
    const output = planned[index];
    return output === undefined ? [] : [{ ...output, executable }];
  });
  if (record.fingerprint !== fingerprint || outputs.length !== planned.length) return null;
  const entry = readEntryFile(host, paths.entry(fingerprint), maxPayloadBytes);
  if (!entry.ok || entry.digest !== record.payloadDigest) return null;
  return knownArtifact(host, { fingerprint, outputs, record, stat, entry: entry.bytes });
}

/** What a shortcut holds of an artifact. `stat` is that of the record, `entry` the whole file. */
export function knownArtifact(
  host: Host,
  {
    fingerprint,
    outputs,
    record,
    stat,
    entry,
  }: Pick<KnownArtifact, 'fingerprint' | 'outputs'> & {
    readonly record: ArtifactSummary;
    readonly stat: FileStat;
    readonly entry: Buffer;
  },
): KnownArtifact {
  return {
    fingerprint,
    outputs,
    record: answerOf('lstat', stat),
    entryChecksum: host.checksum(entry),
    wallSeconds: record.cost.wallSeconds,
    stdout: Buffer.from(record.stdout).toString('base64'),
    stderr: Buffer.from(record.stderr).toString('base64'),
  };
}

/** Where a shortcut lies. */
interface Place {
  readonly folder: string;
  readonly name: string;
}

/** Writes what the next call of this name begins with. Best effort: without it that call goes the long way. */
export function leaveShortcut(host: Host, place: Place, shortcut: Shortcut): void {
  if (shortcut.looks.length <= MAX_SHORTCUT_BYTES / 2) leaveBytes(host, place, shortcutBytes(host, shortcut));
}

/** The same for a shortcut as it lies in its file. */
export function leaveBytes(host: Host, place: Place, bytes: Uint8Array): void {
  const { folder, name } = place;
  // Where others may write nobody would read it, and a link would lead elsewhere.
  if (lstatOrNull(host.files, folder) !== null && !isOwnFolder(host, folder)) return;
  try {
    // Named like one that nobody takes: what a killed process leaves goes with the old ones.
    const file = { folder, path: join(folder, name), staged: join(folder, host.random.hex(32)) };
    replaceFile(host, file, [bytes]);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
  }
}

/** True for `NAME` and `NAME=VALUE` of a variable by which no shortcut tells calls apart. */
export function isChanging(requested: string): boolean {
  return CHANGING_VARIABLES.has(requested.split('=', 1)[0] ?? '');
}
