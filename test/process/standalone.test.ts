import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { makeArtifact } from '../support/artifacts.js';
import { isWhole, PRINT_CONSECUTIVE } from '../support/consecutive.js';
import { eventually } from '../support/eventually.js';
import { fillSections, keyOf, plantFaults, scatterLitter, touchTree } from '../support/fixture-home.js';
import { GATE, hasLockOpen } from '../support/gate.js';
import { TestHome } from '../support/homes.js';
import { mountNamespace } from '../support/mount-namespace.js';
import { shellLine } from '../support/program.js';
import { writeKey } from '../support/signing-keys.js';
import { Standalone } from '../support/standalone.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { findTool, has } from '../support/tools.js';
import { compiledJob, Workbench, type Ended, type Running, type RunOptions } from '../support/workbench.js';

const NODE = [process.execPath, join(import.meta.dirname, '../../bin/vyre-cache.js')];

const DAY_MS = 86_400_000;
/** More artifacts than one thread takes alone. */
const MANY = 5200;

const executable = new Standalone({ after });

/** A bench, and the two programs that work in it. */
interface Pair {
  readonly bench: Workbench;
  readonly programs: readonly [node: Start, executable: Start];
  /** The path of the executable. */
  readonly path: string;
}

type Start = (args: readonly string[], options?: RunOptions) => Running;

function pair(t: TestContext): Pair | null {
  const path = executable.path(t);
  if (path === null) return null;
  const bench = Workbench.make(t);
  const starting =
    ([program = '', ...words]: readonly string[]): Start =>
    (args, options) =>
      bench.spawn(program, [...words, ...args], options);
  return { bench, programs: [starting(NODE), starting([path])], path };
}

function text(bytes: Buffer): string {
  return bytes.toString('utf8');
}

const IDENTITY = ['--compiler-version', 'echo 1'] as const;
const COPY = ['--', './tool', '{input}', '{output}'] as const;

