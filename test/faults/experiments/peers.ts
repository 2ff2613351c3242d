import { mountingWords, NO_MOUNTS } from '../../support/mount-namespace.js';
import type { Experiment, Outcome, Scope } from '../experiment.js';
import { damagePeer, fillDiskOfPeer, herdOfPeer } from '../peers/peer-faults.js';
import { killAtCalls, killAtTimes } from '../peers/peer-kills.js';
import { PEERS, type Peer } from '../peers/peer.js';
import { tracingObstacle } from '../strace.js';

/** A fault that ours and the others get. */
interface SharedFault extends Pick<Experiment, 'fault' | 'obstacle'> {
  readonly needs?: Experiment['needs'];
  readonly where: string;
  readonly of?: (peer: Peer) => boolean;
  readonly run: (peer: Peer, scope: Scope) => Promise<Outcome>;
}

const FAULTS: readonly SharedFault[] = [
  {
    fault: 'SIGKILL at a system call',
    where: 'a compilation',
    needs: ['strace'],
    obstacle: tracingObstacle,
    // Its calls are made by threads that nobody can tell apart.
    of: ({ name }) => name !== 'cacache',
    run: killAtCalls,
  },
  {
    fault: 'SIGKILL',
    where: 'a compilation',
    of: ({ server }) => server === null,
    run: async (peer, scope) => killAtTimes(peer, scope, 'caller'),
  },
  {
    fault: 'SIGKILL',
    where: 'its server, in a compilation',
    of: ({ server }) => server !== null,
    run: async (peer, scope) => killAtTimes(peer, scope, 'server'),
  },
  {
    fault: 'a bit flips',
    where: 'each stored file',
    run: async (peer, scope) => damagePeer(peer, scope, 'flip'),
  },
  {
    fault: 'cut to nothing',
    where: 'each stored file',
    run: async (peer, scope) => damagePeer(peer, scope, 'cut'),
  },
  { fault: '16 ask at once', where: 'one absent object', run: herdOfPeer },
  {
    fault: 'the disk is full',
    where: 'a compilation',
    needs: ['unshare'],
    obstacle: () => (mountingWords() === null ? NO_MOUNTS : null),
    run: fillDiskOfPeer,
  },
];

/** The same faults in ours and in the caches that people use, counted in the same way, one below the other. */
export const PEER_EXPERIMENTS: readonly Experiment[] = FAULTS.flatMap((fault) =>
  PEERS.filter((peer) => fault.of?.(peer) ?? true).map((peer) => rowOf(fault, peer)),
);

function rowOf({ fault, where, needs = [], obstacle, run }: SharedFault, peer: Peer): Experiment {
  return {
    group: 'peer',
    fault,
    where: `${peer.name}, ${where}`,
    needs: ['gcc', ...peer.needs, ...needs],
    obstacle: () => obstacle?.() ?? null,
    isPeer: peer.name !== 'vyre-cache',
    run: async (scope) => run(peer, scope),
  };
}
