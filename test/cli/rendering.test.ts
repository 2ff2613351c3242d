import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { loadPaint, PLAIN } from '../../src/cli/color.js';
import { describeFailure } from '../../src/cli/failure.js';
import { lineProgress } from '../../src/cli/progress.js';
import { renderCompileJson, renderCompileLine } from '../../src/cli/rendering/compile.js';
import { isBinary, renderGetJson, renderMiss } from '../../src/cli/rendering/get.js';
import { jsonSeconds } from '../../src/cli/rendering/json.js';
import { renderList, renderListJson } from '../../src/cli/rendering/list.js';
import { renderNotRemoved, renderRemoved, renderRemoveJson } from '../../src/cli/rendering/remove.js';
import { renderStatsJson } from '../../src/cli/rendering/stats-json.js';
import { renderStats } from '../../src/cli/rendering/stats.js';
import { renderTable } from '../../src/cli/rendering/table.js';
import { printable, wrap } from '../../src/cli/rendering/text.js';
import { renderVerify, renderVerifyJson } from '../../src/cli/rendering/verify.js';
import type { CompileResult, LookupResult } from '../../src/compile/request.js';
import type { ListReport, RemoveReport, StatsReport, VerifyReport } from '../../src/maintenance/reports.js';
import type { CounterName } from '../../src/model/counters.js';
import { CacheError } from '../../src/model/error.js';
import { isFingerprint, type Fingerprint } from '../../src/model/fingerprint.js';
import { EMPTY_STATS } from '../support/stats-reports.js';

function fingerprint(digits: string): Fingerprint {
  const text = digits.repeat(64).slice(0, 64);
  assert.ok(isFingerprint(text));
  return text;
}

const clean: VerifyReport = {
  root: '/c',
  artifacts: 1204,
  valid: 1204,
  damaged: 0,
  unverifiable: 0,
  litter: 0,
  aliens: 0,
  quarantined: 0,
  bytes: 6_549_825_126,
  seconds: 1.4,
  problems: [],
  unreadable: 0,
  sealed: 0,
  sealError: null,
  treated: [],
};

describe('verify', () => {
  const render = (report: VerifyReport, quiet = false): string =>
    renderVerify(report, { paint: PLAIN, quiet });
  const damage = { path: 'pipelines/ab.bin', layout: 'vyre', fingerprint: 'ab', reason: 'bad-checksum' };

  it('answers in one sentence when all is well', () => {
    assert.equal(render(clean), '1,204 entries, 6.1 GiB verified in 1.4 s: all valid\n');
    assert.equal(
      render({ ...clean, artifacts: 1, valid: 1, bytes: 4096 }),
      '1 entry, 4 KiB verified in 1.4 s: all valid\n',
    );
    assert.equal(
      render({ ...clean, artifacts: 0, valid: 0, bytes: 0, seconds: 0.001 }),
      '0 entries, 0 B verified in 1 ms: nothing to verify\n',
    );
  });

  it('names every problem first', () => {
    const report = {
      ...clean,
      valid: 1201,
      damaged: 3,
      problems: [damage, { ...damage, path: 'b' }, { ...damage, path: 'c' }],
    };
    assert.equal(
      render(report),
      'pipelines/ab.bin  bad-checksum\nb  bad-checksum\nc  bad-checksum\n' +
        '1,204 entries, 6.1 GiB verified in 1.4 s: 3 damaged\n',
    );
    assert.equal(
      render({ ...clean, damaged: 1, problems: [damage] }, true),
      'pipelines/ab.bin  bad-checksum\n',
    );
    assert.equal(render(clean, true), '');
  });

  it('tells apart what is damaged, unreadable, without checksum and beside the point', () => {
    assert.match(
      render({ ...clean, damaged: 1, unreadable: 2, unverifiable: 3 }),
      /: 1 damaged, 2 unreadable, 3 unverifiable\n$/,
    );
    assert.match(render({ ...clean, valid: 1200, unverifiable: 4 }), /: 1,200 valid, 4 unverifiable\n$/);
    assert.match(
      render({ ...clean, litter: 2, aliens: 1, quarantined: 5 }),
      /: all valid; besides 2 left over from crashes, 1 of unknown origin, 5 in quarantine\n$/,
    );
    const absent = { path: 'pipelines/ab.bin', layout: 'vyre', fingerprint: 'ab', reason: 'absent' };
    assert.match(render({ ...clean, artifacts: 0, valid: 0, problems: [absent] }), /: 1 not found\n$/);
  });

  it('never lets a file name steer the terminal', () => {
    const report = { ...clean, damaged: 1, problems: [{ ...damage, path: 'a\u001B[2J\n\u202Eb' }] };
    assert.equal(render(report, true), 'a\\u{1b}[2J\\u{a}\\u{202e}b  bad-checksum\n');
  });

  it('has the documented fields in JSON', () => {
    const document: unknown = JSON.parse(
      renderVerifyJson({ ...clean, seconds: 1.23456, damaged: 1, problems: [damage] }),
    );
    assert.deepEqual(document, {
      schema: 'vyre-cache.verify/1',
      root: '/c',
      artifacts: 1204,
      valid: 1204,
      damaged: 1,
      unverifiable: 0,
      litter: 0,
      aliens: 0,
      quarantined: 0,
      sealed: 0,
      sealError: null,
      bytes: 6_549_825_126,
      seconds: 1.235,
      problems: [damage],
      treated: [],
    });
    assert.ok(renderVerifyJson(clean).startsWith('{"schema":"vyre-cache.verify/1",'));
  });
});

