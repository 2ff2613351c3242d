import { resolve } from 'node:path';
import type { Host } from '../host/host.js';
import { expandBare, parseCommand } from './planned-command.js';
import { resolveProgram } from './program.js';
import type { CompileRequest } from './request.js';
import { exitCodeOf, startError } from './runner.js';

export interface BareStreams {
  /** Descriptor for the command's stdout, unless the request names a file for it. */
  readonly stdout: number;
  readonly stderr: number;
  readonly signal?: AbortSignal;
}

/**
 * Runs the command as if we were not there: the caller's environment, stdin and process group, placeholders as real
 * paths. For `VYRE_CACHE_DISABLE=1` and for command lines that are not understood.
 * @returns the status that a shell would show.
 * @throws CacheError usage for a bad placeholder, not-found or not-executable for the program.
 */
export async function runBare(host: Host, request: CompileRequest, streams: BareStreams): Promise<number> {
  const [typed = '', ...args] = expandBare(parseCommand(request), request);
  const { cwd, environment } = request;
  const program = resolveProgram({ typed, searchPath: environment['PATH'], cwd, files: host.files });
  const spawn = { program, argv0: typed, args, cwd, environment };
  const start = async (stdout: number): Promise<number> => {
    try {
      return exitCodeOf(await host.processes.inherit(spawn, { ...streams, stdout }));
    } catch (error) {
      throw startError(error, spawn);
    }
  };
  if (request.stdoutFile === null) return start(streams.stdout);
  const path = resolve(cwd, request.stdoutFile);
  const fd = host.files.open(path, 'deliver', 0o666);
  try {
    return await start(fd);
  } finally {
    host.files.close(fd);
  }
}
