import type { CompileResult, DeliveredOutput } from '../../compile/request.js';
import { isHit, OUTCOMES, type Outcome } from '../../model/lifecycle.js';
import { formatDuration } from '../../model/units.js';
import { jsonSeconds } from './json.js';
import { printable } from './text.js';

/** `vyre-cache: hit (disk) 3f…, a.o, saved 1.24 s`: one line without its end, for `--verbose`. */
export function renderCompileLine(result: CompileResult): string {
  return `vyre-cache: ${compileWords(result)}`;
}

/** What became of a compilation, behind `vyre-cache: ` or the number of a job. */
export function compileWords(result: CompileResult): string {
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
  return [words.join(' '), ...status, ...outputs.map((output) => printable(output.path)), time].join(', ');
}

/** `vyre-cache.compile/1` as one text, for few compilations. */
export function renderCompileJson(results: readonly CompileResult[]): string {
  return [...compileJson(results.map(compileRow))].join('');
}

/** One of `jobs` of `vyre-cache.compile/1`. */
export interface CompileRow {
  readonly fingerprint: string | null;
  readonly outcome: Outcome | null;
  readonly reason: string | null;
  readonly notStored: string | null;
  readonly outputs: readonly DeliveredOutput[];
  /** Null when the command did not run. */
  readonly exitCode: number | null;
  readonly wallSeconds: number | null;
  readonly savedSeconds: number | null;
  readonly error: string | null;
}

/** `vyre-cache.compile/1` in pieces, one per job: the document of a large batch is never one text. */
export function* compileJson(rows: Iterable<CompileRow>): Generator<string> {
  const totals = new Map<Outcome, number>(OUTCOMES.map((outcome) => [outcome, 0]));
  yield '{"schema":"vyre-cache.compile/1","jobs":[';
  let separator = '';
  for (const row of rows) {
    if (row.outcome !== null) totals.set(row.outcome, (totals.get(row.outcome) ?? 0) + 1);
    yield `${separator}${JSON.stringify(row)}`;
    separator = ',';
  }
  yield `],"totals":${JSON.stringify(Object.fromEntries(totals))}}\n`;
}

/** The row holds nothing of what the compiler printed. */
export function compileRow(result: CompileResult): CompileRow {
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
