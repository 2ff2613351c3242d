import type { PeerName, Peer } from './peers.js';
import type { Comparison, FloorResult } from './results.js';
import type { Figure, Floor, Rival, Row, RowId, Side } from './row.js';
import type { Setting, Site } from './site.js';
import { compare, summarise, type Summary } from './statistics.js';

/**
 * Measures the sides of a row in turns: ours, the rivals, the floors, ours, the rivals, the floors. The first round warms
 * the page cache for all of them and is not counted; the peak of our memory is taken in it.
 */
export async function measureRow(site: Site, row: Row): Promise<void> {
  const { reporter, rounds } = site.setting;
  const rivals = installedRivals(site, row);
  reporter.step(`${row.id}: warming up`);
  const floors = possibleFloors(site, row);
  const peakBytes = await warmUp(site, row, [...rivals, ...floors]);
  const sides: readonly Side[] = [row.ours, ...rivals, ...floors];
  const samples = sides.map((): number[] => []);
  for (let round = 1; round <= rounds; round += 1) {
    reporter.step(`${row.id}: round ${round} of ${rounds}`);
    for (const [index, side] of sides.entries()) samples[index]?.push(await side.run());
  }
  const [seconds, ...others] = samples.map(summarise);
  if (seconds === undefined) throw new Error('expected samples of ours');
  const comparisons = rivals.map((rival, index) => comparisonOf(seconds, rival, others[index]));
  const bounded = comparisons.findLast(({ bound }) => bound !== null) ?? comparisons[0];
  const below = floors.map((floor, index) => floorOf(floor, others[rivals.length + index], bounded));
  const { id, title } = row;
  reporter.add({ kind: 'timed', id, title, seconds, peakBytes, comparisons, floors: below });
}

async function warmUp(site: Site, { ours }: Row, others: readonly Side[]): Promise<number | null> {
  const peak =
    ours.peakBytes === undefined ? await site.peakOf(async () => ours.run()) : await ours.peakBytes();
  for (const side of others) await side.run();
  return peak;
}

function comparisonOf(ours: Summary, { name, bound }: Rival, seconds: Summary | undefined): Comparison {
  if (seconds === undefined) throw new Error(`expected samples of ${name}`);
  const ratio = compare(ours, seconds);
  return { rival: name, seconds, ratio, bound, met: bound === null ? null : ratio.ratio <= bound };
}

function floorOf(
  { name }: Floor,
  seconds: Summary | undefined,
  bounded: Comparison | undefined,
): FloorResult {
  if (seconds === undefined) throw new Error(`expected samples of ${name}`);
  if (bounded === undefined) return { floor: name, seconds, against: null };
  const { rival, seconds: its } = bounded;
  return { floor: name, seconds, against: { rival, seconds: its, ratio: compare(seconds, its) } };
}

/** Tells of those that cannot be measured here. */
function possibleFloors({ setting }: Site, { id, floors = [] }: Row): readonly Floor[] {
  return floors.filter(({ name, absent }) => {
    if (absent !== null) setting.reporter.omit({ id, rival: name, reason: absent, failed: false });
    return absent === null;
  });
}

/** Tells of those that are not. */
function installedRivals({ setting }: Site, { id, rivals }: Row): readonly Rival[] {
  return rivals.filter(({ name, needs }) => {
    const missing = missingPeers(setting, needs);
    if (missing.length > 0)
      setting.reporter.omit({ id, rival: name, reason: notInstalled(missing), failed: false });
    return missing.length === 0;
  });
}

export function reportFigure({ setting }: Site, figure: Figure): void {
  setting.reporter.add({ ...figure, kind: 'figure', met: isMet(figure) });
}

function isMet({ value, bound }: Figure): boolean | null {
  if (bound === null) return null;
  return bound.kind === 'exactly' ? value === bound.value : value <= bound.value;
}

/** Leaves rows out, with the reason. */
export function omitRows(
  { reporter }: Setting,
  ids: readonly RowId[],
  reason: string,
  { failed = false }: { readonly failed?: boolean } = {},
): void {
  for (const id of ids) reporter.omit({ id, rival: null, reason, failed });
}

export function missingPeers({ peers }: Setting, needs: readonly PeerName[]): readonly Peer[] {
  return needs.flatMap((name) => {
    const peer = peers.get(name);
    return peer === undefined || peer.path !== null ? [] : [peer];
  });
}

export function notInstalled(missing: readonly Peer[]): string {
  const names = missing.map(({ name, debianPackage }) => `${name} (Debian package ${debianPackage})`);
  return `not installed: ${names.join(', ')}`;
}
