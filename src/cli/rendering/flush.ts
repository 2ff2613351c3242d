import type { FlushReport, ListProblem } from '../../maintenance/reports.js';
import { formatCount } from '../../model/units.js';
import { renderJson } from './json.js';
import { counted, plural, printable } from './text.js';

/** Enough to see what is wrong; a disk that fails fails for all. */
const SHOWN_FAILURES = 10;

/** What survives a power cut now, as one sentence. */
export function renderFlush(report: FlushReport): string {
  const { flushed, gone, failed, pending } = report;
  if (flushed + gone + failed + pending === 0) return 'Nothing was pending\n';
  const parts = [
    `${plural(formatCount(flushed), 'entry', 'entries')} durable`,
    ...counted(gone, 'gone'),
    ...counted(pending, 'still being written'),
    ...counted(failed, 'not synced'),
  ];
  return `${parts.join(', ')}\n`;
}

/** What could not be synced and why, one line each; the first ones of many. */
export function renderNotSynced({ failures }: FlushReport): readonly string[] {
  const lines = failures.slice(0, SHOWN_FAILURES).map(({ path, error }) => {
    const shown = path === '' ? 'the cache directory' : `"${printable(path)}"`;
    return `${shown} cannot be synced (${error}); it stays pending`;
  });
  const more = failures.length - lines.length;
  return more === 0 ? lines : [...lines, `${formatCount(more)} more cannot be synced`];
}

/** Why the pending list stayed as it was. */
export function renderListProblem({ root }: FlushReport, { kind, error }: ListProblem): string {
  const place = `"${printable(root)}"`;
  const because = error === null ? '' : ` (${error})`;
  switch (kind) {
    case 'unwritable':
      return `the pending list in ${place} may not be written${because}; every entry was looked at instead`;
    case 'unlocked':
      return `the pending list in ${place} is left alone, for nothing can be locked here; every entry was looked at instead`;
    case 'failed':
      return `the pending list in ${place} cannot be brought up to date${because}; the next flush syncs its entries again`;
    default:
      return kind satisfies never;
  }
}

/** `vyre-cache.flush/1`. */
export function renderFlushJson({ root, flushed, gone, failed, pending }: FlushReport): string {
  return renderJson('vyre-cache.flush/1', { root, flushed, gone, failed, pending });
}
