import { resolve } from 'node:path';
import type { CommandLine } from './preset.js';

/** True for a path that the request names as an output, however it is written, and for devices, which keep nothing. */
export function isDeclaredOutput(line: CommandLine, path: string): boolean {
  const absolute = resolve(line.cwd, path);
  if (absolute.startsWith('/dev/')) return true;
  return line.outputs.some((output) => resolve(line.cwd, output) === absolute);
}
