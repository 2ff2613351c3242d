import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.js';
import { GATE, hasLockOpen, isAlive } from '../support/gate.js';
import { Workbench, type Running } from '../support/workbench.js';

/** What a bench has whose compiler is the script `tool`. */
function withTool(t: TestContext, script: string): Workbench {
  const bench = Workbench.make(t);
  bench.write('in.txt', 'abc');
  bench.script('tool', script);
  return bench;
}

const IDENTITY = ['--compiler-version', 'echo 1'] as const;
/** Outputs are made in the worker directory; without it at their real places. */
const IN_WORKER = [...IDENTITY, '--relocatable'] as const;
const TOOL = ['--', './tool', '{input}', '{output}'] as const;
const CALL = [...IN_WORKER, 'in.txt', '-o', 'out.txt', ...TOOL] as const;

/** A child in the group, and one that has left it; both write where they are. */
const FAMILY = [
  "sh -c 'echo $$ >> family; while :; do sleep 0.1; done' &",
  "setsid sh -c 'echo $$ >> family; while :; do sleep 0.1; done' > /dev/null 2>&1 &",
  'while [ "$(wc -l < family)" != 2 ]; do sleep 0.02; done',
].join('\n');

function family(bench: Workbench): readonly number[] {
  return bench.text('family').trim().split('\n').map(Number);
}

function assertNothingStays(bench: Workbench): void {
  assert.deepEqual(bench.processes(), []);
  assert.deepEqual(bench.workers(), []);
  assert.deepEqual(bench.entries(), []);
}

describe('a limit ends the compiler with all its children', () => {
  for (const [where, flags] of [
    ['in the worker directory', IN_WORKER],
    ['at the real places', IDENTITY],
  ] as const) {
    it(`of time, status 124, ${where}`, async (t) => {
      const bench = withTool(t, `touch family\n${FAMILY}\necho started\nwhile :; do sleep 0.1; done`);
      const call = ['--timeout', '3s', ...flags, 'in.txt', '-o', 'out.txt', ...TOOL];
      const ended = await bench.run(['compile', ...call]);
      assert.equal(ended.status, 124);
      assert.equal(ended.stdout.toString('utf8'), 'started\n');
      assert.equal(family(bench).length, 2);
      assertNothingStays(bench);
    });
  }

  it('of memory, status 137', async (t) => {
    const grow =
      'awk \'BEGIN { s = "x"; while (length(s) < 300000000) s = s s; while (1) system("sleep 0.1") }\'';
    const bench = withTool(t, `touch family\n${FAMILY}\n${grow}`);
    const job = await bench.compile(['--memory', '100M', ...CALL]);
    assert.deepEqual([job.exitCode, job.outcome], [137, 'failed']);
    assertNothingStays(bench);
  });

  it('that is not reached changes nothing', async (t) => {
    const bench = withTool(t, 'cp "$1" "$2"');
    const job = await bench.compile(['--timeout', '1h', '--memory', '4G', ...CALL]);
    assert.deepEqual([job.exitCode, job.outcome], [0, 'compiled']);
    assert.equal((await bench.compile(CALL)).outcome, 'disk');
  });
});

describe('a compiler that ends by a signal', () => {
  for (const [signal, status] of [
    ['TERM', 143],
    ['KILL', 137],
    ['SEGV', 139],
  ] as const) {
    it(`SIG${signal} gives ${status} and is not stored`, async (t) => {
      const bench = withTool(t, `cp "$1" "$2"\necho last words >&2\nkill -${signal} $$`);
      const job = await bench.compile(CALL);
      assert.deepEqual([job.exitCode, job.outcome, job.stderr], [status, 'failed', 'last words\n']);
      assertNothingStays(bench);
    });
  }

  it('or fails, leaves what the bare command leaves', async (t) => {
    const bench = withTool(t, 'printf half > "$2"\nexit 7');
    for (const flags of [IN_WORKER, IDENTITY, [...IDENTITY, '--no-cache']]) {
      rmSync(bench.path('out.txt'), { force: true });
      const job = await bench.compile([...flags, 'in.txt', '-o', 'out.txt', ...TOOL]);
      assert.equal(job.exitCode, 7);
      assert.equal(bench.text('out.txt'), 'half');
    }
    assertNothingStays(bench);
  });
});

