import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BenchResult, Comparison, RowResult } from '../../bench/results.js';
import { mountNamespace } from '../support/mount-namespace.js';
import { Standalone } from '../support/standalone.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { findTool, has, SEARCH_PATH } from '../support/tools.js';

const ROOT = join(import.meta.dirname, '../..');
const TSX = fileURLToPath(import.meta.resolve('tsx'));
const BENCH = ['--import', TSX, join(ROOT, 'bench', 'run.ts')] as const;

/** Where a bench works; whoever takes it has to leave it empty. */
interface Place {
  readonly folder: string;
  readonly json: string;
  readonly env: Readonly<Record<string, string>>;
}

function placeOf(t: TestContext, searchPath = SEARCH_PATH): Place {
  const outside = temporaryFolder(t);
  const folder = join(outside, 'data');
  mkdirSync(folder);
  return { folder, json: join(outside, 'result.json'), env: { PATH: searchPath, HOME: outside } };
}

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run({ folder, json, env }: Place, ...args: readonly string[]): Run {
  const words = [...BENCH, '--folder', folder, '--json', json, ...args];
  return spawnSync(process.execPath, words, { env, encoding: 'utf8', cwd: ROOT });
}

function resultOf({ json }: Place): BenchResult {
  const result: BenchResult = JSON.parse(readFileSync(json, 'utf8'));
  return result;
}

function rowOf(place: Place, id: RowResult['id']): RowResult {
  const found = resultOf(place).rows.find((row) => row.id === id);
  assert.ok(found !== undefined, `expected the row ${id}`);
  return found;
}

/** Programs whose working directory lies in a folder. */
function programsIn(folder: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
    } catch {
      // It has ended, or belongs to another user.
      return false;
    }
  });
}

function assertNothingLeft({ folder }: Place): void {
  assert.deepEqual(readdirSync(folder), []);
  assert.deepEqual(programsIn(folder), []);
}

/** A search path with these programs alone. */
function pathWith(t: TestContext, ...names: readonly string[]): string {
  const folder = temporaryFolder(t);
  for (const name of names) symlinkSync(findTool(name) ?? `/usr/bin/${name}`, join(folder, name));
  return folder;
}