const empty: StatsReport = {
  ...EMPTY_STATS,
  root: '/home/u/.cache/vyre',
  ageHistogram: [
    { withinSeconds: 3600, entries: 0, bytes: 0 },
    { withinSeconds: 86_400, entries: 0, bytes: 0 },
    { withinSeconds: 604_800, entries: 0, bytes: 0 },
    { withinSeconds: 2_592_000, entries: 0, bytes: 0 },
    { withinSeconds: null, entries: 0, bytes: 0 },
  ],
};

const busy: StatsReport = {
  ...empty,
  entries: 1204,
  bytes: 6_549_825_120,
  ourBytes: 6_549_820_000,
  oldestSeconds: 1_036_800,
  newestSeconds: 192,
  counters: {
    sinceMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    values: new Map<CounterName, number>([
      ['lookups', 11],
      ['hits', 9],
      ['misses', 2],
      ['puts', 2],
      ['rejectedPuts', 1],
      ['evictions', 3],
      ['evictedBytes', 2048],
      ['waits', 4],
      ['degraded', 1],
      ['savedMilliseconds', 192_000],
      ['outcome:memory', 1],
      ['outcome:disk', 8],
      ['outcome:compiled', 2],
      ['missReason:absent', 1],
      ['missReason:flags-changed', 1],
      ['uncacheable:launcher-unsupported', 5],
      ['degraded:home-unwritable', 1],
    ]),
  },
  layouts: [
    {
      layout: 'vyre',
      entries: 1200,
      bytes: 6_549_820_000,
      formats: [{ format: 'entry', entries: 1200, bytes: 6_549_820_000 }],
    },
    {
      layout: 'wasmtime',
      entries: 4,
      bytes: 5120,
      formats: [{ format: 'wasmtime-module', entries: 4, bytes: 5120 }],
    },
  ],
  trouble: [
    {
      kind: 'home-unwritable',
      count: 3,
      message: 'the cache at "/home/u/.cache/vyre" cannot be written (EROFS); compiled without the cache',
      lastSeconds: 187_200,
    },
    { kind: 'io-error', count: 1, message: null, lastSeconds: null },
  ],
  limitBytes: 10 * 2 ** 30,
  ageHistogram: [
    { withinSeconds: 3600, entries: 4, bytes: 5120 },
    { withinSeconds: 86_400, entries: 0, bytes: 0 },
    { withinSeconds: 604_800, entries: 200, bytes: 2 ** 30 },
    { withinSeconds: 2_592_000, entries: 1000, bytes: 5_476_078_182 },
    { withinSeconds: null, entries: 0, bytes: 0 },
  ],
  failures: 3,
  litter: { temporaryFiles: 2, orphans: 0, bytes: 0, deadWorkers: 1 },
};

