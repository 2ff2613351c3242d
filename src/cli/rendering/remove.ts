import type { RemovedEntry, RemoveReport } from '../../maintenance/reports.js';
import { formatBytes, formatCount } from '../../model/units.js';
import { renderJson } from './json.js';
import { plural, printable } from './text.js';

/** What was removed, as one sentence. */
export function renderRemoved(report: RemoveReport): string {
  const removed = report.entries.filter((entry) => entry.result === 'removed');
  const bytes = removed.reduce((sum, entry) => sum + entry.bytes, 0);
  return `Removed ${plural(formatCount(removed.length), 'entry', 'entries')}, ${formatBytes(bytes)}\n`;
}

/** What was not removed and why, one line each. */
export function renderNotRemoved(report: RemoveReport): readonly string[] {
  return report.entries.filter((entry) => entry.result !== 'removed').map(explain);
}

function explain({ fingerprint, result, error }: RemovedEntry): string {
  switch (result) {
    case 'absent':
      return `no entry "${fingerprint}"`;
    case 'in-use':
      return `the entry "${fingerprint}" is in use`;
    case 'failed':
      return `the entry "${fingerprint}" cannot be removed${error === null ? '' : ` (${printable(error)})`}`;
    case 'removed':
      return `removed "${fingerprint}"`;
    default:
      return result satisfies never;
  }
}

/** `vyre-cache.rm/1`. */
export function renderRemoveJson(report: RemoveReport): string {
  return renderJson('vyre-cache.rm/1', {
    root: report.root,
    entries: report.entries.map(({ fingerprint, result, bytes, error }) => ({
      fingerprint,
      result,
      bytes,
      error,
    })),
  });
}
