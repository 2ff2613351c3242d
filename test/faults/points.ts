import { Tally, type Outcome, type Scope } from './experiment.js';
import type { Operation } from './operation.js';
import { Site } from './site.js';

/** Each lane has a site of its own; two processors are the least that a machine has. */
const LANES = 2;
/** A row of the bounded form takes some seconds, and one of a long operation in the full form some minutes. */
const SAMPLE_POINTS = { bounded: 2, full: 300 } as const;

/** What is done at each point of a sweep. */
export interface Sweep<Point> {
  readonly operation: Operation;
  /** All points, from an undisturbed run. */
  readonly enumerate: (site: Site) => Promise<readonly Point[]>;
  /** Causes the fault and looks at what it left. A point that was not reached is not added to the tally. */
  readonly disturb: (site: Site, point: Point, tally: Tally) => Promise<void>;
}

/** Sweeps an operation: at all points in the full form, else at a sample that is spread over them. */
export async function sweep<Point>(
  scope: Scope,
  { operation, enumerate, disturb }: Sweep<Point>,
): Promise<Outcome> {
  const tally = new Tally();
  const sites = await sitesOf(scope, operation);
  const [first] = sites;
  if (first === undefined) throw new Error('expected a site');
  await refresh(first, operation);
  const all = await enumerate(first);
  const points = sample(all, { ...scope, isSampled: !scope.isFull || operation.isLong });
  let next = 0;
  const work = async (site: Site): Promise<void> => {
    for (;;) {
      const point = points[next];
      next += 1;
      if (point === undefined || scope.signal.aborted) return;
      await refresh(site, operation);
      await disturb(site, point, tally);
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

/** All, or one of each of as many equal parts. */
function sample<Point>(
  all: readonly Point[],
  scope: Scope & { readonly isSampled: boolean },
): readonly Point[] {
  const most = scope.isFull ? SAMPLE_POINTS.full : SAMPLE_POINTS.bounded;
  if (!scope.isSampled || all.length <= most) return all;
  const part = all.length / most;
  const places = Array.from({ length: most }, (_, index) => Math.floor((index + scope.random()) * part));
  return places.map((place) => all[place]).filter((point) => point !== undefined);
}
