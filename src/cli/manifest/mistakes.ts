import { CacheError } from '../../model/error.js';
import { printable } from '../rendering/text.js';

/** Something in a manifest that has to be mended before anything runs. */
export interface Mistake {
  /** From 1; null for the manifest itself. */
  readonly job: number | null;
  /** From 1, where every job has a line of its own. */
  readonly line: number | null;
  /** `expected …, got …`. */
  readonly message: string;
  /** What to do, as a sentence. */
  readonly hint: string | null;
}

/** Who generates a manifest makes one mistake a thousand times. */
const SHOWN_MISTAKES = 20;

/** Throws all mistakes as one error, one on a line, in the order of the jobs. @throws CacheError `usage`. */
export function refuseMistakes(mistakes: readonly Mistake[]): void {
  if (mistakes.length === 0) return;
  const shown = mistakes
    .toSorted((a, b) => (a.job ?? 0) - (b.job ?? 0))
    .slice(0, SHOWN_MISTAKES)
    .map(mistakeLine);
  const more = mistakes.length - shown.length;
  if (more > 0) shown.push(`and ${more} more`);
  const [hint = null, ...otherHints] = new Set(mistakes.map((mistake) => mistake.hint));
  const options = hint === null || otherHints.length > 0 ? {} : { hint };
  throw new CacheError('usage', shown.join('\n'), options);
}

function mistakeLine({ job, line, message }: Mistake): string {
  if (job === null) return message;
  const text = printable(message);
  return line === null ? `job ${job}: ${text}` : `job ${job}, line ${line}: ${text}`;
}

/** A mistake of one job, from what a check of single compilations throws. */
export function mistakeOf(
  job: { readonly number: number; readonly line: number | null },
  error: CacheError,
): Mistake {
  return { job: job.number, line: job.line, message: error.message, hint: error.hint };
}
