import type { Host } from '../host/host.js';
import { hashChunks } from '../host/hash.js';
import type { FileStat } from '../host/files.js';
import type { Captured } from '../host/processes.js';
import { decoding, parseJson, Reader } from '../model/decoder.js';
import { toHex } from '../model/fingerprint.js';
import { isSettled, type Stamps } from './stamps.js';

/** A question to a compiler: a program with arguments, in a folder and an environment. */
export interface Question {
  /** The first element is the absolute path of the program. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Ends the question; what was asked before is still answered. */
  readonly signal?: AbortSignal | null;
}

/** Answers of compilers are short lines; more is cut. */
const MAX_ANSWER_BYTES = 1_048_576;
/** A version command that hangs must not hang the build: 60 s is far above the slowest known (a JVM's start). */
const TIMEOUT_MS = 60_000;
/** Only short answers are kept on disk, so that the stamps stay small. */
const MAX_KEPT_CHARACTERS = 16_384;

/** An answer as text. `status` is null when a signal ended the program or it could not be started. */
export interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Asked {
  readonly answer: Promise<Captured>;
  /** Of the caller that asked first. */
  readonly signal: AbortSignal | null | undefined;
}

function wasAborted(asked: Asked, answer: Captured): boolean {
  return answer.status === null && asked.signal?.aborted === true;
}

/** Asks each question once per process, and across processes where every file that the answer depends on is known. */
export class CommandMemo {
  readonly #host: Host;
  readonly #stamps: Stamps;
  readonly #answers = new Map<string, Asked>();
  readonly #environmentKeys = new WeakMap<Question['environment'], string>();
  /** A number for each environment by its content: it stands in the keys of this process. */
  readonly #environmentNumbers = new Map<string, number>();
  readonly #numbers = new WeakMap<Question['environment'], number>();

  constructor(host: Host, stamps: Stamps) {
    this.#host = host;
    this.#stamps = stamps;
  }

  /**
   * Runs the program with an empty stdin, or gives its former answer. The answer is kept on disk when `dependsOn` is
   * not empty: then those files alone decide it. A program that cannot be started answers with its error on stderr. An
   * aborted question is answered as by a program that was killed, and asked again by the next one.
   */
  async ask(question: Question, dependsOn: readonly string[]): Promise<Captured> {
    const { argv, cwd, environment } = question;
    const key = `${this.#environmentNumber(environment)}\0${cwd}\0${argv.join('\0')}`;
    for (;;) {
      const known = this.#answers.get(key);
      const asked = known ?? { answer: this.#askOrRecall(question, dependsOn), signal: question.signal };
      this.#answers.set(key, asked);
      const answer = await asked.answer;
      if (!wasAborted(asked, answer)) return answer;
      if (this.#answers.get(key) === asked) this.#answers.delete(key);
      // What another caller stopped is asked again, what this one stopped is not.
      if (known === undefined) return answer;
    }
  }

  #environmentNumber(environment: Question['environment']): number {
    const known = this.#numbers.get(environment);
    if (known !== undefined) return known;
    const key = this.#environmentKey(environment);
    const number = this.#environmentNumbers.get(key) ?? this.#environmentNumbers.size;
    this.#environmentNumbers.set(key, number);
    this.#numbers.set(environment, number);
    return number;
  }

  /** The same object comes with every question about one command line. */
  #environmentKey(environment: Question['environment']): string {
    const known = this.#environmentKeys.get(environment);
    if (known !== undefined) return known;
    const key = JSON.stringify(Object.entries(environment).toSorted(byName));
    this.#environmentKeys.set(environment, key);
    return key;
  }

  async #askOrRecall(question: Question, dependsOn: readonly string[]): Promise<Captured> {
    const { argv, cwd, environment } = question;
    const key = JSON.stringify([argv, cwd, this.#environmentKey(environment)]);
    const place = this.#place(key, dependsOn);
    const kept = place === null ? null : this.#stamps.get(place.kind, place.realPath, place.stat);
    const known = kept === null ? null : decodeAnswer(kept);
    if (known !== null) return toCaptured(known);
    const captured = await this.#run(question);
    const text = JSON.stringify(toAnswer(captured));
    const worthKeeping = captured.status === 0 && text.length <= MAX_KEPT_CHARACTERS;
    if (place !== null && worthKeeping) this.#stamps.set(place.kind, place.realPath, place.stat, text);
    return captured;
  }

  async #run(question: Question): Promise<Captured> {
    const [program, ...args] = question.argv;
    if (program === undefined) throw new Error('a question needs a program');
    const { cwd, environment, signal = null } = question;
    try {
      return await this.#host.processes.capture(
        { program, args, argv0: program, cwd, environment },
        { maxBytes: MAX_ANSWER_BYTES, timeoutMs: TIMEOUT_MS, signal },
      );
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      const stderr = Buffer.from(`${error.message}\n`, 'utf8');
      return { status: null, signal: null, stdout: Buffer.alloc(0), stderr };
    }
  }

  /** The stamp belongs to the first file; the states of the others are part of its kind. */
  #place(
    key: string,
    dependsOn: readonly string[],
  ): { readonly kind: string; readonly realPath: string; readonly stat: FileStat } | null {
    const { files, hash, clock } = this.#host;
    const states: (readonly [string, FileStat])[] = [];
    for (const path of dependsOn) {
      const stat = files.stat(path);
      if (stat === null || !isSettled(stat, clock.nowMs())) return null;
      states.push([files.realpath(path), stat]);
    }
    const first = states[0];
    if (first === undefined) return null;
    const others = states
      .slice(1)
      .map(([path, stat]) => [path, stat.inode, stat.bytes, stat.mtimeMs, stat.ctimeMs]);
    const digest = toHex(hashChunks(hash, [Buffer.from(`${key}\0${JSON.stringify(others)}`, 'utf8')]));
    return { kind: `answer/${digest}`, realPath: first[0], stat: first[1] };
  }
}

function byName(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : 1;
}

function toAnswer(captured: Captured): Answer {
  const { status, stdout, stderr } = captured;
  return { status, stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8') };
}

function toCaptured(answer: Answer): Captured {
  const { status, stdout, stderr } = answer;
  return { status, signal: null, stdout: Buffer.from(stdout, 'utf8'), stderr: Buffer.from(stderr, 'utf8') };
}

function decodeAnswer(text: string): Answer | null {
  const decoded = decoding(() => {
    const reader = new Reader(parseJson(text), 'answer');
    const answer = {
      status: reader.countOrNull('status'),
      stdout: reader.text('stdout'),
      stderr: reader.text('stderr'),
    };
    reader.end();
    return answer;
  });
  return decoded.ok ? decoded.value : null;
}
