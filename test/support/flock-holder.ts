import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { findTool, has } from './tools.js';

/** A process that holds a file by flock(2) until it is killed; null, with the test skipped, where there is no program. */
export async function flockHolder(
  t: TestContext,
  path: string,
  ...options: readonly string[]
): Promise<ChildProcess | null> {
  if (!has(t, 'flock')) return null;
  const words = [...options, '--no-fork', path, 'sh', '-c', 'echo held; exec sleep 600'];
  const child = spawn(findTool('flock') ?? 'flock', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}
