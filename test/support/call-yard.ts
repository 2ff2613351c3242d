import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RepeatedCall, type CallOptions } from './repeated-call.js';
import type { Ended, RunOptions, Workbench } from './workbench.js';
import { ShortcutYard, type YardRow } from './shortcut-yard.js';

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
export interface Row extends YardRow {
  /** Makes what else is there before the first call. */
  readonly prepare?: (bench: Workbench) => void;
  /** {@link CALL} unless set. */
  readonly args?: readonly string[];
  readonly options?: (bench: Workbench) => RunOptions;
  /** How the call is made that compiles, and the one that leaves a shortcut. */
  readonly leaving?: CallOptions;
}

/** The benches of all tests in a file that make one call again. */
export class CallYard extends ShortcutYard<Row, RepeatedCall> {
  constructor() {
    super(async (bench, row) => {
      const call = prepared(bench, row);
      return { call, first: await call.run(call.leaving) };
    });
  }
}

function prepared(bench: Workbench, row: Row): RepeatedCall {
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
