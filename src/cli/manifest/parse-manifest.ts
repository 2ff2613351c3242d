import { CacheError } from '../../model/error.js';
import { printable } from '../rendering/text.js';
import type { Mistake } from './mistakes.js';
import type { ManifestText } from './read-manifest.js';
import { scanJson, type JsonProblem, type JsonScan } from './scan-json.js';

/** A job as JSON, not yet looked at. */
export interface RawJob {
  /** From 1. */
  readonly number: number;
  /** From 1; null in a document. */
  readonly line: number | null;
  readonly value: unknown;
}

export interface ParsedManifest {
  readonly jobs: readonly RawJob[];
  readonly mistakes: readonly Mistake[];
}

interface Part {
  readonly start: number;
  readonly end: number;
}

interface Line extends Part {
  /** From 1. */
  readonly number: number;
}

const SHAPE = '{"jobs": [...]} or one job a line';
const HINT =
  'A job is {"inputs": ["a.c"], "outputs": ["a.o"], "command": ["cc", "-c", "{input}", "-o", "{output}"]}.';

/**
 * Takes a manifest apart: one document, or one job a line.
 * @throws CacheError `usage` for one without jobs and for a document that is no JSON; a broken line is a mistake.
 */
export function parseManifest(manifest: ManifestText): ParsedManifest {
  const { text } = manifest;
  const lines = linesOf(text);
  const first = lines.next().value;
  if (first === undefined) throw noJobs(manifest, text === '' ? 'an empty text' : 'only white space');
  const scan = scanJson(text, first);
  const second = lines.next().value;
  if (isJobOfItsOwn(text, scan, second)) return parseLines(text);
  return parseDocument(
    manifest,
    second === undefined ? scan : scanJson(text, { start: first.start, end: text.length }),
  );
}

function noJobs(manifest: ManifestText, got: string): CacheError {
  return new CacheError('usage', `expected at least one job in ${manifest.name}, got ${got}`, { hint: HINT });
}

/** Lines with something on them. */
function* linesOf(text: string): Generator<Line, undefined, undefined> {
  let number = 1;
  for (let start = 0; start < text.length; number += 1) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    if (!isBlank(text, { start, end })) yield { number, start, end };
    start = end + 1;
  }
  return undefined;
}

const BLANK = /[ \t\r]*/y;

function isBlank(text: string, { start, end }: Part): boolean {
  BLANK.lastIndex = start;
  BLANK.test(text);
  return BLANK.lastIndex >= end;
}

/** A document has `jobs`, and may go over many lines; a broken first job is told from one by the line below it. */
function isJobOfItsOwn(text: string, first: JsonScan, second: Line | undefined): boolean {
  if (first.keys.has('jobs') || !text.slice(first.start, first.end).trimStart().startsWith('{')) return false;
  return first.problem === null || (second !== undefined && isWholeObject(text, second));
}

function isWholeObject(text: string, line: Line): boolean {
  const scan = scanJson(text, line);
  return scan.problem === null && scan.keys.size > 0;
}

function parseDocument(manifest: ManifestText, scan: JsonScan): ParsedManifest {
  const { text, name } = manifest;
  if (scan.problem !== null) throw brokenDocument(manifest, scan.problem, scan.end);
  const value: unknown = JSON.parse(text.slice(scan.start, scan.end));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const got = Array.isArray(value) ? 'a list' : 'a single value';
    const hint = Array.isArray(value) ? 'Put the list into an object: {"jobs": [...]}.' : HINT;
    throw new CacheError('usage', `expected ${SHAPE} in ${name}, got ${got}`, { hint });
  }
  if (!('jobs' in value)) {
    throw new CacheError('usage', `expected ${SHAPE} in ${name}, got an object without "jobs"`, {
      hint: HINT,
    });
  }
  const { jobs } = value;
  if (!Array.isArray(jobs)) {
    throw new CacheError('usage', `expected a list for "jobs" in ${name}`, { hint: HINT });
  }
  if (jobs.length === 0) throw noJobs(manifest, 'none');
  const others = Object.keys(value).filter((key) => key !== 'jobs');
  return {
    jobs: jobs.map((job: unknown, index) => ({ number: index + 1, line: null, value: job })),
    mistakes: [
      ...others.map((key) => ofManifest(`expected no key but "jobs" in ${name}, got "${printable(key)}"`)),
      ...scan.repeated.map(({ path, key }) =>
        typeof path[1] === 'number'
          ? repeatedKey({ job: path[1] + 1, line: null }, key)
          : ofManifest(`expected each key once in ${name}, got "${printable(key)}" twice`),
      ),
    ],
  };
}

function ofManifest(message: string): Mistake {
  return { job: null, line: null, message, hint: null };
}

function repeatedKey(place: Pick<Mistake, 'job' | 'line'>, key: string): Mistake {
  return { ...place, message: `expected each key once, got "${key}" twice`, hint: null };
}

/** `end` is where nothing but white space follows. */
function brokenDocument({ text, name }: ManifestText, problem: JsonProblem, end: number): CacheError {
  const { at, expected } = problem;
  let line = 1;
  for (let next = text.indexOf('\n'); next >= 0 && next < at; next = text.indexOf('\n', next + 1)) line += 1;
  const column = at - text.lastIndexOf('\n', at - 1);
  const isCutOff = at >= end;
  const got = isCutOff ? 'the end of the text' : shownAt(text, at);
  return new CacheError(
    'usage',
    `expected ${expected}, got ${got} at line ${line}, column ${column} of ${name}`,
    isCutOff ? { hint: 'The manifest is cut off.' } : {},
  );
}

/** What stands there: a word, or one character. */
function shownAt(text: string, at: number): string {
  const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (character === '\n' || character === '\r') return 'the end of the line';
  if (character === '"') return 'a text in quotes';
  const word = /^[\w.+-]{1,40}/.exec(text.slice(at, at + 40))?.[0] ?? character;
  return `"${printable(word)}"`;
}

function parseLines(text: string): ParsedManifest {
  const jobs: RawJob[] = [];
  const mistakes: Mistake[] = [];
  let number = 0;
  for (const part of linesOf(text)) {
    number += 1;
    const { start, end, number: line } = part;
    const { problem, repeated } = scanJson(text, part);
    if (problem === null) {
      jobs.push({ number, line, value: JSON.parse(text.slice(start, end)) });
      mistakes.push(...repeated.map(({ key }) => repeatedKey({ job: number, line }, key)));
      continue;
    }
    const got = problem.at >= end ? 'the end of the line' : shownAt(text, problem.at);
    const message = `expected ${problem.expected}, got ${got} at column ${problem.at - start + 1}`;
    mistakes.push({ job: number, line, message, hint: null });
  }
  return { jobs, mistakes };
}
