import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemHost } from '../../src/host/host.js';
import { EXECUTABLE } from './program.js';
import { shortcutsIn } from './shortcuts.js';
import type { Ended, Running, RunOptions, Workbench } from './workbench.js';

/** Which way a call went: by its shortcut, the long way to a hit, to a compiler, or to an error. */
export type Way = 'shortcut' | 'long way' | 'compiled' | 'failed';

export interface CallOptions extends RunOptions {
  /** What a shell runs instead, given the line of the call. */
  readonly shell?: (line: string) => string;
}

/** A call of `compile` that is made again and again. */
export class RepeatedCall {
  readonly bench: Workbench;
  readonly args: readonly string[];
  readonly options: RunOptions;
  /** How it is made when it leaves its shortcut. */
  readonly leaving: CallOptions;
  #shortcut: string | null = null;
  #strangers = 0;

  constructor(
    bench: Workbench,
    args: readonly string[],
    how: { readonly options?: RunOptions; readonly leaving?: CallOptions } = {},
  ) {
    this.bench = bench;
    this.args = args;
    this.options = how.options ?? {};
    this.leaving = how.leaving ?? {};
  }

  get root(): string {
    return this.options.environment?.['VYRE_CACHE_DIR'] ?? this.bench.root;
  }

  /** Where shortcuts of this root lie. */
  get folder(): string {
    return dirname(this.shortcut);
  }

  /** Where the shortcut lies that was left. */
  get shortcut(): string {
    assert.ok(this.#shortcut !== null, 'expected a call that has left a shortcut');
    return this.#shortcut;
  }

  async run(options: CallOptions = {}): Promise<Ended> {
    return this.start(options).ended;
  }

  start({ shell, ...options }: CallOptions = {}): Running {
    const { bench } = this;
    const environment = { ...this.options.environment, ...options.environment };
    const given = { ...this.options, ...options, environment };
    const words = ['compile', ...this.args];
    if (shell === undefined) return bench.start(words, given);
    return bench.spawn('sh', ['-c', shell(bench.commandLine(words))], given);
  }

  /** The same in an environment that nobody has called from: no shortcut fits. */
  async runLong(options: CallOptions = {}): Promise<Ended> {
    this.#strangers += 1;
    const environment = { ...options.environment, STRANGER: String(this.#strangers) };
    return this.run({ ...options, environment });
  }

  /** The paths of all shortcuts, of whatever root. */
  paths(): readonly string[] {
    return shortcutsIn(this.bench.stateHome);
  }

  /**
   * Hits what was compiled before, and expects that this leaves one shortcut.
   * @param way that the next call goes.
   */
  async leave(way: Way = 'shortcut'): Promise<void> {
    const before = this.paths();
    succeeded(await this.run(this.leaving));
    const made = this.paths().filter((path) => !before.includes(path));
    assert.equal(made.length, 1, 'expected one shortcut');
    this.#shortcut = made[0] ?? '';
    assert.equal((await this.#trace(this.leaving)).way, way);
  }

  /** Runs the call and tells which way it went, for which it is run once more where that has left no trace. */
  async go(options: CallOptions = {}): Promise<Ended & { readonly way: Way }> {
    const ended = await this.#trace(options);
    if (ended.way !== 'shortcut' || (await this.isTaken(options))) return ended;
    return { ...ended, way: 'long way' };
  }

  /**
   * The long way leaves another shortcut, a compiler an entry or note. A long way that leaves none, such as one that
   * has met a young file, is called `shortcut` as well.
   */
  async #trace(options: CallOptions): Promise<Ended & { readonly way: Way }> {
    const before = [this.#store(), this.#left()];
    const ended = await this.run(options);
    const [store, shortcut] = [this.#store(), this.#left()];
    const isSame = shortcut === before[1];
    const way = store === before[0] ? (isSame ? 'shortcut' : 'long way') : 'compiled';
    return { ...ended, way: ended.status === 0 ? way : 'failed' };
  }

  /** Whether a run takes the shortcut, which is made to lead to a file of another name for this run. */
  async isTaken(options: CallOptions = {}): Promise<boolean> {
    const whole = this.read();
    const marked = this.bench.path('by-shortcut');
    const shortcut = this.document();
    const outputs = (shortcut['outputs'] as { path: string }[]).map((output) => {
      const there = lstatSync(output.path, { throwIfNoEntry: false });
      assert.ok(there?.isFile() !== false, `expected nothing or a file at ${output.path}`);
      return Object.assign(output, { path: marked });
    });
    this.write({ ...shortcut, outputs });
    const written = stateOf(this.shortcut);
    succeeded(await this.run(options));
    if (stateOf(this.shortcut) === written) writeFileSync(this.shortcut, whole);
    const isTaken = existsSync(marked);
    rmSync(marked, { force: true });
    return isTaken;
  }

  /** Changes when something is stored, and when a compiler runs that notes it in `runs`. */
  #store(): string {
    return [join(this.root, 'pipelines'), this.bench.path('runs')].map(stateOf).join();
  }

  /** Changes when a shortcut is left, under whatever name. */
  #left(): string {
    return [stateOf(this.shortcut), ...this.paths().toSorted()].join();
  }

  read(): Buffer {
    return readFileSync(this.shortcut);
  }

  /** What the shortcut says. */
  document(): Readonly<Record<string, unknown>> {
    const [line = ''] = this.read().toString('utf8').split('\n');
    return JSON.parse(line) as Record<string, unknown>;
  }

  /** Puts a document, or its text, in the place of the shortcut. */
  write(document: unknown): void {
    const line = typeof document === 'string' ? document : JSON.stringify(document);
    writeFileSync(this.shortcut, `${line}\n${checksumOf(line)}`);
  }
}

/** As the program makes it: by the hash of its runtime. */
export function checksumOf(line: string): string {
  if (EXECUTABLE !== null) return createHash('sha256').update(line).digest('hex');
  return systemHost().checksum(Buffer.from(line));
}

export function succeeded(ended: Ended): Ended {
  assert.equal(ended.status, 0, ended.stderr.toString('utf8'));
  return ended;
}

/** Another word as soon as the file is another one or was written. */
export function stateOf(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? 'absent' : [stat.ino, stat.mtimeNs, stat.ctimeNs].join(' ');
}
