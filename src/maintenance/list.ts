import { relative } from 'node:path';
import type { FileStat } from '../host/files.js';
import type { Fingerprint } from '../model/fingerprint.js';
import { fingerprintOfEntry } from '../layouts/vyre/entry-format.js';
import type { DiskTier } from '../store/disk-tier.js';
import type { MaintainedRoot } from './maintained-root.js';
import type { ListedEntry, ListReport } from './reports.js';
import { scanIfThere } from './scan.js';

/** Visits each entry of the store with its state; what is no regular file or vanishes meanwhile is left out. */
export function eachEntry(
  root: MaintainedRoot,
  store: DiskTier,
  visit: (fingerprint: Fingerprint, stat: FileStat) => void,
): void {
  const { files } = root.host;
  scanIfThere(files, store.paths.folder, ({ name }) => {
    const fingerprint = fingerprintOfEntry(name);
    if (fingerprint === null) return;
    const stat = files.lstat(store.paths.entry(fingerprint));
    if (stat?.type === 'file') visit(fingerprint, stat);
  });
}

/** The entries of a root, most recently used first. */
export function listEntries(root: MaintainedRoot): ListReport {
  const store = root.openStore();
  const nowMs = root.host.clock.nowMs();
  const entries: ListedEntry[] = [];
  eachEntry(root, store, (fingerprint, stat) => {
    const read = store.readRecord(fingerprint);
    const record = read.ok ? read.record : null;
    entries.push({
      fingerprint,
      path: relative(root.root, store.paths.entry(fingerprint)),
      bytes: stat.bytes + (root.host.files.lstat(store.paths.record(fingerprint))?.bytes ?? 0),
      payloadBytes: record?.payloadBytes ?? null,
      ageSeconds: Math.max(0, (nowMs - stat.mtimeMs) / 1000),
      compiler: record?.compiler ?? null,
      outputs: record?.outputs.map((output) => output.name) ?? null,
    });
  });
  return { root: root.root, entries: entries.toSorted((a, b) => a.ageSeconds - b.ageSeconds) };
}
