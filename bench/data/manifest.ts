import { writeFileSync } from 'node:fs';
import { unitName } from './c-sources.js';

/** How the rows compile; shared by ours and the rivals. */
export const COMPILER = ['gcc', '-O2', '-c'] as const;

/** A manifest that compiles `src/unit….c` to `out/unit….o`, paths below its own folder. */
export function writeManifest(path: string, count: number): void {
  const jobs = Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      inputs: [`src/${unitName(index)}.c`],
      outputs: [`out/${unitName(index)}.o`],
      command: [...COMPILER, '{input}', '-o', '{output}'],
    }),
  );
  writeFileSync(path, `${jobs.join('\n')}\n`);
}

/** The same without a cache, for the shell: a line for one unit. `launcher` stands before the compiler. */
export function compileLine(name: string, launcher = ''): string {
  const words = [...(launcher === '' ? [] : [launcher]), ...COMPILER];
  return `${words.join(' ')} src/${name}.c -o out/${name}.o`;
}

/** Writes a script with these lines that stops at the first that fails. */
export function writeScript(path: string, lines: readonly string[]): void {
  writeFileSync(path, `set -e\n${lines.join('\n')}\n`);
}
