import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { ccacheEnvironment } from '../data/ccache.js';
import { makeSources, ordinaryUnit, unitName } from '../data/c-sources.js';
import { quote } from '../data/shell-loop.js';
import { missingPeers, notInstalled, reportFigure } from '../measure.js';
import type { Group } from '../row.js';
import type { Site } from '../site.js';

const CALLERS = 16;
const SPACE_BYTES = 16_777_216;

/** Many ask at once for what nobody has compiled yet: counted, not timed. */
export const herd: Group = {
  rows: ['herd'],
  needs: ['gcc'],
  spaceBytes: () => SPACE_BYTES,
  async measure(site) {
    const { setting } = site;
    await makeSources(site, site.path('src'), { count: 1, text: ordinaryUnit });
    const compiler = makeCountingCompiler(site);
    const title = `compilations for ${CALLERS} callers of one absent key`;
    const figure = { id: 'herd', title, unit: 'count' } as const;
    const ours = await largestHerd(site, (caller) => quote(ourCall(site, compiler, caller)));
    reportFigure(site, { ...figure, of: null, value: ours, bound: { kind: 'exactly', value: 1 } });
    const missing = missingPeers(setting, ['ccache']);
    if (missing.length > 0) {
      setting.reporter.omit({ id: 'herd', rival: 'ccache', reason: notInstalled(missing), failed: false });
      return;
    }
    const env = ccacheEnvironment(site);
    const call = (caller: number): string =>
      quote(['ccache', compiler, ...ARGUMENTS, `out/${caller}/${UNIT}.o`]);
    const theirs = await largestHerd(site, call, env);
    reportFigure(site, { ...figure, of: 'ccache', value: theirs, bound: null });
  },
};

const UNIT = unitName(0);
const ARGUMENTS = ['-O2', '-c', `src/${UNIT}.c`, '-o'] as const;

/** Every caller wants the object in a folder of its own; that folder does not reach the bytes. */
function ourCall({ setting }: Site, compiler: string, caller: number): readonly string[] {
  const files = [`src/${UNIT}.c`, '-o', `out/${caller}/${UNIT}.o`, '--relocatable'];
  const options = ['--cache-dir', 'home', '--compiler-version', 'gcc --version'];
  const command = [compiler, '-O2', '-c', '{input}', '-o', '{output}'];
  return [setting.node, setting.program, 'compile', ...options, ...files, '--', ...command];
}

/** A gcc that notes every compilation, and takes long enough that all callers have come. */
function makeCountingCompiler(site: Site): string {
  const path = site.path('counting', 'gcc');
  mkdirSync(site.path('counting'));
  const note = `echo compiled >> ${quote([site.path('compiled')])}`;
  // By its path: the folder of this one comes first where it runs.
  const real = quote([site.setting.peers.get('gcc')?.path ?? 'gcc']);
  const lines = [
    'case " $* " in',
    '*" -E "*) ;;',
    `*" -c "*) ${note}; sleep 1 ;;`,
    'esac',
    `exec ${real} "$@"`,
  ];
  writeFileSync(path, `#!/bin/sh\n${lines.join('\n')}\n`);
  chmodSync(path, 0o700);
  return path;
}

/** The largest number of compilations among as many rounds as are measured elsewhere. */
async function largestHerd(
  site: Site,
  call: (caller: number) => string,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const callers = Array.from({ length: CALLERS }, (_, caller) => caller);
  const lines = callers.map((caller) => `${call(caller)} & pids="$pids $!"`);
  const waiting = 'for pid in $pids; do wait "$pid"; done';
  writeFileSync(site.path('herd'), ['set -e', ...lines, waiting, ''].join('\n'));
  let largest = 0;
  for (let round = 1; round <= site.setting.rounds; round += 1) {
    site.setting.reporter.step(`herd: round ${round} of ${site.setting.rounds}`);
    for (const name of ['home', 'ccache', 'out', 'compiled'])
      rmSync(site.path(name), { recursive: true, force: true });
    for (const caller of callers) mkdirSync(site.path('out', String(caller)), { recursive: true });
    await site.time(site.command(['sh', 'herd'], { env }));
    largest = Math.max(largest, linesIn(site.path('compiled')));
  }
  return largest;
}

function linesIn(path: string): number {
  return existsSync(path) ? readFileSync(path, 'latin1').split('\n').length - 1 : 0;
}
