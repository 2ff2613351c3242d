import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { noLocks } from '../../src/host/locks.js';
import { systemHost } from '../../src/host/host.js';
import { eventually } from '../support/eventually.js';
import { EXECUTABLE } from '../support/program.js';
import { GATE, hasLockOpen } from '../support/gate.js';
import { mountNamespace } from '../support/mount-namespace.js';
import { compiledJob, Workbench, type Ended, type RunOptions } from '../support/workbench.js';

/** Prints on both streams, so that every word of ours shows beside it. */
const SCRIPT = 'echo run >> runs\necho to stdout\necho to stderr >&2\ncp "$1" "$2"';
const IDENTITY = ['--compiler-version', 'echo 1'] as const;
const TOOL = ['--', './tool', '{input}', '{output}'] as const;
const CALL = [...IDENTITY, '--relocatable', 'in.txt', '-o', 'out.txt', ...TOOL] as const;
/** At the real places. */
const CALL_IN_PLACE = [...IDENTITY, 'in.txt', '-o', 'out.txt', ...TOOL] as const;

function prepare(t: TestContext, script = SCRIPT): Workbench {
  const bench = Workbench.make(t);
  bench.write('in.txt', 'abc');
  bench.script('tool', script);
  return bench;
}

/** Runs a call of ours; in a namespace with other mounts if `around` says so. */
type Around = (commandLine: string) => readonly string[];

async function run(
  bench: Workbench,
  words: readonly string[],
  how: { around?: Around; options?: RunOptions },
): Promise<Ended> {
  if (how.around === undefined) return bench.run(words, how.options);
  const [program = '', ...args] = how.around(bench.commandLine(words));
  return bench.spawn(program, args, how.options).ended;
}

function assertBuilt(bench: Workbench, ended: Ended, exitCode = 0): readonly string[] {
  const stderr = ended.stderr.toString('utf8');
  assert.equal(ended.status, exitCode, stderr);
  assert.equal(ended.stdout.toString('utf8'), 'to stdout\n');
  assert.equal(bench.text('out.txt'), 'abc');
  rmSync(bench.path('out.txt'));
  const lines = stderr.split('\n').slice(0, -1);
  assert.ok(lines.includes('to stderr'), stderr);
  return lines.filter((line) => line !== 'to stderr');
}

/**
 * Expects that the compiler runs each time as if we were not there, that one line says why, and that it is counted.
 */
async function degrades(
  bench: Workbench,
  expected: { readonly reason: string; readonly line: RegExp },
  how: { around?: Around; options?: RunOptions } = {},
): Promise<void> {
  for (const call of [CALL, CALL_IN_PLACE]) {
    const lines = assertBuilt(bench, await run(bench, ['compile', ...call], how));
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0] ?? '', expected.line);
  }
  assertBuilt(bench, await run(bench, ['compile', '--strict', ...CALL], how), 3);
  assert.equal(bench.lines('runs'), 3);
  const root = how.options?.environment?.['VYRE_CACHE_DIR'] ?? bench.root;
  const { counters, trouble } = await bench.open({ root }).stats();
  assert.deepEqual(
    counters?.values,
    new Map([
      ['degraded', 3],
      [`degraded:${expected.reason}`, 3],
    ]),
  );
  assert.deepEqual(
    trouble.map(({ kind, count }) => [kind, count]),
    [[expected.reason, 3]],
  );
  // What fails by itself keeps its status.
  bench.script('tool', 'echo to stderr >&2\nexit 5');
  const failed = await run(bench, ['compile', '-q', ...CALL], how);
  assert.equal(failed.status, 5);
  assert.equal(failed.stderr.toString('utf8'), 'to stderr\n');
}

/** Names and sizes of everything below a folder. */
function listing(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => `${name} ${statSync(join(folder, name)).size}`)
    .toSorted();
}

