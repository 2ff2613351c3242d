import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { Workbench } from '../../support/workbench.js';
import { Tally, type Experiment, type Outcome, type Scope } from '../experiment.js';
import {
  compileHarmless,
  getHarmless,
  markUnread,
  prepareHostile,
  runHarmless,
  sampleOf,
  SECRET,
  secretPath,
  wasRead,
} from '../hostile-bench.js';
import { withBench } from '../with-bench.js';

const GIANT_BYTES = 2 ** 42;

/** What somebody puts in the place of a file of ours, by name. */
const IMPOSTORS: Readonly<Record<string, (bench: Workbench, path: string) => void>> = {
  'a link to a secret': (bench, path) => {
    symlinkSync(secretPath(bench), path);
  },
  'a link to nothing': (_, path) => {
    symlinkSync('/nowhere/at/all', path);
  },
  'a link to itself': (_, path) => {
    symlinkSync(path, path);
  },
  'a hard link to a secret': (bench, path) => {
    rmSync(linkedPath(bench), { force: true });
    writeFileSync(linkedPath(bench), SECRET, { mode: 0o600 });
    linkSync(linkedPath(bench), path);
  },
  'a pipe': (_, path) => {
    execFileSync('mkfifo', [path]);
  },
  'a folder': (_, path) => {
    mkdirSync(join(path, 'deep'), { recursive: true });
  },
  'a sparse giant': (_, path) => {
    writeFileSync(path, '');
    truncateSync(path, GIANT_BYTES);
  },
  'a device without an end': (_, path) => {
    execFileSync('mknod', [path, 'c', '1', '5']);
  },
};

/** Written in place, so under each of their names: only the owner of a home can give them another one. */
const IN_PLACE: ReadonlySet<string> = new Set(['counters', 'events', 'savings', 'unstored', 'pending']);

/** A secret that bears a second name in the home. */
function linkedPath(bench: Workbench): string {
  return join(bench.folder, 'linked.txt');
}

const KEEPERS = [
  ['verify'],
  ['stats'],
  ['ls'],
  ['gc'],
  ['prune', '--max-entries', '100'],
  ['flush'],
] as const;

/** Something else in the place of a file, and files that are exchanged while they are read. */
export const HOSTILE_FILE_EXPERIMENTS: readonly Experiment[] = [
  {
    group: 'hostile',
    fault: 'links, pipes, devices, giants, folders',
    where: 'in the place of each file of the home',
    needs: [],
    obstacle: () => (process.geteuid?.() === 0 ? null : 'needs root, who alone makes devices'),
    run: impostors,
  },
  {
    group: 'hostile',
    fault: 'links swapped in between check and open',
    where: 'entry, record, store, private state',
    needs: [],
    run: swaps,
  },
];

async function impostors(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  const kinds = Object.keys(IMPOSTORS);
  await withBench(async (bench) => {
    prepareHostile(bench);
    await compileHarmless(bench, tally, 'before');
    const pairs = filesOf(bench).flatMap((file) => kinds.map((kind) => [file, kind] as const));
    const chosen = scope.isFull ? pairs : sampleOf(pairs, 5, scope);
    for (const [file, kind] of chosen) {
      if (scope.signal.aborted) break;
      tally.addPoint();
      await impostor(bench, tally, { file, kind });
    }
  });
  return tally.outcome();
}

/** Relative to the home: every file that two calls have left there. */
function filesOf(bench: Workbench): readonly string[] {
  return readdirSync(bench.root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(bench.root, name)).isFile(),
  );
}

async function impostor(
  bench: Workbench,
  tally: Tally,
  { file, kind }: { readonly file: string; readonly kind: string },
): Promise<void> {
  const name = `${kind} in the place of ${file}`;
  const path = join(bench.root, file);
  rmSync(path, { recursive: true, force: true });
  IMPOSTORS[kind]?.(bench, path);
  for (const words of KEEPERS) await runHarmless(bench, tally, { name, words });
  await getHarmless(bench, tally, name);
  await compileHarmless(bench, tally, name);
  rmSync(path, { recursive: true, force: true });
  demandUnread(bench, tally, name);
  demandSecret(secretPath(bench), tally, name);
  markUnread(bench);
  const isLinked = kind === 'a hard link to a secret' && !IN_PLACE.has(basename(file));
  if (isLinked) demandSecret(linkedPath(bench), tally, name);
  await compileHarmless(bench, tally, `${name}, taken away`);
}

