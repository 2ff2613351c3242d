/** What repeated measurements of one thing say. All in the unit of the samples. */
export interface Summary {
  readonly samples: readonly number[];
  readonly median: number;
  /** Half of the samples lie between these two quartiles. */
  readonly low: number;
  readonly high: number;
}

/** @throws Error without samples. */
export function summarise(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new Error('expected samples, got none');
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    samples,
    median: quantile(sorted, 0.5),
    low: quantile(sorted, 0.25),
    high: quantile(sorted, 0.75),
  };
}

/** The value below which this share of the sorted samples lies, linear between two of them. */
function quantile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** The distance of the quartiles as a share of the median; 0 where all samples are 0. */
export function spreadOf({ low, high, median }: Summary): number {
  return median === 0 ? 0 : (high - low) / median;
}

/** How two things that were measured in turns compare. */
export interface Ratio {
  /** Of the medians. */
  readonly ratio: number;
  /** The smallest and the largest of the single rounds. */
  readonly least: number;
  readonly most: number;
}

/** Ours against a rival's, round by round. */
export function compare(ours: Summary, rival: Summary): Ratio {
  const rounds = ours.samples.map((sample, round) => sample / (rival.samples[round] ?? Number.NaN));
  return { ratio: ours.median / rival.median, least: Math.min(...rounds), most: Math.max(...rounds) };
}
