import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { renderPrometheus } from '../../src/cli/rendering/prometheus.js';
import { systemFiles } from '../../src/host/files.js';
import { systemHost } from '../../src/host/host.js';
import type { StatsReport } from '../../src/index.js';
import type { CounterName } from '../../src/model/counters.js';
import { CacheError } from '../../src/model/error.js';
import { DEGRADED, isHit, MISS_REASONS, OUTCOMES, UNCACHEABLE } from '../../src/model/lifecycle.js';
import { eventually } from '../support/eventually.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { shellLine, SOURCES } from '../support/program.js';
import { parsePrometheus, valueOf } from '../support/prometheus-text.js';
import { checkProperty } from '../support/properties.js';
import { EMPTY_STATS } from '../support/stats-reports.js';
import { findTool, has } from '../support/tools.js';
import { Workbench } from '../support/workbench.js';
import { cli, makePlace, type Place, type Ran } from './support.js';

const COPY = ['a.txt', '-o', 'b.txt', '--', 'cp', '{input}', '{output}'] as const;

/** A place with one entry, one miss and one hit. */
async function used(t: Parameters<typeof makePlace>[0]): Promise<Place> {
  const place = makePlace(t);
  place.write('a.txt', 'hello\n');
  for (let round = 0; round < 2; round += 1) {
    assert.equal((await cli(place, ['compile', ...COPY])).code, 0);
  }
  return place;
}

interface Document {
  readonly entries: number;
  readonly counters: Readonly<Record<string, unknown>>;
  readonly limitBytes: number | null;
  readonly litter: unknown;
  readonly compilers: readonly unknown[] | null;
}

function documentOf(ran: Ran): Document {
  assert.equal(ran.code, 0, ran.stderr);
  return JSON.parse(ran.stdout) as Document;
}

async function lookups(place: Place): Promise<unknown> {
  return documentOf(await cli(place, ['stats', '--json'])).counters['lookups'];
}

