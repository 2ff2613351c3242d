import { createInterface } from 'node:readline/promises';
import { CacheError } from '../model/error.js';
import type { Context } from './context.js';

/**
 * Demands that somebody can be asked, before any work is done.
 * @throws CacheError `usage` where nobody sits at a terminal and `--yes` was not given.
 */
export function demandSomebodyToAsk(
  { call, json }: Context,
  what: string,
  hint = 'Add --dry-run to see what would be removed.',
): void {
  if (call.options.flag('yes')) return;
  if (!json && call.terminal.stderr.isTerminal && process.stdin.isTTY) return;
  throw new CacheError('usage', `expected --yes with ${what}: nobody is here to be asked`, { hint });
}

/** True with `--yes`, or when the user says so: everything else, an interruption and the end of stdin too, is no. */
export async function isConsented({ call }: Context, question: string): Promise<boolean> {
  if (call.options.flag('yes')) return true;
  await call.terminal.stderr.flush();
  // Not as a terminal: line editing would take Ctrl-C away from the process.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    const answer = await Promise.race([
      lines.question(`${question} [y/N] `, { signal: call.signal }),
      new Promise<string>((resolve) => {
        lines.once('close', () => {
          resolve('');
        });
      }),
    ]);
    return /^y(?:es)?$/i.test(answer.trim());
  } catch (error) {
    if (call.signal.aborted) return false;
    throw error;
  } finally {
    lines.close();
  }
}