describe('the executable and Node on one home', () => {
  it('compile once what 16 callers ask for at once', async (t) => {
    const both = pair(t);
    if (both === null) return;
    const { bench, programs } = both;
    bench.write('in.txt', 'abc');
    bench.script('tool', `${GATE}\ntr a-z A-Z < "$1" > "$2"\necho compiled >&2`);
    const callers = Array.from({ length: 16 }, (_, index) => {
      bench.write(`${index}/.keep`, '');
      const words = ['compile', '--json', '--relocatable', ...IDENTITY, 'in.txt', '-o', `${index}/out.txt`];
      const start = programs[index % 2 === 0 ? 0 : 1];
      return start([...words, ...COPY]);
    });
    await eventually('one caller compiles', () => bench.lines('started') === 1);
    await eventually('the others have reached the lock', () =>
      callers.every(({ pid }) => hasLockOpen(bench, pid)),
    );
    bench.write('go', '');
    const jobs = (await Promise.all(callers.map(async ({ ended }) => ended))).map(compiledJob);
    assert.deepEqual(jobs.map(({ outcome }) => String(outcome)).toSorted(), [
      'compiled',
      ...Array<string>(15).fill('disk'),
    ]);
    for (const [index, job] of jobs.entries()) {
      assert.deepEqual([job.exitCode, bench.text(`${index}/out.txt`)], [0, 'ABC'], job.stderr);
    }
    assert.equal(bench.lines('started'), 1);
    assert.deepEqual([await bench.verified(), bench.workers()], [1, []]);
  });

  it('accept what the other has signed, and refuse what nobody has', async (t) => {
    const both = pair(t);
    if (both === null) return;
    const { bench, programs } = both;
    const environment = { VYRE_CACHE_KEY_FILE: writeKey(join(bench.folder, 'key'), 1) };
    bench.script('tool', 'tr a-z A-Z < "$1" > "$2"');
    for (const [signing, reading] of [programs, programs.toReversed()]) {
      assert.ok(signing !== undefined && reading !== undefined);
      bench.write('in.txt', signing === programs[0] ? 'abc' : 'xyz');
      const compile = async (start: Start, options: RunOptions) =>
        compiledJob(
          await start(['compile', '--json', ...IDENTITY, 'in.txt', '-o', 'out.txt', ...COPY], options).ended,
        );
      assert.equal((await compile(signing, {})).outcome, 'compiled');
      assert.equal((await compile(reading, { environment })).reason, 'unsigned');
      assert.equal((await compile(signing, { environment })).outcome, 'disk');
    }
  });

  it('read only whole artifacts while both replace them', async (t) => {
    const both = pair(t);
    if (both === null) return;
    const { bench, programs } = both;
    const run = async (lane: number, extra: readonly string[], key: number): Promise<void> => {
      const start = programs[lane % 2 === 0 ? 0 : 1];
      const output = `${lane}/out.txt`;
      const words = ['compile', '-q', '--relocatable', ...extra, '--key', String(key), '--stdout', output];
      const ended = await start([...words, '--', ...PRINT_CONSECUTIVE]).ended;
      assert.deepEqual([ended.status, text(ended.stderr)], [0, '']);
      assert.ok(isWhole(bench.read(output)), `expected whole bytes in ${output}`);
    };
    const lanes = Array.from({ length: 8 }, async (_, lane) => {
      bench.write(`${lane}/.keep`, '');
      for (let round = 0; round < 6; round += 1) await run(lane, lane < 4 ? ['--refresh'] : [], round % 3);
    });
    await Promise.all(lanes);
    assert.deepEqual([await bench.verified(), bench.workers()], [3, []]);
  });

  for (const [killed, next] of [
    ['the executable', 'Node'],
    ['Node', 'the executable'],
  ] as const) {
    it(`go on when ${killed} is killed while it compiles: ${next} takes over`, async (t) => {
      const both = pair(t);
      if (both === null) return;
      const { bench, programs } = both;
      const [node, exe] = programs;
      const [first, second] = next === 'Node' ? [exe, node] : [node, exe];
      bench.write('in.txt', 'abc');
      bench.script('tool', `[ -e second ] && exec cp "$1" "$2"\n${GATE}\necho late > "$2"`);
      const words = ['compile', '--json', '--relocatable', ...IDENTITY, 'in.txt', '-o', 'out.txt', ...COPY];
      const victim = first(words);
      await eventually('the compiler runs', () => bench.lines('started') === 1);
      // One waits already, another comes afterwards.
      const waiting = second(words);
      await eventually('the other has reached the lock', () => hasLockOpen(bench, waiting.pid));
      bench.write('second', '');
      victim.kill('SIGKILL');
      await victim.ended;
      const job = compiledJob(await waiting.ended);
      assert.deepEqual(
        [job.outcome, job.exitCode, bench.text('out.txt')],
        ['compiled', 0, 'abc'],
        job.stderr,
      );
      assert.equal(compiledJob(await second(words).ended).outcome, 'disk');
      assert.deepEqual([bench.processes(), bench.workers(), await bench.verified()], [[], [], 1]);
    });
  }
});

/** What differs from one run to the next. */
const VOLATILE =
  /("(?:seconds|\w+Seconds)":|_seconds\{[^}]*\} |\b(?:took|saved|in|compiled,) )[0-9.]+(?: (?:ms|s))?/g;

/** What a call printed and how it ended, without times, random names and where it ran. */
function shown({ status, stdout, stderr }: Ended, folder: string): readonly unknown[] {
  const plain = (bytes: Buffer): string =>
    text(bytes)
      .replaceAll(folder, '<folder>')
      .replaceAll(VOLATILE, '$1<time>')
      .replaceAll(/"id":"[^"]+"/g, '"id":<random>');
  return [status, inOrder(plain(stdout)), plain(stderr)];
}

/**
 * What is equally old is removed in the order in which the file system lists it: here by path. Records tell how long a
 * compilation took, so that their sizes differ.
 */
function inOrder(printed: string): string {
  if (!printed.includes('"removed":') && !printed.includes('vyre-cache.stats/1')) return printed;
  return printed
    .replaceAll(/("(?:b|\w+B)ytes":)[0-9]+/g, '$1<bytes>')
    .replace(/"removed":\[(.*?)\]/, (_, rows: string) =>
      rows
        .split(/,(?=\{)/)
        .toSorted()
        .join(','),
    );
}

const COPYING = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true } as const;

