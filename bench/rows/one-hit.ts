import { mkdirSync } from 'node:fs';
import { makeSources, ordinaryUnit, unitName } from '../data/c-sources.js';
import { COMPILER, writeScript } from '../data/manifest.js';
import { measureRow } from '../measure.js';
import type { Group, Side } from '../row.js';
import type { Site } from '../site.js';

/** Calls in a row per sample: one alone would measure how fast this bench starts programs, too. */
const CALLS = 10;
const SPACE_BYTES = 4_194_304;
const BOUND = 1.25;

/** One hit under Node against the start of Node alone. */
export const hitNode: Group = {
  rows: ['hit-node', 'hit-get'],
  needs: ['gcc'],
  spaceBytes: () => SPACE_BYTES,
  async measure(site) {
    const { node, program } = site.setting;
    await fill(site);
    const bare: Side = shellLoop(site, 'node -e 0', quote([node, '-e', '0']));
    if (site.wants('hit-node')) {
      const line = quote([node, program, ...compileArgs('home')]);
      await measureRow(site, {
        id: 'hit-node',
        title: 'one hit of compile, Node',
        ours: shellLoop(site, 'vyre-cache compile', line),
        rivals: [{ ...bare, bound: BOUND }],
      });
    }
    if (site.wants('hit-get')) {
      const { stdout } = await site.run(
        site.ours(['fingerprint', ...compileArgs('home').slice(1)], { captures: true }),
      );
      const get = quote([node, program, 'get', stdout.trim(), '-o', 'out/copy', '--cache-dir', 'home']);
      await measureRow(site, {
        id: 'hit-get',
        title: 'one hit of get by fingerprint, Node',
        ours: shellLoop(site, 'vyre-cache get', get),
        rivals: [{ ...bare, bound: BOUND }],
      });
    }
  },
};

/** One ordinary source, compiled into `home`. */
export async function fill(site: Site): Promise<void> {
  await makeSources(site, site.path('src'), { count: 1, text: ordinaryUnit });
  mkdirSync(site.path('out'));
  await site.time(site.ours(compileArgs('home')));
}

/** What a user types to compile it. */
export function compileArgs(home: string): readonly string[] {
  const name = unitName(0);
  const files = [`src/${name}.c`, '-o', `out/${name}.o`];
  return ['compile', '--cache-dir', home, ...files, '--', ...COMPILER, '{input}', '-o', '{output}'];
}

/** The same call again and again by the shell. @returns the seconds per call. */
export function shellLoop(
  site: Site,
  name: string,
  line: string,
  env: Readonly<Record<string, string>> = {},
): Side {
  const script = site.path(`loop-${name.replaceAll(/\W+/g, '-')}`);
  writeScript(
    script,
    Array.from({ length: CALLS }, () => line),
  );
  return {
    name,
    needs: [],
    run: async () => (await site.time(site.command(['sh', script], { env }))) / CALLS,
  };
}

export function quote(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
}
