import type { TreatedArtifact, VerifyProblem, VerifyReport } from '../../maintenance/reports.js';
import type { RestoredArtifact } from '../../maintenance/restore.js';
import { formatBytes, formatCount, formatDuration } from '../../model/units.js';
import type { Paint } from '../color.js';
import { jsonSeconds, renderJson } from './json.js';
import { counted, plural, printable } from './text.js';

/** The problems, one a line, then one sentence. `quiet` leaves the problems. */
export function renderVerify(
  report: VerifyReport,
  options: { readonly paint: Paint; readonly quiet: boolean },
): string {
  const { paint, quiet } = options;
  const problems = report.problems.map((problem) => `${problemLine(problem, paint)}\n`);
  const treated = report.treated.map((each) => `${treatedLine(each, report.root)}\n`);
  return `${problems.join('')}${treated.join('')}${quiet ? '' : `${sentence(report, paint)}\n`}`;
}

function problemLine({ path, reason }: VerifyProblem, paint: Paint): string {
  return `${printable(path)}  ${paint.bad(reason)}`;
}

function treatedLine({ path, action, id, home, error }: TreatedArtifact, root: string): string {
  const what = printable(path);
  switch (action) {
    case 'quarantined':
      return `${what} moved to ${home === root ? '' : `${printable(home ?? '')}/`}quarantine/${printable(id ?? '')}`;
    case 'deleted':
      return `${what} deleted`;
    case 'changed':
      return `${what} is not damaged any more`;
    case 'in-use':
      return `${what} is being compiled at this moment and stays`;
    case 'failed':
      return `${what} cannot be moved or deleted (${error})`;
    default:
      return action satisfies never;
  }
}

function sentence(report: VerifyReport, paint: Paint): string {
  const entries = plural(formatCount(report.artifacts), 'entry', 'entries');
  const work = `${entries}, ${formatBytes(report.bytes)} verified in ${formatDuration(report.seconds)}`;
  return `${work}: ${verdict(report, paint)}${besides(report)}`;
}

function verdict(report: VerifyReport, paint: Paint): string {
  const bad = [...counted(report.damaged, 'damaged'), ...counted(report.unreadable, 'unreadable')];
  if (bad.length > 0)
    return paint.bad([...bad, ...(report.unverifiable === 0 ? [] : [unverifiable(report)])].join(', '));
  if (report.problems.length > 0) return paint.bad(counted(report.problems.length, 'not found').join(''));
  if (report.artifacts === 0) return 'nothing to verify';
  if (report.unverifiable === 0) return paint.good('all valid');
  return [...counted(report.valid, 'valid'), unverifiable(report)].join(', ');
}

function unverifiable({ unverifiable: count, sealed }: VerifyReport): string {
  const unchanged = sealed === 0 ? '' : ` (${formatCount(sealed)} as sealed)`;
  return `${formatCount(count)} unverifiable${unchanged}`;
}

/** What lies around and is no artifact in use. */
function besides(report: VerifyReport): string {
  const parts = [
    ...counted(report.litter, 'left over from crashes'),
    ...counted(report.aliens, 'of unknown origin'),
    ...counted(report.quarantined, 'in quarantine'),
  ];
  return parts.length === 0 ? '' : `; besides ${parts.join(', ')}`;
}

/** `vyre-cache.verify/1`. */
export function renderVerifyJson(report: VerifyReport): string {
  return renderJson('vyre-cache.verify/1', {
    root: report.root,
    artifacts: report.artifacts,
    valid: report.valid,
    damaged: report.damaged,
    unverifiable: report.unverifiable,
    litter: report.litter,
    aliens: report.aliens,
    quarantined: report.quarantined,
    sealed: report.sealed,
    sealError: report.sealError,
    bytes: report.bytes,
    seconds: jsonSeconds(report.seconds),
    problems: report.problems.map(({ path, layout, fingerprint, reason }) => ({
      path,
      layout,
      fingerprint,
      reason,
    })),
    treated: report.treated.map(({ path, action, id, home, error }) => ({ path, action, id, home, error })),
  });
}

/** `vyre-cache.restore/1`. */
export function renderRestoredJson({ id, path, reason }: RestoredArtifact): string {
  return renderJson('vyre-cache.restore/1', { id, path, reason });
}
