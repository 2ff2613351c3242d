import type { BatchResult } from '../../compile/batch.js';
import type { Plan } from '../../compile/plan.js';
import type { CompileResult } from '../../compile/request.js';
import { isHit } from '../../model/lifecycle.js';
import { formatCount, formatDuration } from '../../model/units.js';
import { compileJson, compileRow, compileWords, type CompileRow } from './compile.js';
import { plural, printable } from './text.js';

/** How a job of a batch ended. `stopped`: it was never started. */
type Class = 'hit' | 'compiled' | 'not-stored' | 'failed' | 'stopped';

function classOf({ result, error }: BatchResult): Class {
  if (error !== null) return 'failed';
  if (result === null) return 'stopped';
  if (result.exitCode !== 0 || result.error !== null) return 'failed';
  if (result.outcome === null) return 'not-stored';
  if (isHit(result.outcome)) return 'hit';
  return result.notStored === null ? 'compiled' : 'not-stored';
}

/** What a job is called besides its number: its first input, else its first output. */
export function jobName({ inputs, outputs }: Pick<Plan, 'inputs' | 'outputs'>): string {
  return inputs[0]?.name ?? outputs[0]?.name ?? '';
}

export interface JobStyle {
  readonly name: string;
  /** A line for every job, with its fingerprint. */
  readonly verbose: boolean;
  /** No line of ours for a job that succeeded: only what its compiler printed. */
  readonly quiet: boolean;
}

/**
 * What stderr gets when a job has ended: a line of ours, then all that the compiler printed, ended by a newline. Nothing
 * for a job that succeeded in silence, unless every job gets its line.
 */
export function renderBatchJob(ended: BatchResult, style: JobStyle): Buffer {
  const { result } = ended;
  const output = result === null ? [] : [result.stdout, result.stderr].flatMap(wholeLines);
  const hasFailed = classOf(ended) === 'failed';
  const hasNoLine = style.quiet || (output.length === 0 && (!style.verbose || result === null));
  if (!hasFailed && hasNoLine) return output.length === 0 ? NOTHING : Buffer.concat(output);
  const job = `job ${ended.index + 1}`;
  const repeated = result === null ? null : repeatWords(result);
  const line =
    style.verbose && result !== null && result.error === null
      ? `${job}: ${compileWords(result)}${repeated === null ? '' : `, ${repeated}`}`
      : `${job} (${printable(style.name)}) ${endWords(ended)}`;
  return Buffer.concat([Buffer.from(`vyre-cache: ${line}\n`), ...output]);
}

function endWords({ result, error }: BatchResult): string {
  if (error !== null) return `could not be run: ${printable(error.message)}`;
  if (result === null) return 'was not started';
  const { outcome, exitCode, wallSeconds } = result;
  const how = outcome === 'failed' ? '' : `${outcome ?? 'not cached'}, `;
  const details = `(${repeatWords(result) ?? how + formatDuration(wallSeconds)})`;
  if (result.error !== null) return `failed ${details}: ${printable(result.error)}`;
  return exitCode === 0 ? `printed this ${details}` : `failed with exit ${exitCode} ${details}`;
}

/** Of a remembered failure only: the compiler was not run. */
function repeatWords({ failedSecondsAgo }: CompileResult): string | null {
  if (failedSecondsAgo === undefined) return null;
  return `failure of ${formatDuration(failedSecondsAgo)} ago repeated, --retry-failed tries again`;
}

const NEWLINE = Buffer.from('\n');
const NOTHING = Buffer.alloc(0);

function wholeLines(bytes: Uint8Array): readonly Uint8Array[] {
  if (bytes.byteLength === 0) return [];
  return bytes.at(-1) === NEWLINE[0] ? [bytes] : [bytes, NEWLINE];
}

const CLASS_WORDS: readonly (readonly [Class, string])[] = [
  ['compiled', 'compiled'],
  ['not-stored', 'not stored'],
  ['failed', 'failed'],
  ['stopped', 'stopped'],
];

/** Collects what became of the jobs of a batch. */
export class BatchReport {
  readonly #counts = new Map<Class, number>();
  readonly #rows: CompileRow[] | null;
  #done = 0;
  #savedSeconds = 0;

  /** @param options.keepsRows true where the document will be asked for. */
  constructor(options: { readonly keepsRows: boolean }) {
    this.#rows = options.keepsRows ? [] : null;
  }

  add(ended: BatchResult): void {
    const kind = classOf(ended);
    this.#done += 1;
    this.#counts.set(kind, this.#count(kind) + 1);
    this.#savedSeconds += ended.result?.savedSeconds ?? 0;
    if (this.#rows !== null) this.#rows[ended.index] = rowOf(ended);
  }

  get done(): number {
    return this.#done;
  }

  get hits(): number {
    return this.#count('hit');
  }

  get failed(): number {
    return this.#count('failed');
  }

  /** Jobs that were never started. */
  get stopped(): number {
    return this.#count('stopped');
  }

  #count(kind: Class): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** `500 jobs in 12.3 s: 480 hits, 10 compiled, 10 failed; 3 m 12 s saved`: one line without its end. */
  summary(seconds: number): string {
    const jobs = plural(formatCount(this.#done), 'job', 'jobs');
    const parts = [
      plural(formatCount(this.hits), 'hit', 'hits'),
      ...CLASS_WORDS.filter(([kind]) => this.#count(kind) > 0).map(
        ([kind, words]) => `${formatCount(this.#count(kind))} ${words}`,
      ),
    ];
    const saved =
      Math.round(this.#savedSeconds * 1000) > 0 ? `; ${formatDuration(this.#savedSeconds)} saved` : '';
    return `${jobs} in ${formatDuration(seconds)}: ${parts.join(', ')}${saved}`;
  }

  /** `vyre-cache.compile/1` in pieces, the jobs in the order of the manifest. */
  json(): Generator<string> {
    return compileJson(this.#rows ?? []);
  }
}

/** A job that did not run has an error only; one that was never started has not even that. */
function rowOf({ result, error }: BatchResult): CompileRow {
  if (result !== null) return compileRow(result);
  return {
    fingerprint: null,
    outcome: null,
    reason: null,
    notStored: null,
    outputs: [],
    exitCode: null,
    wallSeconds: null,
    savedSeconds: null,
    error: error?.message ?? null,
  };
}
