import { compileArgs, makeHome, OUTPUT, REQUEST } from '../data/home.js';
import { floorCommand, leaveShortcut, NO_SHORTCUT, NO_SHORTCUTS, withoutAddons } from '../data/floors.js';
import { quote, shellLoop } from '../data/shell-loop.js';
import { measureRow } from '../measure.js';
import type { Floor, Group, Side } from '../row.js';
import type { Site } from '../site.js';

const SPACE_BYTES = 4_194_304;
const BOUND = 1.25;

/** One hit under Node against the start of Node alone. */
export const hitNode: Group = {
  rows: ['hit-node', 'hit-long', 'hit-get'],
  needs: ['gcc'],
  spaceBytes: () => SPACE_BYTES,
  async measure(site) {
    const { node, program } = site.setting;
    await makeHome(site, 'home');
    const bare = shellLoop(site, { name: 'node -e 0', line: quote([node, '-e', '0']) });
    if (site.wants('hit-node')) {
      const line = quote([node, program, ...compileArgs('home')]);
      await measureRow(site, {
        id: 'hit-node',
        title: 'one hit of compile, Node',
        ours: shellLoop(site, { name: 'vyre-cache compile', line }),
        rivals: [{ ...bare, bound: BOUND }],
        floors: [await leastCompile(site)],
      });
    }
    if (site.wants('hit-long')) {
      const line = quote([node, program, ...compileArgs('home')]);
      await measureRow(site, {
        id: 'hit-long',
        title: 'the same without a shortcut',
        ours: shellLoop(site, { name: 'vyre-cache compile', line, env: NO_SHORTCUTS }),
        rivals: [{ ...bare, bound: null }],
      });
    }
    if (site.wants('hit-get')) {
      const asked = site.ours(['fingerprint', '--cache-dir', 'home', ...REQUEST], { captures: true });
      const fingerprint = (await site.run(asked)).stdout.trim();
      const line = quote([node, program, 'get', fingerprint, '-o', 'out/copy', '--cache-dir', 'home']);
      await measureRow(site, {
        id: 'hit-get',
        title: 'one hit of get by fingerprint, Node',
        ours: shellLoop(site, { name: 'vyre-cache get', line }),
        rivals: [{ ...bare, bound: BOUND }],
        floors: [{ ...leastHit(site, ['home', 'out/copy', fingerprint]), absent: withoutAddons() }],
      });
    }
  },
};

async function leastCompile(site: Site): Promise<Floor> {
  const shortcut = await leaveShortcut(site, site.ours(compileArgs('home')));
  if (shortcut === null) return { ...leastHit(site, []), absent: NO_SHORTCUT };
  const { fingerprint, path } = shortcut;
  return { ...leastHit(site, ['home', OUTPUT, fingerprint, path]), absent: withoutAddons() };
}

function leastHit(site: Site, args: readonly string[]): Side {
  const { argv } = floorCommand(site, 'hit.cjs', args);
  const side = shellLoop(site, { name: `least-hit-${args.length}`, line: quote(argv) });
  return { ...side, name: 'least under Node' };
}
