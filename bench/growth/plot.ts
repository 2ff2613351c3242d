import { formatSeconds } from '../report.js';
import type { GrowthPoint } from '../results.js';

const WIDTH = 760;
const HEIGHT = 440;
/** Around the field; names of the lines stand on its right. */
const MARGIN = { top: 24, right: 220, bottom: 52, left: 72 };
/** Told apart with every kind of sight: Okabe and Ito's colours. */
const COLOURS = ['#000000', '#e69f00', '#56b4e9', '#009e73', '#cc79a7', '#0072b2', '#d55e00', '#777777'];
const LABEL_HEIGHT = 16;

interface Line {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly GrowthPoint[];
}

/** A figure with logarithmic axes: entries to the right, time upwards, a line per work. */
export function plotGrowth(points: readonly GrowthPoint[]): string {
  const axes = axesOf(points);
  const lines = linesOf(points);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    '<title>Time of commands by the number of entries</title>',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    ...grid(axes),
    ...lines.flatMap((line) => drawn(line, axes)),
    ...names(lines, axes),
    '</svg>',
    '',
  ].join('\n');
}

interface Axis {
  /** Powers of ten. */
  readonly first: number;
  readonly last: number;
  place(value: number): number;
}

interface Axes {
  readonly entries: Axis;
  readonly seconds: Axis;
}

function axesOf(points: readonly GrowthPoint[]): Axes {
  const entries = axis(
    points.map((point) => point.entries),
    MARGIN.left,
    WIDTH - MARGIN.right,
  );
  const seconds = axis(
    points.map((point) => point.seconds.median),
    HEIGHT - MARGIN.bottom,
    MARGIN.top,
  );
  return { entries, seconds };
}

function axis(values: readonly number[], start: number, end: number): Axis {
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values))));
  const place = (value: number): number =>
    start + ((Math.log10(value) - first) / (last - first)) * (end - start);
  return { first, last, place };
}

function linesOf(points: readonly GrowthPoint[]): readonly Line[] {
  return [...new Set(points.map(({ name }) => name))].map((name, index) => ({
    name,
    colour: COLOURS[index % COLOURS.length] ?? '#000000',
    points: points.filter((point) => point.name === name),
  }));
}

function grid({ entries, seconds }: Axes): readonly string[] {
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const vertical = powers(entries).flatMap((value) => {
    const x = round(entries.place(value));
    return [
      `<line x1="${x}" y1="${MARGIN.top}" x2="${x}" y2="${bottom}" stroke="#dddddd"/>`,
      `<text x="${x}" y="${bottom + 18}" text-anchor="middle">${value.toLocaleString('en')}</text>`,
    ];
  });
  const horizontal = powers(seconds).flatMap((value) => {
    const y = round(seconds.place(value));
    return [
      `<line x1="${MARGIN.left}" y1="${y}" x2="${right}" y2="${y}" stroke="#dddddd"/>`,
      `<text x="${MARGIN.left - 8}" y="${y + 4}" text-anchor="end">${formatPower(value)}</text>`,
    ];
  });
  const middle = (MARGIN.left + right) / 2;
  return [
    ...vertical,
    ...horizontal,
    `<text x="${middle}" y="${HEIGHT - 12}" text-anchor="middle">entries</text>`,
  ];
}

function powers({ first, last }: Axis): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
}

function formatPower(seconds: number): string {
  if (seconds >= 1) return `${seconds} s`;
  return seconds >= 1e-3 ? `${Math.round(seconds * 1e3)} ms` : `${Math.round(seconds * 1e6)} µs`;
}

function drawn({ colour, points }: Line, { entries, seconds }: Axes): readonly string[] {
  const places = points.map((point) => ({
    x: round(entries.place(point.entries)),
    y: round(seconds.place(point.seconds.median)),
  }));
  const path = places.map(({ x, y }) => `${x},${y}`).join(' ');
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...places.map(({ x, y }) => `<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`),
  ];
}

/** Beside the last point of each line, moved apart where they would lie over one another. */
function names(lines: readonly Line[], { seconds }: Axes): readonly string[] {
  const ends = lines
    .map((line) => ({ line, last: line.points.at(-1)?.seconds.median ?? 1 }))
    .toSorted((a, b) => b.last - a.last);
  const wanted = ends.map(({ last }) => seconds.place(last) + 4);
  const tops = apart(wanted, HEIGHT - MARGIN.bottom);
  return ends.map(({ line, last }, index) => {
    const text = `${line.name}: ${formatSeconds(last)}`;
    return `<text x="${WIDTH - MARGIN.right + 10}" y="${round(tops[index] ?? 0)}" fill="${line.colour}">${text}</text>`;
  });
}

/** Moves ascending places apart by a line's height, and none of them below `bottom`. */
function apart(places: readonly number[], bottom: number): readonly number[] {
  const moved: number[] = [];
  for (const place of places) moved.push(Math.max(place, (moved.at(-1) ?? -LABEL_HEIGHT) + LABEL_HEIGHT));
  for (let index = moved.length - 1; index >= 0; index -= 1) {
    const most = (moved[index + 1] ?? bottom + LABEL_HEIGHT) - LABEL_HEIGHT;
    moved[index] = Math.min(moved[index] ?? most, most);
  }
  return moved;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
