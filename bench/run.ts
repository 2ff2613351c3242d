/**
 * `npm run bench`: measures the built program against its peers. bench/README.md explains every row. Node runs it with
 * tsx loaded: the `tsx` command kills a program that does not answer a signal within some 60 ms, and removing the data
 * takes longer.
 */
import { writeFileSync } from 'node:fs';
import { bench } from './bench.js';
import { BenchError, Interrupted } from './bench-error.js';
import { plotGrowth } from './growth/plot.js';
import { readOptions, type Options } from './options.js';
import { renderMarkdown, renderTable } from './report.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A row that could be measured has failed. */
const TROUBLE = 3;

async function main(): Promise<void> {
  const stopping = new AbortController();
  let caught: NodeJS.Signals | null = null;
  const stop = (signal: NodeJS.Signals): void => {
    caught ??= signal;
    stopping.abort();
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  // Whoever looks at the beginning only has seen enough; the data are removed all the same.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  try {
    const options = readOptions(process.argv.slice(2));
    if (options !== null) await measure(options, stopping.signal);
  } catch (error) {
    if (!(error instanceof Interrupted)) process.exitCode = tell(error);
  }
  for (const signal of SIGNALS) process.off(signal, stop);
  if (caught !== null) process.kill(process.pid, caught);
}

async function measure(options: Options, signal: AbortSignal): Promise<void> {
  const step = (text: string): void => {
    process.stderr.write(`bench: ${text}\n`);
  };
  const result = await bench(options, { env: process.env, signal, step });
  for (const { id, reason, failed } of result.omitted) {
    if (!failed) continue;
    process.stderr.write(`bench: ${id}: ${reason}\n`);
    process.exitCode = TROUBLE;
  }
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  if (options.plot !== null) writeFileSync(options.plot, plotGrowth(result.growth));
  process.stdout.write(options.markdown ? renderMarkdown(result) : renderTable(result));
}

/** @returns the exit code. */
function tell(error: unknown): number {
  if (error instanceof BenchError) {
    process.stderr.write(`bench: ${error.message}\n`);
    return error.exitCode;
  }
  process.stderr.write(`bench: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 70;
}

await main();
