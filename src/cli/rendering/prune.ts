import type { PruneReport } from '../../maintenance/reports.js';
import { formatBytes, formatCount } from '../../model/units.js';
import { nothingRemoved, whatStays } from './removals.js';
import { plural } from './text.js';

/** `Freed 1.2 GiB (37 entries: 30 by ttl, 7 by max-size); 4 GiB in 90 entries left (limit 4 GiB)`. */
export function renderPrune(report: PruneReport): string {
  const { keptBytes, keptCount, limits } = report;
  const left = keptCount === 0 ? 'nothing' : `${formatBytes(keptBytes)} in ${entries(keptCount)}`;
  const stay = report.dryRun && report.removedCount > 0 ? 'would be left' : 'left';
  return `${freed(report)}; ${left} ${stay}${limited(limits)}${whatStays(report)}${besides(report)}\n`;
}

/** What lies there and is no business of the rules. */
function besides({ others }: PruneReport): string {
  if (others.count === 0) return '';
  return `; besides ${formatBytes(others.bytes)} in ${plural(formatCount(others.count), 'file', 'files')} that no rule removes`;
}

function freed(report: PruneReport): string {
  const { dryRun, removedBy, removedCount, removedBytes } = report;
  if (removedCount === 0) return nothingRemoved(report);
  const parts = [...removedBy].map(([reason, { count }]) => `${formatCount(count)} by ${reason}`);
  const verb = dryRun ? 'Would free' : 'Freed';
  return `${verb} ${formatBytes(removedBytes)} (${entries(removedCount)}: ${parts.join(', ')})`;
}

function limited({ maxBytes, maxEntries }: PruneReport['limits']): string {
  const parts = [
    ...(maxBytes === null ? [] : [formatBytes(maxBytes)]),
    ...(maxEntries === null ? [] : [entries(maxEntries)]),
  ];
  if (parts.length === 0) return '';
  return ` (${parts.length === 1 ? 'limit' : 'limits'} ${parts.join(' and ')})`;
}

function entries(count: number): string {
  return plural(formatCount(count), 'entry', 'entries');
}

/** What a user should know about the rules, one line each. */
export function renderPruneWarnings({
  limits,
  keptBytes,
  keptCount,
  lastDay,
}: PruneReport): readonly string[] {
  const { maxBytes, maxEntries } = limits;
  const warnings: string[] = [];
  if (maxBytes !== null && lastDay.bytes > maxBytes) warnings.push(thrashing(formatBytes(lastDay.bytes)));
  else if (maxEntries !== null && lastDay.entries > maxEntries)
    warnings.push(thrashing(entries(lastDay.entries)));
  const over = (maxBytes !== null && keptBytes > maxBytes) || (maxEntries !== null && keptCount > maxEntries);
  if (over)
    warnings.push(
      'the limit is still exceeded: what is left is too young for --min-age, in use, or could not be removed',
    );
  return warnings;
}

function thrashing(used: string): string {
  return `the limit is below what was used during the last day (${used}): entries go before they are used again`;
}
