import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** The system's programs first: a version manager's shims want the home of their user. */
export const SEARCH_PATH = ['/usr/bin', '/bin', process.env['PATH'] ?? ''].join(':');

/** How to get what the tests run, by program. */
const PACKAGES = {
  b3sum: 'apt-get install b3sum',
  ccache: 'apt-get install ccache',
  flock: 'apt-get install util-linux',
  'g++': 'apt-get install g++',
  gcc: 'apt-get install gcc',
  glslangValidator: 'apt-get install glslang-tools',
  nvcc: "NVIDIA's CUDA toolkit",
  promtool: 'apt-get install prometheus',
  python3: 'apt-get install python3',
  sccache: 'apt-get install sccache',
  script: 'apt-get install bsdutils',
  strace: 'apt-get install strace',
  unshare: 'apt-get install util-linux',
  wat2wasm: 'apt-get install wabt',
  zstd: 'apt-get install zstd',
} as const;

export type ToolName = keyof typeof PACKAGES;

/** The absolute path of a program; null when it is not on the search path. */
export function findTool(name: string): string | null {
  for (const folder of SEARCH_PATH.split(':')) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return null;
}

/** False, with the test skipped by name and reason, when a program is missing. */
export function has(t: TestContext, ...names: readonly ToolName[]): boolean {
  const missing = names.filter((name) => findTool(name) === null);
  if (missing.length === 0) return true;
  t.skip(`missing: ${missing.map(describeTool).join(', ')}`);
  return false;
}

/** A program and how to get it. */
export function describeTool(name: ToolName): string {
  return `${name} (${PACKAGES[name]})`;
}
