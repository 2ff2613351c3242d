import type { Cleanup } from './temporary-folder.js';
import { Workbench } from './workbench.js';

/**
 * A bench with a script that passes for wat2wasm, which is known to read its input and nothing else. Each run of it adds
 * a line to `runs`.
 */
export function withScript(t: Cleanup, script: string): Workbench {
  const bench = Workbench.make(t);
  bench.write('in.wat', '(module)');
  bench.script('wat2wasm', `[ "$1" = --version ] && echo 1.0 && exit 0\necho run >> runs\n${script}`);
  return bench;
}