describe('stats', () => {
  it('shows the size against what automatic care keeps', async (t) => {
    const place = await used(t);
    const shown = async (limit: string): Promise<string> =>
      (await cli(place, ['stats'], { environment: { VYRE_CACHE_CARE_MAX_SIZE: limit } })).stdout;
    assert.match(await shown('1MiB'), /^1 entry, [0-9.]+ KiB of 1 MiB \([0-9.]+%\) in \//m);
    assert.match(await shown('0B'), /^1 entry, [0-9.]+ KiB in \//m);
    assert.equal(documentOf(await cli(place, ['stats', '--json'])).limitBytes, 10 * 2 ** 30);
  });

  it('reads records with -v only', async (t) => {
    const place = await used(t);
    assert.equal(documentOf(await cli(place, ['stats', '--json'])).compilers, null);
    assert.equal(documentOf(await cli(place, ['stats', '--json', '-v'])).compilers?.length, 1);
    const { stdout } = await cli(place, ['stats', '-v']);
    for (const title of ['Compiler', 'Largest', 'Costliest'])
      assert.match(stdout, new RegExp(`^${title} `, 'm'));
    assert.doesNotMatch((await cli(place, ['stats'])).stdout, /Largest/);
  });

  it('shows the ages where they differ, and what crashes left', async (t) => {
    const place = await used(t);
    const store = join(place.home, '.cache/vyre/pipelines');
    const old = join(store, `${'a'.repeat(64)}.bin`);
    writeFileSync(old, 'old');
    utimesSync(old, 1, 1);
    writeFileSync(join(store, `${'b'.repeat(64)}.json`), '{}');
    const worker = join(place.home, '.cache/vyre/worker-dir-prepare-0011223344556677');
    mkdirSync(worker);
    writeFileSync(join(worker, 'owner'), '');
    const { stdout } = await cli(place, ['stats']);
    assert.match(stdout, /^within 1 h +1 +50%/m);
    assert.match(stdout, /^longer ago +1 +50% +3 B/m);
    assert.match(stdout, /^1 record without an entry \(remembered failures\)$/m);
    assert.match(stdout, /^reclaimable: 1 worker directory of a dead process$/m);
    assert.deepEqual(documentOf(await cli(place, ['stats', '--json'])).litter, {
      temporaryFiles: 0,
      deadWorkers: 1,
      orphans: 0,
      bytes: 0,
    });
  });

  const mistakes: readonly (readonly [words: readonly string[], message: RegExp])[] = [
    [['--json', '--prometheus'], /expected --prometheus or --json, got both/],
    [['--watch', '--json'], /expected --watch or --json, got both/],
    [['--watch', '--prometheus'], /expected --watch or --prometheus, got both/],
    [['--watch', '--zero'], /expected --watch or --zero, got both/],
    [['--watch', '--zero', '--json'], /expected --watch or --json, got both/],
    [['--zero=all'], /zero/],
  ];
  for (const [words, message] of mistakes) {
    it(`refuses ${words.join(' ')}`, async (t) => {
      const place = await used(t);
      const ran = await cli(place, ['stats', ...words], { terminal: true });
      assert.equal(ran.code, 2);
      assert.match(ran.stderr, message);
      assert.equal(await lookups(place), 2);
    });
  }
});

describe('stats --zero', () => {
  it('prints the figures that it sets to zero, and says so', async (t) => {
    const place = await used(t);
    const ran = await cli(place, ['stats', '--zero']);
    assert.equal(ran.code, 0);
    assert.match(ran.stdout, /^50% hits, /);
    assert.match(ran.stdout, /\n\nthese counters now start again at zero\n$/);
    const { stdout } = await cli(place, ['stats']);
    assert.match(stdout, /^no lookups since [0-9]{4}-/);
    assert.match(stdout, /^1 entry, /m);
    await cli(place, ['compile', ...COPY]);
    assert.equal(await lookups(place), 1);
  });

  it('gives the report of before as a document, and as metrics', async (t) => {
    const place = await used(t);
    assert.equal(documentOf(await cli(place, ['stats', '--zero', '--json'])).counters['lookups'], 2);
    assert.equal(await lookups(place), 0);
    await cli(place, ['compile', ...COPY]);
    const { stdout } = await cli(place, ['stats', '--zero', '--prometheus']);
    assert.match(stdout, /^vyre_cache_lookups_total\{root="[^"]+"\} 1$/m);
    assert.equal(await lookups(place), 0);
  });

  it('has nothing to do for a cache that was never used', async (t) => {
    const place = makePlace(t);
    const ran = await cli(place, ['stats', '--zero']);
    assert.equal(ran.code, 0);
    assert.match(ran.stdout, /\n\nnothing was counted yet\n$/);
  });

  it('fails with 3 where the home cannot be written, and prints no figures', async (t) => {
    const place = await used(t);
    const files = failingFiles({
      open: (path, flags, mode) => {
        if (flags !== 'read') throw errnoError('EROFS');
        return systemFiles.open(path, flags, mode);
      },
    });
    const ran = await cli(place, ['stats', '--zero'], { host: fakeHost({ files }) });
    assert.equal(ran.code, 3);
    assert.equal(ran.stdout, '');
    assert.match(ran.stderr, /^vyre-cache: the counters of ".*" cannot be set to zero \(EROFS\)\n/);
    assert.equal(await lookups(place), 2);
  });
});

const FULL: StatsReport = {
  ...EMPTY_STATS,
  root: '/ca"che\\dir\nwith\ttab é/\\n',
  entries: 3,
  bytes: 2 ** 40,
  oldestSeconds: 12.5,
  newestSeconds: 0,
  counters: {
    sinceMs: 1_700_000_000_123,
    values: new Map<CounterName, number>([
      ['lookups', 2 ** 53],
      ['hits', 2 ** 53 - 1],
      ['misses', 1],
      ['savedMilliseconds', 1500],
      ['outcome:compiled', 1],
      ['missReason:absent', 1],
      ['uncacheable:preset:time-macro', 2],
      ['degraded:no-space', 1],
    ]),
  },
  trouble: [{ kind: 'odd "kind"\n\\', count: 2, message: null, lastSeconds: null }],
  limitBytes: 10 * 2 ** 30,
  failures: 4,
  litter: { temporaryFiles: 1, orphans: 3, bytes: 9, deadWorkers: 2 },
};

describe('stats --prometheus', () => {
  it('is accepted by the parser and the rules of Prometheus', (t) => {
    if (!has(t, 'promtool')) return;
    for (const report of [EMPTY_STATS, FULL]) {
      const { status, stderr, stdout } = spawnSync(findTool('promtool') ?? '', ['check', 'metrics'], {
        input: renderPrometheus(report),
        encoding: 'utf8',
      });
      assert.deepEqual([status, stderr, stdout], [0, '', '']);
    }
  });

  it('is refused by that parser when it is broken', (t) => {
    if (!has(t, 'promtool')) return;
    const input = renderPrometheus(FULL).replace(String.raw`\"`, '"');
    assert.notEqual(spawnSync(findTool('promtool') ?? '', ['check', 'metrics'], { input }).status, 0);
  });

  it('tells every figure, with the root as it is called', () => {
    const metrics = parsePrometheus(renderPrometheus(FULL));
    for (const { labels } of metrics) assert.equal(labels['root'], FULL.root);
    assert.equal(valueOf(metrics, 'vyre_cache_lookups_total'), 2 ** 53);
    assert.equal(valueOf(metrics, 'vyre_cache_saved_seconds_total'), 1.5);
    assert.equal(valueOf(metrics, 'vyre_cache_entries'), 3);
    assert.equal(valueOf(metrics, 'vyre_cache_size_bytes'), 2 ** 40);
    assert.equal(valueOf(metrics, 'vyre_cache_limit_bytes'), 10 * 2 ** 30);
    assert.equal(valueOf(metrics, 'vyre_cache_oldest_use_age_seconds'), 12.5);
    assert.equal(valueOf(metrics, 'vyre_cache_newest_use_age_seconds'), 0);
    assert.equal(valueOf(metrics, 'vyre_cache_records_without_entry'), 4);
    assert.equal(valueOf(metrics, 'vyre_cache_litter', { kind: 'dead-workers' }), 2);
    assert.equal(valueOf(metrics, 'vyre_cache_trouble', { kind: 'odd "kind"\n\\' }), 2);
    assert.equal(valueOf(metrics, 'vyre_cache_counters_start_timestamp_seconds'), 1_700_000_000.123);
    assert.equal(valueOf(metrics, 'vyre_cache_uncacheable_total', { reason: 'preset:time-macro' }), 2);
  });

  it('has every known word from the start, at zero, and leaves out what has no value', () => {
    const metrics = parsePrometheus(renderPrometheus(EMPTY_STATS));
    const words = (name: string, label: string): readonly (string | undefined)[] =>
      metrics.filter((metric) => metric.name === name).map((metric) => metric.labels[label]);
    assert.deepEqual(words('vyre_cache_outcomes_total', 'outcome'), OUTCOMES);
    assert.deepEqual(words('vyre_cache_miss_reasons_total', 'reason'), MISS_REASONS);
    assert.deepEqual(words('vyre_cache_uncacheable_total', 'reason'), UNCACHEABLE);
    assert.deepEqual(words('vyre_cache_degraded_total', 'reason'), DEGRADED);
    for (const { value } of metrics) assert.equal(value, 0);
    const names = new Set(metrics.map(({ name }) => name));
    for (const absent of [
      'limit_bytes',
      'oldest_use_age_seconds',
      'trouble',
      'counters_start_timestamp_seconds',
    ]) {
      assert.ok(!names.has(`vyre_cache_${absent}`), absent);
    }
  });

  it('escapes any root', () => {
    checkProperty(
      fc.property(fc.string({ unit: 'grapheme' }), (root) => {
        for (const { labels } of parsePrometheus(renderPrometheus({ ...EMPTY_STATS, root })))
          assert.equal(labels['root'], root);
      }),
    );
  });

  it('is the same text for the same figures, and counts what was done', async (t) => {
    const place = await used(t);
    const texts: readonly string[] = [
      (await cli(place, ['stats', '--prometheus'])).stdout,
      (await cli(place, ['stats', '--prometheus'])).stdout,
    ].map((text) => text.replaceAll(/^.*age_seconds\{.*$/gm, ''));
    assert.equal(texts[0], texts[1]);
    const metrics = parsePrometheus((await cli(place, ['stats', '--prometheus'])).stdout);
    assert.equal(valueOf(metrics, 'vyre_cache_outcomes_total', { outcome: 'disk' }), 1);
    assert.equal(valueOf(metrics, 'vyre_cache_miss_reasons_total', { reason: 'empty-cache' }), 1);
  });
});

describe('stats --watch', () => {
  it('shows the figures anew every two seconds, in place', async (t) => {
    const place = await used(t);
    const clock = new FakeClock();
    const sleeps: number[] = [];
    clock.onSleep = (ms) => {
      sleeps.push(ms);
      if (sleeps.length === 3) throw new CacheError('environment', 'the test has seen enough');
    };
    const ran = await cli(place, ['stats', '--watch'], { terminal: true, host: fakeHost({ clock }) });
    assert.deepEqual(sleeps, [2000, 2000, 2000]);
    const drawn = ran.stdout.split('\u001B[H');
    assert.equal(drawn.length, 4);
    assert.equal(drawn[0], '');
    for (const screen of drawn.slice(1)) {
      assert.ok(screen.includes('50% hits, '));
      assert.ok(screen.endsWith('\u001B[J'));
      for (const line of screen.split('\n').slice(0, -1)) assert.ok(line.endsWith('\u001B[K'), line);
    }
  });

  for (const [name, options] of [
    ['a pipe', {}],
    ['a terminal that can do nothing', { terminal: true, environment: { TERM: 'dumb' } }],
  ] as const) {
    it(`expects a terminal, not ${name}`, async (t) => {
      const ran = await cli(await used(t), ['stats', '--watch'], options);
      assert.equal(ran.code, 2);
      assert.equal(ran.stdout, '');
      assert.match(ran.stderr, /^vyre-cache: expected a terminal for --watch, got another output\n/);
    });
  }

  it('ends by the signal when Ctrl-C is typed', async (t) => {
    const place = await used(t);
    const command = shellLine([...SOURCES, 'stats', '--watch']);
    // `script` gives it a terminal, and tells how it ended: 128 and the signal's number.
    const child = spawn('script', ['-qfec', `exec ${command}`, '/dev/null'], {
      cwd: place.work,
      env: { ...place.environment, TERM: 'xterm', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    let shown = '';
    child.stdout.on('data', (chunk: Buffer) => {
      shown += chunk.toString('utf8');
    });
    await eventually('the figures are shown', () => shown.includes('Ctrl-C ends'));
    child.stdin.write('\u0003');
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 130);
    assert.match(shown, /50% hits, /);
    assert.doesNotMatch(shown, /vyre-cache: /);
  });
});

describe('the figures of a varied day', () => {
  it('add up: hits and misses, their outcomes, and the reasons one by one', async (t) => {
    const bench = Workbench.make(t);
    const system = systemHost();
    bench.write('a.txt', 'abc');
    bench.script('copier', 'cat "$1" > "$2"');
    bench.script('failing', 'exit 3');
    bench.script('slow', 'echo $$ >> started\nwhile [ ! -e go ]; do sleep 0.02; done\ncat "$1" > "$2"');
    const request = (program: string, more = {}) =>
      bench.request({
        inputs: ['a.txt'],
        outputs: ['b.txt'],
        command: [program, '{input}', '{output}'],
        ...more,
      });

    const cache = bench.open();
    const first = await cache.compile(request('./copier'));
    await cache.compile(request('./copier'));
    await cache.compile(request('./copier'));
    await cache.compile(request('./copier', { keys: ['other'] }));
    await cache.compile(request('./copier'), { refresh: true });
    await cache.compile(request('./copier'), { noCache: true });
    await cache.compile(request('./failing'));
    await cache.get('f'.repeat(64));
    await cache.get(first.fingerprint ?? assert.fail());
    await cache.close();

    writeFileSync(bench.entryPath(first.fingerprint ?? ''), 'x'.repeat(40));
    const second = bench.open();
    assert.equal((await second.compile(request('./copier'))).outcome, 'recompiled');
    await second.close();

    const small = bench.open({ maxPayloadBytes: 2 });
    await small.compile(request('./copier', { keys: ['too large'] }));
    await small.close();

    // Two that have nothing in common but the home: one of them waits for the other.
    let waiting = false;
    const clock = {
      ...system.clock,
      sleep: async (ms: number): Promise<void> => {
        waiting = true;
        await system.clock.sleep(ms);
      },
    };
    const owner = bench.open();
    const waiter = bench.open({ host: fakeHost({ clock }) });
    const owned = owner.compile(request('./slow'));
    await eventually('the compiler runs', () => bench.lines('started') === 1);
    const waited = waiter.compile(request('./slow', { outputs: ['c.txt'] }), {});
    const same = waiter.compile(request('./slow'));
    await eventually('the other one waits', () => waiting);
    bench.write('go', '');
    await Promise.all([owned, waited, same]);
    await owner.close();
    await waiter.close();

    const { counters } = await bench.open().stats();
    const count = (name: CounterName): number => counters?.values.get(name) ?? 0;
    const sum = (names: readonly CounterName[]): number =>
      names.reduce((total, name) => total + count(name), 0);
    const outcomes = (hits: boolean): number =>
      sum(
        OUTCOMES.filter((outcome) => isHit(outcome) === hits).map((outcome) => `outcome:${outcome}` as const),
      );
    const gets = 1;
    assert.equal(count('lookups'), 13);
    assert.equal(count('hits') + count('misses'), count('lookups'));
    assert.equal(outcomes(true), count('hits'));
    assert.equal(outcomes(false) + gets, count('misses'));
    assert.equal(sum(MISS_REASONS.map((reason) => `missReason:${reason}` as const)), count('misses'));
    assert.ok(count('waits') >= 1);
    for (const reason of ['empty-cache', 'absent', 'refresh', 'bad-checksum'] as const) {
      assert.ok(count(`missReason:${reason}`) >= 1, reason);
    }
    for (const outcome of ['memory', 'disk', 'compiled', 'recompiled', 'failed'] as const) {
      assert.ok(count(`outcome:${outcome}`) >= 1, outcome);
    }
    assert.equal(count('rejectedPuts'), 1);
  });
});
