import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountingWords } from '../../support/mount-namespace.js';
import { shellLine } from '../../support/program.js';
import type { Outcome, Scope } from '../experiment.js';
import { withPeer } from './judge-peer.js';
import type { Peer } from './peer.js';

const HERD = 16;
/** Of the file system that fills up. */
const PAGES = 32;
const PAGE_BYTES = 4096;

/** Damages each stored file and compiles again. */
export async function damagePeer(peer: Peer, scope: Scope, kind: 'flip' | 'cut'): Promise<Outcome> {
  return withPeer(peer, scope, (bench, judge) => {
    const compiler = bench.countingCompiler();
    bench.startServer();
    bench.run(bench.words(compiler));
    const before = bench.compilations;
    bench.run(bench.words(compiler));
    if (bench.compilations > before)
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
        judge.tally.addPoint();
        judge.compileTwice(`${path.slice(bench.store.length + 1)}: ${kind} at ${index}`, compiler);
        bench.stopServer();
      }
    }
    return `${stored.length} files, compiled again ${bench.compilations - before} times`;
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
  const most = Math.min(bytes, scope.isFull ? 100 : 1);
  return Array.from({ length: most }, (_, index) => Math.floor(((index + scope.random()) * bytes) / most));
}

/** All ask for the same absent object at once: every compilation beyond the first is told in the remark. */
export async function herdOfPeer(peer: Peer, scope: Scope): Promise<Outcome> {
  return withPeer(peer, scope, async (bench, judge) => {
    const compiler = bench.countingCompiler();
    bench.startServer();
    const outputs = Array.from({ length: HERD }, (_, number) => join(bench.folder, `${number}.o`));
    const ended = await Promise.all(
      outputs.map(async (output) => bench.start(bench.words(compiler, output)).ended),
    );
    for (const [index, run] of ended.entries()) {
      judge.tally.addPoint();
      judge.judge(run, `caller ${index}`, outputs[index]);
    }
    return `${bench.compilations} compilations for ${HERD} callers`;
  });
}

/** Compiles with a store on file systems that are full, or become so after some bytes. */
export async function fillDiskOfPeer(peer: Peer, scope: Scope): Promise<Outcome> {
  return withPeer(peer, scope, (bench, judge) => {
    const words = mountingWords() ?? [];
    const sizes = scope.isFull ? Array.from({ length: 17 }, (_, free) => free) : [0, 4];
    const { server } = peer;
    for (const free of sizes) {
      if (scope.signal.aborted) break;
      judge.tally.addPoint();
      rmSync(bench.output, { force: true });
      const script = [
        `mount -t tmpfs -o size=${PAGES * PAGE_BYTES},mode=700 tmpfs ${bench.store}`,
        `head -c $(( (${PAGES} - ${free}) * ${PAGE_BYTES} )) /dev/zero > ${bench.store}/filler || :`,
        ...(server === null ? [] : [`${shellLine(server.start)} || :`]),
        `status=0; ${shellLine(bench.words())} || status=$?`,
        ...(server === null ? [] : [`${shellLine(server.stop)} || :`]),
        'exit $status',
      ].join('\n');
      judge.judge(bench.run([...words, script]), `${free} free pages`);
    }
    return '';
  });
}