describe('a home that cannot be used does not keep the compiler from running', () => {
  it('when it is a file', async (t) => {
    const bench = prepare(t);
    writeFileSync(bench.root, 'a file');
    await degrades(bench, {
      reason: 'home-not-a-directory',
      line: /expected a directory at ".*\/vyre", found a file/,
    });
    assert.equal(readFileSync(bench.root, 'utf8'), 'a file');
  });

  it('when a file lies in the middle of its path', async (t) => {
    const bench = prepare(t);
    writeFileSync(bench.root, 'a file');
    const environment = { VYRE_CACHE_DIR: join(bench.root, 'deeper', 'cache') };
    const line = /expected a directory at ".*\/deeper\/cache", found a file/;
    await degrades(bench, { reason: 'home-not-a-directory', line }, { options: { environment } });
  });

  it('when it belongs to somebody else', async (t) => {
    if (process.geteuid?.() !== 0) {
      t.skip('needs root, to give a folder away');
      return;
    }
    const bench = prepare(t);
    mkdirSync(bench.root, { mode: 0o700 });
    chownSync(bench.root, 12_345, 12_345);
    await degrades(bench, { reason: 'home-owner', line: /belongs to user 12345, not to 0/ });
    assert.deepEqual(bench.topLevel(), []);
  });

  for (const [what, mode] of [
    ['everybody', 0o777],
    ['its group', 0o770],
  ] as const) {
    it(`when ${what} may write to it`, async (t) => {
      const bench = prepare(t);
      mkdirSync(bench.root);
      chmodSync(bench.root, mode);
      await degrades(bench, { reason: 'home-mode', line: /others may write to ".*" \(mode 77[07]\)/ });
      assert.deepEqual(bench.topLevel(), []);
    });
  }

  it('when others may write to its entries', async (t) => {
    const bench = prepare(t);
    await bench.run(['compile', '--key', 'first', ...CALL]);
    rmSync(bench.path('runs'));
    rmSync(join(bench.root, '.vyre-cache', 'counters'));
    chmodSync(join(bench.root, 'pipelines'), 0o777);
    await degrades(bench, { reason: 'home-mode', line: /others may write to ".*pipelines" \(mode 777\)/ });
    assert.equal(bench.entries().length, 1);
  });

  it('when it is a folder full of something else, which is left as it is', async (t) => {
    const bench = prepare(t);
    mkdirSync(join(bench.root, 'photos'), { recursive: true });
    writeFileSync(join(bench.root, 'photos', 'cat.jpg'), 'meow');
    const before = listing(bench.root);
    await degrades(bench, { reason: 'home-foreign', line: /holds files that are not ours/ });
    assert.deepEqual(listing(bench.root), before);
  });

  it('when it was made by a newer version, which is left as it is', async (t) => {
    const bench = prepare(t);
    const marker = join(bench.root, '.vyre-cache', 'home.json');
    mkdirSync(dirname(marker), { recursive: true, mode: 0o700 });
    writeFileSync(marker, '{"schema":"vyre-cache.home/2"}\n');
    const before = listing(bench.root);
    await degrades(bench, { reason: 'home-newer-format', line: /was written by a newer version/ });
    assert.deepEqual(listing(bench.root), before);
  });

  it('and `stats` tells of it, whatever lies there', async (t) => {
    const bench = prepare(t);
    for (const make of [
      () => writeFileSync(bench.root, 'a file'),
      () => writeFileSync(join(bench.root, 'cat.jpg'), ''),
    ]) {
      make();
      await bench.run(['compile', ...CALL]);
      const { counters } = await bench.stats();
      assert.ok((counters?.degraded ?? 0) > 0);
      rmSync(bench.root, { recursive: true });
      mkdirSync(bench.root);
    }
  });

  it('when nothing can be made in the folder where it would lie', async (t) => {
    const prefix = mountNamespace(t);
    if (prefix === null) return;
    const bench = prepare(t);
    const around: Around = (line) => [
      ...prefix,
      `mount --bind '${bench.cacheHome}' '${bench.cacheHome}'; mount -o remount,ro,bind '${bench.cacheHome}'; ${line}`,
    ];
    await degrades(bench, { reason: 'home-unwritable', line: /cannot be written \(EROFS\)/ }, { around });
  });

  it('when it may only be read; but what it has is a hit', async (t) => {
    const prefix = mountNamespace(t);
    if (prefix === null) return;
    const bench = prepare(t);
    assert.deepEqual(assertBuilt(bench, await bench.run(['compile', '--key', 'first', ...CALL])), []);
    assert.equal(bench.lines('runs'), 1);
    const around: Around = (line) => [
      ...prefix,
      `mount --bind '${bench.root}' '${bench.root}'; mount -o remount,ro,bind '${bench.root}'; ${line}`,
    ];
    const hit = await run(bench, ['compile', '--key', 'first', ...CALL], { around });
    assert.deepEqual(assertBuilt(bench, hit), []);
    assert.equal(bench.lines('runs'), 1);

    rmSync(bench.path('runs'));
    rmSync(join(bench.root, '.vyre-cache', 'counters'));
    rmSync(bench.stateHome, { recursive: true });
    await degrades(bench, { reason: 'home-unwritable', line: /cannot be (?:written|opened)/ }, { around });
  });

  it('when its file system is full', async (t) => {
    const prefix = mountNamespace(t);
    if (prefix === null) return;
    const bench = prepare(t);
    mkdirSync(bench.root, { mode: 0o700 });
    const fill = `head -c 1000000 /dev/zero > '${bench.root}/pipeline' 2> /dev/null || true`;
    const around: Around = (line) => [
      ...prefix,
      `mount -t tmpfs -o size=64k,mode=700 tmpfs '${bench.root}'; mkdir '${bench.root}/aot'; ${fill}; ${line}`,
    ];
    const lines = assertBuilt(bench, await run(bench, ['compile', ...CALL], { around }));
    assert.equal(lines.length, 1, lines.join('\n'));
    assertBuilt(bench, await run(bench, ['compile', '--strict', ...CALL], { around }), 3);
  });

  it('whatever space is left when it becomes full', async (t) => {
    const prefix = mountNamespace(t);
    if (prefix === null) return;
    const bench = prepare(t);
    bench.write('in.txt', Buffer.alloc(20_000, 'abc'));
    mkdirSync(bench.root, { mode: 0o700 });
    for (let kilobytes = 4; kilobytes <= 116; kilobytes += 8) {
      const around: Around = (line) => [
        ...prefix,
        `mount -t tmpfs -o size=${kilobytes}k,mode=700 tmpfs '${bench.root}'; ${line}`,
      ];
      for (const call of [CALL, CALL_IN_PLACE]) {
        const ended = await run(bench, ['compile', '-q', ...call], { around });
        const what = `with ${kilobytes} KiB: ${ended.stderr.toString('utf8')}`;
        assert.equal(ended.status, 0, what);
        assert.equal(ended.stdout.toString('utf8'), 'to stdout\n', what);
        assert.equal(ended.stderr.toString('utf8'), 'to stderr\n', what);
        assert.ok(bench.read('out.txt').equals(bench.read('in.txt')), what);
        rmSync(bench.path('out.txt'));
      }
    }
  });
});

