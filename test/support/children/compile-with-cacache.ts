import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import cacache from 'cacache';

// child.mjs STORE COMPILER INPUT OUTPUT: what somebody writes who puts cacache in front of gcc. `get` checks the
// integrity; what fails it is removed, as the fetcher of npm does, made anew and put again. What cannot be put is the
// user's all the same.
async function lookUp(store: string, key: string): Promise<Buffer | null> {
  try {
    return (await cacache.get(store, key)).data;
  } catch {
    const info = await cacache.get.info(store, key).catch(() => null);
    if (info !== null) await cacache.rm.content(store, info.integrity).catch(() => null);
    return null;
  }
}

const [store = '', compiler = '', input = '', output = ''] = process.argv.slice(2);
const key = createHash('sha256').update(`${compiler}\0`).update(readFileSync(input)).digest('hex');
const found = await lookUp(store, key);
if (found === null) {
  const { status } = spawnSync(compiler, ['-c', input, '-o', output], { stdio: 'inherit' });
  if (status === 0) await cacache.put(store, key, readFileSync(output)).catch(() => null);
  process.exitCode = status ?? 1;
} else {
  writeFileSync(output, found);
}
