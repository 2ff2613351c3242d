import { rmSync } from 'node:fs';
import { Tally, type Outcome, type Scope } from '../experiment.js';
import { contentOf, PeerBench, type PeerRun } from './peer-bench.js';
import type { Peer } from './peer.js';

/** Runs `work` on a bench of its own; what it says is the remark. */
export async function withPeer(
  peer: Peer,
  scope: Scope,
  work: (bench: PeerBench, judge: PeerJudge) => Promise<string> | string,
): Promise<Outcome> {
  const bench = await PeerBench.make(peer, scope);
  const tally = new Tally();
  try {
    const remark = await work(bench, new PeerJudge(bench, tally));
    return tally.outcome(remark === '' ? undefined : remark);
  } finally {
    bench.stopServer();
  }
}

/** Counts what compilations come to. */
export class PeerJudge {
  readonly #bench: PeerBench;
  readonly #right: Buffer;
  readonly tally: Tally;

  constructor(bench: PeerBench, tally: Tally) {
    this.#bench = bench;
    this.#right = bench.rightObject();
    this.tally = tally;
  }

  /** Compiles two times: the second shows whether the first has repaired what there was. */
  compileTwice(title: string, compiler?: string): void {
    for (const name of [title, `${title}, second run`]) {
      rmSync(this.#bench.output, { force: true });
      this.judge(this.#bench.run(this.#bench.words(compiler)), name);
    }
  }

  /** What a compilation into `output` has come to. */
  judge({ status, signal }: PeerRun, title: string, output: string = this.#bench.output): void {
    if (status !== 0) this.tally.addFailedNextRun(`${title}: ${signal ?? status}`);
    else if (!contentOf(output).equals(this.#right)) this.tally.addWrongBytes(title);
  }
}
