import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountingWords } from '../../support/mount-namespace.js';
import { shellLine } from '../../support/program.js';
import { findTool } from '../../support/tools.js';
import { Tally, type Outcome, type Scope } from '../experiment.js';
import { PeerBench, type Peer } from './peer.js';

const HERD = 16;
/** Calls of which some publish, whatever the peer. */
const KILLED_AT = ['openat', 'write', 'rename', 'unlink', 'close', 'fsync'] as const;

/** What the compiler makes without a cache. */
function rightObject(bench: PeerBench): Buffer {
  const right = join(bench.folder, 'right.o');
  const ended = bench.run([findTool('gcc') ?? 'gcc', '-c', 'a.c', '-o', right]);
  if (ended.status !== 0) throw new Error('expected gcc to compile');
  return readFileSync(right);
}

async function withPeer(
  peer: Peer,
  scope: Scope,
  work: (bench: PeerBench, tally: Tally) => Promise<string> | string,
): Promise<Outcome> {
  const bench = await PeerBench.make(peer, scope.folder);
  const tally = new Tally();
  try {
    return tally.outcome(await work(bench, tally));
  } finally {
    bench.stopServer();
  }
}

/** Compiles once more and counts what came of it. */
function judge(
  bench: PeerBench,
  tally: Tally,
  { right, title, compiler }: { readonly right: Buffer; readonly title: string; readonly compiler?: string },
): void {
  rmSync(bench.output, { force: true });
  const { status, signal } = bench.run(bench.words(compiler));
  if (status !== 0) {
    tally.addFailedNextRun(`${title}: ${signal ?? status}`);
    return;
  }
  if (!contentOf(bench.output).equals(right)) tally.addWrongBytes(title);
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

/** Damages each stored file and compiles again, two times: the second shows whether the first has repaired it. */
export async function damagePeer(peer: Peer, scope: Scope, kind: 'flip' | 'cut'): Promise<Outcome> {
  return withPeer(peer, scope, (bench, tally) => {
    const right = rightObject(bench);
    const compiler = countingCompiler(bench);
    bench.startServer();
    bench.run(bench.words(compiler));
    const before = compilationsOf(bench);
    bench.run(bench.words(compiler));
    if (compilationsOf(bench) > before)
      throw new Error(`expected ${peer.name} to hit before anything is damaged`);
    // A server may hold in memory what it has written.
    bench.stopServer();
    const stored = bench.files().map((path) => [path, readFileSync(path)] as const);
    for (const [path, content] of stored) {
      for (const index of placesIn(content.byteLength, kind, scope)) {
        if (scope.signal.aborted) break;
        bench.startServer();
        for (const [other, whole] of stored) writeFileSync(other, whole);
        writeFileSync(path, damaged(content, kind, index));
        tally.addPoint();
        const title = `${path.slice(bench.store.length + 1)}: ${kind} at ${index}`;
        judge(bench, tally, { right, title, compiler });
        judge(bench, tally, { right, title: `${title}, second run`, compiler });
        bench.stopServer();
      }
    }
    return `${stored.length} files, compiled again ${compilationsOf(bench) - before} times`;
  });
}

function damaged(content: Buffer, kind: 'flip' | 'cut', index: number): Buffer {
  if (kind === 'cut') return Buffer.alloc(0);
  const flipped = Buffer.from(content);
  flipped[index] = (flipped[index] ?? 0) ^ (1 << (index % 8));
  return flipped;
}

function placesIn(bytes: number, kind: 'flip' | 'cut', scope: Scope): readonly number[] {
  if (kind === 'cut' || bytes === 0) return bytes === 0 ? [] : [0];
  const most = Math.min(bytes, scope.isFull ? 100 : 3);
  return Array.from({ length: most }, (_, index) => Math.floor(((index + scope.random()) * bytes) / most));
}

/** Kills a compilation, or the server that does it, at a system call, and compiles again. */
export async function killPeer(peer: Peer, scope: Scope): Promise<Outcome> {
  return withPeer(peer, scope, (bench, tally) => {
    const right = rightObject(bench);
    const most = scope.isFull ? 40 : 2;
    for (const call of KILLED_AT) {
      for (let number = 1; number <= most; number += 1) {
        if (scope.signal.aborted) break;
        bench.empty();
        if (!killedAt(bench, call, scope.isFull ? number : number * 7)) break;
        tally.addPoint();
        bench.startServer();
        const title = `killed at ${call} number ${number}`;
        judge(bench, tally, { right, title });
        judge(bench, tally, { right, title: `${title}, second run` });
        bench.stopServer();
      }
    }
    return peer.server === null ? '' : 'its client was killed';
  });
}

/** @returns whether it came so far as to be killed. */
function killedAt(bench: PeerBench, call: string, number: number): boolean {
  bench.startServer();
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${number}`];
  const strace = [findTool('strace') ?? 'strace', '-qq', '-o', '/dev/null', ...inject];
  const { status, signal } = bench.run([...strace, ...bench.words()]);
  bench.stopServer();
  return signal === 'SIGKILL' || status === 137;
}

/** All ask for the same absent object at once: every compilation beyond the first is told in the remark. */
export async function herdOfPeer(peer: Peer, scope: Scope): Promise<Outcome> {
  return withPeer(peer, scope, async (bench, tally) => {
    const right = rightObject(bench);
    const compiler = countingCompiler(bench);
    bench.startServer();
    tally.addPoint();
    const outputs = Array.from({ length: HERD }, (_, number) => join(bench.folder, `${number}.o`));
    const ended = await Promise.all(
      outputs.map(async (output) => bench.runBeside(bench.words(compiler, output))),
    );
    for (const [index, output] of outputs.entries()) {
      if (ended[index]?.status !== 0) tally.addFailedNextRun(`caller ${index}: ${ended[index]?.status}`);
      else if (!contentOf(output).equals(right)) tally.addWrongBytes(`caller ${index}`);
    }
    return `${compilationsOf(bench)} compilations for ${HERD} callers`;
  });
}

/** A compiler that notes when it makes an object, beside the calls in which it is asked who it is. */
function countingCompiler(bench: PeerBench): string {
  const path = join(bench.folder, 'gcc');
  const count = 'case " $* " in *" -E "*) ;; *" -c "*) printf x >> runs; sleep 0.3 ;; esac';
  writeFileSync(path, `#!/bin/sh\n${count}\nexec ${findTool('gcc') ?? 'gcc'} "$@"\n`, { mode: 0o755 });
  return path;
}

/** How often the {@link countingCompiler} was run. */
function compilationsOf(bench: PeerBench): number {
  return contentOf(join(bench.folder, 'runs')).byteLength;
}

/** Compiles with a store on file systems that are full, or become so after some bytes. */
export async function fillDiskOfPeer(peer: Peer, scope: Scope): Promise<Outcome> {
  return withPeer(peer, scope, (bench, tally) => {
    const right = rightObject(bench);
    const words = mountingWords() ?? [];
    const sizes = scope.isFull ? [0, 1, 2, 3, 4, 6, 8, 12, 16] : [0, 4];
    for (const free of sizes) {
      if (scope.signal.aborted) break;
      tally.addPoint();
      rmSync(bench.output, { force: true });
      const server = peer.server === null ? [] : [[bench.program, ...peer.server.start]];
      const ending = peer.server === null ? [] : [[bench.program, ...peer.server.stop]];
      const script = [
        `mount -t tmpfs -o size=128k tmpfs ${bench.store}`,
        `head -c $(( (32 - ${free}) * 4096 )) /dev/zero > ${bench.store}/filler || :`,
        ...server.map((each) => `${shellLine(each)} || :`),
        `status=0; ${shellLine(bench.words())} || status=$?`,
        ...ending.map((each) => `${shellLine(each)} || :`),
        'exit $status',
      ].join('\n');
      const { status } = bench.run([...words, script]);
      const title = `${free} free pages`;
      if (status !== 0) tally.addFailedNextRun(`${title}: ${status}`);
      else if (!contentOf(bench.output).equals(right)) tally.addWrongBytes(title);
    }
    return '';
  });
}
