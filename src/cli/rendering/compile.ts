import type { CompileResult } from '../../compile/request.js';
import { isHit, OUTCOMES } from '../../model/lifecycle.js';
import { formatDuration } from '../../model/units.js';
import { jsonSeconds, renderJson } from './json.js';
import { printable } from './text.js';

/** `vyre-cache: hit (disk) 3f…, a.o, saved 1.24 s`: one line without its end, for `--verbose`. */
export function renderCompileLine(result: CompileResult): string {
  const { outcome, reason, notStored, fingerprint, outputs, savedSeconds, wallSeconds } = result;
  const hit = outcome !== null && isHit(outcome);
  const words = [
    hit ? `hit (${outcome})` : (outcome ?? 'not cached'),
    reason === null || reason === outcome ? null : `(${reason})`,
    notStored === null ? null : `${outcome === null ? '' : 'not stored '}(${notStored})`,
    fingerprint,
  ].filter((word) => word !== null);
  const status = result.exitCode === 0 ? [] : [`exit ${result.exitCode}`];
  const time = hit ? `saved ${formatDuration(savedSeconds ?? 0)}` : `took ${formatDuration(wallSeconds)}`;
  return `vyre-cache: ${[words.join(' '), ...status, ...outputs.map((output) => printable(output.path)), time].join(', ')}`;
}

/** `vyre-cache.compile/1`. */
export function renderCompileJson(results: readonly CompileResult[]): string {
  const totals = Object.fromEntries(
    OUTCOMES.map((outcome) => [outcome, results.filter((result) => result.outcome === outcome).length]),
  );
  return renderJson('vyre-cache.compile/1', { jobs: results.map(job), totals });
}

function job(result: CompileResult): Readonly<Record<string, unknown>> {
  return {
    fingerprint: result.fingerprint,
    outcome: result.outcome,
    reason: result.reason,
    notStored: result.notStored,
    outputs: result.outputs.map(({ path, bytes, executable }) => ({ path, bytes, executable })),
    exitCode: result.exitCode,
    wallSeconds: jsonSeconds(result.wallSeconds),
    savedSeconds: jsonSeconds(result.savedSeconds),
    error: result.error,
  };
}
