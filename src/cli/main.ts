import { Interruption } from './interruption.js';
import { run } from './run.js';
import { processEnvironment } from './settings/environment.js';
import { outputStream } from './streams.js';

/** The program: runs the call that is in the arguments of this process and sets its exit code. */
export async function main(): Promise<void> {
  const interruption = new Interruption();
  const exitCode = await run({
    argv: process.argv.slice(2),
    environment: processEnvironment(),
    terminal: {
      stdout: outputStream('stdout', process.stdout),
      stderr: outputStream('stderr', process.stderr),
    },
    signal: interruption.signal,
    cwd: () => process.cwd(),
    host: async () => (await import('../host/host.js')).systemHost(),
    onCleanUp: () => {
      interruption.listen();
    },
  });
  interruption.end();
  process.exitCode = exitCode;
}
