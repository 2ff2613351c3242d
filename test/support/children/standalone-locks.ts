import { openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { StandaloneLocks } from '../../../src/host/standalone-locks.js';

// standalone-locks.ts FILE, started by Bun: locks and unlocks bytes of FILE as its stdin says, a line each: `exclusive`,
// `shared` or `unlock`, the first byte, how many. Answers `true` or `false`, or an errno.
const [path = ''] = process.argv.slice(2);
const locks = new StandaloneLocks();
let fd = openSync(path, 'r+');

function answer(line: string): string {
  const [verb, offset, length] = line.split(' ');
  const range = { offset: Number(offset), length: Number(length), shared: verb === 'shared' };
  if (verb === 'readonly') fd = openSync(path, 'r');
  else if (verb === 'unlock') locks.unlock(fd, range);
  else return String(locks.tryLock(fd, range));
  return 'true';
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    process.stdout.write(`${answer(line)}\n`);
  } catch (error) {
    process.stdout.write(
      `${error instanceof Error && 'code' in error ? String(error.code) : String(error)}\n`,
    );
  }
}
