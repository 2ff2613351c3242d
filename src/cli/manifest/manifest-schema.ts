import * as v from 'valibot';
import { isVariable } from '../compile-request.js';
import { nearest } from '../nearest.js';
import { shorten } from '../rendering/text.js';
import { decodeSettingText, settingOf } from '../settings/definitions.js';

/** Neither an argument nor a path of the system can be another. */
const TEXT = v.pipe(
  v.string('a text'),
  v.check((text) => !text.includes('\0'), 'a text without NUL characters'),
  v.check(isWellFormed, 'a text of whole characters'),
);
const TEXTS = v.array(TEXT, 'a list of texts');
const PATH = v.pipe(TEXT, v.nonEmpty('a path'));
const PATHS = v.array(PATH, 'a list of texts');

const SURROGATE = /\p{Surrogate}/u;

/** `"\ud800"` is JSON, but half a character has no bytes. */
function isWellFormed(text: string): boolean {
  return !SURROGATE.test(text);
}

/** The text of a flag, with the rules of its setting. */
function limit(key: 'timeout' | 'memory'): v.GenericSchema<string, number> {
  return v.pipe(
    TEXT,
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const decoded = decodeSettingText(settingOf(key), dataset.value);
      if (decoded.ok && typeof decoded.value === 'number') return decoded.value;
      addIssue({ message: decoded.ok ? 'a limit' : expectation(decoded.reason) });
      return NEVER;
    }),
  );
}

/** `expected a, got b` without what a message adds to it. */
function expectation(reason: string): string {
  return reason.replace(/^expected /, '').replace(/, got ".*$/s, '');
}

const ENTRIES = {
  inputs: v.optional(PATHS, []),
  outputs: v.optional(PATHS, []),
  command: v.pipe(
    v.array(TEXT, 'a list of texts'),
    v.check((words) => words.length > 0 && words[0] !== '', 'a program and its arguments'),
  ),
  deps: v.optional(v.array(v.pipe(TEXT, v.nonEmpty('a pattern')), 'a list of texts'), []),
  env: v.optional(v.array(v.pipe(TEXT, v.check(isVariable, 'NAME or NAME=VALUE')), 'a list of texts'), []),
  key: v.optional(TEXTS, []),
  tool: v.optional(v.array(v.pipe(TEXT, v.nonEmpty('a program')), 'a list of texts'), []),
  compilerVersion: v.optional(v.pipe(TEXT, v.nonEmpty('a shell command'))),
  relocatable: v.optional(v.boolean('true or false'), false),
  cwd: v.optional(PATH),
  priority: v.optional(v.picklist(['normal', 'critical'], '"normal" or "critical"')),
  timeout: v.optional(limit('timeout')),
  memory: v.optional(limit('memory')),
  stdout: v.optional(PATH),
};
const KEYS: readonly string[] = Object.keys(ENTRIES);
const JOB = v.object(ENTRIES);

/** What a manifest says of one job, checked by itself; limits in milliseconds and bytes. */
export type JobText = v.InferOutput<typeof JOB>;

export type DecodedJob =
  | { readonly ok: true; readonly job: JobText }
  | { readonly ok: false; readonly messages: readonly string[] };

/** Checks the shape of a job. Every mistake is found, each `expected …, got …`. */
export function decodeJob(value: unknown): DecodedJob {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {
      ok: false,
      messages: [`expected an object with inputs, outputs and a command, got ${shown(value)}`],
    };
  }
  const { success, output, issues } = v.safeParse(JOB, value, { abortPipeEarly: true });
  const messages = [...unknownKeys(value), ...(issues ?? []).map((issue) => issueMessage(issue))];
  if (success && output.outputs.length === 0 && output.stdout === undefined) {
    messages.push('expected at least one output, got neither "outputs" nor "stdout"');
  }
  return success && messages.length === 0 ? { ok: true, job: output } : { ok: false, messages };
}

/** All of them: the library's strict objects name the first one only. */
function unknownKeys(value: object): readonly string[] {
  return Object.keys(value)
    .filter((key) => !KEYS.includes(key))
    .map((key) => `expected ${nearestKey(key)}, got ${shown(key)}`);
}

function nearestKey(key: string): string {
  const near = key.length > LONGEST_TYPO ? null : nearest(key, KEYS);
  return near === null ? `a key of ${KEYS.join(', ')}` : `the key "${near}"`;
}

/** Comparing takes time with the length; no key of ours is near to a longer one. */
const LONGEST_TYPO = 40;

function issueMessage(issue: v.BaseIssue<unknown>): string {
  const path = (issue.path ?? [])
    .map(({ key }) => (typeof key === 'number' ? `[${key}]` : String(key)))
    .join('');
  if (issue.input === undefined) return `expected a list of texts for "${path}", got nothing`;
  return `expected ${issue.message} for "${path}", got ${shown(issue.input)}`;
}

const SHOWN_CHARACTERS = 60;

/** Never deeper than one level: what is wrong may be nested without end. */
function shown(value: unknown): string {
  if (typeof value === 'string') return `"${shorten(value, SHOWN_CHARACTERS)}"`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}