describe('a signal to vyre-cache', () => {
  const hang = `touch family\n${FAMILY}\necho ready >> ready\nwhile :; do sleep 0.1; done`;

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
    it(`${signal} ends the compiler and its children, cleans up, and ends it by the same signal`, async (t) => {
      const bench = withTool(t, hang);
      const running = bench.start(['compile', ...CALL]);
      await eventually('the compiler runs', () => bench.lines('ready') === 1);
      running.kill(signal);
      const ended = await running.ended;
      assert.deepEqual([ended.status, ended.signal], [null, signal]);
      assert.equal(ended.stderr.toString('utf8'), '');
      assertNothingStays(bench);
      assert.equal((await bench.stats()).counters?.lookups ?? 0, 0);
    });
  }

  it('ends a compiler that ignores it, too', async (t) => {
    const bench = withTool(t, `trap '' INT TERM HUP\n${hang}`);
    const running = bench.start(['compile', ...CALL]);
    await eventually('the compiler runs', () => bench.lines('ready') === 1);
    running.kill('SIGTERM');
    assert.equal((await running.ended).signal, 'SIGTERM');
    assertNothingStays(bench);
  });

  it('ends one that waits for another without running its compiler', async (t) => {
    const bench = withTool(t, `${GATE}\ncp "$1" "$2"`);
    const start = (): Running => bench.start(['compile', '--json', ...CALL]);
    const holder = start();
    await eventually('one compiles', () => bench.lines('started') === 1);
    const waiter = start();
    await eventually('the other one waits', () => hasLockOpen(bench, waiter.pid));
    waiter.kill('SIGTERM');
    assert.equal((await waiter.ended).signal, 'SIGTERM');
    assert.equal(bench.lines('started'), 1);
    assert.ok(isAlive(holder.pid));
    bench.write('go', '');
    assert.equal((await holder.ended).status, 0);
    assert.equal(bench.lines('started'), 1);
    assert.equal(bench.text('out.txt'), 'abc');
  });
});

describe('what the compiler prints is replayed byte by byte', () => {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const cases: readonly (readonly [string, Buffer, Buffer, boolean])[] = [
    ['nothing', Buffer.alloc(0), Buffer.alloc(0), true],
    ['every byte, no newline at the end', every, Buffer.concat([every, every.toReversed()]), true],
    ['only stderr', Buffer.alloc(0), Buffer.from('warning'), true],
    ['256 KiB together', Buffer.alloc(200_000, 'o'), Buffer.alloc(62_144, 'e'), true],
    ['256 KiB and one byte', Buffer.alloc(200_000, 'o'), Buffer.alloc(62_145, 'e'), false],
    ['1 MiB', Buffer.alloc(524_288, 'out'), Buffer.alloc(524_288, 'err'), false],
  ];
  for (const [name, stdout, stderr, stored] of cases) {
    it(`${name}, ${stored ? 'from the cache' : 'which is too much to be kept'}`, async (t) => {
      const bench = withTool(t, 'echo run >> runs\ncat stdout\ncat stderr >&2\ncp "$1" "$2"');
      bench.write('stdout', stdout);
      bench.write('stderr', stderr);
      for (let run = 0; run < 2; run += 1) {
        rmSync(bench.path('out.txt'), { force: true });
        const ended = await bench.run(['compile', ...CALL]);
        assert.equal(ended.status, 0);
        assert.ok(ended.stdout.equals(stdout), `stdout of run ${run}`);
        assert.ok(ended.stderr.equals(stderr), `stderr of run ${run}`);
        assert.equal(bench.text('out.txt'), 'abc');
      }
      assert.equal(bench.lines('runs'), stored ? 1 : 2);
      const job = await bench.compile(CALL);
      assert.equal(job.notStored, stored ? null : 'output-too-large');
    });
  }
});

