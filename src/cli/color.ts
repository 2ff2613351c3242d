import { variable, type Environment } from './settings/environment.js';

/** Marks parts of a text for people; without colour every function returns its argument. */
export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  strong(text: string): string;
  faint(text: string): string;
}

const same = (text: string): string => text;
export const PLAIN: Paint = { good: same, bad: same, strong: same, faint: same };

export interface ColorQuestion {
  /** `auto`, `always` or `never`. */
  readonly setting: string;
  readonly environment: Environment;
  readonly isTerminal: boolean;
}

/** The setting decides, then FORCE_COLOR (`0` and `false` switch off), NO_COLOR, TERM=dumb, and the stream itself. */
export function wantsColor({ setting, environment, isTerminal }: ColorQuestion): boolean {
  if (setting !== 'auto') return setting === 'always';
  const forced = variable(environment, 'FORCE_COLOR');
  if (forced !== null) return forced !== '0' && forced !== 'false';
  if (variable(environment, 'NO_COLOR') !== null) return false;
  return isTerminal && environment['TERM'] !== 'dumb';
}

/** The colours are loaded only where they are wanted. The level is set here: chalk ignores NO_COLOR. */
export async function loadPaint(question: ColorQuestion): Promise<Paint> {
  if (!wantsColor(question)) return PLAIN;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return {
    good: (text) => chalk.green(text),
    bad: (text) => chalk.red(text),
    strong: (text) => chalk.bold(text),
    faint: (text) => chalk.dim(text),
  };
}