describe('without a home of the user', () => {
  it('the XDG folder is enough, and nothing else is written', async (t) => {
    const bench = prepare(t);
    const environment = { HOME: undefined, XDG_STATE_HOME: undefined };
    for (const outcome of ['compiled', 'disk']) {
      assert.equal((await bench.compile(CALL, { environment })).outcome, outcome);
    }
    assert.equal(bench.lines('runs'), 1);
    assert.deepEqual(readdirSync(bench.folder).toSorted(), ['cache', 'home', 'project', 'state']);
  });

  it('and without a folder for caches the call is refused, and nothing is made anywhere', async (t) => {
    const bench = prepare(t);
    const environment = { HOME: undefined, XDG_CACHE_HOME: undefined, XDG_STATE_HOME: undefined };
    const before = listing(bench.folder);
    const ended = await bench.run(['compile', ...CALL], { environment });
    assert.equal(ended.status, 2);
    assert.match(ended.stderr.toString('utf8'), /HOME and XDG_CACHE_HOME are not set/);
    assert.deepEqual(listing(bench.folder), before);
  });
});

describe('without the lock addon', () => {
  it('compilations are cached, and tasks of one process join', async (t) => {
    const bench = prepare(t);
    const cache = bench.open({ host: { ...systemHost(), locks: noLocks } });
    const request = bench.request({
      inputs: ['in.txt'],
      outputs: ['out.txt'],
      command: ['./tool', '{input}', '{output}'],
    });
    const results = await Promise.all([cache.compile(request), cache.compile(request)]);
    assert.deepEqual(results.map((result) => String(result.outcome)).toSorted(), ['compiled', 'joined']);
    assert.equal((await cache.compile(request)).outcome, 'disk');
    assert.equal((await cache.compile(request)).outcome, 'memory');
    assert.equal(bench.lines('runs'), 1);
    await cache.close();
    assert.equal(await bench.verified(), 1);
    assert.deepEqual(bench.workers(), []);
  });

  it('a miss says in one line what is missing, and a hit says nothing', async (t) => {
    if (EXECUTABLE !== null) {
      t.skip('the executable has no addon that could be missing');
      return;
    }
    const bench = prepare(t);
    const hook = bench.write(
      'hook.cjs',
      `const Module = require('node:module');
      const resolve = Module._resolveFilename;
      Module._resolveFilename = function (name, ...rest) {
        if (name.startsWith('fs-native-extensions')) throw Object.assign(new Error(name), { code: 'MODULE_NOT_FOUND' });
        return resolve.call(this, name, ...rest);
      };
      const open = process.dlopen;
      process.dlopen = function (module, file, ...rest) {
        if (file.includes('fs-native-extensions')) throw new Error(file);
        return open.call(this, module, file, ...rest);
      };`,
    );
    const environment = { NODE_OPTIONS: `--require=${hook}` };
    const missed = assertBuilt(bench, await bench.run(['compile', ...CALL], { environment }));
    assert.equal(missed.length, 1, missed.join('\n'));
    assert.match(missed[0] ?? '', /^vyre-cache: .*"fs-native-extensions" is not installed$/);
    assert.deepEqual(assertBuilt(bench, await bench.run(['compile', ...CALL], { environment })), []);
    assert.equal(bench.lines('runs'), 1);
  });

  it('a compilation whose owner holds no lock is left alone while it lives', async (t) => {
    const bench = prepare(t);
    const cache = bench.open({ host: { ...systemHost(), locks: noLocks } });
    const command = ['./tool', '{input}', '{output}'];
    const compile = async (): Promise<unknown> =>
      cache.compile(bench.request({ inputs: ['in.txt'], outputs: ['out.txt'], command, relocatable: true }));
    bench.script('tool', `${GATE}\ncp "$1" "$2"`);
    const compiling = compile();
    await eventually('it compiles', () => bench.lines('started') === 1);
    // Its owner was never locked, but lives: nobody may take it away.
    assert.equal(
      (await bench.compile(['in.txt', '-o', 'other.txt', '--', 'cp', '{input}', '{output}'])).outcome,
      'compiled',
    );
    assert.equal(bench.workers().length, 1);
    bench.write('go', '');
    await compiling;
    await cache.close();
    assert.equal(bench.text('out.txt'), 'abc');
    assert.deepEqual(bench.workers(), []);
  });
});