describe('outputs', () => {
  const many = 'printf 1 > "$2"\nprintf 2 > "$3"\nprintf 3 > "$4"\nchmod +x "$3"';
  const names = ['x/same', 'y/same', 'y/other'] as const;

  for (const [where, flags] of [
    ['in the worker directory', IN_WORKER],
    ['at their real places', IDENTITY],
  ] as const) {
    it(`several with equal base names, modes by the umask, made ${where}`, async (t) => {
      const bench = withTool(t, many);
      const words = ['compile', '-v', ...flags, 'in.txt', ...names.flatMap((name) => ['-o', name]), ...TOOL];
      for (const outcome of ['compiled', 'hit']) {
        for (const [umask, plain, executable] of [
          ['022', 0o644, 0o755],
          ['027', 0o640, 0o750],
        ] as const) {
          for (const folder of ['x', 'y']) rmSync(bench.path(folder), { recursive: true, force: true });
          for (const name of names) bench.write(join(name, '../.keep'), '');
          const line = `umask ${umask}; exec ${bench.commandLine(words)}`;
          const ended = await bench.spawn('sh', ['-c', line]).ended;
          assert.equal(ended.status, 0, ended.stderr.toString('utf8'));
          assert.deepEqual(
            names.map((name) => bench.text(name)),
            ['1', '2', '3'],
          );
          const modes = names.map((name) => statSync(bench.path(name)).mode & 0o777);
          assert.deepEqual(modes, [plain, executable, plain]);
          if (umask === '022')
            assert.match(ended.stderr.toString('utf8'), new RegExp(`^vyre-cache: ${outcome}`));
        }
      }
      assert.equal(await bench.verified(), 1);
    });
  }

  it('are delivered through links, to nowhere and into pipes', async (t) => {
    const bench = withTool(t, 'echo run >> runs\ncat "$1" > "$2"');
    bench.write('target', 'old');
    symlinkSync('target', bench.path('link'));
    symlinkSync('made', bench.path('dangling'));
    assert.equal(spawnSync('mkfifo', [bench.path('fifo')]).status, 0);
    const deliver = async (output: string): Promise<void> => {
      const job = await bench.compile([...IN_WORKER, 'in.txt', '-o', output, ...TOOL]);
      assert.equal(job.exitCode, 0);
      assert.equal(job.notStored, null);
    };
    // Twice: made now, and from the cache.
    for (let run = 0; run < 2; run += 1) {
      await deliver('link');
      assert.equal(readlinkSync(bench.path('link')), 'target');
      assert.equal(bench.text('target'), 'abc');
      bench.write('target', 'old');

      await deliver('dangling');
      assert.equal(readlinkSync(bench.path('dangling')), 'made');
      assert.equal(bench.text('made'), 'abc');
      rmSync(bench.path('made'));

      await deliver('/dev/null');
      assert.ok(lstatSync('/dev/null').isCharacterDevice());

      const reader = bench.spawn('cat', ['fifo']);
      await deliver('fifo');
      assert.equal((await reader.ended).stdout.toString('utf8'), 'abc');
      assert.ok(lstatSync(bench.path('fifo')).isFIFO());
    }
    // Each has another base name, which is part of the fingerprint.
    assert.equal(bench.lines('runs'), 4);
  });

  it('replace a file whole, with a new time, and leave no temporary file', async (t) => {
    const bench = withTool(t, 'cp "$1" "$2"');
    await bench.compile(CALL);
    bench.write('out.txt', 'a longer text that was there before');
    chmodSync(bench.path('out.txt'), 0o400);
    const beforeMs = Date.now();
    assert.equal((await bench.compile(CALL)).outcome, 'disk');
    assert.equal(bench.text('out.txt'), 'abc');
    // File systems keep coarser times than the clock.
    assert.ok(statSync(bench.path('out.txt')).mtimeMs > beforeMs - 1000);
    const left = spawnSync('ls', ['-A', bench.project]).stdout.toString('utf8').trim().split('\n');
    assert.deepEqual(left, ['in.txt', 'out.txt', 'tool']);
  });
});

