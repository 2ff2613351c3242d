import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout as pause } from 'node:timers/promises';
import type { Outcome, Scope } from '../experiment.js';
import { isInternal } from '../site.js';
import { spread } from '../spread.js';
import { callsIn, injecting, tracing, type SystemCall } from '../strace.js';
import { withPeer } from './judge-peer.js';
import type { PeerBench, PeerProcess } from './peer-bench.js';
import type { Peer } from './peer.js';

const FULL_POINTS = 100;
const BOUNDED_POINTS = 3;
/** How long after the compiler has ended somebody may still publish what it made, in ms. */
const PUBLISHING_MS = 60;
/** From the start of a compilation to the end of its compiler, about, in ms. */
const COMPILING_MS = 500;

/** Kills a compilation at the system calls of its first thread that touch the store, or talk to the server. */
export async function killAtCalls(peer: Peer, scope: Scope): Promise<Outcome> {
  return withPeer(peer, scope, (bench, judge) => {
    const calls = touchingCalls(bench);
    for (const call of spread(calls, scope.isFull ? FULL_POINTS : BOUNDED_POINTS, () => scope.random())) {
      if (scope.signal.aborted) break;
      bench.empty();
      bench.startServer();
      const tracer = [...tracing(logOf(bench), 'first', call.name), ...injecting(call, 'signal=SIGKILL')];
      const { signal } = bench.run([...tracer, ...bench.words()]);
      bench.stopServer();
      if (signal !== 'SIGKILL') continue;
      judge.tally.addPoint();
      bench.startServer();
      judge.compileTwice(`killed at ${call.name} number ${call.number}`);
      bench.stopServer();
    }
    const { points } = judge.tally.outcome();
    return points === calls.length ? '' : `${points} of ${calls.length} calls`;
  });
}

function logOf(bench: PeerBench): string {
  return join(bench.folder, 'calls.strace');
}

/** Of an undisturbed run. What never touches the store talks to a server that does. */
function touchingCalls(bench: PeerBench): readonly SystemCall[] {
  bench.startServer();
  const { status } = bench.run([...tracing(logOf(bench), 'first', 'all'), ...bench.words()]);
  bench.stopServer();
  if (status !== 0) throw new Error(`expected a traced compilation to end well, got ${status}`);
  const calls = callsIn(readFileSync(logOf(bench), 'latin1'));
  const isTouching =
    bench.peer.server === null
      ? ({ text }: SystemCall) => text.includes(bench.store)
      : ({ name }: SystemCall) => name === 'connect';
  return calls.slice(calls.findIndex(isTouching)).filter((call) => !isInternal(call));
}

/**
 * Kills a compilation, or the server that does it, at random times: half of them while its compiler runs, half of them
 * in the moments after, in which the object is stored. Who asked a server that was killed is judged as well.
 */
export async function killAtTimes(peer: Peer, scope: Scope, victim: 'caller' | 'server'): Promise<Outcome> {
  return withPeer(peer, scope, async (bench, judge) => {
    const compiler = bench.countingCompiler();
    for (let point = 0; point < (scope.isFull ? FULL_POINTS : BOUNDED_POINTS); point += 1) {
      if (scope.signal.aborted) break;
      bench.empty();
      const title = `killed, number ${point + 1}`;
      const server = victim === 'server' ? await bench.serve() : null;
      const caller = bench.start(bench.words(compiler));
      const isKilled = await killSoon(bench, server ?? caller, { scope, afterwards: point % 2 === 0 });
      const ended = await caller.ended;
      if (isKilled) judge.tally.addPoint();
      if (isKilled && server !== null) judge.judge(ended, `${title}, who asked`);
      bench.startServer();
      judge.compileTwice(title, compiler);
      bench.stopServer();
    }
    return 'at random times';
  });
}

/** False: it had ended. */
async function killSoon(
  bench: PeerBench,
  { child, ended }: PeerProcess,
  { scope, afterwards }: { readonly scope: Scope; readonly afterwards: boolean },
): Promise<boolean> {
  if (afterwards) while (!bench.hasCompiled && child.exitCode === null) await setImmediate();
  await pause(scope.random() * (afterwards ? PUBLISHING_MS : COMPILING_MS));
  child.kill('SIGKILL');
  return (await ended).signal === 'SIGKILL';
}
