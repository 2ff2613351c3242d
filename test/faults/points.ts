import { Tally, type Outcome, type Scope } from './experiment.js';
import type { Operation } from './operation.js';
import { Site } from './site.js';

/** Each lane has a site of its own; two processors are the least that a machine has. */
const LANES = 2;
/** A row of the bounded form takes some seconds, and a sampled one of the full form about a minute. */
const SAMPLE_POINTS = { bounded: 2, full: 150 } as const;
/** The numbers of a few calls, such as those that wake a thread, differ from run to run: then the point is aimed at again. */
const ATTEMPTS = 3;
/** Other points that are tried in the place of one that is not reached. */
const REPLACEMENTS = 5;

/** Whether the fault happened where it was aimed; elsewhere it is a fault as well, but `off` is tried again first. */
export type Reached = 'there' | 'off' | 'nowhere';

/** One run in which a fault is caused. */
export interface Disturbance<Point> {
  readonly site: Site;
  readonly point: Point;
  readonly tally: Tally;
  /** Counts the points of the row, from 0. */
  readonly turn: number;
}

/** What is done at each point of a sweep. */
export interface Sweep<Point, Disturbed> {
  readonly operation: Operation;
  /** All points, from an undisturbed run. */
  readonly enumerate: (site: Site) => Promise<readonly Point[]>;
  /** True where the next point finds the same as this one did: a sample takes one of each stretch of such points. */
  readonly leavesNothing?: (point: Point) => boolean;
  /** Causes the fault. */
  readonly disturb: (site: Site, point: Point) => Promise<{ readonly reached: Reached } & Disturbed>;
  /** Looks at what a fault left that happened. */
  readonly examine: (context: Disturbance<Point>, disturbed: Disturbed) => Promise<void>;
}

/** Sweeps an operation: at all points where it is whole or every point is asked for, else at a sample that is spread over them. */
export async function sweep<Point, Disturbed>(
  scope: Scope,
  { operation, enumerate, leavesNothing = () => false, disturb, examine }: Sweep<Point, Disturbed>,
): Promise<Outcome> {
  const tally = new Tally();
  const sites = await sitesOf(scope, operation);
  const [first] = sites;
  if (first === undefined) throw new Error('expected a site');
  await refresh(first, operation);
  const all = await enumerate(first);
  const isSample = isSampled(scope, operation);
  const points = isSample
    ? sample({ isFull: scope.isFull, random: () => scope.random() }, stretches(all, leavesNothing))
    : all;
  const reach = async (site: Site, point: Point): Promise<Disturbed | null> => {
    for (let attempt = 1; ; attempt += 1) {
      await refresh(site, operation);
      const disturbed = await disturb(site, point);
      const isAccepted = disturbed.reached === 'there' || attempt === ATTEMPTS;
      if (isAccepted) return disturbed.reached === 'nowhere' ? null : disturbed;
    }
  };
  /** A point of a sample that is missed again and again stands for others, and any of these for it. */
  const reachOne = async (
    site: Site,
    aimed: Point,
  ): Promise<{ point: Point; disturbed: Disturbed } | null> => {
    let point = aimed;
    for (let replaced = 0; ; replaced += 1) {
      const disturbed = await reach(site, point);
      if (disturbed !== null) return { point, disturbed };
      if (!isSample || replaced === REPLACEMENTS || scope.signal.aborted) return null;
      point = all[Math.floor(scope.random() * all.length)] ?? aimed;
    }
  };
  const queue = points.entries();
  const work = async (site: Site): Promise<void> => {
    for (const [turn, aimed] of queue) {
      if (scope.signal.aborted) return;
      const reached = await reachOne(site, aimed);
      if (reached === null) continue;
      const { point, disturbed } = reached;
      tally.addPoint();
      await examine({ site, point, tally, turn }, disturbed);
    }
  };
  await Promise.all(sites.map(work));
  for (const site of sites) await site.bench.endProcesses();
  const { points: reached } = tally.outcome();
  return tally.outcome(reached === all.length ? undefined : `${reached} of ${all.length}`);
}

async function refresh(site: Site, operation: Operation): Promise<void> {
  await site.reset();
  await operation.arrange?.(site);
}

async function sitesOf(scope: Scope, operation: Operation): Promise<readonly Site[]> {
  const sites: Site[] = [];
  for (let lane = 1; lane <= (scope.isFull ? LANES : 1); lane += 1) {
    const site = Site.make(scope, `lane-${lane}`);
    await operation.prepare(site);
    site.save();
    sites.push(site);
  }
  return sites;
}

function isSampled({ isFull, isEvery }: Scope, { isWhole }: Operation): boolean {
  return !isFull || (!isEvery && !isWhole);
}

/** Points that find the same, beside each other. */
function stretches<Point>(
  all: readonly Point[],
  leavesNothing: (point: Point) => boolean,
): readonly (readonly Point[])[] {
  const found: Point[][] = [];
  let isSame = false;
  for (const point of all) {
    const last = found.at(-1);
    if (isSame && last !== undefined) last.push(point);
    else found.push([point]);
    isSame = leavesNothing(point);
  }
  return found;
}

/** One of each stretch, or where these are too many, of one in each of as many equal parts. */
function sample<Point>(
  { isFull, random }: Pick<Scope, 'isFull' | 'random'>,
  all: readonly (readonly Point[])[],
): readonly Point[] {
  const most = Math.min(isFull ? SAMPLE_POINTS.full : SAMPLE_POINTS.bounded, all.length);
  const part = all.length / most;
  return Array.from({ length: most }, (_, index) => {
    const stretch = all[Math.floor((index + random()) * part)];
    return stretch?.[Math.floor(random() * stretch.length)];
  }).filter((point) => point !== undefined);
}