describe('an output that is no regular file is not stored, and left as the bare command leaves it', () => {
  const cases: readonly (readonly [string, string, (path: string) => boolean])[] = [
    ['nothing at all', 'true', (path) => lstatSync(path, { throwIfNoEntry: false }) === undefined],
    ['a folder', 'mkdir "$2"', (path) => lstatSync(path).isDirectory()],
    ['a link', 'ln -s in.txt "$2"', (path) => readlinkSync(path) === 'in.txt'],
    ['a FIFO', 'mkfifo "$2"', (path) => lstatSync(path).isFIFO()],
  ];
  for (const [name, script, isSo] of cases) {
    for (const [where, flags] of [
      ['in the worker directory', IN_WORKER],
      ['at its real place', IDENTITY],
    ] as const) {
      it(`${name}, made ${where}`, async (t) => {
        const bench = withTool(t, `echo run >> runs\n${script}`);
        const call = [...flags, 'in.txt', '-o', 'out.txt', ...TOOL];
        for (let run = 0; run < 2; run += 1) {
          const job = await bench.compile(call);
          assert.equal(job.exitCode, 0);
          assert.equal(job.notStored, 'irregular-output');
          assert.ok(isSo(bench.path('out.txt')), `expected ${name} at the output's place`);
          rmSync(bench.path('out.txt'), { recursive: true, force: true });
        }
        assert.ok(bench.lines('runs') >= 2);
        assert.deepEqual(bench.entries(), []);
        assert.deepEqual(bench.workers(), []);
      });
    }
  }

  it('an output that was there before and was not written again counts as missing', async (t) => {
    const bench = withTool(t, 'true');
    bench.write('out.txt', 'stale');
    const job = await bench.compile([...IDENTITY, 'in.txt', '-o', 'out.txt', ...TOOL]);
    assert.deepEqual([job.exitCode, job.notStored], [0, 'irregular-output']);
    assert.equal(bench.text('out.txt'), 'stale');
    assert.deepEqual(bench.entries(), []);
  });
});

describe('what changes while the compiler runs is delivered and not stored', () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['an input', 'cp "$1" "$2"\necho more >> "$1"', CALL],
    ['an input that is gone afterwards', 'mv "$1" "$2"', CALL],
    ['a declared dependency', 'cp "$1" "$2"\necho more >> dep.txt', ['--deps', 'dep.txt', ...CALL]],
    ['the compiler', 'cp "$1" "$2"\n(cat tool; echo true) > new\nchmod +x new\nmv new tool', CALL],
    [
      'a file that the compiler lists',
      'cp "$1" "$2"\necho "out.txt: dep.txt" > "$3"\necho more >> dep.txt',
      [...CALL, '{depfile}'],
    ],
    [
      'a file that the compiler lists, some time before it does',
      'cp "$1" "$2"\necho more >> dep.txt\nuntil [ new -nt dep.txt ]; do touch new; done\necho "out.txt: dep.txt" > "$3"',
      [...CALL, '{depfile}'],
    ],
  ];
  for (const [name, script, call] of cases) {
    it(name, async (t) => {
      const bench = withTool(t, script);
      bench.write('dep.txt', 'x');
      const job = await bench.compile(call);
      assert.equal(bench.text('out.txt'), 'abc');
      assert.deepEqual([job.exitCode, job.notStored], [0, 'input-changed']);
      assert.deepEqual(bench.entries(), []);
    });
  }

  it('an input that changes and changes back', async (t) => {
    const bench = withTool(t, 'printf BBB > "$1"\ncp "$1" "$2"\nprintf AAA > "$1"');
    bench.write('in.txt', 'AAA');
    assert.equal((await bench.compile(CALL)).notStored, 'input-changed');
    assert.equal((await bench.compile(CALL)).outcome, 'compiled');
  });

  it('an input that is merely touched: nobody can tell', async (t) => {
    const bench = withTool(t, 'cp "$1" "$2"\ntouch "$1"');
    assert.equal((await bench.compile(CALL)).notStored, 'input-changed');
  });

  const readsLib = 'cat lib/part.txt "$1" > "$2"\nprintf "out.txt: lib/part.txt\\n" > "$3"\n';

  it('a folder of a listed file that is moved out of its place', async (t) => {
    const bench = withTool(t, `${readsLib}mv lib old\nmv other lib`);
    bench.write('lib/part.txt', 'one');
    bench.write('other/part.txt', 'two');
    const job = await bench.compile([...CALL, '{depfile}']);
    assert.deepEqual([job.exitCode, job.notStored], [0, 'input-changed']);
  });

  it('but not what others make meanwhile in the folder of a listed file, and in the one above it', async (t) => {
    const bench = withTool(t, `${readsLib}touch lib/other.o other.o`);
    bench.write('lib/part.txt', 'one');
    for (const outcome of ['compiled', 'disk']) {
      const job = await bench.compile([...CALL, '{depfile}']);
      assert.deepEqual([job.exitCode, job.notStored, job.outcome], [0, null, outcome]);
    }
  });

  it('a link to an input that is switched', async (t) => {
    const bench = withTool(
      t,
      'cat cur/part.txt "$1" > "$2"\nprintf "out.txt: cur/part.txt\\n" > "$3"\nln -sfn v2 cur',
    );
    bench.write('v1/part.txt', 'one');
    bench.write('v2/part.txt', 'two');
    symlinkSync('v1', bench.path('cur'));
    const call = [...IDENTITY, 'in.txt', '-o', 'out.txt', ...TOOL, '{depfile}'];
    assert.equal((await bench.compile(call)).notStored, 'input-changed');
  });
});

