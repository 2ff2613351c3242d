import { describeFailure, EXIT } from './failure.js';
import type { World } from './world.js';

/** Runs `work` until its words are out, and tells what went wrong. @returns the exit code. Never throws. */
export async function toItsEnd<T>(
  world: World,
  isJson: boolean,
  work: () => Promise<T>,
): Promise<T | number> {
  try {
    const code = await work();
    await world.terminal.stdout.flush();
    return code;
  } catch (error) {
    // Interrupted: what was thrown says no more than that.
    if (world.signal.aborted) return EXIT.environment;
    return fail(world, isJson, error);
  }
}

async function fail({ terminal }: World, isJson: boolean, error: unknown): Promise<number> {
  const failure = describeFailure(error);
  terminal.stderr.write(failure.text);
  if (isJson) terminal.stdout.write(`${JSON.stringify(failure.document)}\n`);
  try {
    await terminal.stdout.flush();
  } catch {
    // Best effort: the line on stderr says what went wrong first.
  }
  return failure.exitCode;
}
