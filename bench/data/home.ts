import { mkdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { makeSources, ordinaryUnit, unitName } from './c-sources.js';
import type { Site } from '../site.js';
import { COMPILER } from './manifest.js';

/** What is younger than this is looked at anew by every call: nobody builds twice within it. */
const SETTLED_MS = 2100;

/** Makes a home by one ordinary compilation, of `src/unit00000.c` to `out/unit00000.o`, and lets it become old enough. */
export async function makeHome(site: Site, root: string): Promise<void> {
  await makeSources(site, site.path('src'), { count: 1, text: ordinaryUnit });
  mkdirSync(site.path('out'));
  await site.time(site.ours(compileArgs(root)));
  await setTimeout(SETTLED_MS);
}

/** What a user types for that compilation. */
export function compileArgs(root: string): readonly string[] {
  return ['compile', '--cache-dir', root, ...REQUEST];
}

const UNIT = unitName(0);
export const OUTPUT = `out/${UNIT}.o`;
/** Inputs, outputs and command, as `compile`, `get` and `fingerprint` take them. */
export const REQUEST: readonly string[] =
  `src/${UNIT}.c -o ${OUTPUT} -- ${COMPILER.join(' ')} {input} -o {output}`.split(' ');
