import type { Clock } from '../host/clock.js';
import { formatCount, formatDuration } from '../model/units.js';
import { loadPaint, type Paint } from './color.js';
import type { Context } from './context.js';
import { isDueAgain, progressStyle } from './progress.js';
import { plural } from './rendering/text.js';
import type { OutputStream } from './streams.js';

export interface BatchFigures {
  /** Jobs that have ended, of `total`. */
  readonly done: number;
  readonly total: number;
  readonly hits: number;
}

/** Shows on stderr how far a batch is. */
export interface BatchProgress {
  /**
   * Where everything else that goes to stderr has to be written while the batch runs: a bar makes room for it and comes
   * back below it.
   */
  readonly stderr: OutputStream;
  show(figures: BatchFigures): void;
  /** Leaves nothing behind on a terminal. */
  done(): void;
}

/** A bar on a terminal that knows its width, plain lines in CI, else nothing. */
export async function startBatchProgress(context: Context, total: number): Promise<BatchProgress> {
  const { terminal, environment, host } = context.call;
  const { stderr } = terminal;
  const style = progressStyle(context);
  // Where the cache is switched off the commands write to the terminal themselves, into a bar.
  const isHidden = style === 'moving' && context.settings.disable;
  if (style === 'none' || isHidden) return { stderr, show: () => undefined, done: () => undefined };
  if (style === 'lines') return batchLines(host.clock, stderr);
  const paint = await loadPaint({ setting: context.settings.color, environment, isTerminal: true });
  return new Bar({ stderr, clock: host.clock, paint, total });
}

function batchLines(clock: Clock, stderr: OutputStream): BatchProgress {
  const startMs = clock.monotonicMs();
  const isDue = isDueAgain(clock, 'lines');
  return {
    stderr,
    show(figures) {
      if (!isDue()) return;
      const { count, hits, rate, left } = wordsOf(figures, (clock.monotonicMs() - startMs) / 1000);
      stderr.write(`${[`${count} jobs`, hits, rate, left].filter((word) => word !== null).join(', ')}\n`);
    },
    done: () => undefined,
  };
}

interface Words {
  readonly count: string;
  readonly hits: string;
  /** Null before the first result. */
  readonly rate: string | null;
  /** Null where nothing is left as well. */
  readonly left: string | null;
}

function wordsOf({ done, total, hits }: BatchFigures, seconds: number): Words {
  const perSecond = done > 0 && seconds > 0 ? done / seconds : null;
  const leftSeconds = perSecond === null || done >= total ? null : Math.ceil((total - done) / perSecond);
  return {
    count: `${formatCount(done)}/${formatCount(total)}`,
    hits: plural(formatCount(hits), 'hit', 'hits'),
    rate: perSecond === null ? null : rateOf(perSecond),
    left: leftSeconds === null ? null : `${formatDuration(leftSeconds)} left`,
  };
}

function rateOf(perSecond: number): string {
  const [amount, unit] = perSecond < 1 ? [perSecond * 60, 'min'] : [perSecond, 's'];
  const shown = amount < 10 ? String(Number(amount.toFixed(1))) : formatCount(Math.round(amount));
  return `${plural(shown, 'job', 'jobs')}/${unit}`;
}

const MAX_BAR = 20;
const MIN_BAR = 4;

/**
 * `[####------] 120/500  80 hits  12 jobs/s  30 s left` within `width` characters. Where that is too narrow the rate
 * goes first, then the hits, the time left, and the bar itself.
 */
export function renderBar(
  figures: BatchFigures,
  options: { readonly width: number; readonly seconds: number; readonly paint: Paint },
): string {
  const { width, seconds, paint } = options;
  const { count, hits, rate, left } = wordsOf(figures, seconds);
  const choices = [[count, hits, rate, left], [count, hits, left], [count, left], [count]];
  const share = figures.total > 0 ? Math.min(1, figures.done / figures.total) : 0;
  for (const choice of choices) {
    const text = choice.filter((word) => word !== null).join('  ');
    const bar = Math.min(MAX_BAR, width - text.length - '[] '.length);
    if (bar < MIN_BAR) continue;
    const filled = Math.floor(share * bar);
    return `[${paint.good('#'.repeat(filled))}${paint.faint('-'.repeat(bar - filled))}] ${text}`;
  }
  return count.length <= width ? count : '';
}

/** Back to the first column, and nothing more on this line. */
const CLEAR = '\r\u001B[K';
const NEWLINE = 0x0a;

interface BarOptions {
  readonly stderr: OutputStream;
  readonly clock: Clock;
  readonly paint: Paint;
  readonly total: number;
}

class Bar implements BatchProgress {
  readonly stderr: OutputStream;
  readonly #out: OutputStream;
  readonly #clock: Clock;
  readonly #paint: Paint;
  readonly #startMs: number;
  readonly #isDue: () => boolean;
  #figures: BatchFigures;
  /** False while another's line has no end yet: a bar behind it would be cleared together with it. */
  #hasLine = true;
  #isDone = false;

  constructor({ stderr, clock, paint, total }: BarOptions) {
    this.#out = stderr;
    this.#clock = clock;
    this.#paint = paint;
    this.#startMs = clock.monotonicMs();
    this.#isDue = isDueAgain(clock, 'moving');
    this.stderr = {
      ...stderr,
      write: (text) => this.#print(text),
      flush: async () => stderr.flush(),
    };
    this.#figures = { done: 0, total, hits: 0 };
    this.#out.write(this.#render());
  }

  show(figures: BatchFigures): void {
    this.#figures = figures;
    if (this.#isDone || !this.#isDue()) return;
    if (this.#hasLine) this.#out.write(`${CLEAR}${this.#render()}`);
  }

  done(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#hasLine) this.#out.write(CLEAR);
  }

  #render(): string {
    const seconds = (this.#clock.monotonicMs() - this.#startMs) / 1000;
    // The last column stays free: some terminals go on to the next line behind it.
    return renderBar(this.#figures, { width: this.#out.columns - 1, seconds, paint: this.#paint });
  }

  #print(text: Uint8Array | string): void {
    if (text.length === 0) return;
    if (this.#isDone) {
      this.#out.write(text);
      return;
    }
    if (this.#hasLine) this.#out.write(CLEAR);
    this.#out.write(text);
    this.#hasLine = typeof text === 'string' ? text.endsWith('\n') : text.at(-1) === NEWLINE;
    if (this.#hasLine) this.#out.write(this.#render());
  }
}
