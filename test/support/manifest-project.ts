import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Workbench } from './workbench.js';

/** A project of many small compilations of four kinds, each with a program of its own. */
export interface ManifestProject {
  readonly jobs: readonly ManifestJob[];
  /** Relative to the project. */
  readonly manifest: string;
}

export interface ManifestJob {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly command: readonly string[];
}

/** Every other C file reads `include/shared.h`, the rest `include/other.h`; every TypeScript file `ts/shared.ts`. */
export function makeManifestProject(bench: Workbench, count: number): ManifestProject {
  bench.write('include/shared.h', '#define SCALE 3\n');
  bench.write('include/other.h', '#define SCALE 5\n');
  bench.write('ts/shared.ts', 'export const scale: number = 7;\n');
  bench.write('out/keep', '');
  const jobs = Array.from({ length: count }, (_, index) =>
    MAKERS[index % MAKERS.length]?.(bench, index),
  ).filter((job) => job !== undefined);
  bench.write('warm.json', JSON.stringify({ jobs }));
  return { jobs, manifest: 'warm.json' };
}

/** The program itself: what npm links to may be a script. */
const ESBUILD = realpathSync(join(import.meta.dirname, '../../node_modules/esbuild/bin/esbuild'));

type Maker = (bench: Workbench, index: number) => ManifestJob;

function makeC(bench: Workbench, index: number): ManifestJob {
  const header = usesSharedHeader(index) ? 'shared.h' : 'other.h';
  const input = `c/unit${index}.c`;
  bench.write(input, `#include "${header}"\nint unit${index}(int x) { return x * SCALE + ${index}; }\n`);
  const output = `out/unit${index}.o`;
  const command = ['gcc', '-O1', '-Iinclude', '-c', '{input}', '-o', '{output}'];
  return { inputs: [input], outputs: [output], command };
}

/** True for the C files that read `include/shared.h`. */
export function usesSharedHeader(index: number): boolean {
  return index % (2 * MAKERS.length) === 0;
}

function makeShader(bench: Workbench, index: number): ManifestJob {
  const input = `glsl/shade${index}.comp`;
  const body = `layout(local_size_x = 64) in;\nlayout(std430, binding = 0) buffer B { float v[]; };\n`;
  const main = `void main() { v[gl_GlobalInvocationID.x] *= ${index}.5; }\n`;
  bench.write(input, `#version 450\n${body}${main}`);
  const output = `out/shade${index}.spv`;
  return {
    inputs: [input],
    outputs: [output],
    command: ['glslangValidator', '--quiet', '-V', '{input}', '-o', '{output}'],
  };
}

function makeModule(bench: Workbench, index: number): ManifestJob {
  const input = `wat/module${index}.wat`;
  bench.write(input, `(module (func (export "f") (result i32) i32.const ${index}))\n`);
  return {
    inputs: [input],
    outputs: [`out/module${index}.wasm`],
    command: ['wat2wasm', '{input}', '-o', '{output}'],
  };
}

function makeScript(bench: Workbench, index: number): ManifestJob {
  const input = `ts/page${index}.ts`;
  bench.write(input, `import { scale } from './shared.ts';\nconsole.log(scale * ${index});\n`);
  const command = [ESBUILD, '{input}', '--bundle', '--log-level=warning', '--outfile={output}'];
  return { inputs: [input], outputs: [`out/page${index}.js`], command };
}

const MAKERS: readonly Maker[] = [makeC, makeShader, makeModule, makeScript];

/** Breaks the source of a job so that its compiler refuses it. */
export function breakSource(bench: Workbench, job: ManifestJob): void {
  bench.write(job.inputs[0] ?? '', 'this is no program {{{\n');
}

/** What the bare command makes, into the folder `bare/`. */
export async function compileBare(bench: Workbench, job: ManifestJob): Promise<Buffer> {
  const [output = ''] = job.outputs;
  const bare = join('bare', output);
  bench.write(bare, '');
  const [program = '', ...args] = job.command.map((word) =>
    word.replace('{input}', job.inputs[0] ?? '').replace('{output}', bare),
  );
  await bench.spawn(program, args).ended;
  return bench.read(bare);
}