describe('an artifact that is too large', () => {
  it('is delivered, counted as a rejected put, and not stored', async (t) => {
    const bench = withTool(t, 'head -c 1001 /dev/zero > "$2"');
    const environment = { VYRE_CACHE_MAX_PAYLOAD: '1K' };
    for (const flags of [IN_WORKER, IDENTITY]) {
      const job = await bench.compile([...flags, 'in.txt', '-o', 'out.txt', ...TOOL], { environment });
      assert.deepEqual([job.exitCode, job.notStored], [0, 'payload-too-large']);
      assert.equal(bench.read('out.txt').byteLength, 1001);
      rmSync(bench.path('out.txt'));
    }
    assert.equal((await bench.stats()).counters?.rejectedPuts, 2);
    assertNothingStays(bench);
  });

  it('is one above the limit, not one of exactly its size', async (t) => {
    const bench = withTool(t, 'cp "$1" "$2"');
    const cache = bench.open({ maxPayloadBytes: 1000 });
    for (const [bytes, notStored] of [
      [999, null],
      [1000, null],
      [1001, 'payload-too-large'],
    ] as const) {
      bench.write('in.txt', Buffer.alloc(bytes, 'x'));
      const command = ['./tool', '{input}', '{output}'];
      const result = await cache.compile(
        bench.request({ inputs: ['in.txt'], outputs: ['out.txt'], command }),
      );
      assert.equal(result.notStored, notStored);
      assert.equal(bench.read('out.txt').byteLength, bytes);
    }
    await cache.close();
    assert.equal(bench.entries().length, 2);
  });
});

describe('--refresh', () => {
  it('compiles again and replaces the entry; other bytes are named as trouble', async (t) => {
    const bench = withTool(t, 'echo run >> runs\nwc -l < runs > "$2"');
    assert.equal((await bench.compile(CALL)).outcome, 'compiled');
    const refreshed = await bench.compile(['--refresh', ...CALL]);
    assert.deepEqual(
      [refreshed.outcome, refreshed.reason, refreshed.notStored],
      ['recompiled', 'refresh', null],
    );
    assert.equal(bench.text('out.txt').trim(), '2');
    assert.equal((await bench.compile(CALL)).outcome, 'disk');
    assert.equal(bench.text('out.txt').trim(), '2');
    assert.equal(bench.entries().length, 1);
    const { trouble } = await bench.stats();
    assert.deepEqual(
      trouble.map(({ kind, count }) => [kind, count]),
      [['nondeterministic', 1]],
    );
  });

  it('finds no trouble in equal bytes', async (t) => {
    const bench = withTool(t, 'cp "$1" "$2"');
    await bench.compile(CALL);
    assert.equal((await bench.compile(['--refresh', ...CALL])).outcome, 'recompiled');
    assert.deepEqual((await bench.stats()).trouble, []);
    assert.equal(await bench.verified(), 1);
  });

  it('keeps the entry when the compiler then fails', async (t) => {
    const bench = withTool(t, '[ ! -e broken ] || exit 1\ncp "$1" "$2"');
    await bench.compile(CALL);
    bench.write('broken', '');
    assert.equal((await bench.compile(['--refresh', ...CALL])).exitCode, 1);
    const job = await bench.compile(CALL);
    assert.deepEqual([job.exitCode, job.outcome], [0, 'disk']);
  });
});

