import { writeSync } from 'node:fs';
import { openCache, type Cache } from '../../../src/index.js';

// child.mjs ROOT STEPS: a JSON list of {fingerprint, size, fill, replace} (put) and null (flush), done one after the
// other in one session. Says `begin N` and `end N` around each on stdout, without a buffer.
interface Put {
  readonly fingerprint: string;
  readonly size: number;
  readonly fill: string;
  readonly replace: boolean;
}

async function step(cache: Cache, what: Put | null): Promise<void> {
  if (what === null) {
    const report = await cache.flush();
    if (report.failed > 0 || report.listProblem !== null) throw new Error(JSON.stringify(report));
    return;
  }
  const { fingerprint, size, fill, replace } = what;
  const result = await cache.put(fingerprint, Buffer.alloc(size, fill), { replace });
  if (!result.stored) throw new Error(result.reason);
}

const [root = '', steps = '[]'] = process.argv.slice(2);
const session = openCache({ root });
for (const [number, what] of (JSON.parse(steps) as readonly (Put | null)[]).entries()) {
  writeSync(1, `begin ${number}\n`);
  await step(session, what);
  writeSync(1, `end ${number}\n`);
}
await session.close();
