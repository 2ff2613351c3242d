import type { ListingRun } from './preset.js';

/** Both streams of a question to the compiler, one after the other; remembered where the runner can. */
export async function ask(
  run: ListingRun,
  argv: readonly string[],
  dependsOn: readonly string[],
): Promise<string> {
  const answer = run.memoised === undefined ? await run.capture(argv) : await run.memoised(argv, dependsOn);
  return answer.stdout.toString('utf8') + answer.stderr.toString('utf8');
}
