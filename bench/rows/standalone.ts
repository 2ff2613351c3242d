import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { ccacheEnvironment, demandDirectHits } from '../data/ccache.js';
import { findBun } from '../../tools/build-standalone.js';
import { buildExecutable, floorProgram, leaveShortcut, NO_SHORTCUT } from '../data/floors.js';
import { compileArgs, makeHome, OUTPUT } from '../data/home.js';
import { compileLine } from '../data/manifest.js';
import { unitName } from '../data/c-sources.js';
import { demandHits, startSccache } from '../data/sccache.js';
import { quote, shellLoop } from '../data/shell-loop.js';
import { measureRow, missingPeers, omitRows } from '../measure.js';
import { PROJECT } from '../program.js';
import type { Floor, Group, Rival, Side } from '../row.js';
import type { Site } from '../site.js';

const SPACE_BYTES = 16_777_216;
/** An executable of Bun's, and its half-written copy. */
const FLOOR_BYTES = 268_435_456;
const BOUND_SCCACHE = 1;
const BOUND_CCACHE = 3;

/** One hit of the executable that Bun builds, against the other caches of compilers. */
export const hitStandalone: Group = {
  rows: ['hit-standalone'],
  needs: ['gcc'],
  spaceBytes: () => SPACE_BYTES + (findBun() === null ? 0 : 2 * FLOOR_BYTES),
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
        floors: [await leastHit(site, standalone), await emptyProgram(site)],
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

async function leastHit(site: Site, standalone: string): Promise<Floor> {
  const shortcut = await leaveShortcut(site, site.command([standalone, ...compileArgs('home')]));
  const args = shortcut === null ? [] : ['home', OUTPUT, shortcut.fingerprint, shortcut.path];
  const absent = shortcut === null ? NO_SHORTCUT : null;
  return builtFloor(site, { name: 'least under Bun', source: 'standalone-hit.mjs', args, absent });
}

async function emptyProgram(site: Site): Promise<Floor> {
  return builtFloor(site, {
    name: 'an empty program under Bun',
    source: 'empty.mjs',
    args: [],
    absent: null,
  });
}

interface BuiltFloor extends Pick<Floor, 'name' | 'absent'> {
  readonly source: string;
  readonly args: readonly string[];
}

/** A floor that Bun compiles to an executable in the folder of the row. */
async function builtFloor(site: Site, { name, source, args, absent }: BuiltFloor): Promise<Floor> {
  const file = site.path(`floor-${source}`);
  const side = { ...shellLoop(site, { name, line: quote([file, ...args]) }) };
  const bun = findBun();
  if (bun === null) return { ...side, absent: 'no Bun for this machine in node_modules' };
  if (absent === null) await buildExecutable(site, { bun, source: floorProgram(source), file });
  return { ...side, absent };
}
