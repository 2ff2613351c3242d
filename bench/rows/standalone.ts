import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { ccacheEnvironment, demandDirectHits } from '../data/ccache.js';
import { compileArgs, makeHome } from '../data/home.js';
import { compileLine } from '../data/manifest.js';
import { unitName } from '../data/c-sources.js';
import { demandHits, startSccache } from '../data/sccache.js';
import { quote, shellLoop } from '../data/shell-loop.js';
import { measureRow, missingPeers, omitRows } from '../measure.js';
import { PROJECT } from '../program.js';
import type { Group, Rival, Side } from '../row.js';
import type { Site } from '../site.js';

const SPACE_BYTES = 16_777_216;
const BOUND_SCCACHE = 1;
const BOUND_CCACHE = 3;

/** One hit of the executable that Bun builds, against the other caches of compilers. */
export const hitStandalone: Group = {
  rows: ['hit-standalone'],
  needs: ['gcc'],
  spaceBytes: () => SPACE_BYTES,
  async measure(site) {
    const { setting } = site;
    const { standalone } = setting;
    if (!existsSync(standalone)) {
      omitRows(setting, ['hit-standalone'], `no standalone executable at "${relative(PROJECT, standalone)}"`);
      return;
    }
    await makeHome(site, 'home');
    const hasServer = missingPeers(setting, ['sccache']).length === 0;
    const server = hasServer ? await startSccache(site) : null;
    try {
      await measureRow(site, {
        id: 'hit-standalone',
        title: 'one hit of compile, standalone executable',
        ours: ourHit(site, standalone),
        rivals: [await sccacheHit(site, server?.env ?? null), await ccacheHit(site)],
      });
    } finally {
      await server?.end();
    }
  },
};

function ourHit(site: Site, standalone: string): Side & { peakBytes(): Promise<number | null> } {
  const argv = [standalone, ...compileArgs('home')];
  return {
    ...shellLoop(site, { name: 'vyre-cache compile', line: quote(argv) }),
    // Bun takes no NODE_OPTIONS. GNU time is small, so what it forks begins with nothing of another's memory.
    peakBytes: async () => {
      if (missingPeers(site.setting, ['time']).length > 0) return null;
      await site.time(site.command(['time', '-f', '%M', '-o', site.path('peak'), ...argv]));
      return Number(readFileSync(site.path('peak'), 'latin1')) * 1024;
    },
  };
}

async function sccacheHit(site: Site, env: Readonly<Record<string, string>> | null): Promise<Rival> {
  const line = compileLine(unitName(0), 'sccache');
  if (env !== null) {
    for (let call = 0; call < 2; call += 1) await site.time(site.shell(line, { env }));
    await demandHits(site, env, 1);
  }
  const side = shellLoop(site, { name: 'sccache, its server running', line, env: env ?? {} });
  return { ...side, needs: ['sccache'], bound: BOUND_SCCACHE };
}

async function ccacheHit(site: Site): Promise<Rival> {
  const env = ccacheEnvironment(site);
  const line = compileLine(unitName(0), 'ccache');
  if (missingPeers(site.setting, ['ccache']).length === 0) {
    for (let call = 0; call < 3; call += 1) await site.time(site.shell(line, { env }));
    await demandDirectHits(site, env, 1);
  }
  return { ...shellLoop(site, { name: 'ccache', line, env }), needs: ['ccache'], bound: BOUND_CCACHE };
}
