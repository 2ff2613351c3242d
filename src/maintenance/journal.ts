import { formatBytes, formatCount } from '../model/units.js';
import type { MaintainedRoot } from './maintained-root.js';
import type { RemovalReport } from './reports.js';

/**
 * Writes what a command removed to the journal, one line per reason: a line per file would push everything else out of
 * it. Best effort, as the journal itself.
 */
export function noteRemovals(root: MaintainedRoot, command: string, report: RemovalReport): void {
  if (report.dryRun || report.removedCount === 0) return;
  for (const [reason, { count, bytes }] of report.removedBy) {
    const message = `${command} removed ${formatCount(count)} (${reason}), ${formatBytes(bytes)}`;
    root.addEvent({ kind: 'removed', reason, fingerprint: null, message });
  }
}
