import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Commands } from './commands.js';

export const PROJECT = join(import.meta.dirname, '..');
export const PROGRAM = join(PROJECT, 'bin', 'vyre-cache.js');
const BUNDLE = join(PROJECT, 'dist', 'start.json');

/** Builds what is measured, where that was not done yet. */
export async function buildIfAbsent(
  commands: Commands,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  if (existsSync(BUNDLE)) return;
  await commands.run({ argv: ['npm', 'run', '--silent', 'build:js'], cwd: PROJECT, env });
}

/** True when a source is younger than the bundle that is measured. */
export function isBundleStale(): boolean {
  const builtAtMs = statSync(BUNDLE).mtimeMs;
  return readdirSync(join(PROJECT, 'src'), { recursive: true, encoding: 'utf8' }).some(
    (name) => name.endsWith('.ts') && statSync(join(PROJECT, 'src', name)).mtimeMs > builtAtMs,
  );
}
