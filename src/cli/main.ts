import { descriptorOutput } from './descriptor-output.js';
import { Interruption } from './interruption.js';
import { goPlainGet } from './plain-get.js';
import { processEnvironment } from './settings/environment.js';
import { goShortcut } from './shortcut.js';
import type { World } from './world.js';

/** The program: runs the call that is in the arguments of this process and sets its exit code. */
export async function main(makeHost: World['host']): Promise<void> {
  let made: ReturnType<World['host']> | null = null;
  const host = (): ReturnType<World['host']> => (made ??= makeHost());
  const interruption = new Interruption();
  const terminal = {
    stdout: descriptorOutput({ name: 'stdout', fd: 1, stream: () => process.stdout }),
    stderr: descriptorOutput({ name: 'stderr', fd: 2, stream: () => process.stderr }),
  };
  const world: World = {
    argv: process.argv.slice(2),
    environment: processEnvironment(),
    terminal,
    get signal() {
      return interruption.signal;
    },
    cwd: () => process.cwd(),
    host,
    onCleanUp: () => {
      interruption.listen();
    },
  };
  const exitCode =
    (await goShortcut(world)) ?? (await goPlainGet(world)) ?? (await (await import('./run.js')).run(world));
  process.exitCode = exitCode;
  if (interruption.end()) return;
  // Best effort: who has lost the words on stderr has the exit code.
  await terminal.stderr.flush().catch(() => undefined);
  exit(exitCode);
}

/** Nothing is left to do, and to take the heap apart costs a twentieth of a start; to tell nobody a fiftieth. */
function exit(exitCode: number): void {
  if (process.listenerCount('exit') === 0) process.reallyExit?.(exitCode);
  // oxlint-disable-next-line unicorn/no-process-exit -- the status is set, the streams are flushed.
  process.exit(exitCode);
}
