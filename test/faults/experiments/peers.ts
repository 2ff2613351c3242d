import { mountingWords, NO_MOUNTS } from '../../support/mount-namespace.js';
import type { Experiment } from '../experiment.js';
import { PEERS } from '../peers/peer.js';
import { damagePeer, fillDiskOfPeer, herdOfPeer, killPeer } from '../peers/peer-faults.js';

/** The same faults in the caches that people use, counted in the same way and shown beside ours. */
export const PEER_EXPERIMENTS: readonly Experiment[] = PEERS.flatMap((peer): readonly Experiment[] => [
  {
    group: 'peer',
    fault: 'SIGKILL at a system call',
    where: `${peer.name}, a compilation`,
    needs: [peer.name, 'gcc', 'strace'],
    run: async (scope) => killPeer(peer, scope),
  },
  {
    group: 'peer',
    fault: 'a bit flips',
    where: `${peer.name}, each stored file`,
    needs: [peer.name, 'gcc'],
    run: async (scope) => damagePeer(peer, scope, 'flip'),
  },
  {
    group: 'peer',
    fault: 'cut to nothing',
    where: `${peer.name}, each stored file`,
    needs: [peer.name, 'gcc'],
    run: async (scope) => damagePeer(peer, scope, 'cut'),
  },
  {
    group: 'peer',
    fault: '16 ask at once',
    where: `${peer.name}, one absent object`,
    needs: [peer.name, 'gcc'],
    run: async (scope) => herdOfPeer(peer, scope),
  },
  {
    group: 'peer',
    fault: 'the disk is full',
    where: `${peer.name}, a compilation`,
    needs: [peer.name, 'gcc', 'unshare'],
    obstacle: () => (mountingWords() === null ? NO_MOUNTS : null),
    run: async (scope) => fillDiskOfPeer(peer, scope),
  },
]);
