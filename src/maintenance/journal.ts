import { formatBytes, formatCount } from '../model/units.js';
import type { MaintainedRoot } from './maintained-root.js';
import type { RemovalReport } from './reports.js';

/**
 * Writes what a command removed to the journal, one line per reason: a line per file would push everything else out of
 * it. Best effort, as the journal itself.
 */
export function noteRemovals(root: MaintainedRoot, command: string, report: RemovalReport): void {
  if (report.dryRun || report.removedCount === 0) return;
  for (const [reason, { count, bytes }] of sums(report)) {
    const message = `${command} removed ${formatCount(count)} (${reason}), ${formatBytes(bytes)}`;
    root.addEvent({ kind: 'removed', reason, fingerprint: null, message });
  }
}

function sums(
  report: RemovalReport,
): ReadonlyMap<string, { readonly count: number; readonly bytes: number }> {
  const found = new Map<string, { readonly count: number; readonly bytes: number }>();
  for (const { reason, bytes } of report.removed) {
    const before = found.get(reason) ?? { count: 0, bytes: 0 };
    found.set(reason, { count: before.count + 1, bytes: before.bytes + bytes });
  }
  return found;
}
