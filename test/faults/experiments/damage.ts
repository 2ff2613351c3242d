import { openCache } from '../../../src/index.js';
import { fakeHost } from '../../support/fake-host.js';
import { Tally, type Experiment, type Outcome, type Scope } from '../experiment.js';
import { damageFile, damagesOf, DAMAGE_KINDS, type Damage, type DamageKind } from '../damage/damages.js';
import { HomeImage } from '../damage/home-image.js';
import { DamageJudge } from '../damage/judge-damage.js';
import { runEveryCommand } from '../damage/program-after-damage.js';
import { UsedHome } from '../damage/used-home.js';
import { spread } from '../spread.js';

/** How often each file is damaged in one way, at most, in full form. */
const MOST_OF_A_FILE = 24;
/** How many points a bounded row has. */
const BOUNDED_POINTS = 12;
const BOUNDED_FLIPS = 200;
/** Each takes two rounds of all commands. */
const BOUNDED_PROGRAM_POINTS = 2;

const FAULTS: Readonly<Record<DamageKind, string>> = {
  flip: 'a bit flips',
  cut: 'cut',
  zeros: 'zeroed',
  garbage: 'garbage',
  removal: 'removed',
};

export const DAMAGE_EXPERIMENTS: readonly Experiment[] = [
  {
    group: 'damage',
    fault: 'a bit flips',
    where: 'each byte of an entry',
    needs: ['gcc'],
    run: flipEachByte,
  },
  ...DAMAGE_KINDS.map((kind): Experiment => ({
    group: 'damage',
    fault: FAULTS[kind],
    where: 'each file of a used home',
    needs: ['gcc'],
    run: async (scope) => damageEachFile(kind, scope),
  })),
  {
    group: 'damage',
    fault: 'any of these',
    where: 'each file of a used home and its settings, all commands',
    needs: ['gcc'],
    run: damageForProgram,
  },
];

async function withUsedHome(work: (home: UsedHome) => Promise<Outcome>): Promise<Outcome> {
  const cleanups: (() => unknown)[] = [];
  try {
    return await work(await UsedHome.make({ after: (cleanup) => void cleanups.push(cleanup) }));
  } finally {
    for (const cleanup of cleanups) await cleanup();
  }
}

async function flipEachByte(scope: Scope): Promise<Outcome> {
  return withUsedHome(async (home) => {
    const tally = new Tally();
    const [fingerprint = '', payload = Buffer.alloc(0)] =
      [...home.payloads()].toSorted(([, one], [, other]) => other.byteLength - one.byteLength)[0] ?? [];
    const path = home.bench.entryPath(fingerprint);
    const image = new HomeImage([home.bench.cacheHome]);
    const content = image.files().find(([each]) => each === path)?.[1] ?? Buffer.alloc(0);
    const flips = [...damagesOf('flip', content)];
    for (const damage of scope.isFull ? flips : spread(flips, BOUNDED_FLIPS, () => scope.random())) {
      if (scope.signal.aborted) break;
      damageFile(path, damage);
      tally.addPoint();
      const cache = openCache({ root: home.bench.root, host: fakeHost() });
      const read = await cache.get(fingerprint);
      const { problems } = await cache.verify();
      await cache.close();
      if (read.hit)
        tally.addWrongBytes(
          `${damage.name}: ${read.payload.equals(payload) ? 'a flip that changed nothing' : 'get'}`,
        );
      if (problems.length !== 1)
        tally.addFailedNextRun(`${damage.name}: verify names ${problems.length} problems`);
    }
    return tally.outcome(`${content.byteLength} bytes`);
  });
}

async function damageEachFile(kind: DamageKind, scope: Scope): Promise<Outcome> {
  return withUsedHome(async (home) => {
    const tally = new Tally();
    const image = new HomeImage([home.bench.cacheHome, home.bench.stateHome]);
    const judge = new DamageJudge(home, image, tally);
    for (const { path, damage } of pointsOf(image, [kind], scope, BOUNDED_POINTS)) {
      if (scope.signal.aborted) break;
      await judge.judge(path, damage);
    }
    return tally.outcome(`${image.files().length} files`);
  });
}

async function damageForProgram(scope: Scope): Promise<Outcome> {
  return withUsedHome(async (home) => {
    const tally = new Tally();
    const { bench, configFolder } = home;
    const image = new HomeImage([bench.cacheHome, bench.stateHome, configFolder]);
    const { outputs } = await runEveryCommand(home, null);
    for (const { path, damage } of pointsOf(image, DAMAGE_KINDS, scope, BOUNDED_PROGRAM_POINTS)) {
      if (scope.signal.aborted) break;
      image.restore();
      damageFile(path, damage);
      tally.addPoint();
      const title = `${path.slice(bench.folder.length + 1)}: ${damage.name}`;
      for (const round of ['first', 'second']) {
        const { crashes, wrongBytes, others } = await runEveryCommand(home, outputs);
        for (const each of wrongBytes) tally.addWrongBytes(`${title}, ${round} run: ${each}`);
        for (const each of crashes) tally.addFailedNextRun(`${title}, ${round} run: ${each}`);
        // Settings are the user's: nobody but the user repairs them.
        if (round === 'first' || path.startsWith(configFolder)) continue;
        for (const each of others) tally.addFailedNextRun(`${title}: not healed: ${each}`);
      }
    }
    return tally.outcome(`${image.files().length} files`);
  });
}

interface Point {
  readonly path: string;
  readonly damage: Damage;
}

/** In full every file, each some times and in each way; else as many points as are wanted, of different files. */
function pointsOf(
  image: HomeImage,
  kinds: readonly DamageKind[],
  scope: Scope,
  bounded: number,
): readonly Point[] {
  const each = scope.isFull ? Math.ceil(MOST_OF_A_FILE / kinds.length ** 2) : 1;
  const points = image
    .files()
    .flatMap(([path, content]) =>
      kinds.flatMap((kind) =>
        spread([...damagesOf(kind, content)], each, () => scope.random()).map((damage) => ({ path, damage })),
      ),
    );
  return scope.isFull ? points : spread(points, bounded, () => scope.random());
}
