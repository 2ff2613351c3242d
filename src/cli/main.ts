import { descriptorOutput } from './descriptor-output.js';
import { Interruption } from './interruption.js';
import { run, type World } from './run.js';
import { processEnvironment } from './settings/environment.js';

/** The program: runs the call that is in the arguments of this process and sets its exit code. */
export async function main(host: World['host']): Promise<void> {
  const interruption = new Interruption();
  const terminal = {
    stdout: descriptorOutput({ name: 'stdout', fd: 1, stream: () => process.stdout }),
    stderr: descriptorOutput({ name: 'stderr', fd: 2, stream: () => process.stderr }),
  };
  const exitCode = await run({
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
  });
  process.exitCode = exitCode;
  if (interruption.end()) return;
  // Best effort: who has lost the words on stderr has the exit code.
  await terminal.stderr.flush().catch(() => undefined);
  // Nothing is left to do, and to take the heap apart costs a twentieth of a start.
  // oxlint-disable-next-line unicorn/no-process-exit -- the status is set, the streams are flushed.
  process.exit(exitCode);
}
