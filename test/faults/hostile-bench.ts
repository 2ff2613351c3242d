import { statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ended, Workbench } from '../support/workbench.js';
import type { Scope, Tally } from './experiment.js';

/** What must never be served, printed or changed. */
export const SECRET = 'a secret that nobody is to see\n';
const INPUT = 'harmless\n';
/** Long enough for any machine: whoever is not back by then waits for ever. */
const HANG_SECONDS = '120';
/** 0 to 4 are promised; the others are a crash, or the end of `timeout`. */
const MOST_STATUS = 4;

/** A file beside the project that is nobody's business. */
export function secretPath(bench: Workbench): string {
  return join(bench.folder, 'secret.txt');
}

/** When nobody had read the secret yet: the next read sets another time, where the file system keeps such times. */
const UNREAD_SECONDS = 1_000_000_000;

export function markUnread(bench: Workbench): void {
  utimesSync(secretPath(bench), UNREAD_SECONDS, UNREAD_SECONDS);
}

export function wasRead(bench: Workbench): boolean {
  return statSync(secretPath(bench)).atimeMs !== UNREAD_SECONDS * 1000;
}

/** Writes the secret, the input and the compiler. */
export function prepareHostile(bench: Workbench): void {
  writeFileSync(secretPath(bench), SECRET, { mode: 0o600 });
  markUnread(bench);
  bench.write('in.txt', INPUT);
  bench.script('tool', 'tr a-z A-Z < "$1" > "$2"');
  bench.script('tools', 'tr a-z A-Z < "$1" > "$2"; cat "$1" > "$3"');
}

const IDENTITY = ['--relocatable', '--compiler-version', 'echo 1'];

/** A request of one output, for `compile` and `get`. */
export function requestWords(output = 'out.txt'): readonly string[] {
  return [...IDENTITY, 'in.txt', '-o', output, '--', './tool', '{input}', '{output}'];
}

/** One of two outputs. */
export const PAIR: readonly string[] = [
  ...IDENTITY,
  'in.txt',
  '-o',
  'one.txt',
  '-o',
  'two.txt',
  '--',
  './tools',
  '{input}',
  '{output:1}',
  '{output:2}',
];

/** Runs a call that must come back, without a crash, and without a word of the secret. */
export async function runHarmless(
  bench: Workbench,
  tally: Tally,
  { name, words }: { readonly name: string; readonly words: readonly string[] },
): Promise<Ended> {
  const line = ['timeout', '--signal=KILL', HANG_SECONDS];
  const ended = await bench.spawn('sh', ['-c', `exec ${line.join(' ')} ${bench.commandLine(words)}`]).ended;
  const { status, signal, stdout, stderr } = ended;
  const told = `${name}: ${words.slice(0, 3).join(' ')} ended with ${status ?? signal}`;
  if (status === null || status > MOST_STATUS) tally.addFailedNextRun(`${told}, ${stderr.toString('utf8')}`);
  if (stdout.includes(SECRET.trim()) || stderr.includes(SECRET.trim()))
    tally.addWrongBytes(`${told}: the secret`);
  return ended;
}

/** A build always gets its bytes, whatever the cache is like. */
export async function compileHarmless(bench: Workbench, tally: Tally, name: string): Promise<void> {
  const { status, stderr } = await runHarmless(bench, tally, { name, words: ['compile', ...requestWords()] });
  if (status !== 0)
    tally.addFailedNextRun(`${name}: compile ended with ${status}, ${stderr.toString('utf8')}`);
  else if (bench.text('out.txt') !== INPUT.toUpperCase()) tally.addWrongBytes(`${name}: compile`);
}

/** A hit delivers the bytes of the fingerprint, a miss nothing at all. */
export async function getHarmless(bench: Workbench, tally: Tally, name: string): Promise<void> {
  bench.write('got.txt', '');
  const { status } = await runHarmless(bench, tally, { name, words: ['get', ...requestWords('got.txt')] });
  const expected = status === 0 ? INPUT.toUpperCase() : '';
  if (bench.text('got.txt') !== expected) tally.addWrongBytes(`${name}: get`);
}

/** `count` of the items, spread by the random numbers of the run. */
export function sampleOf<T>(items: readonly T[], count: number, scope: Scope): readonly T[] {
  return items
    .map((item) => ({ item, at: scope.random() }))
    .toSorted((one, other) => one.at - other.at)
    .slice(0, count)
    .map(({ item }) => item);
}
