import { systemHost } from '../host/host.js';
import { waitAsLane } from './bulk-lane.js';

// The script of a thread under Node, started by `bulk.ts`.
waitAsLane(systemHost);
