import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import {
  answer,
  CALL,
  CallYard,
  COVERED,
  environment,
  fifo,
  rewrite,
  ROOT,
  SCRIPT,
  TOOL,
  UNBLOCK,
  type Row,
} from '../support/call-yard.js';
import { eventually } from '../support/eventually.js';
import { succeeded, type CallOptions, type RepeatedCall } from '../support/repeated-call.js';

const yard = new CallYard();

interface Alone extends Row {
  readonly test: (call: RepeatedCall) => Promise<void>;
}

/** The counters as `stats` tells them. */
async function counted(call: RepeatedCall): Promise<readonly number[]> {
  const { counters } = await call.bench.stats();
  assert.ok(counters !== null);
  return [counters.lookups, counters.hits, counters.misses, counters.outcomes['disk'] ?? 0];
}

const ALONE: readonly Alone[] = [
  {
    name: 'counts one lookup, one hit and what it saves',
    prepare: (b) => {
      b.script('tool', 'sleep 3; cat "$1" > "$2"');
    },
    test: async (call) => {
      await call.leave();
      const saved = async (): Promise<number> =>
        ((await call.bench.document(['stats'])) as { savedSeconds: number }).savedSeconds;
      const [first, firstSaved] = [await counted(call), await saved()];
      for (let run = 0; run < 3; run += 1) succeeded(await call.run());
      assert.deepEqual(
        await counted(call),
        first.map((count, index) => (index === 2 ? count : count + 3)),
      );
      assert.ok((await saved()) > firstSaved);
      assert.deepEqual((await call.bench.stats()).trouble, []);
    },
  },
  ...[['--cache-dir', 'other'], ['--cache-dir=other']].map((words): Alone => ({
    name: `is left for a cache directory that is typed: ${words.join(' ')}`,
    args: [...words, ...CALL],
    test: async (call) => {
      await call.leave();
      assert.equal((await call.go()).way, 'shortcut');
      rewrite(call.bench.path('in.txt'), 'other');
      assert.notEqual((await call.go()).way, 'shortcut');
      assert.equal(call.bench.text('out.txt'), 'other');
      assert.deepEqual(call.bench.entries(), []);
    },
  })),
  {
    name: 'replays every byte on both streams',
    prepare: (b) => {
      const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      b.write('stdout', every);
      b.write('stderr', every.toReversed());
      b.script('tool', 'cat stdout; cat stderr >&2; cat "$1" > "$2"');
    },
    test: async (call) => {
      await call.leave();
      const { way, stdout, stderr } = await call.go();
      assert.deepEqual(
        [way, stdout, stderr],
        ['shortcut', call.bench.read('stdout'), call.bench.read('stderr')],
      );
    },
  },
  {
    name: 'replays the warnings of gcc',
    needs: 'gcc',
    prepare: (b) => {
      b.write('a.c', '#warning look\nint f(void) { int unused; return 1; }\n');
    },
    args: ['a.c', '-o', 'a.o', '--', 'gcc', '-Wall', '-c', '{input}', '-o', '{output}'],
    test: async (call) => {
      await call.leave();
      const ended = await call.go();
      assert.match(ended.stderr.toString(), /unused/);
      assert.deepEqual(answer(call, ended, ['a.o']), answer(call, await call.runLong(), ['a.o']));
    },
  },
  {
    name: 'serves the module of wat2wasm until its source changes',
    needs: 'wat2wasm',
    prepare: (b) => {
      b.write('m.wat', '(module (func (export "f") (result i32) i32.const 1))');
    },
    args: ['m.wat', '-o', 'm.wasm', '--', 'wat2wasm', '{input}', '-o', '{output}'],
    test: async (call) => {
      await call.leave();
      const first = call.bench.read('m.wasm');
      rewrite(call.bench.path('m.wat'), '(module (func (export "f") (result i32) i32.const 2))');
      assert.equal((await call.go()).way, 'compiled');
      assert.notDeepEqual(call.bench.read('m.wasm'), first);
    },
  },
  {
    name: 'serves eight processes at once',
    test: async (call) => {
      await call.leave();
      const first = await counted(call);
      const all = await Promise.all(Array.from({ length: 8 }, async () => call.run()));
      for (const ended of all)
        assert.deepEqual(answer(call, ended, ['out.txt']), answer(call, all[0] ?? ended, ['out.txt']));
      assert.equal(call.bench.text('out.txt'), 'abc');
      assert.deepEqual(
        await counted(call),
        first.map((count, index) => (index === 2 ? count : count + 8)),
      );
      assert.deepEqual(readdirSync(call.bench.project).toSorted(), ['in.txt', 'out.txt', 'runs', 'tool']);
    },
  },
  {
    name: 'gives way when it leads to the entry of another call',
    test: async (call) => {
      await call.leave();
      const other = await call.bench.compile(['--key', 'other', ...CALL]);
      const own = call.bench.entries().find((name) => name !== other.fingerprint);
      copyFileSync(call.bench.recordPath(other.fingerprint ?? ''), call.bench.recordPath(own ?? ''));
      assert.equal((await call.go()).way, 'compiled');
    },
  },
  {
    name: 'gives way when its entry is a miss, which is counted once with its reason',
    test: async (call) => {
      await call.leave();
      writeFileSync(call.bench.entryPath(call.bench.entries()[0] ?? ''), 'x'.repeat(40));
      assert.equal((await call.go()).way, 'compiled');
      const { counters, trouble } = await call.bench.stats();
      assert.deepEqual([counters?.misses, counters?.missReasons['bad-checksum'], trouble], [2, 1, []]);
    },
  },
  {
    name: 'gives way when its entry is a folder, which is said once',
    test: async (call) => {
      await call.leave();
      const entry = call.bench.entryPath(call.bench.entries()[0] ?? '');
      rmSync(entry);
      mkdirSync(join(entry, 'x'), { recursive: true });
      const ended = await call.go();
      assert.equal(ended.stderr.toString().match(/not-a-file|directory/g)?.length, 1);
      assert.deepEqual(
        (await call.bench.stats()).trouble.map(({ count }) => count),
        [1],
      );
    },
  },
  {
    name: 'outlives gc',
    test: async (call) => {
      await call.leave();
      succeeded(await call.bench.run(['gc']));
      assert.equal((await call.go()).way, 'shortcut');
    },
  },
  {
    name: 'is no alien to stats and verify',
    test: async (call) => {
      await call.leave();
      assert.equal(await call.bench.verified(), 1);
      const report = (await call.bench.document(['stats'])) as {
        litter: Record<string, number>;
        unreadable: unknown[];
      };
      assert.deepEqual([Object.values(report.litter), report.unreadable], [[0, 0, 0, 0], []]);
    },
  },
  {
    name: 'ends by the signal while nobody reads its output',
    test: async (call) => {
      await call.leave();
      const end = async (start: () => ReturnType<RepeatedCall['start']>): Promise<unknown> => {
        fifo(call.bench.path('out.txt'));
        const running = start();
        await eventually('it waits', () => waits(running.pid));
        running.kill('SIGTERM');
        return answer(call, await running.ended, []);
      };
      const made = await end(() => call.start());
      assert.deepEqual(made, await end(() => call.start(environment({ STRANGER: '0' }))));
    },
  },
  {
    name: 'ends by the signals while nobody reads what is said',
    prepare: (b) => {
      b.write('words', 'o'.repeat(200_000));
      b.script('tool', 'cat words; cat "$1" > "$2"');
    },
    test: async (call) => {
      const { bench } = call;
      await call.leave();
      const end = async (options: CallOptions): Promise<unknown> => {
        for (const name of ['out.txt', 'ready']) rmSync(bench.path(name), { force: true });
        fifo(bench.path('pipe'));
        const running = call.start({ ...options, shell: intoFullPipe });
        const output = bench.path('out.txt');
        await eventually('it has delivered', () => existsSync(output) && bench.text('out.txt') === 'abc');
        const ended = eventually('it has ended', () => {
          running.kill('SIGTERM');
          return isGone(running.pid);
        });
        const made = answer(call, await running.ended, ['out.txt']);
        await ended;
        return made;
      };
      const made = await end({});
      assert.deepEqual(made, [null, 'SIGTERM', '', '', [['abc', '644']]]);
      assert.deepEqual(made, await end(environment({ STRANGER: '0' })));
    },
  },
  {
    name: 'does not outlive a compilation that tells its worker directory',
    prepare: (b) => {
      b.script('tool', `${SCRIPT}; if test -e mode; then echo "$TMPDIR" >> "$2"; fi`);
    },
    args: ['--relocatable', ...CALL],
    test: async (call) => {
      await call.leave();
      call.bench.write('mode', '');
      succeeded(await call.bench.run(['compile', '--refresh', ...call.args]));
      const ended = await call.go();
      const made = answer(call, ended, ['out.txt']);
      rmSync(call.bench.path('out.txt'));
      assert.deepEqual(made, answer(call, await call.runLong(), ['out.txt']));
    },
  },
  {
    name: 'is none for a file of /proc, whose times never change',
    prepare: () => {
      process.title = 'one';
    },
    args: [...COVERED, `/proc/${process.pid}/comm`, '-o', 'out.txt', ...TOOL],
    test: async (call) => {
      for (const name of ['one', 'two']) {
        process.title = name;
        for (let run = 0; run < 2; run += 1) succeeded(await call.run());
        assert.equal(call.bench.text('out.txt'), `${name}\n`);
      }
    },
  },
  {
    name: 'sees a package.json in a home that a project lies in',
    prepare: (b) => {
      b.write('package.json', '{"name":"t","version":"1"}');
      mkdirSync(b.path('pipelines'), { mode: 0o700 });
    },
    args: ['in.txt', '-o', 'out.txt', ...TOOL],
    options: (b) => environment({ VYRE_CACHE_DIR: b.project }),
    test: async (call) => {
      await call.leave();
      rewrite(call.bench.path('package.json'), '{"name":"t","version":"2"}');
      assert.equal((await call.go()).way, 'compiled');
    },
  },
  {
    name: 'does not let a user in whose groups are others',
    skip: ROOT,
    prepare: (b) => {
      chmodSync(b.path('in.txt'), 0o640);
      chownSync(b.path('in.txt'), 0, 54_321);
      for (const folder of [dirname(dirname(b.folder)), dirname(b.folder), b.folder])
        chmodSync(folder, 0o755);
      for (const folder of [b.project, b.cacheHome, b.stateHome]) chownSync(folder, 12_345, 12_345);
    },
    leaving: inGroups('54321'),
    test: async (call) => {
      await call.leave();
      const others = inGroups('9');
      rmSync(call.bench.path('out.txt'));
      const made = answer(call, await call.run(others), ['out.txt']);
      rmSync(call.bench.path('out.txt'), { force: true });
      assert.deepEqual(made, answer(call, await call.runLong(others), ['out.txt']));
    },
  },
  {
    name: 'that does not hold leaves the signals to the long way',
    prepare: (b) => {
      b.script('tool', `if grep -q long "$1"; then touch started; exec sleep 1000; fi\n${SCRIPT}`);
    },
    test: async (call) => {
      const { bench } = call;
      await call.leave();
      rewrite(bench.path('in.txt'), 'long');
      const end = async (start: () => ReturnType<RepeatedCall['start']>): Promise<unknown> => {
        const running = start();
        await eventually('the compiler runs', () => existsSync(bench.path('started')));
        assert.equal(bench.workers().length, 1);
        running.kill('SIGTERM');
        const made = answer(call, await running.ended, ['out.txt']);
        assert.deepEqual([bench.workers(), bench.processes()], [[], []]);
        rmSync(bench.path('started'));
        return made;
      };
      const made = await end(() => call.start());
      assert.deepEqual(made, [null, 'SIGTERM', '', '', [['abc', '644']]]);
      assert.deepEqual(made, await end(() => call.start(environment({ STRANGER: '0' }))));
    },
  },
];

/** Its stdout is a pipe that nobody reads and that never blocks. */
function intoFullPipe(line: string): string {
  return (
    `exec 3<> pipe; ${UNBLOCK} >&3 2> /dev/null & ` +
    `until test -e ready; do sleep 0.01; done; exec ${line} >&3`
  );
}

function isGone(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}

function inGroups(groups: string): CallOptions {
  return { shell: (line) => `exec setpriv --reuid=12345 --regid=12345 --groups=${groups} ${line}` };
}

/** True while a process with an open home sleeps: between two tries to open a pipe. */
function waits(pid: number): boolean {
  const open = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  return (
    open.some((path) => path.endsWith('/.vyre-cache/lock')) &&
    /\) S /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  );
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

yard.rows('a shortcut', ALONE, async (call, { test }) => test(call));