const detailed: StatsReport = {
  ...busy,
  details: {
    compilers: [
      {
        compiler: '/usr/bin/x86_64-linux-gnu-g++-12-with-a-name',
        entries: 1200,
        bytes: 6e9,
        wallSeconds: 86_400,
        uses: null,
      },
      { compiler: null, entries: 4, bytes: 5120, wallSeconds: 0, uses: 12 },
    ],
    largest: [
      {
        fingerprint: 'ab'.repeat(32),
        path: `pipelines/${'ab'.repeat(32)}.bin`,
        bytes: 1023 * 2 ** 20,
        compiler: '/usr/bin/x86_64-linux-gnu-g++-12',
        outputs: ['a-rather-long-name.o', 'another-one.o'],
        wallSeconds: 3568,
        savedSeconds: 90,
      },
      {
        fingerprint: null,
        path: 'aot/module',
        bytes: 10,
        compiler: null,
        outputs: null,
        wallSeconds: null,
        savedSeconds: null,
      },
    ],
    costliest: [
      {
        fingerprint: 'ef'.repeat(32),
        path: 'x',
        bytes: 10,
        compiler: 'cc',
        outputs: ['a.o\u001B'],
        wallSeconds: 0.5,
        savedSeconds: null,
      },
    ],
    mostSaving: [
      {
        fingerprint: 'ab'.repeat(32),
        path: `pipelines/${'ab'.repeat(32)}.bin`,
        bytes: 10,
        compiler: 'cc',
        outputs: ['b.o'],
        wallSeconds: 2,
        savedSeconds: 7260,
      },
    ],
  },
};