/** A bench whose home has all of vyre’s sections, litter, faults, and one entry that Node compiled. */
async function makeFixture(t: TestContext): Promise<Workbench> {
  const bench = Workbench.make(t);
  bench.write('in.txt', 'abc');
  bench.write('jobs.json', JSON.stringify({ jobs: [JOB, { ...JOB, key: ['b'], outputs: ['b.txt'] }] }));
  bench.script('tool', 'echo said; tr a-z A-Z < "$1" > "$2"');
  const [program = '', ...words] = NODE;
  const ended = await bench.spawn(program, [...words, 'compile', ...REQUEST]).ended;
  assert.equal(ended.status, 0, text(ended.stderr));
  const home = new TestHome(t);
  fillSections(home);
  scatterLitter(home);
  plantFaults(home);
  cpSync(home.root, bench.root, { ...COPYING, force: false });
  return bench;
}

const JOB = {
  inputs: ['in.txt'],
  outputs: ['a.txt'],
  compilerVersion: 'echo 1',
  command: ['./tool', '{input}', '{output}'],
};

const REQUEST = [...IDENTITY, 'in.txt', '-o', 'out.txt', ...COPY];

/** Every command; those that change something last, each on what the ones before it have left. */
const CALLS: readonly (readonly string[])[] = [
  [],
  ['--version'],
  ['--help'],
  ['compile', '--help'],
  ['verfy'],
  ['get', 'nonsense', '--json'],
  ['stats', '--ttl', '1', '--json'],
  ['fingerprint', ...REQUEST],
  ['fingerprint', '--json', ...REQUEST],
  ['config', '--json'],
  ['verify', '--json'],
  ['verify'],
  ['ls', '--json'],
  ['stats', '--json'],
  ['stats', '--prometheus'],
  ['prune', '--ttl', '1d', '--dry-run', '--json'],
  ['prune', '--max-size', '1KiB', '--dry-run', '--json'],
  ['gc', '--dry-run', '--json'],
  ['get', '--json', ...REQUEST],
  ['compile', '--json', ...REQUEST],
  ['compile', '--json', '--refresh', ...REQUEST],
  ['compile', '--json', '--key', 'other', ...REQUEST],
  ['compile', '--json', 'absent.txt', '-o', 'out.txt', ...COPY],
  ['compile', '--manifest', 'jobs.json', '--jobs', '1', '--json'],
  ['flush', '--json'],
  ['verify', '--seal', '--json'],
  ['verify', '--quarantine', '--json'],
  ['gc', '--json'],
  ['rm', 'ffffffffffffffff', '--json'],
  ['prune', '--all', '--yes', '--json'],
  ['stats', '--json'],
];