describe('without the cache', () => {
  it('--no-cache runs the command each time and touches nothing', async (t) => {
    const bench = withTool(t, 'echo run >> runs\ncp "$1" "$2"');
    for (let run = 1; run <= 2; run += 1) {
      const job = await bench.compile(['--no-cache', ...CALL]);
      assert.deepEqual([job.exitCode, job.outcome, job.notStored], [0, null, null]);
      assert.equal(bench.lines('runs'), run);
      assert.equal(bench.text('out.txt'), 'abc');
    }
    assert.deepEqual(bench.topLevel(), []);
  });

  it('VYRE_CACHE_DISABLE=1 runs the command with the environment and the stdin of the caller', async (t) => {
    const bench = withTool(t, 'cat > "$2"\nprintf "%s" "$OTHER" >> "$2"\nexit 5');
    const environment = { VYRE_CACHE_DISABLE: '1', OTHER: ' of the caller' };
    const ended = await bench.run(['compile', ...CALL], { environment, stdin: Buffer.from('stdin') });
    assert.equal(ended.status, 5);
    assert.equal(bench.text('out.txt'), 'stdin of the caller');
    assert.deepEqual(bench.topLevel(), []);
  });
});

describe('the compiler sees only what was hashed', () => {
  it('an empty stdin', async (t) => {
    const bench = withTool(t, 'cat > "$2"');
    for (const flags of [[], ['--no-cache']]) {
      const ended = await bench.run(['compile', ...flags, ...CALL], {
        stdin: Buffer.from('from the caller'),
      });
      assert.equal(ended.status, 0);
      assert.equal(bench.text('out.txt'), '');
    }
  });

  it('exactly the declared environment', async (t) => {
    const bench = withTool(t, 'tr "\\0" "\\n" < /proc/$$/environ > seen\ncp "$1" "$2"');
    const environment = {
      OTHER: 'x',
      NAMED: 'from the caller',
      LC_ALL: 'C',
      TZ: 'Asia/Tokyo',
      TMPDIR: bench.folder,
    };
    const flags = ['--env', 'NAMED', '--env', 'GIVEN=a=b', '--env', 'UNSET'];
    assert.equal((await bench.compile([...flags, ...CALL], { environment })).outcome, 'compiled');
    const seen = new Map(
      bench
        .text('seen')
        .trim()
        .split('\n')
        .map((line): [string, string] => [
          line.slice(0, line.indexOf('=')),
          line.slice(line.indexOf('=') + 1),
        ]),
    );
    assert.deepEqual([...seen.keys()].toSorted(), [
      'GIVEN',
      'HOME',
      'LC_ALL',
      'NAMED',
      'PATH',
      'TMPDIR',
      'TZ',
      'VYRE_CACHE_ACTIVE',
    ]);
    assert.deepEqual(
      ['GIVEN', 'NAMED', 'LC_ALL', 'TZ'].map((name) => seen.get(name)),
      ['a=b', 'from the caller', 'C.UTF-8', 'UTC'],
    );
    assert.equal(seen.get('HOME'), seen.get('TMPDIR'));
    assert.match(seen.get('TMPDIR') ?? '', /\/worker-dir-prepare-[0-9a-f]+\//);
    assert.equal(seen.get('PATH')?.split(':')[0], bench.project);
  });

  it('and `env` prints what it has without the cache, HOME and TMPDIR being those of the caller', async (t) => {
    const bench = Workbench.make(t);
    const environment = { OTHER: 'x', TMPDIR: bench.folder };
    const call = ['--env', 'GIVEN=1', '--stdout', 'env.txt', '--', 'env'];
    const expected = [
      'GIVEN=1',
      `HOME=${bench.home}`,
      'LC_ALL=C.UTF-8',
      'PATH=/usr/bin:/usr/local/bin:/bin',
      `TMPDIR=${bench.folder}`,
      'TZ=UTC',
    ];
    for (const flags of [[], ['--no-cache'], []]) {
      const job = await bench.compile([...flags, ...call], { environment });
      assert.equal(job.exitCode, 0);
      assert.deepEqual(bench.text('env.txt').trim().split('\n').toSorted(), expected);
    }
  });

  it('a record that holds no value of a variable', async (t) => {
    const bench = withTool(t, 'cp "$1" "$2"');
    const job = await bench.compile(['--env', 'TOKEN=a-secret-value', ...CALL]);
    assert.ok(job.fingerprint !== null);
    assert.ok(!readFileSync(bench.recordPath(job.fingerprint), 'utf8').includes('a-secret-value'));
    assert.equal(spawnSync('grep', ['-r', 'a-secret-value', bench.root]).status, 1);
  });
});