describe('stats', () => {
  it('shows trouble, then the figure that decides, then the tree', () => {
    assert.equal(
      renderStats(busy, PLAIN),
      `trouble: home-unwritable, 3 times, last 2 d 4 h ago
  the cache at "/home/u/.cache/vyre" cannot be written (EROFS); compiled without
  the cache
trouble: io-error, 1 time

81.81% hits, 3 m 12 s saved since 2026-01-02
1,204 entries, 6.1 GiB in /home/u/.cache/vyre, ours 6.1 GiB of 10 GiB (60.99%)
last used 3 m 12 s to 12 d ago
3 records without an entry (remembered failures)
reclaimable: 2 temporary files, 1 worker directory of a dead process

Last used    Entries             Size
within 1 h         4   0.33%    5 KiB      0%
within 1 d         0      0%      0 B      0%
within 7 d       200  16.61%    1 GiB  16.39%
within 30 d    1,000  83.05%  5.1 GiB   83.6%
longer ago         0      0%      0 B      0%

Lookups                        11
  Hits                     9 / 11  81.81%
    disk                   8 /  9  88.88%
    memory                 1 /  9  11.11%
  Misses                   2 / 11  18.18%
    compiled               2 /  2    100%
Reasons of misses               2
  absent                   1 /  2     50%
  flags-changed            1 /  2     50%
Uncacheable calls               5
  launcher-unsupported     5 /  5    100%
Calls without cache             1
  home-unwritable          1 /  1    100%
Stored                          2
  Rejected                      1
Waits for another process       4
Evictions                       3   2 KiB

Layout    Kind             Entries     Size
vyre      entry              1,200  6.1 GiB  99.99%
wasmtime  wasmtime-module        4    5 KiB      0%
`,
    );
  });

  it('fits 80 columns', () => {
    for (const report of [busy, empty, detailed]) {
      for (const line of renderStats(report, PLAIN).split('\n')) assert.ok(line.length <= 80, line);
    }
  });

  it('says so when nothing was looked up', () => {
    assert.equal(
      renderStats(empty, PLAIN),
      `no lookups yet
0 entries, 0 B in /home/u/.cache/vyre

Lookups       0
  Hits    0 / 0  -
  Misses  0 / 0  -
Stored        0
`,
    );
    const counted = { ...empty, counters: { sinceMs: 0, values: new Map<CounterName, number>() } };
    assert.match(renderStats(counted, PLAIN), /^no lookups since 1970-01-01\n/);
    assert.match(
      renderStats({ ...empty, counters: { sinceMs: 1e19, values: new Map() } }, PLAIN),
      /^no lookups yet\n/,
    );
  });

  it('shows with -v what each compiler keeps, and the entries that count most', () => {
    const text = renderStats(detailed, PLAIN);
    assert.equal(
      text.slice(text.indexOf('Compiler ')),
      `Compiler                  Entries      Size  Took  Uses
x86_64-linux-gnu-g++-12…    1,200  5.59 GiB   1 d     -
without a record                4     5 KiB     -    12

Largest               Size       Took  Compiler          Outputs
abababababababab  1023 MiB  59 m 28 s  x86_64-linux-gn…  a-rather-long-name.o …
module                10 B          -  -                 -

Costliest         Size    Took  Compiler  Outputs
efefefefefefefef  10 B  500 ms  cc        a.o\\u{1b}

Saved most        Size    Saved  Compiler  Outputs
abababababababab  10 B  2 h 1 m  cc        b.o
`,
    );
  });

  it('leaves the ages out where one line says it all', () => {
    const [first, ...rest] = empty.ageHistogram;
    assert.ok(first !== undefined);
    const young = { ...first, entries: 7, bytes: 100 };
    const one = { ...empty, entries: 7, bytes: 100, ageHistogram: [young, ...rest] };
    assert.ok(!renderStats(one, PLAIN).includes('within 1 h'));
  });

  it('shows misses that ran no compiler as a part of the misses', () => {
    const values = new Map<CounterName, number>([
      ['lookups', 3],
      ['misses', 3],
      ['outcome:compiled', 1],
      ['missReason:absent', 3],
    ]);
    const text = renderStats({ ...empty, counters: { sinceMs: 0, values } }, PLAIN);
    assert.match(text, /^ {4}looked up only {2}2 \/ 3 {2}66\.66%$/m);
    assert.match(text, /^ {4}compiled {8}1 \/ 3 {2}33\.33%$/m);
  });

  it('has the documented fields in JSON, all of them even when nothing is known', () => {
    const parse = (report: StatsReport): Record<string, unknown> =>
      JSON.parse(renderStatsJson(report)) as Record<string, unknown>;
    assert.deepEqual(Object.keys(parse(empty)), [
      'schema',
      'root',
      'entries',
      'bytes',
      'oldestSeconds',
      'newestSeconds',
      'counters',
      'hitRatePpm',
      'savedSeconds',
      'layouts',
      'trouble',
      'limitBytes',
      'ageHistogram',
      'failures',
      'litter',
      'compilers',
      'largest',
      'costliest',
      'mostSaving',
      'ourBytes',
      'reclaimable',
      'unreadable',
    ]);
    assert.deepEqual(parse(empty)['litter'], { temporaryFiles: 0, deadWorkers: null, orphans: 0, bytes: 0 });
    assert.deepEqual(parse(empty)['reclaimable'], { expired: null, damaged: null });
    assert.deepEqual(
      ['limitBytes', 'compilers', 'largest', 'costliest'].map((key) => parse(empty)[key]),
      [null, null, null, null],
    );
    assert.deepEqual(parse(empty)['counters'], {
      since: null,
      lookups: 0,
      hits: 0,
      misses: 0,
      puts: 0,
      rejectedPuts: 0,
      evictions: 0,
      evictedBytes: 0,
      flushes: 0,
      flushErrors: 0,
      waits: 0,
      uncacheable: {},
      degraded: 0,
      outcomes: {},
      missReasons: {},
    });
    assert.equal(parse(empty)['hitRatePpm'], null);
    const document = parse(busy);
    assert.equal(document['limitBytes'], 10_737_418_240);
    assert.deepEqual((document['ageHistogram'] as unknown[])[0], {
      withinSeconds: 3600,
      entries: 4,
      bytes: 5120,
    });
    assert.deepEqual(parse(detailed)['largest'], detailed.details?.largest);
    assert.deepEqual(parse(detailed)['costliest'], detailed.details?.costliest);
    assert.deepEqual(parse(detailed)['compilers'], detailed.details?.compilers);
    assert.equal(document['hitRatePpm'], 818_181);
    assert.equal(document['savedSeconds'], 192);
    assert.deepEqual((document['counters'] as Record<string, unknown>)['outcomes'], {
      memory: 1,
      disk: 8,
      compiled: 2,
    });
    assert.equal((document['counters'] as Record<string, unknown>)['since'], '2026-01-02T03:04:05.000Z');
    assert.deepEqual((document['trouble'] as unknown[])[1], {
      kind: 'io-error',
      count: 1,
      message: null,
      lastSeconds: null,
    });
  });

  it('colours only what a terminal shows', async () => {
    const paint = await loadPaint({ setting: 'always', environment: {}, isTerminal: false });
    assert.ok(renderStats(busy, paint).includes('\u001B[31mtrouble: home-unwritable'));
    assert.ok(!renderStats(busy, PLAIN).includes('\u001B'));
  });
});

