import { main } from '../../src/cli/node.js';

// Started by tests as a process of its own: `node --import tsx test/cli/start.ts …`.
await main();