function demandUnread(bench: Workbench, tally: Tally, name: string): void {
  if (wasRead(bench)) tally.addWrongBytes(`${name}: the secret was read`);
}

/** Neither written nor made another file. */
function demandSecret(path: string, tally: Tally, name: string): void {
  const isThere = existsSync(path) && readFileSync(path, 'utf8') === SECRET;
  if (!isThere || (statSync(path).mode & 0o777) !== 0o600) tally.addLost(`${name}: the secret was touched`);
}

/** One process exchanges a file or a folder for a link as fast as it can, while others use the home. */
async function swaps(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  const rounds = scope.isFull ? 40 : 2;
  for (const target of ['entry', 'record', 'store', 'private'] as const) {
    if (scope.signal.aborted) break;
    await withBench(async (bench) => {
      prepareHostile(bench);
      await compileHarmless(bench, tally, 'before');
      const swapper = startSwapping(bench, target);
      for (let round = 0; round < rounds && !scope.signal.aborted; round += 1) {
        const name = `${target} swapped`;
        tally.addPoint();
        const keepers = KEEPERS.map(async (words) => runHarmless(bench, tally, { name, words }));
        await Promise.all([getHarmless(bench, tally, name), compileHarmless(bench, tally, name), ...keepers]);
      }
      swapper.kill('SIGKILL');
      await swapper.ended;
      demandUnread(bench, tally, target);
      demandSecret(secretPath(bench), tally, target);
      demandVictim(bench, tally, target);
      rmSync(bench.root, { recursive: true, force: true });
      await compileHarmless(bench, tally, `${target}, made anew`);
    });
  }
  return tally.outcome();
}

/** Where the swapped links of folders lead: a folder of somebody's own files. */
function victimFolder(bench: Workbench): string {
  return join(bench.folder, 'victim');
}

function startSwapping(
  bench: Workbench,
  target: 'entry' | 'record' | 'store' | 'private',
): ReturnType<Workbench['spawn']> {
  const victim = victimFolder(bench);
  mkdirSync(victim);
  for (const file of ['secret.txt', 'counters', 'pending', 'stamps'])
    writeFileSync(join(victim, file), SECRET, { mode: 0o600 });
  const [fingerprint = ''] = bench.entries();
  const path = {
    entry: bench.entryPath(fingerprint),
    record: bench.recordPath(fingerprint),
    store: join(bench.root, 'pipelines'),
    private: join(bench.root, '.vyre-cache'),
  }[target];
  const link = join(bench.folder, 'link');
  symlinkSync(target === 'entry' || target === 'record' ? secretPath(bench) : victim, link);
  const program = bench.write('swap.mjs', SWAPPER);
  return bench.spawn(process.execPath, [program, path, link, join(bench.folder, 'aside')]);
}

/** swap.mjs PATH LINK ASIDE: PATH is the link, then itself again, and so on. What is published meanwhile stays. */
const SWAPPER = `import { renameSync, lstatSync, rmSync, existsSync } from 'node:fs';
const [path, link, aside] = process.argv.slice(2);
const quietly = (work) => { try { work(); } catch {} };
for (;;) {
  quietly(() => renameSync(path, aside));
  quietly(() => renameSync(link, path));
  quietly(() => { if (lstatSync(path).isSymbolicLink()) renameSync(path, link); });
  quietly(() => { if (!existsSync(path)) renameSync(aside, path); });
  quietly(() => rmSync(aside, { recursive: true, force: true }));
}
`;

/** Files with names of their own are nobody's to remove. Private state that is a link may have been written through. */
function demandVictim(bench: Workbench, tally: Tally, name: string): void {
  const path = join(victimFolder(bench), 'secret.txt');
  if (!existsSync(path) || readFileSync(path, 'utf8') !== SECRET)
    tally.addLost(`${name}: a file behind a link was touched`);
}