const PARTS = [
  'pipelines',
  'CACHEDIR.TAG',
  '.vyre-cache',
  '.vyre-cache/home.json',
  '.vyre-cache/lock',
  '.vyre-cache/new',
  '.vyre-cache/requests',
  '.vyre-cache/deps',
  '.vyre-cache/counters',
  '.vyre-cache/pending',
  '.vyre-cache/stamps',
  '.vyre-cache/events',
] as const;

describe('a part of the home that was deleted', () => {
  for (const part of PARTS) {
    it(`costs at most a compilation: ${part}`, async (t) => {
      const bench = prepare(t);
      await bench.compile(['--key', 'first', ...CALL]);
      rmSync(join(bench.root, part), { recursive: true, force: true });
      const again = await bench.compile(['--key', 'first', ...CALL]);
      assert.equal(again.exitCode, 0);
      assert.equal(again.stderr, 'to stdout\nto stderr\n');
      assert.ok(
        again.outcome === 'disk' || (part === 'pipelines' && again.outcome === 'compiled'),
        `${again.outcome}`,
      );
      const other = await bench.compile(['--key', 'second', ...CALL]);
      assert.deepEqual([other.outcome, other.notStored], ['compiled', null]);
      assert.equal((await bench.compile(['--key', 'second', ...CALL])).outcome, 'disk');
      assert.deepEqual((await bench.stats()).trouble, []);
      assert.equal(await bench.verified(), 2);
      assert.deepEqual(bench.workers(), []);
    });
  }

  it('is no wrong byte either: what the compiler read, with gone or damaged lists', async (t) => {
    const bench = prepare(t, 'echo "out.txt: $(pwd)/dep.txt" > "$3"\ncat "$1" dep.txt > "$2"');
    const call = [...CALL, '{depfile}'];
    for (const damage of ['', 'garbage', '{}']) {
      bench.write('dep.txt', `one ${damage}`);
      assert.equal((await bench.compile(call)).outcome, 'compiled');
      const folder = join(bench.root, '.vyre-cache', 'deps');
      for (const name of readdirSync(folder)) writeFileSync(join(folder, name), damage);
      bench.write('dep.txt', `two ${damage}`);
      assert.equal((await bench.compile(call)).exitCode, 0);
      assert.equal(bench.text('out.txt'), `abctwo ${damage}`);
      assert.equal((await bench.compile(call)).outcome, 'disk');
    }
  });
});

