import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openCache, type CompileRequest } from '../../../src/index.js';

// child.mjs compile ROOT FOLDER NUMBER COUNT: makes COUNT artifacts of its own, one after the other.
// child.mjs sweep ROOT FOLDER NUMBER: opens the home again and again, which sweeps it, until FOLDER/stop exists.
const [mode, root = '', folder = '', number = '', count = ''] = process.argv.slice(2);
const own = join(folder, number);
mkdirSync(own, { recursive: true });

function request(key: string): CompileRequest {
  return {
    inputs: ['in.txt'],
    outputs: [join(own, 'out.txt')],
    stdoutFile: null,
    // Its worker directory has to be there from its first to its last breath.
    command: ['sh', '-c', 'ls "$TMPDIR" && cat "$1" > "$2" && ls "$TMPDIR"', 'sh', '{input}', '{output}'],
    deps: [],
    env: [],
    keys: [key],
    tools: [],
    compilerVersion: 'echo 1',
    relocatable: true,
    cwd: folder,
    environment: { PATH: '/usr/bin:/bin' },
  };
}

const seen = { stored: 0, others: [] as string[] };

async function compileAll(): Promise<void> {
  const cache = openCache({ root });
  for (let index = 0; index < Number(count); index += 1) {
    const result = await cache.compile(request(`${number}/${index}`));
    if (result.outcome === 'compiled' && result.notStored === null && result.exitCode === 0) seen.stored += 1;
    else seen.others.push(JSON.stringify([result.outcome, result.notStored, result.exitCode]));
  }
  await cache.close();
  seen.others.push(...cache.troubles().map((trouble) => trouble.message));
}

async function sweepUntilStopped(): Promise<void> {
  while (!existsSync(join(folder, 'stop'))) {
    const cache = openCache({ root });
    const result = await cache.compile(request('swept'));
    if (result.exitCode === 0) seen.stored += 1;
    await cache.close();
    seen.others.push(...cache.troubles().map((trouble) => trouble.message));
  }
}

await (mode === 'compile' ? compileAll() : sweepUntilStopped());
process.stdout.write(`${JSON.stringify(seen)}\n`);
