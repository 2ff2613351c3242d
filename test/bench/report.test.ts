import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { plotGrowth } from '../../bench/growth/plot.js';
import { fileSystemOf } from '../../bench/machine.js';
import { formatSeconds, renderMarkdown, renderTable } from '../../bench/report.js';
import type { BenchResult, GrowthPoint } from '../../bench/results.js';
import { compare, summarise } from '../../bench/statistics.js';

const OURS = summarise([0.5, 0.6, 0.7]);
const RIVAL = summarise([1, 1, 1]);

function growthPoint(name: string, entries: number, seconds: number): GrowthPoint {
  return { name, entries, seconds: summarise([seconds]), peakBytes: 67_108_864 };
}

const GROWTH = [10, 1000, 100_000].flatMap((entries) => [
  growthPoint('start', entries, 0.02),
  growthPoint('stats', entries, 0.02 + entries / 1e5),
]);

const RESULT: BenchResult = {
  schema: 'vyre-cache.bench/1',
  date: '2026-02-03',
  scale: 1,
  rounds: 3,
  machine: {
    cpu: 'Some CPU',
    cores: 2,
    memoryBytes: 8_589_934_592,
    kernel: '6.1.0',
    node: 'v20.19.0',
    fileSystem: 'ext4',
    peers: { b3sum: '1.2.0', time: null },
  },
  rows: [
    {
      kind: 'timed',
      id: 'verify-small',
      title: 'verify',
      seconds: OURS,
      peakBytes: 62_914_560,
      comparisons: [
        { rival: 'find | xargs b3sum', seconds: RIVAL, ratio: compare(OURS, RIVAL), bound: 0.6, met: true },
        { rival: 'another', seconds: RIVAL, ratio: compare(OURS, RIVAL), bound: 0.5, met: false },
        { rival: 'a third', seconds: RIVAL, ratio: compare(OURS, RIVAL), bound: null, met: null },
      ],
      floors: [
        {
          floor: 'least under Node',
          seconds: OURS,
          against: { rival: 'another', seconds: RIVAL, ratio: compare(OURS, RIVAL) },
        },
        { floor: 'least under Bun', seconds: OURS, against: null },
      ],
    },
    {
      kind: 'figure',
      id: 'herd',
      title: 'compilations',
      of: null,
      unit: 'count',
      value: 1,
      bound: { kind: 'exactly', value: 1 },
      met: true,
    },
  ],
  growth: GROWTH,
  omitted: [{ id: 'hit-standalone', rival: 'sccache', reason: 'not installed', failed: false }],
};

