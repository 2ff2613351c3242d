import { mkdirSync } from 'node:fs';
import { makeSources, ordinaryUnit, unitName } from './c-sources.js';
import type { Site } from '../site.js';
import { COMPILER } from './manifest.js';

/** Makes a home by one ordinary compilation, of `src/unit00000.c` to `out/unit00000.o`. */
export async function makeHome(site: Site, root: string): Promise<void> {
  await makeSources(site, site.path('src'), { count: 1, text: ordinaryUnit });
  mkdirSync(site.path('out'));
  await site.time(site.ours(compileArgs(root)));
}

/** What a user types for that compilation. */
export function compileArgs(root: string): readonly string[] {
  return ['compile', '--cache-dir', root, ...REQUEST];
}

const UNIT = unitName(0);
/** Inputs, outputs and command, as `compile`, `get` and `fingerprint` take them. */
export const REQUEST: readonly string[] =
  `src/${UNIT}.c -o out/${UNIT}.o -- ${COMPILER.join(' ')} {input} -o {output}`.split(' ');
