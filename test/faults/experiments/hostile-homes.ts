import { chmodSync, chownSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listing } from '../../support/listing.js';
import type { Workbench } from '../../support/workbench.js';
import { Tally, type Experiment, type Outcome, type Scope } from '../experiment.js';
import { compileHarmless, getHarmless, prepareHostile, requestWords, runHarmless } from '../hostile-bench.js';
import { withBench } from '../with-bench.js';

/** Belongs to nobody on any machine this runs on. */
const STRANGER = 12_345;

const needsRoot = (): string | null =>
  process.geteuid?.() === 0 ? null : 'needs root, who alone gives files away';

/** Homes and settings that somebody else may write. */
export const HOSTILE_HOME_EXPERIMENTS: readonly Experiment[] = [
  {
    group: 'hostile',
    fault: 'a home of somebody else, or one that others may write',
    where: 'compile, get, verify, prune, gc, flush',
    needs: [],
    obstacle: needsRoot,
    run: homes,
  },
  {
    group: 'hostile',
    fault: 'settings of somebody else',
    where: 'the folder of the call, and above it',
    needs: [],
    obstacle: needsRoot,
    run: settings,
  },
];

interface Trial {
  readonly name: string;
  readonly prepare: (bench: Workbench) => void;
  /** Nothing is stored in it and nothing is taken from it: it is not used. Trouble is noted in its private state. */
  readonly isUntouched: boolean;
}

const TRIALS: readonly Trial[] = [
  { name: 'a home of somebody else', prepare: (bench) => give(bench.root), isUntouched: true },
  {
    name: 'a home that everybody may write',
    prepare: (bench) => chmodSync(bench.root, 0o777),
    isUntouched: true,
  },
  {
    name: 'a home that the group may write',
    prepare: (bench) => chmodSync(bench.root, 0o770),
    isUntouched: true,
  },
  {
    name: 'a store that everybody may write',
    prepare: (bench) => chmodSync(join(bench.root, 'pipelines'), 0o777),
    isUntouched: false,
  },
  {
    name: 'private state that everybody may write',
    prepare: (bench) => chmodSync(join(bench.root, '.vyre-cache'), 0o777),
    isUntouched: false,
  },
  {
    name: 'a parent that everybody may write',
    prepare: (bench) => chmodSync(bench.cacheHome, 0o777),
    isUntouched: false,
  },
];

/** A build gets its bytes in any case, and the store of a home that is not the user's alone stays as it is. */
async function homes(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  for (const { name, prepare, isUntouched } of TRIALS) {
    if (scope.signal.aborted) break;
    tally.addPoint();
    await withBench(async (bench) => {
      prepareHostile(bench);
      await compileHarmless(bench, tally, 'before');
      prepare(bench);
      const before = JSON.stringify(listing(join(bench.root, 'pipelines')));
      await getHarmless(bench, tally, name);
      await compileHarmless(bench, tally, name);
      await runHarmless(bench, tally, {
        name,
        words: ['compile', '--key', 'new', ...requestWords('new.txt')],
      });
      for (const words of [['verify'], ['stats'], ['gc'], ['prune', '--max-entries', '100'], ['flush']])
        await runHarmless(bench, tally, { name, words });
      if (isUntouched && JSON.stringify(listing(join(bench.root, 'pipelines'))) !== before)
        tally.addLost(`${name}: it was changed`);
    });
  }
  return tally.outcome();
}

function give(path: string): void {
  chownSync(path, STRANGER, STRANGER);
  for (const item of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, item.name);
    if (item.isDirectory()) give(child);
    else chownSync(child, STRANGER, STRANGER);
  }
}

/**
 * What somebody else would like to decide for us: where the cache lies, and so what is served. The user has trusted these
 * very bytes while the file was theirs, so that nothing but the owner speaks against them.
 */
async function settings(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  for (const where of ['here', 'above'] as const) {
    for (const owner of ['file', 'folder'] as const) {
      if (scope.signal.aborted) break;
      tally.addPoint();
      await withBench(async (bench) => foreignSettings(bench, tally, { where, owner }));
    }
  }
  return tally.outcome();
}

async function foreignSettings(
  bench: Workbench,
  tally: Tally,
  { where, owner }: { readonly where: 'here' | 'above'; readonly owner: 'file' | 'folder' },
): Promise<void> {
  const name = `settings ${where}, their ${owner} somebody else's`;
  prepareHostile(bench);
  const poisoned = join(bench.folder, 'poisoned');
  const folder = where === 'here' ? bench.project : bench.folder;
  const file = join(folder, 'vyre-cache.toml');
  writeFileSync(file, `cache_dir = "${poisoned}"\n`, { mode: 0o644 });
  const trusted = await bench.run(['config', 'trust']);
  if (trusted.status !== 0) throw new Error(`expected trust: ${trusted.stderr.toString('utf8')}`);
  rmSync(poisoned, { recursive: true, force: true });
  chownSync(file, STRANGER, STRANGER);
  if (owner === 'folder') chownSync(folder, STRANGER, STRANGER);
  const words = ['compile', ...requestWords()];
  const { status, stderr } = await runHarmless(bench, tally, { name, words });
  const isRefused = status === 2 && stderr.includes('vyre-cache.toml');
  if (!isRefused) await compileHarmless(bench, tally, name);
  if (readdirSync(bench.folder).includes('poisoned')) tally.addWrongBytes(`${name}: its home was used`);
  rmSync(file);
  chownSync(folder, 0, 0);
  await compileHarmless(bench, tally, `${name}, taken away`);
}
