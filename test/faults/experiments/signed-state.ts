import { cpSync, existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { digestOf, entryBytes } from '../../support/artifacts.js';
import { Tally, type Experiment, type Outcome, type Scope } from '../experiment.js';
import { forged, OURS, SignedProject } from '../signed-project.js';

/** From this size on the digest of a file is kept, once it has lain there for two seconds. */
const LARGE = 70_000;
const SETTLING_MS = 2100;

async function settledSource(project: SignedProject, text: string): Promise<Buffer> {
  const bytes = project.source(`${text}${' '.repeat(LARGE)}\n`);
  utimesSync(project.path('in.wat'), 1_700_000_000, 1_700_000_000);
  await sleep(SETTLING_MS);
  return bytes;
}

interface Stamps {
  readonly schema: string;
  readonly stamps: readonly { readonly key: string; readonly value: string }[];
}

/**
 * The source changes, and whoever may write to the home says that it has the digest of before: then the old artifact
 * answers the new source.
 */
async function forgeStamps(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  for (let index = 0; index < (scope.isFull ? 20 : 1); index += 1) {
    if (scope.signal.aborted) break;
    const project = new SignedProject(scope, `stamps-${index}`);
    const folder = join(project.root, '.vyre-cache');
    const path = (name: string): string => join(folder, name);
    await settledSource(project, '(module)');
    // With and without a key each has its facts and the old artifact.
    for (const key of [OURS, null]) project.compile(key);
    const old = digestOf(readFileSync(project.path('in.wat')));
    const bytes = await settledSource(project, `(module (memory ${index + 1}))`);
    const now = digestOf(readFileSync(project.path('in.wat')));
    const home = project.path('home-of-before');
    cpSync(project.root, home, { recursive: true });
    for (const key of [OURS, null]) project.compile(key);
    const facts = JSON.parse(readFileSync(path('stamps')).subarray(0, -32).toString('utf8')) as Stamps;
    const stamps = facts.stamps.map(({ key, value }) => ({ key, value: value === now ? old : value }));
    const lie = entryBytes(JSON.stringify({ schema: facts.schema, stamps }));
    rmSync(project.root, { recursive: true });
    cpSync(home, project.root, { recursive: true });
    for (const name of ['stamps', 'stamps.signed']) writeFileSync(path(name), lie, { mode: 0o600 });
    const fooled = project.compile(null);
    if (fooled.output?.equals(bytes) === true)
      tally.addFailedNextRun('forged facts fool nobody, so they show nothing');
    tally.addPoint();
    const made = project.compile();
    if (made.output?.equals(bytes) !== true) tally.addWrongBytes(`forged facts ${index}: ${made.outcome}`);
    if (made.status !== 0) tally.addFailedNextRun(`forged facts ${index}: ${made.status}`);
  }
  return tally.outcome();
}

/** Every file of the private state and the store is replaced by one that somebody made without a key. */
async function forgeHome(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  const mine = new SignedProject(scope, 'mine');
  const bytes = mine.source('(module (memory 7))\n');
  mine.compile();
  const theirs = join(scope.folder, 'theirs');
  for (let index = 0; index < (scope.isFull ? 100 : 6); index += 1) {
    if (scope.signal.aborted) break;
    // A whole home as the same program makes it without a key, with another payload under every name.
    rmSync(theirs, { recursive: true, force: true });
    cpSync(mine.root, theirs, { recursive: true });
    for (const name of readdirSync(join(theirs, 'pipelines')).filter((each) => each.endsWith('.bin'))) {
      const made = forged(name.slice(0, 64), { signedBy: null });
      writeFileSync(join(theirs, 'pipelines', name), made.entry);
      writeFileSync(join(theirs, 'pipelines', `${name.slice(0, 64)}.json`), made.record);
    }
    const privateState = join(theirs, '.vyre-cache');
    for (const name of readdirSync(privateState)) {
      const isDropped = scope.random() < 0.3 && name !== 'home.json';
      if (isDropped) rmSync(join(privateState, name), { recursive: true });
    }
    rmSync(mine.root, { recursive: true });
    cpSync(theirs, mine.root, { recursive: true });
    tally.addPoint();
    const made = mine.compile();
    if (made.output?.equals(bytes) !== true || made.outcome === 'disk')
      tally.addWrongBytes(`home ${index}: ${made.outcome}`);
    if (made.status !== 0 || mine.compile().outcome !== 'disk')
      tally.addFailedNextRun(`home ${index} was not repaired`);
    if (!existsSync(mine.storePath(made.fingerprint, 'json'))) tally.addLost(`home ${index}: the record`);
  }
  return tally.outcome();
}

/** Somebody forges again and again while others look up and compile. */
async function forgeMeanwhile(scope: Scope): Promise<Outcome> {
  const tally = new Tally();
  const project = new SignedProject(scope, 'meanwhile');
  const { fingerprint, bytes, stored } = project.store(0);
  const others = [
    forged(fingerprint, { signedBy: null }),
    { ...stored, record: forged(fingerprint, { signedBy: null }).record },
    { ...stored, entry: forged(fingerprint, { signedBy: null }).entry },
    stored,
    { entry: stored.entry },
  ];
  let turn = 0;
  const timer = setInterval(() => {
    project.place(fingerprint, others[turn % others.length] ?? stored);
    turn += 1;
  }, 1);
  const untilMs = Date.now() + (scope.isFull ? 60_000 : 3000);
  let served = 0;
  try {
    while (Date.now() < untilMs && !scope.signal.aborted) {
      const reads = await Promise.all(
        Array.from({ length: 4 }, async () => project.start(['get', fingerprint])),
      );
      for (const read of reads) {
        tally.addPoint();
        if (read.status === 0 && !read.stdout.equals(bytes))
          tally.addWrongBytes('served while it was forged');
        if (read.status === 0) served += 1;
        else if (read.status !== 1) tally.addFailedNextRun(`${read.status}: ${read.stderr}`);
      }
    }
  } finally {
    clearInterval(timer);
  }
  project.place(fingerprint, stored);
  if (project.compile().outcome !== 'disk') tally.addFailedNextRun('the signed entry is no hit afterwards');
  return tally.outcome(`${served} hits, ${turn} exchanges`);
}

const COMMON = { group: 'signed', needs: ['wat2wasm'] } as const;

export const FORGED_STATE: readonly Experiment[] = [
  { ...COMMON, fault: 'forged digests of files', where: 'compile', run: forgeStamps },
  { ...COMMON, fault: 'a whole home made without the key', where: 'compile', run: forgeHome },
  { ...COMMON, fault: 'forged again and again meanwhile', where: 'get', run: forgeMeanwhile },
];
