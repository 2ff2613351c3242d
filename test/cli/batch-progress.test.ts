import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { renderBar, startBatchProgress, type BatchProgress } from '../../src/cli/batch-progress.js';
import { PLAIN } from '../../src/cli/color.js';
import type { Call } from '../../src/cli/command.js';
import { openContext } from '../../src/cli/context.js';
import type { OutputStream } from '../../src/cli/streams.js';
import { FakeClock, fakeHost } from '../support/fake-host.js';
import { checkProperty } from '../support/properties.js';

interface Screen {
  readonly clock: FakeClock;
  readonly progress: BatchProgress;
  /** What was written since the last question. */
  readonly taken: () => string;
}

interface ScreenOptions {
  readonly columns?: number;
  readonly isTerminal?: boolean;
  readonly quiet?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

const TOTAL = 500;

async function start(options: ScreenOptions = {}): Promise<Screen> {
  const { columns = 80, isTerminal = true, quiet = false, environment = { NO_COLOR: '1' } } = options;
  const written: Buffer[] = [];
  const stderr: OutputStream = {
    isTerminal,
    columns,
    write: (chunk) => {
      written.push(Buffer.from(chunk));
    },
    flush: async () => Promise.resolve(),
  };
  const clock = new FakeClock();
  const call: Call = {
    argv: [],
    positionals: [],
    command: null,
    options: {
      text: () => null,
      list: () => [],
      flag: (name) => quiet && name === 'quiet',
      refused: () => false,
    },
    flags: new Map(),
    host: fakeHost({ clock }),
    environment,
    cwd: '/',
    terminal: { stdout: stderr, stderr },
    signal: new AbortController().signal,
  };
  const progress = await startBatchProgress(await openContext(call), TOTAL);
  return { clock, progress, taken: () => Buffer.concat(written.splice(0)).toString('utf8') };
}

const CLEAR = '\r\u001B[K';
const EMPTY_BAR = `[${'-'.repeat(20)}] 0/500  0 hits`;

describe('the bar of a batch', () => {
  it('does not move where the commands write to the terminal themselves', async () => {
    const { clock, progress, taken } = await start({ environment: { VYRE_CACHE_DISABLE: '1' } });
    clock.advance(1000);
    progress.show({ done: 2, total: TOTAL, hits: 0 });
    progress.stderr.write('text');
    progress.done();
    assert.equal(taken(), 'text');
  });

  it('begins without an estimate, moves at most ten times a second, and leaves nothing', async () => {
    const { clock, progress, taken } = await start();
    assert.equal(taken(), EMPTY_BAR);
    clock.advance(99);
    progress.show({ done: 1, total: TOTAL, hits: 1 });
    assert.equal(taken(), '');
    clock.advance(1);
    progress.show({ done: 2, total: TOTAL, hits: 1 });
    assert.equal(taken(), `${CLEAR}[${'-'.repeat(20)}] 2/500  1 hit  20 jobs/s  25 s left`);
    clock.advance(9900);
    progress.show({ done: 120, total: TOTAL, hits: 80 });
    assert.equal(taken(), `${CLEAR}[####${'-'.repeat(16)}] 120/500  80 hits  12 jobs/s  32 s left`);
    clock.advance(100);
    progress.show({ done: TOTAL, total: TOTAL, hits: 80 });
    assert.equal(taken(), `${CLEAR}[${'#'.repeat(20)}] 500/500  80 hits  50 jobs/s`);
    progress.done();
    progress.done();
    progress.show({ done: TOTAL, total: TOTAL, hits: 80 });
    assert.equal(taken(), CLEAR);
    progress.stderr.write('summary\n');
    assert.equal(taken(), 'summary\n');
  });

  it('makes room for what else is written, and comes back behind the end of its line', async () => {
    const { progress, taken } = await start();
    taken();
    progress.stderr.write('one\ntwo\n');
    assert.equal(taken(), `${CLEAR}one\ntwo\n${EMPTY_BAR}`);
    progress.stderr.write(Buffer.from([0xff, 0x0a]));
    assert.ok(taken().endsWith(`\n${EMPTY_BAR}`));
    progress.stderr.write('');
    assert.equal(taken(), '');
    progress.stderr.write('half a ');
    assert.equal(taken(), `${CLEAR}half a `);
    progress.stderr.write('line\n');
    assert.equal(taken(), `line\n${EMPTY_BAR}`);
  });

  it('does not come back onto a line that has no end, nor clears it', async () => {
    const { clock, progress, taken } = await start();
    progress.stderr.write('no end');
    taken();
    clock.advance(1000);
    progress.show({ done: 10, total: TOTAL, hits: 0 });
    progress.done();
    assert.equal(taken(), '');
  });

  it('has colours only where they are wanted', async () => {
    const { taken } = await start({ environment: {} });
    assert.equal(taken(), `[\u001B[2m${'-'.repeat(20)}\u001B[22m] 0/500  0 hits`);
    const plain = await start({ environment: { NO_COLOR: '1' } });
    assert.ok(!plain.taken().includes('\u001B[2m'));
  });

  it('is no bar without a terminal, without columns, on a dumb terminal and when quiet', async () => {
    for (const options of [
      { isTerminal: false, columns: 0 },
      { columns: 0 },
      { environment: { TERM: 'dumb' } },
      { quiet: true },
      { quiet: true, environment: { CI: '1' } },
    ]) {
      const { clock, progress, taken } = await start(options);
      clock.advance(60_000);
      progress.show({ done: 10, total: TOTAL, hits: 0 });
      progress.stderr.write('text');
      progress.done();
      assert.equal(taken(), 'text', JSON.stringify(options));
    }
  });

  it('is a plain line every five seconds in CI, even on a terminal', async () => {
    for (const isTerminal of [true, false]) {
      const { clock, progress, taken } = await start({ environment: { CI: 'true' }, isTerminal });
      for (const [ms, done] of [
        [4999, 0],
        [1, 0],
        [4999, 9],
        [1, 120],
      ] as const) {
        clock.advance(ms);
        progress.show({ done, total: TOTAL, hits: 80 });
      }
      progress.stderr.write('text\n');
      progress.done();
      assert.equal(taken(), '0/500 jobs, 80 hits\n120/500 jobs, 80 hits, 12 jobs/s, 32 s left\ntext\n');
    }
  });

  const figures = { done: 120, total: TOTAL, hits: 80 };
  const WIDTHS: readonly (readonly [number, string])[] = [
    [79, '[####----------------] 120/500  80 hits  12 jobs/s  32 s left'],
    [61, '[####----------------] 120/500  80 hits  12 jobs/s  32 s left'],
    [60, '[####---------------] 120/500  80 hits  12 jobs/s  32 s left'],
    [45, '[----] 120/500  80 hits  12 jobs/s  32 s left'],
    [44, '[###-----------] 120/500  80 hits  32 s left'],
    [34, '[----] 120/500  80 hits  32 s left'],
    [33, '[##----------] 120/500  32 s left'],
    [25, '[----] 120/500  32 s left'],
    [24, '[###-----------] 120/500'],
    [19, '[##-------] 120/500'],
    [14, '[----] 120/500'],
    [13, '120/500'],
    [7, '120/500'],
    [6, ''],
  ];
  for (const [width, line] of WIDTHS) {
    it(`has the most important words within ${width} characters`, () => {
      assert.equal(renderBar(figures, { width, seconds: 10, paint: PLAIN }), line);
    });
  }

  it('never exceeds its width', () => {
    const count = fc.nat(2_000_000);
    checkProperty(
      fc.property(fc.nat(120), count, count, count, fc.nat(1e7), (width, done, total, hits, ms) => {
        const line = renderBar({ done, total, hits }, { width, seconds: ms / 1000, paint: PLAIN });
        assert.ok(line.length <= width, `${line} within ${width}`);
        assert.doesNotMatch(line, /NaN|Infinity|-\d|\n/);
      }),
    );
  });

  it('counts slow jobs by the minute', () => {
    const line = (done: number, seconds: number): string =>
      renderBar({ done, total: 100, hits: 0 }, { width: 99, seconds, paint: PLAIN }).replace(
        /^.*hits {2}/,
        '',
      );
    assert.equal(line(1, 1), '1 job/s  1 m 39 s left');
    assert.equal(line(3, 2), '1.5 jobs/s  1 m 5 s left');
    assert.equal(line(1, 20), '3 jobs/min  33 m left');
    assert.equal(line(1, 600), '0.1 jobs/min  16 h 30 m left');
  });
});
