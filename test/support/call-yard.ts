import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { RepeatedCall, succeeded, type CallOptions } from './repeated-call.js';
import { settled, shortcutObstacle } from './shortcuts.js';
import { findTool, has, type ToolName } from './tools.js';
import { Workbench, type Ended, type RunOptions } from './workbench.js';

/** Compilers that run at once while the benches are made. */
export const LANES = 3;

/** A script that `--tool` covers: nobody asks it for a version. */
export const COVERED = ['--tool', 'cat'] as const;
export const TOOL = ['--', './tool', '{input}', '{output}'] as const;
export const CALL = [...COVERED, 'in.txt', '-o', 'out.txt', ...TOOL] as const;
export const SCRIPT = 'echo run >> runs\necho said\necho warned >&2\ncat "$1" > "$2"';
export const GCC = [
  'a.c',
  '-o',
  'a.o',
  '--',
  'gcc',
  '-c',
  '-Iinc1',
  '-Iinc2',
  '{input}',
  '-o',
  '{output}',
] as const;
/** Why a test is left out that becomes other users; false where it is not. */
export const ROOT = process.geteuid?.() === 0 ? false : 'needs root, to become other users';
/** Makes a pipe that is its stdout one that never blocks, for all who share it, says so by a file `ready`, and stays. */
export const UNBLOCK = `'${process.execPath}' -e 'process.stdout.write(""); fs.writeFileSync("ready", ""); setTimeout(() => {}, 1e9)'`;
export const NOTHING = (): void => undefined;

/** A test with a bench of its own, which holds `in.txt` and `tool`. */
export interface Row {
  readonly name: string;
  readonly skip?: string | false;
  readonly needs?: ToolName;
  /** Makes what else is there before the first call. */
  readonly prepare?: (bench: Workbench) => void;
  /** {@link CALL} unless set. */
  readonly args?: readonly string[];
  readonly options?: (bench: Workbench) => RunOptions;
  /** How the call is made that compiles, and the one that leaves a shortcut. */
  readonly leaving?: CallOptions;
}

interface Plot {
  readonly row: Row;
  call: RepeatedCall | null;
  first: Ended | null;
}

/**
 * The benches of all tests in a file, made before the first one, each with one call that has compiled: all at once, so
 * that by then everything there is old. Younger files would leave no shortcut.
 */
export class CallYard {
  readonly #plots: Plot[] = [];
  #yard: Workbench | null = null;
  #making: Promise<void> | null = null;

  constructor() {
    after(async () => {
      if (this.#yard === null) return;
      await this.#yard.endProcesses();
      rmSync(dirname(this.#yard.folder), { recursive: true, force: true, maxRetries: 5 });
    });
  }

  /** Announces a bench. @returns what gives its call once the tests run; null where what it needs is missing. */
  plot(row: Row): () => Promise<RepeatedCall | null> {
    const plot: Plot = { row, call: null, first: null };
    this.#plots.push(plot);
    return async () => {
      await this.#ready();
      if (plot.first !== null) succeeded(plot.first);
      return plot.call;
    };
  }

  /** Tests of one kind. */
  rows<R extends Row>(
    title: string,
    all: readonly R[],
    test: (call: RepeatedCall, row: R, t: TestContext) => Promise<void>,
  ): void {
    const plots = all.map((row) => ({ row, callOf: this.plot(row) }));
    describe(title, () => {
      before(async () => this.#ready());
      for (const { row, callOf } of plots) {
        it(row.name, { skip: shortcutObstacle() ?? row.skip ?? false }, async (t) => {
          if (row.needs !== undefined && !has(t, row.needs)) return;
          const call = await callOf();
          assert.ok(call !== null);
          await test(call, row, t);
        });
      }
    });
  }

  async #ready(): Promise<void> {
    this.#making ??= this.#make();
    return this.#making;
  }

  async #make(): Promise<void> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'vyre-cache-test-')));
    this.#yard = Workbench.at(join(folder, 'yard'));
    const possible = this.#plots.filter(
      ({ row: { skip, needs } }) =>
        typeof skip !== 'string' && (needs === undefined || findTool(needs) !== null),
    );
    const left = [...possible.entries()];
    const lane = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [index, plot] = next;
        plot.call = prepared(join(folder, 'yard', String(index)), plot.row);
        plot.first = await plot.call.run(plot.call.leaving);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    await settled(folder);
  }
}

function prepared(folder: string, row: Row): RepeatedCall {
  const bench = Workbench.at(folder);
  bench.write('in.txt', 'abc');
  bench.script('tool', SCRIPT);
  row.prepare?.(bench);
  const options = row.options?.(bench) ?? {};
  return new RepeatedCall(bench, row.args ?? CALL, { options, leaving: row.leaving ?? {} });
}

/** Sources whose object tells which `h.h` was read. */
export function withHeaders(bench: Workbench): void {
  bench.write('a.c', '#include "h.h"\nint f(void) { return H; }\n');
  for (const folder of ['inc1', 'inc2']) mkdirSync(bench.path(folder));
  bench.write('inc2/h.h', '#define H 11\n');
}

/** A settings file in a folder of a bench. */
export function settings(
  folder: (bench: Workbench) => string,
  text: string,
  name = 'vyre-cache.toml',
): (bench: Workbench) => void {
  return (bench) => {
    mkdirSync(folder(bench), { recursive: true });
    writeFileSync(join(folder(bench), name), text);
  };
}

export function projectFolder(bench: Workbench): string {
  return bench.project;
}

/** Where the settings of the user lie, named `config.toml`. */
export function userFolder(bench: Workbench): string {
  return join(bench.home, '.config/vyre-cache');
}

export function environment(variables: Readonly<Record<string, string | undefined>>): CallOptions {
  return { environment: variables };
}

/** Writes other bytes into a file and gives it its time back. */
export function rewrite(path: string, content: string): void {
  const { atime, mtime } = statSync(path);
  writeFileSync(path, content);
  utimesSync(path, atime, mtime);
}

/** Puts another file in its place, of the same time. */
export function replace(path: string, content: string, mode = 0o644): void {
  const { atime, mtime } = statSync(path);
  writeFileSync(`${path}.new`, content, { mode });
  utimesSync(`${path}.new`, atime, mtime);
  renameSync(`${path}.new`, path);
}

/** Makes a FIFO in the place of whatever file is there. */
export function fifo(path: string): void {
  rmSync(path, { force: true });
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
}

/** What is said, what is made. */
export function answer(call: RepeatedCall, ended: Ended, outputs: readonly string[]): unknown {
  const made = outputs.map((name) => {
    const stat = lstatSync(call.bench.path(name), { throwIfNoEntry: false });
    if (stat?.isFile() !== true) return null;
    return [call.bench.read(name).toString('latin1'), (stat.mode & 0o7777).toString(8)];
  });
  return [ended.status, ended.signal, ended.stdout.toString('latin1'), ended.stderr.toString('latin1'), made];
}
