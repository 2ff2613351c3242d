import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.js';
import { ownerPid } from '../support/gate.js';
import { settled, shortcutObstacle, shortcutsIn } from '../support/shortcuts.js';
import type { Ended } from '../support/workbench.js';
import { Compilation, writeProject } from './compilation.js';
import type { Operation } from './operation.js';
import type { Site } from './site.js';

const HOUR_SECONDS = 3600;

const IN_WORKER = new Compilation({ key: 'made', place: 'worker' });
const IN_PLACE = new Compilation({ key: 'made', place: 'real' });
const FAILING = new Compilation({ key: 'made', place: 'worker', input: 'bad.txt' });
const REFRESHED = new Compilation({ key: 'made', place: 'worker', refresh: true });
const FIRST = new Compilation({ key: 'first', place: 'worker' });
const SECOND = new Compilation({ key: 'second', place: 'worker' });
const THIRD = new Compilation({ key: 'third', place: 'worker' });
const NEIGHBOURS = [FIRST, SECOND, THIRD];
const BATCH = Array.from(
  { length: 6 },
  (_, index) => new Compilation({ key: `job${index}`, place: index % 2 === 0 ? 'worker' : 'real' }),
);

/** Compiles these into the home of a fresh site. @returns their fingerprints. */
async function fill(site: Site, compilations: readonly Compilation[]): Promise<readonly string[]> {
  const { bench } = site;
  writeProject(bench);
  const cache = bench.open();
  const made: string[] = [];
  for (const compilation of compilations) {
    const { fingerprint, notStored } = await compilation.compileWith(cache, bench);
    if (fingerprint === null || notStored !== null) throw new Error(`expected an entry, got ${notStored}`);
    rmSync(bench.path(compilation.output));
    made.push(fingerprint);
  }
  await cache.close();
  return made;
}

const DELIVERS_NOTHING = {
  delivers: [],
  statuses: [0],
  mayGo: [],
  isDamagedBefore: false,
  isWhole: false,
  threads: 'first',
} as const;

/** A call of `compile` in a home that holds another artifact. */
function compiling(where: string, compilation: Compilation): Operation {
  return {
    ...DELIVERS_NOTHING,
    where,
    words: compilation.words,
    delivers: [compilation],
    stays: [FIRST],
    prepare: async (site) => {
      await fill(site, [FIRST]);
    },
  };
}

export const PUT: Operation = { ...compiling('put', IN_WORKER), isWhole: true };
export const PUT_IN_PLACE = compiling('put, output at its real place', IN_PLACE);
export const FAILING_COMPILER = compiling('compile whose compiler fails', FAILING);

export const PUT_INTO_NEW_HOME: Operation = {
  ...compiling('put into a new home', IN_WORKER),
  stays: [],
  prepare: async ({ bench }) => {
    writeProject(bench);
  },
};

export const HIT: Operation = {
  ...compiling('hit', IN_WORKER),
  stays: [IN_WORKER],
  prepare: async (site) => {
    await fill(site, [IN_WORKER]);
  },
};

/** The call has just been a hit, and has left a shortcut for what lies where it lay then. */
export const SHORTCUT: Operation = {
  ...HIT,
  where: 'hit by a shortcut',
  obstacle: shortcutObstacle,
  arrange: async (site) => {
    await leaveShortcut(site, IN_WORKER.words);
    rmSync(site.bench.path(IN_WORKER.output));
  },
};

async function leaveShortcut(site: Site, words: readonly string[]): Promise<void> {
  const { bench } = site;
  await settled(bench.folder);
  await site.run(words);
  const [left] = shortcutsIn(bench.stateHome).map((path) => statSync(path).ino);
  await site.runBelow([], words);
  const [taken] = shortcutsIn(bench.stateHome).map((path) => statSync(path).ino);
  if (left === undefined || left !== taken) throw new Error('expected a shortcut that is taken');
}

/** Other bytes come than those that are there: entry and record must never be of two compilations. */
export const OVERWRITE: Operation = {
  ...compiling('overwrite', REFRESHED),
  prepare: async (site) => {
    await fill(site, [IN_WORKER, FIRST]);
    site.bench.write('version', 'two');
  },
};

export const REPAIR: Operation = {
  ...compiling('repair', IN_WORKER),
  isDamagedBefore: true,
  prepare: async (site) => {
    const [fingerprint = ''] = await fill(site, [IN_WORKER, FIRST]);
    damage(site, fingerprint);
  },
};