describe('something else in the place of a part of the home', () => {
  for (const part of PARTS.filter((name) => name !== 'CACHEDIR.TAG')) {
    it(`does not keep the compiler from running: ${part}`, async (t) => {
      const bench = prepare(t);
      await bench.compile(['--key', 'first', ...CALL]);
      const path = join(bench.root, part);
      const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
      rmSync(path, { recursive: true, force: true });
      if (isFolder) writeFileSync(path, 'a file');
      else mkdirSync(path);
      for (const key of ['first', 'second']) {
        rmSync(bench.path('out.txt'), { force: true });
        const job = await bench.compile(['--key', key, ...CALL]);
        assert.equal(job.exitCode, 0);
        assert.equal(bench.text('out.txt'), 'abc');
        const ours = job.stderr.split('\n').filter((line) => line.startsWith('vyre-cache:'));
        assert.ok(ours.length <= 1, job.stderr);
      }
      // Private state may be deleted at any time, so a folder of ours is made again; everything else stays.
      const heals = isFolder && part.startsWith('.vyre-cache/');
      const there = statSync(path);
      assert.equal(isFolder && !heals ? there.isFile() : there.isDirectory(), true, part);
    });
  }
});

describe('a home that is deleted while the compiler runs', () => {
  for (const [where, call] of [
    ['in the worker directory', CALL],
    ['at the real places', CALL_IN_PLACE],
  ] as const) {
    it(`does not break the build, with outputs ${where}`, async (t) => {
      const bench = prepare(t, `[ -e gone ] || rm -rf "$CACHE_ROOT"\ntouch gone\n${SCRIPT}`);
      const job = await bench.compile(['--env', `CACHE_ROOT=${bench.root}`, ...call]);
      assert.equal(job.exitCode, 0, job.stderr);
      assert.equal(bench.text('out.txt'), 'abc');
      const again = await bench.compile(['--env', `CACHE_ROOT=${bench.root}`, ...call]);
      assert.equal(again.exitCode, 0);
      assert.equal(await bench.verified(), 1);
    });
  }

  it('does not break the build of one that waits', async (t) => {
    const bench = prepare(t, `${GATE}\n${SCRIPT}`);
    const start = (): ReturnType<Workbench['start']> => bench.start(['compile', '--json', ...CALL]);
    const holder = start();
    await eventually('one compiles', () => bench.lines('started') === 1);
    const waiter = start();
    await eventually('the other one waits', () => hasLockOpen(bench, waiter.pid));
    rmSync(join(bench.root, '.vyre-cache'), { recursive: true });
    bench.write('go', '');
    for (const running of [holder, waiter]) {
      const job = compiledJob(await running.ended);
      assert.equal(job.exitCode, 0, job.stderr);
    }
    assert.equal(bench.text('out.txt'), 'abc');
    assert.equal((await bench.compile(CALL)).exitCode, 0);
  });
});
