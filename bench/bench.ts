import { Interrupted, BenchError } from './bench-error.js';
import { GROUPS } from './catalogue.js';
import { Commands, throwIfInterrupted } from './commands.js';
import { growthSpaceBytes, measureGrowth } from './growth/growth.js';
import { describeMachine } from './machine.js';
import { missingPeers, notInstalled, omitRows } from './measure.js';
import type { Options } from './options.js';
import { findPeers } from './peers.js';
import { buildIfAbsent, isBundleStale, PROGRAM } from './program.js';
import type { BenchResult, GrowthPoint, Omission, Reporter, RowResult } from './results.js';
import type { Group } from './row.js';
import { Site, type Setting } from './site.js';
import { inWorkspace } from './workspace.js';

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** What goes on now, for a person who waits. */
  readonly step: (text: string) => void;
}

/**
 * Runs the wanted rows; one that fails is left out with the reason. Leaves nothing behind.
 * @throws BenchError when it cannot go on, Interrupted when the signal stops it.
 */
export async function bench(options: Options, { env, signal, step }: Surroundings): Promise<BenchResult> {
  const rows: RowResult[] = [];
  const omitted: Omission[] = [];
  const reporter: Reporter = {
    step,
    add: (row) => void rows.push(row),
    omit: (omission) => void omitted.push(omission),
  };
  const searchPath = env['PATH'] ?? '';
  const commands = new Commands(signal);
  const peers = findPeers(searchPath);
  await buildIfAbsent(commands, definedOf(env));
  if (isBundleStale())
    step('dist/ is older than src/: measuring what was built; `npm run build` builds it anew');
  const { node, standalone, scale, rounds } = options;
  const { machine, growth } = await inWorkspace(options.folder, async (folder) => {
    const setting: Setting = {
      folder,
      node,
      program: PROGRAM,
      standalone,
      searchPath,
      peers,
      scale,
      rounds,
      wanted: new Set(options.only),
      commands,
      signal,
      reporter,
    };
    const described = describeMachine(folder, node, peers.values());
    for (const [index, group] of GROUPS.entries()) await measureGroup(setting, group, `group-${index}`);
    return { machine: described, growth: options.plot === null ? [] : await growthOf(setting) };
  });
  const [date = ''] = new Date().toISOString().split('T');
  return { schema: 'vyre-cache.bench/1', date, scale, rounds, machine, rows, growth, omitted };
}

function definedOf(env: Surroundings['env']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

async function measureGroup(setting: Setting, group: Group, name: string): Promise<void> {
  const wanted = group.rows.filter((id) => setting.wanted.has(id));
  if (wanted.length === 0) return;
  throwIfInterrupted(setting.signal);
  const missing = missingPeers(setting, group.needs);
  if (missing.length > 0) {
    omitRows(setting, wanted, notInstalled(missing));
    return;
  }
  setting.reporter.step(`${wanted.join(', ')}: making the data`);
  try {
    await atSite(setting, { name, spaceBytes: group.spaceBytes(setting.scale) }, async (site) =>
      group.measure(site),
    );
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    // What was measured so far is not lost.
    omitRows(setting, wanted, error.message, { failed: true });
  }
}

async function growthOf(setting: Setting): Promise<readonly GrowthPoint[]> {
  const missing = missingPeers(setting, ['gcc']);
  if (missing.length > 0) throw new BenchError(`growth: ${notInstalled(missing)}`);
  return atSite(setting, { name: 'growth', spaceBytes: growthSpaceBytes(setting.scale) }, measureGrowth);
}

/** Works where there is space for it. Nothing of it is left afterwards. */
async function atSite<T>(
  setting: Setting,
  { name, spaceBytes }: { readonly name: string; readonly spaceBytes: number },
  work: (site: Site) => Promise<T>,
): Promise<T> {
  const site = new Site(setting, name);
  try {
    site.demandSpace(spaceBytes);
    return await work(site);
  } catch (error) {
    throw explained(error);
  } finally {
    site.remove();
  }
}

/** A full disk, or one without permission, is no mistake of ours. */
function explained(error: unknown): unknown {
  if (error instanceof BenchError || error instanceof Interrupted) return error;
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  if (!/^E[A-Z]+$/.test(error.code)) return error;
  return new BenchError(error.message, { cause: error });
}
