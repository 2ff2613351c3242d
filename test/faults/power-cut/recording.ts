import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { shellLine } from '../../support/program.js';
import { findTool } from '../../support/tools.js';
import { readDiskLog, TRACED_CALLS, type DiskCall } from './disk-log.js';
import { DiskModel, readFolder, type ModelFolder, type ModelNode } from './disk-model.js';

/** One step of a story: what it is to do, and the process that does it. */
export interface RecordedProcess {
  readonly words: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Said in the log before and after the process; null: it says so by itself. */
  readonly number: number | null;
}

/** Why nothing can be recorded here; null: it can. */
export function recordingObstacle(): string | null {
  const tried = spawnSync(findTool('strace') ?? 'strace', ['-qq', '-o', '/dev/null', 'true']);
  return tried.status === 0 ? null : 'strace may not trace here (ptrace is not permitted)';
}

/**
 * Runs processes one after the other and notes what they do to a folder. @throws when one fails, and when the folder is
 * not in the end what the model makes of the log: then a call is modelled wrongly.
 */
export function record(folder: string, processes: readonly RecordedProcess[]): DiskModel {
  const before = readFolder(folder);
  const calls = processes.flatMap((each) => recordOne(folder, each));
  const model = new DiskModel(before, calls);
  const [expected, found] = [model.root, readFolder(folder)].map((root) =>
    [...describe(root, '')].join('\n'),
  );
  if (expected !== found) throw new Error(`expected the log to explain the folder:\n${expected}\n\n${found}`);
  return model;
}

function recordOne(
  folder: string,
  { words, cwd, environment, number }: RecordedProcess,
): readonly DiskCall[] {
  const log = join(cwd, 'calls.strace');
  const strace = [findTool('strace') ?? 'strace', '-f', '-y', '-xx', '-qq', '-s', '16777216', '-o', log];
  const line = shellLine([...strace, '-e', 'signal=none', '-e', `trace=${TRACED_CALLS}`, ...words]);
  const ended = spawnSync('/bin/sh', ['-c', `exec ${line}`], { cwd, env: environment, encoding: 'utf8' });
  if (ended.status !== 0) throw new Error(`expected ${words.join(' ')} to end well: ${ended.stderr}`);
  const calls = readDiskLog(readFileSync(log, 'latin1'), folder);
  rmSync(log);
  if (number === null) return calls;
  const own = calls.filter(({ kind }) => kind !== 'mark');
  return [{ kind: 'mark', text: `begin ${number}\n` }, ...own, { kind: 'mark', text: `end ${number}\n` }];
}

/** A line for each thing below a folder. */
function* describe(folder: ModelFolder, path: string): Generator<string> {
  for (const name of [...folder.names.keys()].toSorted()) {
    const node: ModelNode | null = folder.current(name);
    const child = `${path}/${name}`;
    if (node === null) continue;
    yield node.kind === 'folder' ? child : `${child} ${contentOf(node.content)}`;
    if (node.kind === 'folder') yield* describe(node, child);
  }
}

function contentOf(content: Buffer): string {
  return `${content.byteLength} ${content.toString('base64').slice(0, 80)} ${content.toString('base64').slice(-80)}`;
}