describe('the report of the bench', () => {
  test('as Markdown: facts, a line for each comparison, growth, what was left out', () => {
    assert.equal(
      renderMarkdown(RESULT),
      [
        '2026-02-03; all of the work; rounds that count: 3.',
        'Some CPU, 2 cores, 8 GiB, Linux 6.1.0, Node v20.19.0, ext4.',
        'Peers: b3sum 1.2.0, time.',
        '',
        '| Work | Ours | Peer | Its time | Ratio | Rounds | Bound | Met | Our peak |',
        '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
        String.raw`| verify | 600 ms ±8% | find \| xargs b3sum | 1.00 s ±0% | 0.60 | 0.50 to 0.70 | 0.6 | yes | 60 MiB |`,
        '|  |  | another | 1.00 s ±0% | 0.60 | 0.50 to 0.70 | 0.5 | NO |  |',
        '|  |  | a third | 1.00 s ±0% | 0.60 | 0.50 to 0.70 |  |  |  |',
        '| least under Node | 600 ms ±8% | another | 1.00 s ±0% | 0.60 | 0.50 to 0.70 |  |  |  |',
        '| least under Bun | 600 ms ±8% |  |  |  |  |  |  |  |',
        '| compilations | 1 |  |  |  |  | 1 | yes |  |',
        '',
        '| Time and peak memory with | 10 entries | 1,000 entries | 100,000 entries |',
        '| --- | --- | --- | --- |',
        '| start | 20.0 ms, 64 MiB | 20.0 ms, 64 MiB | 20.0 ms, 64 MiB |',
        '| stats | 20.1 ms, 64 MiB | 30.0 ms, 64 MiB | 1.02 s, 64 MiB |',
        '',
        'Left out: hit-standalone, sccache: not installed',
        '',
      ].join('\n'),
    );
  });

  test('for a terminal: the same facts, rows and omissions', () => {
    const text = renderTable(RESULT);
    for (const words of [
      'Some CPU, 2 cores',
      'find | xargs b3sum',
      '600 ms ±8%',
      '0.50 to 0.70',
      '60 MiB',
      'NO',
    ])
      assert.ok(text.includes(words), `expected "${words}"`);
    for (const words of [
      'compilations',
      '100,000 entries',
      '1.02 s, 64 MiB',
      'Left out: hit-standalone, sccache',
    ])
      assert.ok(text.includes(words), `expected "${words}"`);
  });

  test('says that bounds are not meant for a part of the work', () => {
    assert.match(
      renderTable({ ...RESULT, scale: 0.1 }),
      /^2026-02-03; 0\.1 of the work, for which the bounds are not meant/,
    );
  });

  for (const [seconds, text] of [
    [12.34, '12.3 s'],
    [1, '1.00 s'],
    [0.0501, '50.1 ms'],
    [0.000_123_4, '123 µs'],
  ] as const)
    test(`writes ${seconds} seconds as ${text}`, () => {
      assert.equal(formatSeconds(seconds), text);
    });
});

describe('the figure of growth', () => {
  const svg = plotGrowth(GROWTH);

  test('is well-formed, with a line and a name for each work', () => {
    const open = svg.match(/<[a-z]+/g)?.length ?? 0;
    const closed = (svg.match(/\/>/g)?.length ?? 0) + (svg.match(/<\/[a-z]+>/g)?.length ?? 0);
    assert.equal(open, closed);
    assert.equal(svg.match(/<polyline /g)?.length, 2);
    for (const text of ['>start: 20.0 ms<', '>stats: 1.02 s<', '>100,000<', '>entries<'])
      assert.ok(svg.includes(text), `expected ${text}`);
  });

  test('puts what takes longer higher, and more entries further to the right', () => {
    const lines = [...svg.matchAll(/<polyline points="([^"]+)"/g)].map(([, points = '']) =>
      points.split(' ').map((point) => point.split(',').map(Number)),
    );
    const [start = [], stats = []] = lines;
    for (const line of lines)
      assert.deepEqual(
        line.map(([x]) => x),
        line.map(([x]) => x).toSorted((a, b) => Number(a) - Number(b)),
      );
    assert.equal(new Set(start.map(([, y]) => y)).size, 1);
    assert.ok(Number(stats.at(-1)?.[1]) < Number(start.at(-1)?.[1]));
    assert.deepEqual(
      stats.map(([, y]) => y),
      stats.map(([, y]) => y).toSorted((a, b) => Number(b) - Number(a)),
    );
  });
});

describe('the file system of the data', () => {
  const mounts = [
    '22 1 8:1 / / rw - ext4 /dev/sda1 rw',
    '23 22 0:5 / /tmp rw - tmpfs tmpfs rw',
    '24 22 0:6 / /tmpfoo rw shared:1 - xfs /dev/sdb rw',
    '25 23 0:7 / /tmp/a rw - btrfs /dev/sdc rw',
    '26 25 0:8 / /tmp/a rw - zfs pool rw',
    '',
  ].join('\n');
  for (const [folder, type] of [
    ['/home', 'ext4'],
    ['/tmp', 'tmpfs'],
    ['/tmp/b', 'tmpfs'],
    ['/tmpfoo/b', 'xfs'],
    ['/tmp/a/c', 'zfs'],
  ] as const)
    test(`of ${folder} is ${type}`, () => {
      assert.equal(fileSystemOf(folder, mounts), type);
    });

  test('is unknown where nothing is mounted', () => {
    assert.equal(fileSystemOf('/home', ''), 'unknown');
  });
});
