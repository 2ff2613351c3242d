import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCache } from '../../../src/index.js';

// child.mjs ROOT FOLDER NUMBER KINDS: asks for one of KINDS artifacts again and again, in an order of its own, and compares
// what it gets, until FOLDER/stop exists.
const [root = '', folder = '', number = '', kinds = ''] = process.argv.slice(2);
const own = join(folder, `child-${number}`);
mkdirSync(own, { recursive: true });

const seen = { stored: 0, hits: 0, others: [] as string[] };

function textOf(kind: number): string {
  return `artifact ${kind} `.repeat(1 + (kind % 7) * 400);
}

async function ask(kind: number): Promise<void> {
  const input = join(folder, `in-${kind}.txt`);
  if (!existsSync(input)) writeFileSync(input, textOf(kind));
  const output = join(own, 'out.txt');
  const cache = openCache({ root });
  const result = await cache.compile({
    inputs: [`in-${kind}.txt`],
    outputs: [output],
    stdoutFile: null,
    command: ['sh', '-c', 'cat "$1" > "$2"', 'sh', '{input}', '{output}'],
    deps: [],
    env: [],
    keys: [],
    tools: [],
    compilerVersion: 'echo 1',
    relocatable: true,
    cwd: folder,
    environment: { PATH: '/usr/bin:/bin' },
  });
  await cache.close();
  if (result.exitCode !== 0 || readFileSync(output, 'utf8') !== textOf(kind))
    seen.others.push(JSON.stringify([kind, result.outcome, result.exitCode, result.error]));
  if (result.outcome === 'disk' || result.outcome === 'memory') seen.hits += 1;
  else if (result.notStored === null) seen.stored += 1;
  seen.others.push(...cache.troubles().map((trouble) => trouble.message));
}

/** Each has no divisor in common with the number of kinds: every child comes by all of them, in its own order. */
const STEPS = [7, 11, 13, 17, 19, 23, 29, 31];
const step = STEPS[Number(number) % STEPS.length] ?? 1;
let kind = Number(number);
while (!existsSync(join(folder, 'stop'))) {
  kind = (kind + step) % Number(kinds);
  await ask(kind);
}
process.stdout.write(`${JSON.stringify(seen)}\n`);
