import type { Site } from '../site.js';
import type { Side } from '../row.js';
import { writeScript } from './manifest.js';

/** Calls in a row per sample: one alone would measure how fast this bench starts programs, too. */
const CALLS = 10;

export interface RepeatedCall {
  /** Differs within a folder. */
  readonly name: string;
  readonly line: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The same call again and again, by the shell. One run returns the seconds per call. */
export function shellLoop(site: Site, { name, line, env = {} }: RepeatedCall): Side {
  const script = site.path(`loop-${name.replaceAll(/\W+/g, '-')}`);
  const lines = Array.from({ length: CALLS }, () => line);
  writeScript(script, lines);
  return {
    name,
    needs: [],
    run: async () => (await site.time(site.command(['sh', script], { env }))) / CALLS,
  };
}

/** Words as one line for the shell. */
export function quote(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
}