describe('the bench', () => {
  test('measures ours and a real peer in turns, tells the machine, and leaves nothing behind', (t) => {
    if (!has(t, 'b3sum')) return;
    const place = placeOf(t);
    const { status, stdout, stderr } = run(
      place,
      '--only',
      'verify-small',
      '--scale',
      '0.0005',
      '--rounds',
      '2',
    );
    assert.equal(status, 0, stderr);
    const row = rowOf(place, 'verify-small');
    assert.ok(row.kind === 'timed');
    assert.equal(row.title, 'verify, 50 entries of 4 KiB');
    assert.equal(row.seconds.samples.length, 2);
    // Node itself occupies more than 30 MiB.
    assert.ok(row.peakBytes !== null && row.peakBytes > 31_457_280);
    const [b3sum] = row.comparisons;
    assert.deepEqual([b3sum?.bound, b3sum?.seconds.samples.length], [0.6, 2]);
    const { machine, omitted } = resultOf(place);
    assert.deepEqual(omitted, []);
    assert.equal(machine.node, process.version);
    assert.ok('b3sum' in machine.peers);
    assert.ok(stdout.includes('verify, 50 entries of 4 KiB'));
    assertNothingLeft(place);
  });

  test('measures floors beside the others, against the rival with the bound', (t) => {
    if (!has(t, 'gcc')) return;
    const place = placeOf(t, pathWith(t, 'sh', 'gcc', 'as', 'ld', 'node', 'find', 'xargs'));
    const ids = ['batch-hits', 'hit-node', 'hit-get', 'batch-miss', 'stats', 'prune'] as const;
    const { status, stderr } = run(place, '--only', ids.join(','), '--scale', '0.001', '--rounds', '2');
    assert.equal(status, 0, stderr);
    const omitted = resultOf(place).omitted.map(({ rival }) => rival);
    for (const id of ids) {
      const row = rowOf(place, id);
      assert.ok(row.kind === 'timed');
      const expected = id === 'batch-hits' ? 2 : 1;
      const missing = omitted.filter((name) => name?.startsWith('least'));
      assert.ok(row.floors.length === expected || missing.length > 0, `expected ${expected} floors of ${id}`);
      for (const { seconds, against } of row.floors) {
        assert.equal(seconds.samples.length, 2);
        const bounded: Comparison | undefined = row.comparisons.find(({ bound }) => bound !== null);
        assert.deepEqual([against?.rival, against?.seconds], [bounded?.rival, bounded?.seconds]);
      }
    }
    assertNothingLeft(place);
  });

  test('counts the compilations for callers of one key', (t) => {
    if (!has(t, 'gcc')) return;
    const place = placeOf(t, pathWith(t, 'sh', 'gcc', 'as', 'ld', 'sleep', 'node', 'env'));
    const { status, stderr } = run(place, '--only', 'herd', '--rounds', '1');
    assert.equal(status, 0, stderr);
    const row = rowOf(place, 'herd');
    assert.deepEqual(row.kind === 'figure' && [row.value, row.met], [1, true]);
    assert.deepEqual(resultOf(place).omitted, [
      { id: 'herd', rival: 'ccache', reason: 'not installed: ccache (Debian package ccache)', failed: false },
    ]);
    assertNothingLeft(place);
  });

  test('measures growth and draws it', (t) => {
    if (!has(t, 'gcc')) return;
    const place = placeOf(t);
    const plot = join(place.env['HOME'] ?? '', 'growth.svg');
    const { status, stderr } = run(place, '--growth', '--scale', '0.001', '--rounds', '1', '--plot', plot);
    assert.equal(status, 0, stderr);
    assert.deepEqual([...new Set(resultOf(place).growth.map(({ entries }) => entries))], [1, 10, 100, 1000]);
    assert.match(readFileSync(plot, 'utf8'), /^<svg [\s\S]*>1,000<[\s\S]*<\/svg>\n$/);
    assertNothingLeft(place);
  });

  test('goes on without its peers, and names them with their packages', (t) => {
    const place = placeOf(t, pathWith(t, 'sh', 'node'));
    const rows = 'verify-small,batch-miss,hit-standalone';
    const { status, stdout, stderr } = run(place, '--only', rows, '--scale', '0.0001', '--rounds', '1');
    assert.equal(status, 0, stderr);
    assert.deepEqual(
      resultOf(place).rows.map(({ id }) => id),
      ['verify-small'],
    );
    for (const words of [
      'Left out: verify-small, find | xargs b3sum: not installed: b3sum (Debian package b3sum), find (Debian package findutils)',
      'Left out: batch-miss: not installed: gcc (Debian package gcc)',
      'Left out: hit-standalone: not installed: gcc (Debian package gcc)',
    ])
      assert.ok(stdout.includes(words), `expected "${words}" in\n${stdout}`);
    assertNothingLeft(place);
  });

  test('runs an executable against those caches that are installed, and ends the server that it started', (t) => {
    if (!has(t, 'gcc')) return;
    const standalone = new Standalone(t).path(t);
    if (standalone === null) return;
    const place = placeOf(t);
    const { status, stderr } = run(
      place,
      '--only',
      'hit-standalone',
      '--rounds',
      '1',
      '--standalone',
      standalone,
    );
    assert.equal(status, 0, stderr);
    const row = rowOf(place, 'hit-standalone');
    assert.ok(row.kind === 'timed');
    const missing = resultOf(place).omitted.map(({ rival }) => rival);
    assert.deepEqual(
      new Set([
        ...row.comparisons.map(({ rival }) => rival),
        ...row.floors.map(({ floor }) => floor),
        ...missing,
      ]),
      new Set(['ccache', 'sccache, its server running', 'least under Bun', 'an empty program under Bun']),
    );
    assertNothingLeft(place);
  });

  test('names the standalone executable where there is none', (t) => {
    if (!has(t, 'gcc')) return;
    const place = placeOf(t);
    const { status, stdout } = run(
      place,
      '--only',
      'hit-standalone',
      '--standalone',
      join(place.folder, 'absent'),
    );
    assert.equal(status, 0);
    assert.match(stdout, /^Left out: hit-standalone: no standalone executable at ".*absent"$/m);
    assertNothingLeft(place);
  });

  for (const [moment, row, args, signal] of [
    ['stats: making the data', 'stats', ['--scale', '1'], 'SIGINT'],
    ['stats: round 1', 'stats', ['--scale', '0.01', '--rounds', '1000'], 'SIGTERM'],
    ['batch-miss: warming up', 'batch-miss', ['--scale', '1'], 'SIGINT'],
  ] as const)
    test(`stopped by ${signal} at "${moment}": nothing is left, and it ends by that signal`, async (t) => {
      if (!has(t, 'gcc')) return;
      const place = placeOf(t);
      const words = [...BENCH, '--folder', place.folder, '--json', place.json, '--only', row, ...args];
      const child = spawn(process.execPath, words, {
        env: place.env,
        cwd: ROOT,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const ended = once(child, 'exit');
      for await (const line of createInterface({ input: child.stderr })) {
        if (!line.includes(moment)) continue;
        child.kill(signal);
        break;
      }
      child.stderr.resume();
      assert.deepEqual(await ended, [null, signal]);
      assert.equal(existsSync(place.json), false);
      assertNothingLeft(place);
    });

  test('Ctrl-C in a terminal reaches npm and the bench at once: nothing is left either', async (t) => {
    const place = placeOf(t);
    const words = [
      'run',
      '--silent',
      'bench',
      '--',
      '--folder',
      place.folder,
      '--only',
      'stats',
      '--scale',
      '0.1',
    ];
    const npm = spawn('npm', words, {
      env: place.env,
      cwd: ROOT,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = once(npm, 'close');
    for await (const line of createInterface({ input: npm.stderr })) {
      if (!line.includes('stats: warming up') || npm.pid === undefined) continue;
      process.kill(-npm.pid, 'SIGINT');
      break;
    }
    npm.stderr.resume();
    // Its stderr is that of the bench, too: it closes when both have ended.
    await ended;
    assertNothingLeft(place);
  });

  for (const [what, mountOptions, message] of [
    ['too little space', 'size=1m', /expected \d+ MiB of free space in ".*", found 1 MiB/],
    ['a disk that fills up on the way', 'size=64m,nr_inodes=100', /ENOSPC/],
  ] as const)
    test(`with ${what}: says so and leaves nothing behind`, (t) => {
      const namespace = mountNamespace(t);
      if (namespace === null) return;
      const { folder, env } = placeOf(t);
      const words = ['--folder', folder, '--only', 'stats', '--scale', '0.005'];
      const script = [
        'mount -t tmpfs -o "$1" tmpfs "$2"',
        'shift 2; status=0; "$@" || status=$?',
        `echo "left: $(ls -A '${folder}')"; exit $status`,
      ].join('\n');
      const [program, ...rest] = namespace;
      const bench = [script, 'sh', mountOptions, folder, process.execPath, ...BENCH, ...words];
      const ended = spawnSync(program ?? '', [...rest, ...bench], { env, encoding: 'utf8', cwd: ROOT });
      assert.equal(ended.status, 3, ended.stderr);
      assert.match(ended.stdout, /^Failed: stats: .*\n(?:.*\n)*left: \n$/m);
      assert.match(ended.stderr, message);
    });

  test('mistakes on the command line are told in a line, with exit code 2', (t) => {
    const place = placeOf(t);
    const { status, stderr } = run(place, '--only', 'nothing');
    assert.equal(status, 2);
    assert.match(stderr, /^bench: expected rows of verify-small, .*, got "nothing"\n$/);
    assertNothingLeft(place);
  });
});
