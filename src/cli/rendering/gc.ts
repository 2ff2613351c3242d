import type { RemovalReport } from '../../maintenance/reports.js';
import { formatBytes, formatCount } from '../../model/units.js';
import { nothingRemoved, whatStays } from './removals.js';
import { plural } from './text.js';

/** What garbage of each reason is called, in the order of the sentence. */
const NOUNS: readonly (readonly [reason: string, one: string, many: string])[] = [
  ['dead-worker', 'worker directory', 'worker directories'],
  ['staged', 'half-made item', 'half-made items'],
  ['temporary', 'temporary file', 'temporary files'],
  ['orphan-record', 'orphaned record', 'orphaned records'],
  ['expired-failure', 'expired failure', 'expired failures'],
  ['expired-lock', 'expired lock', 'expired locks'],
  ['orphan', 'orphaned statistics file', 'orphaned statistics files'],
  ['empty', 'empty file', 'empty files'],
  ['old-scheme', 'artifact of an old naming scheme', 'artifacts of an old naming scheme'],
  ['stale-compiler', 'artifact of a replaced compiler', 'artifacts of replaced compilers'],
  ['unused-state', 'unused note', 'unused notes'],
  ['quarantine', 'artifact in quarantine', 'artifacts in quarantine'],
  ['restart', 'item', 'items'],
];

/** `Removed 3 worker directories and 12 temporary files, 4.1 MiB`. */
export function renderGc(report: RemovalReport): string {
  const stays = whatStays(report);
  if (report.removedCount === 0) return `${nothingRemoved(report)}${stays}\n`;
  const verb = report.dryRun ? 'Would remove' : 'Removed';
  return `${verb} ${whatWent(report)}, ${formatBytes(report.removedBytes)}${stays}\n`;
}

function whatWent({ removed }: RemovalReport): string {
  const counts = new Map<string, number>();
  for (const { reason } of removed) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const parts = NOUNS.flatMap(([reason, one, many]) => {
    const count = counts.get(reason);
    return count === undefined ? [] : [plural(formatCount(count), one, many)];
  });
  const last = parts.pop() ?? '';
  return parts.length === 0 ? last : `${parts.join(', ')} and ${last}`;
}
