import type { CompileRequest, CompileResult } from '../compile/request.js';
import type { Context } from './context.js';

const STDOUT = 1;
const STDERR = 2;

/** Runs the command as if we were not there; with `--json` its stdout goes to our stderr. */
export async function bareRun(context: Context, request: CompileRequest): Promise<CompileResult> {
  const { host } = context.call;
  const { runBare } = await import('../compile/bare.js');
  const startMs = host.clock.monotonicMs();
  const exitCode = await runBare(host, request, {
    stdout: context.json ? STDERR : STDOUT,
    stderr: STDERR,
    signal: context.call.signal,
  });
  return {
    fingerprint: null,
    outcome: null,
    reason: null,
    notStored: null,
    outputs: [],
    exitCode,
    stdout: new Uint8Array(0),
    stderr: new Uint8Array(0),
    wallSeconds: (host.clock.monotonicMs() - startMs) / 1000,
    savedSeconds: null,
    error: null,
  };
}
