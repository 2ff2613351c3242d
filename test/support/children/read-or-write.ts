import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openCache, type CompileRequest } from '../../../src/index.js';
import { isWhole, PRINT_CONSECUTIVE } from '../consecutive.js';

// child.mjs read|write ROOT FOLDER NUMBER KEYS OPERATIONS: works on KEYS artifacts in turn, beginning at NUMBER, and
// reports what it saw as one line of JSON.
const [mode, root = '', folder = '', ...numbers] = process.argv.slice(2);
const [number = 0, keys = 1, operations = 1] = numbers.map(Number);

const cache = openCache({ root });
const own = join(folder, String(number));
mkdirSync(own, { recursive: true });

function request(key: number): CompileRequest {
  return {
    inputs: [],
    outputs: [],
    stdoutFile: join(own, 'out.txt'),
    command: PRINT_CONSECUTIVE,
    deps: [],
    env: [],
    keys: [String(key)],
    tools: [],
    compilerVersion: null,
    relocatable: true,
    cwd: folder,
    environment: { PATH: '/usr/bin:/bin' },
  };
}

const seen = { whole: 0, torn: 0, missed: 0, stored: 0 };

async function write(key: number): Promise<void> {
  const result = await cache.compile(request(key), { refresh: true });
  if (result.exitCode === 0 && result.notStored === null) seen.stored += 1;
}

async function read(key: number): Promise<void> {
  const { fingerprint } = await cache.fingerprint(request(key));
  const found = await cache.get(fingerprint);
  if (!found.hit) seen.missed += 1;
  else if (isWhole(found.payload)) seen.whole += 1;
  else seen.torn += 1;
}

for (let operation = 0; operation < operations; operation += 1) {
  const key = (number + operation) % keys;
  await (mode === 'write' ? write(key) : read(key));
}
await cache.close();
process.stdout.write(
  `${JSON.stringify({ ...seen, troubles: cache.troubles().map((trouble) => trouble.kind) })}\n`,
);
