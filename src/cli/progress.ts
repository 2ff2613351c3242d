import type { Clock } from '../host/clock.js';
import { formatBytes, formatCount } from '../model/units.js';
import { wantsColor } from './color.js';
import type { Context } from './context.js';
import { isCi } from './settings/environment.js';

export interface ProgressFigures {
  readonly files: number;
  readonly bytes: number;
}

/** Shows on stderr that something goes on. `done` leaves nothing behind on a terminal. */
export interface Progress {
  show(figures: ProgressFigures): void;
  done(): void;
}

/** A terminal is redrawn at most ten times a second; a log of a CI gets a line every five seconds. */
const REDRAW_MS = 100;
const LINE_MS = 5000;

const NONE: Progress = { show: () => undefined, done: () => undefined };

/** What moves on a terminal that knows its width, plain lines in CI, else nothing. */
export type ProgressStyle = 'moving' | 'lines' | 'none';

export function progressStyle({ call, quiet }: Context): ProgressStyle {
  const { stderr } = call.terminal;
  if (quiet) return 'none';
  if (isCi(call.environment)) return 'lines';
  // A terminal of zero columns would be written to without end.
  return stderr.isTerminal && stderr.columns > 0 && call.environment['TERM'] !== 'dumb' ? 'moving' : 'none';
}

/** True when this style shows something new again, and not again before its time has passed. */
export function isDueAgain(clock: Clock, style: Exclude<ProgressStyle, 'none'>): () => boolean {
  const spanMs = style === 'lines' ? LINE_MS : REDRAW_MS;
  let lastMs = clock.monotonicMs();
  return () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - lastMs < spanMs) return false;
    lastMs = nowMs;
    return true;
  };
}

/** For long work on files. */
export async function startProgress(context: Context, verb: string): Promise<Progress> {
  const { terminal, environment, host } = context.call;
  const style = progressStyle(context);
  if (style === 'none') return NONE;
  if (style === 'lines') return lineProgress(host.clock, verb, (line) => terminal.stderr.write(line));
  const isColored = wantsColor({ setting: context.settings.color, environment, isTerminal: true });
  return spinner(host.clock, { verb, isColored });
}

function sentence(verb: string, figures: ProgressFigures, seconds: number): string {
  const rate = seconds > 0 ? `, ${formatBytes(figures.bytes / seconds)}/s` : '';
  return `${verb} ${formatCount(figures.files)} files, ${formatBytes(figures.bytes)}${rate}`;
}

/** Lines at most every {@link LINE_MS}: a short run writes none. */
export function lineProgress(clock: Clock, verb: string, write: (line: string) => void): Progress {
  const startMs = clock.monotonicMs();
  const isDue = isDueAgain(clock, 'lines');
  return {
    show(figures) {
      if (!isDue()) return;
      write(`${sentence(verb, figures, (clock.monotonicMs() - startMs) / 1000)}\n`);
    },
    done: () => undefined,
  };
}

async function spinner(
  clock: Clock,
  { verb, isColored }: { readonly verb: string; readonly isColored: boolean },
): Promise<Progress> {
  const { default: ora } = await import('ora');
  // `discardStdin` would swallow Ctrl-C. Hiding the cursor would install handlers for signals, which wait until a busy
  // loop ends; without them Ctrl-C ends the process at once.
  const options = { text: verb, stream: process.stderr, discardStdin: false, hideCursor: false };
  const spinning = ora({ ...options, color: isColored ? 'cyan' : false }).start();
  const startMs = clock.monotonicMs();
  const isDue = isDueAgain(clock, 'moving');
  return {
    show(figures) {
      if (!isDue()) return;
      spinning.text = sentence(verb, figures, (clock.monotonicMs() - startMs) / 1000);
      // The timer of the spinner does not run while a loop is busy.
      spinning.render();
    },
    done: () => {
      spinning.stop();
    },
  };
}