const hit: CompileResult = {
  fingerprint: fingerprint('ab'),
  outcome: 'disk',
  reason: null,
  notStored: null,
  outputs: [{ path: 'a.o', bytes: 3, executable: false }],
  exitCode: 0,
  stdout: Buffer.from('x'),
  stderr: Buffer.from('y'),
  wallSeconds: 0.0123456,
  savedSeconds: 1.24,
  error: null,
};

describe('compile', () => {
  it('says in one line what happened', () => {
    const hex = fingerprint('ab');
    assert.equal(renderCompileLine(hit), `vyre-cache: hit (disk) ${hex}, a.o, saved 1.24 s`);
    const miss: CompileResult = {
      ...hit,
      outcome: 'compiled',
      reason: 'flags-changed',
      savedSeconds: null,
      wallSeconds: 2.5,
    };
    assert.equal(renderCompileLine(miss), `vyre-cache: compiled (flags-changed) ${hex}, a.o, took 2.5 s`);
    assert.equal(
      renderCompileLine({ ...miss, notStored: 'payload-too-large' }),
      `vyre-cache: compiled (flags-changed) not stored (payload-too-large) ${hex}, a.o, took 2.5 s`,
    );
    const bare: CompileResult = {
      ...miss,
      fingerprint: null,
      outcome: null,
      reason: null,
      notStored: 'launcher-unsupported',
      outputs: [],
    };
    assert.equal(renderCompileLine(bare), 'vyre-cache: not cached (launcher-unsupported), took 2.5 s');
  });

  it('has the documented fields in JSON', () => {
    assert.deepEqual(JSON.parse(renderCompileJson([hit])), {
      schema: 'vyre-cache.compile/1',
      jobs: [
        {
          fingerprint: fingerprint('ab'),
          outcome: 'disk',
          reason: null,
          notStored: null,
          outputs: [{ path: 'a.o', bytes: 3, executable: false }],
          exitCode: 0,
          wallSeconds: 0.012,
          savedSeconds: 1.24,
          error: null,
        },
      ],
      totals: {
        memory: 0,
        disk: 1,
        remote: 0,
        joined: 0,
        compiled: 0,
        recompiled: 0,
        failed: 0,
        'remembered-failure': 0,
      },
    });
  });
});