function damage({ bench }: Site, fingerprint: string): void {
  const path = bench.entryPath(fingerprint);
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
  writeFileSync(path, bytes);
}

export const FLUSH: Operation = {
  ...DELIVERS_NOTHING,
  where: 'flush',
  words: ['flush'],
  stays: NEIGHBOURS,
  threads: 'all',
  prepare: async (site) => {
    await fill(site, NEIGHBOURS);
  },
};

export const PRUNE: Operation = {
  ...DELIVERS_NOTHING,
  where: 'prune',
  words: ['prune', '--ttl', '1h'],
  stays: [FIRST],
  mayGo: [SECOND, THIRD],
  prepare: async (site) => {
    const [, ...old] = await fill(site, NEIGHBOURS);
    for (const fingerprint of old) makeOld(site.bench.entryPath(fingerprint), 2 * HOUR_SECONDS);
  },
};

export const QUARANTINE: Operation = {
  ...DELIVERS_NOTHING,
  where: 'verify --quarantine',
  words: ['verify', '--quarantine'],
  // 1: damage was found.
  statuses: [0, 1],
  stays: [FIRST],
  mayGo: [SECOND, THIRD],
  isDamagedBefore: true,
  prepare: async (site) => {
    const [, ...others] = await fill(site, NEIGHBOURS);
    for (const fingerprint of others) damage(site, fingerprint);
  },
};

/** What a crash of ours leaves, and a compiler that outlived its caller. */
export const GC: Operation = {
  ...DELIVERS_NOTHING,
  where: 'gc',
  words: ['gc'],
  stays: [FIRST, SECOND],
  mayGo: [THIRD],
  prepare: async (site) => {
    const [, , orphan = ''] = await fill(site, NEIGHBOURS);
    rmSync(site.bench.entryPath(orphan));
    const staged = join(site.bench.root, '.vyre-cache', 'new', '0123456789abcdef');
    writeFileSync(staged, 'half');
    makeOld(staged, 48 * HOUR_SECONDS);
  },
  arrange: leaveOrphans,
};

function makeOld(path: string, ageSeconds: number): void {
  const at = Date.now() / 1000 - ageSeconds;
  utimesSync(path, at, at);
}

/** Kills a call while its compiler hangs, with a child that left the group. */
export async function leaveOrphans(site: Site): Promise<void> {
  const { bench } = site;
  bench.write('hang', '');
  const running = site.run(IN_WORKER.words);
  await killWhileHanging(site, running);
  rmSync(bench.path('hang'));
}

/** @returns how the call ended: killed here, or before its compiler hung. */
export async function killWhileHanging({ bench }: Site, running: Promise<Ended>): Promise<Ended> {
  let hasEnded = false;
  const ended = running.finally(() => {
    hasEnded = true;
  });
  await eventually('the compiler hangs', () => hasEnded || bench.lines('hanging') === 1);
  const owner = ownerPid(bench);
  if (!hasEnded && owner !== null) killQuietly(owner);
  return ended;
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Killed already, at a system call.
  }
}

/** `hang` is there until a call was killed. */
export const HANGING: Operation = {
  ...compiling('put, while the compiler runs', IN_WORKER),
  arrange: async ({ bench }) => {
    bench.write('hang', '');
  },
};

export const BATCH_COMPILE: Operation = {
  ...DELIVERS_NOTHING,
  where: 'batch of 6',
  words: ['compile', '--manifest', 'jobs.json', '--jobs', '2'],
  delivers: BATCH,
  stays: [FIRST],
  prepare: async (site) => {
    await fill(site, [FIRST]);
    site.bench.write('jobs.json', JSON.stringify({ jobs: BATCH.map(({ job }) => job) }));
  },
};

/** As {@link SHORTCUT}, for each job of a batch. Some of the outputs are in place. */
export const BATCH_SHORTCUT: Operation = {
  ...BATCH_COMPILE,
  where: 'batch of 6 by its shortcut',
  stays: BATCH,
  obstacle: shortcutObstacle,
  prepare: async (site) => {
    await fill(site, BATCH);
    site.bench.write('jobs.json', JSON.stringify({ jobs: BATCH.map(({ job }) => job) }));
  },
  arrange: async (site) => {
    await leaveShortcut(site, BATCH_COMPILE.words);
    for (const { output } of BATCH.slice(1, 4)) rmSync(site.bench.path(output));
  },
};