describe('every command of the executable', () => {
  it('prints and does what it does under Node', async (t) => {
    const path = executable.path(t);
    if (path === null) return;
    const bench = await makeFixture(t);
    const fixture = temporaryFolder(t);
    cpSync(bench.folder, fixture, COPYING);
    const writtenAtMs = Date.now() - 2 * DAY_MS;
    const seen = [];
    for (const [program = '', ...words] of [NODE, [path]]) {
      // In the same place, and from the same state.
      for (const name of readdirSync(bench.folder)) rmSync(join(bench.folder, name), { recursive: true });
      cpSync(fixture, bench.folder, COPYING);
      // The last use of other writers' artifacts is when they were read, by the copying as well.
      touchTree(bench.root, writtenAtMs);
      const results = [];
      for (const call of CALLS) {
        const ended = await bench.spawn(program, [...words, ...call]).ended;
        results.push([call.join(' '), ...shown(ended, bench.folder)]);
      }
      seen.push(results);
    }
    const [node = [], exe = []] = seen;
    for (const [index, expected] of node.entries()) assert.deepEqual(exe[index], expected);
    assert.equal(exe.length, CALLS.length);
  });

  it('looks at many artifacts in several threads, as under Node', async (t) => {
    const both = pair(t);
    if (both === null || !has(t, 'strace')) return;
    const { bench, programs, path } = both;
    const home = new TestHome(t);
    for (let index = 0; index < MANY; index += 1) {
      home.place({ ...makeArtifact(keyOf(`entry ${index}`), `entry ${index}`), record: null });
    }
    for (const index of [0, 700, MANY - 1]) writeFileSync(home.entry(keyOf(`entry ${index}`)), 'damaged');
    const words = ['verify', home.root, '--json'];
    const [node, exe] = await Promise.all(programs.map(async (start) => start(words).ended));
    assert.ok(node !== undefined && exe !== undefined);
    assert.deepEqual(shown(exe, home.root), shown(node, home.root));
    assert.match(text(exe.stdout), new RegExp(`"artifacts":${MANY},"valid":${MANY - 3},"damaged":3`));
    const trace = bench.path('trace');
    const strace = [findTool('strace') ?? '', '-f', '-qq', '-e', 'trace=openat', '-o', trace];
    const traced = await bench.spawn('/bin/sh', ['-c', shellLine([...strace, path, ...words])]).ended;
    assert.equal(traced.status, 1, text(traced.stderr));
    const threads = new Set(
      Array.from(readFileSync(trace, 'utf8').matchAll(/^([0-9]+) .*\.bin"/gm), ([, id]) => id),
    );
    assert.equal(threads.size, Math.min(4, availableParallelism()));
  });
});

/** One compilation, and the hit after it. @returns how both ended. */
async function twice(start: Start, options: RunOptions): Promise<readonly (readonly unknown[])[]> {
  const seen = [];
  for (const _ of [1, 2]) {
    const ended = await start(['compile', '-v', ...REQUEST], options).ended;
    const [, outcome = ''] = /^vyre-cache: (compiled|hit) /m.exec(text(ended.stderr)) ?? [];
    seen.push([ended.status, text(ended.stdout), outcome]);
  }
  return seen;
}

const COMPILED_THEN_HIT = [
  [0, 'said\n', 'compiled'],
  [0, 'said\n', 'hit'],
];

function prepared(t: TestContext): Pair | null {
  const both = pair(t);
  both?.bench.write('in.txt', 'abc');
  both?.bench.script('tool', 'echo said; tr a-z A-Z < "$1" > "$2"');
  return both;
}

describe('the executable in bad circumstances', () => {
  for (const [what, variables] of [
    ['no TMPDIR', { TMPDIR: undefined }],
    ['a TMPDIR that is not there', { TMPDIR: '/nonexistent/folder' }],
    ['a TMPDIR that is no folder', { TMPDIR: '/dev/null' }],
    ['no HOME and a cache directory', { HOME: undefined, XDG_STATE_HOME: undefined }],
    ['a HOME that is not there', { HOME: '/nonexistent/home' }],
  ] as const) {
    it(`works with ${what}`, async (t) => {
      const both = prepared(t);
      if (both === null) return;
      const { bench, programs } = both;
      assert.deepEqual(await twice(programs[1], { environment: variables }), COMPILED_THEN_HIT);
      assert.equal(bench.text('out.txt'), 'ABC');
    });
  }

  it('says what is missing without HOME and any other directory for the cache', async (t) => {
    const both = prepared(t);
    if (both === null) return;
    const environment = { HOME: undefined, XDG_CACHE_HOME: undefined, XDG_STATE_HOME: undefined };
    const ended = await both.programs[1](['stats'], { environment }).ended;
    assert.equal(ended.status, 2);
    assert.match(text(ended.stderr), /^vyre-cache: expected a cache directory, got none: HOME .*\nhint: /);
  });

  for (const options of ['noexec', 'ro']) {
    it(`works with a temporary directory mounted ${options}, and leaves nothing in it`, async (t) => {
      const both = prepared(t);
      if (both === null) return;
      const words = mountNamespace(t);
      if (words === null) return;
      const { bench, path } = both;
      const folder = bench.path('temporary');
      mkdirSync(folder);
      const [program = '', ...args] = words;
      const call = shellLine([path, 'compile', '-v', ...REQUEST]);
      const lines = [
        `mount -t tmpfs -o ${options} tmpfs '${folder}'`,
        `export TMPDIR='${folder}'`,
        `${call}\n${call}\nls -A '${folder}'`,
      ];
      const ended = await bench.spawn(program, [...args, lines.join('\n')]).ended;
      assert.deepEqual([ended.status, text(ended.stdout)], [0, 'said\nsaid\n'], text(ended.stderr));
      assert.match(text(ended.stderr), /: compiled .*\nvyre-cache: hit /s);
    });
  }

  it('leaves nothing in the temporary directory', async (t) => {
    const both = prepared(t);
    if (both === null) return;
    const folder = both.bench.path('temporary');
    mkdirSync(folder);
    assert.deepEqual(await twice(both.programs[1], { environment: { TMPDIR: folder } }), COMPILED_THEN_HIT);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('finds the same artifacts without its addon, where no file in memory may be made', async (t) => {
    const both = prepared(t);
    if (both === null || !has(t, 'strace')) return;
    const { bench, programs, path } = both;
    const strace = [findTool('strace') ?? '', '-f', '-qq', '-o', '/dev/null'];
    const refused = ['-e', 'trace=memfd_create', '-e', 'inject=memfd_create:error=EPERM'];
    const without: Start = (args) =>
      bench.spawn('/bin/sh', ['-c', shellLine([...strace, ...refused, path, ...args])]);
    const call = ['compile', '--json', ...REQUEST];
    const missed = compiledJob(await without(call).ended);
    const hit = compiledJob(await programs[0](call).ended);
    assert.deepEqual(
      [missed.outcome, hit.outcome, hit.fingerprint],
      ['compiled', 'disk', missed.fingerprint],
    );
    assert.equal(compiledJob(await without(call).ended).outcome, 'disk');
  });

  it('takes no setting from a .env or bunfig.toml of a project', async (t) => {
    const both = prepared(t);
    if (both === null) return;
    const { bench, programs } = both;
    bench.write('.env', `VYRE_CACHE_DIR=${bench.path('elsewhere')}\n`);
    bench.write('bunfig.toml', 'preload = ["./evil.js"]\n');
    bench.write('evil.js', 'console.log("evil");\n');
    assert.deepEqual(await twice(programs[1], {}), COMPILED_THEN_HIT);
    assert.equal(existsSync(bench.path('elsewhere')), false);
  });

  it('keeps closed standard streams from becoming files of the cache', async (t) => {
    const both = prepared(t);
    if (both === null) return;
    const { bench, path } = both;
    for (const closed of ['>&-', '2>&-', '<&-', '<&- >&- 2>&-']) {
      const line = `${shellLine([path, 'compile', '-v', '--key', closed, ...REQUEST])} ${closed}`;
      const ended = await bench.spawn('/bin/sh', ['-c', line]).ended;
      assert.equal(ended.status, 0, `${closed} ${text(ended.stderr)}`);
    }
    assert.equal(await bench.verified(), 4);
  });

  it('says why when its output cannot be written, and ends quietly when nobody reads it', async (t) => {
    const both = prepared(t);
    if (both === null) return;
    const { bench, path } = both;
    const full = await bench.spawn('/bin/sh', ['-c', `${shellLine([path, 'config'])} > /dev/full`]).ended;
    assert.deepEqual(
      [full.status, text(full.stderr)],
      [3, 'vyre-cache: stdout cannot be written (ENOSPC)\n'],
    );
    const piped = `{ sleep 0.2; ${shellLine([path, 'config'])}; echo "exit $?" >&2; } | true`;
    assert.equal(text((await bench.spawn('/bin/sh', ['-c', piped]).ended).stderr), 'exit 0\n');
  });

  it('writes everything to a pipe that is read late and never waits', async (t) => {
    const both = prepared(t);
    if (both === null || !has(t, 'python3')) return;
    const { bench, path } = both;
    bench.write('in.txt', 'abc'.repeat(1_000_000));
    const job = compiledJob(await both.programs[1](['compile', '--json', ...REQUEST]).ended);
    const reader = [
      'import fcntl, os, subprocess, sys, time',
      'r, w = os.pipe()',
      'fcntl.fcntl(w, fcntl.F_SETFL, os.O_NONBLOCK | fcntl.fcntl(w, fcntl.F_GETFL))',
      'child = subprocess.Popen(sys.argv[1:], stdout=w)',
      'os.close(w)',
      'time.sleep(0.5)',
      'data = os.fdopen(r, "rb").read()',
      'print(len(data), child.wait())',
    ];
    const words = ['-c', reader.join('\n'), path, 'get', job.fingerprint ?? ''];
    const ended = await bench.spawn(findTool('python3') ?? '', words).ended;
    assert.equal(text(ended.stdout), '3000000 0\n', text(ended.stderr));
  });
});