describe('get', () => {
  const found: LookupResult = {
    hit: true,
    fingerprint: fingerprint('ab'),
    tier: 'disk',
    payload: Buffer.from('abc'),
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
  };
  const missed: LookupResult = { hit: false, fingerprint: fingerprint('cd'), reason: 'bad-checksum' };

  it('has the documented fields in JSON', () => {
    const hex = fingerprint('ab');
    assert.deepEqual(JSON.parse(renderGetJson(found)), {
      schema: 'vyre-cache.get/1',
      fingerprint: hex,
      outcome: 'hit',
      tier: 'disk',
      reason: null,
      payloadBytes: 3,
    });
    assert.deepEqual(JSON.parse(renderGetJson(missed)), {
      schema: 'vyre-cache.get/1',
      fingerprint: fingerprint('cd'),
      outcome: 'miss',
      tier: null,
      reason: 'bad-checksum',
      payloadBytes: null,
    });
  });

  it('names the reason of a miss', () => {
    assert.equal(renderMiss({ hit: false, fingerprint: null, reason: 'absent' }), 'miss (absent)');
    assert.equal(renderMiss(missed), `miss (bad-checksum), ${fingerprint('cd')}`);
  });

  it('takes for binary what a terminal would not show as text', () => {
    for (const text of ['', 'text\n', 'tab\tcr\r\n', 'é ☃ 🙂\n'])
      assert.equal(isBinary(Buffer.from(text)), false, text);
    for (const bytes of [[0], [0x1b, 0x5b], [0xff], [0xc3], [0x07], [0x7f], [0xc2, 0x9b]]) {
      assert.equal(isBinary(Uint8Array.from(bytes)), true, String(bytes));
    }
  });
});

describe('ls and rm', () => {
  const report: ListReport = {
    root: '/c',
    entries: [
      {
        fingerprint: fingerprint('ab'),
        path: 'pipelines/x.bin',
        bytes: 4610,
        payloadBytes: 1096,
        ageSeconds: 3.5,
        compiler: '/usr/bin/gcc',
        outputs: ['a.o'],
      },
      {
        fingerprint: fingerprint('c0'),
        path: 'pipelines/y.bin',
        bytes: 1_048_576,
        payloadBytes: null,
        ageSeconds: 90_000,
        compiler: null,
        outputs: null,
      },
      {
        fingerprint: fingerprint('12'),
        path: 'pipelines/z.bin',
        bytes: 32,
        payloadBytes: 0,
        ageSeconds: 0,
        compiler: 'a-compiler-with-a-long-name',
        outputs: ['one.o', 'two.o', 'three.o', 'four.o', 'five.o'],
      },
    ],
  };

  it('lists entries in a table within 80 columns', () => {
    assert.equal(
      renderList(report, { paint: PLAIN, verbose: false, quiet: false }),
      `Fingerprint          Size     Used  Compiler          Outputs
abababababababab  4.5 KiB    3.5 s  gcc               a.o
c0c0c0c0c0c0c0c0    1 MiB  1 d 1 h  -                 -
1212121212121212     32 B     0 ms  a-compiler-with…  one.o two.o three.o fou…
3 entries, 1 MiB in /c
`,
    );
  });

  it('shows everything with -v and no sentence with -q', () => {
    const text = renderList(report, { paint: PLAIN, verbose: true, quiet: true });
    for (const part of [fingerprint('12'), '/usr/bin/gcc', 'one.o two.o three.o four.o five.o'])
      assert.ok(text.includes(part));
    assert.ok(!text.includes('entries'));
    const none = { root: '/c', entries: [] };
    assert.equal(renderList(none, { paint: PLAIN, verbose: false, quiet: false }), '0 entries, 0 B in /c\n');
    assert.equal(renderList(none, { paint: PLAIN, verbose: false, quiet: true }), '');
  });

  it('has every field in JSON', () => {
    const document = JSON.parse(renderListJson(report)) as { schema: string; entries: unknown[] };
    assert.equal(document.schema, 'vyre-cache.ls/1');
    assert.deepEqual(document.entries, report.entries);
  });

  it('says what was removed and why the rest was not', () => {
    const removal: RemoveReport = {
      root: '/c',
      entries: [
        { fingerprint: 'a', result: 'removed', bytes: 4610, error: null },
        { fingerprint: 'b', result: 'absent', bytes: 0, error: null },
        { fingerprint: 'c', result: 'in-use', bytes: 0, error: null },
        { fingerprint: 'd', result: 'failed', bytes: 0, error: 'EACCES' },
      ],
    };
    assert.equal(renderRemoved(removal), 'Removed 1 entry, 4.5 KiB\n');
    assert.deepEqual(renderNotRemoved(removal), [
      'no entry "b"',
      'the entry "c" is in use',
      'the entry "d" cannot be removed (EACCES)',
    ]);
    assert.deepEqual(JSON.parse(renderRemoveJson(removal)), { schema: 'vyre-cache.rm/1', ...removal });
  });
});

describe('the parts of a page', () => {
  it('tables look the same however many rows they have', () => {
    const rows = Array.from({ length: 201 }, (_, index) => [
      `row ${index}`,
      String(index * 7),
      'x'.repeat(index % 5),
    ]);
    const columns = { head: ['Name', 'Figure', 'Note'], align: ['left', 'right', 'left'] as const };
    const many = renderTable({ ...columns, rows });
    const few = renderTable({ ...columns, rows: rows.slice(1) });
    assert.equal(
      many
        .split('\n')
        .filter((line) => !line.startsWith('row 0 '))
        .join('\n'),
      few,
    );
    assert.equal(renderTable({ ...columns, rows: [] }), '');
  });

  it('text from outside is printable and ordinary text stays as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.doesNotMatch(printable(text), /[\p{Cc}\p{Cf}]/u);
      }),
    );
    assert.equal(printable('größe ☃ 文字.o'), 'größe ☃ 文字.o');
  });

  it('wrapping loses no word', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{1,20}$/), { minLength: 1 }), (words) => {
        const wrapped = wrap(words.join(' '), { width: 30, indent: 2 });
        assert.deepEqual(wrapped.trim().split(/\s+/), words);
        for (const line of wrapped.split('\n')) assert.ok(line.length <= 30);
      }),
    );
  });

  it('seconds have three decimals at most and are never negative', () => {
    assert.equal(jsonSeconds(null), null);
    assert.equal(jsonSeconds(-0.5), 0);
    assert.equal(jsonSeconds(0.00049), 0);
    assert.equal(jsonSeconds(1.23456), 1.235);
  });

  it('progress without a terminal is a line every five seconds', () => {
    let nowMs = 0;
    const written: string[] = [];
    const clock = {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      breathe: async () => Promise.resolve(),
      sleep: async () => Promise.resolve(),
    };
    const progress = lineProgress(clock, 'verifying', (line) => written.push(line));
    for (nowMs of [1, 4999, 5000, 9999, 10_000]) progress.show({ files: 1204, bytes: 5 * 1024 ** 3 });
    assert.deepEqual(written, [
      'verifying 1,204 files, 5 GiB, 1 GiB/s\n',
      'verifying 1,204 files, 5 GiB, 512 MiB/s\n',
    ]);
  });

  it('failures show what to do, a failed system call is the environment’s, and bugs show their stack', () => {
    const user = describeFailure(new CacheError('not-found', 'expected a, got "b"', { hint: 'Do c.' }));
    assert.equal(user.exitCode, 127);
    assert.equal(user.text, 'vyre-cache: expected a, got "b"\nhint: Do c.\n');
    assert.equal(describeFailure(new CacheError('usage', 'x')).exitCode, 2);
    assert.equal(describeFailure(new CacheError('environment', 'x')).exitCode, 3);
    assert.equal(describeFailure(new CacheError('not-executable', 'x')).exitCode, 126);
    assert.equal(
      describeFailure(Object.assign(new Error('EIO: x'), { code: 'EIO', syscall: 'read' })).exitCode,
      3,
    );
    const bug = describeFailure(new Error('oops'));
    assert.equal(bug.exitCode, 70);
    assert.match(bug.text, /^vyre-cache: Error: oops\n {4}at /);
    assert.equal(bug.document.code, 'bug');
  });
});
