import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.js';
import { GATE } from '../support/gate.js';
import { compiledJob, Workbench } from '../support/workbench.js';

const IDENTITY = ['--compiler-version', 'echo 1'] as const;
const TOOL = ['--', './tool', '{input}', '{output}'] as const;

function withTool(t: TestContext, script: string): Workbench {
  const bench = Workbench.make(t);
  bench.write('in.txt', 'abc');
  bench.script('tool', script);
  return bench;
}

describe('what is hashed is what the compiler reads', () => {
  it('an input named through `..` behind a link', async (t) => {
    const bench = withTool(t, 'cp "$1" "$2"');
    bench.write('other/a.txt', 'one');
    mkdirSync(bench.path('other/sub'));
    symlinkSync('other/sub', bench.path('d'));
    const call = [...IDENTITY, 'd/../a.txt', '-o', 'out.txt', ...TOOL];
    assert.equal((await bench.compile(call)).outcome, 'compiled');
    bench.write('other/a.txt', 'two');
    assert.equal((await bench.compile(call)).outcome, 'compiled');
    assert.equal(bench.text('out.txt'), 'two');
  });

  it('a file that an argument names in that way, and an output too', async (t) => {
    const bench = withTool(t, 'cat "$1" "$3" > "$2"');
    bench.write('other/a.txt', 'one');
    mkdirSync(bench.path('other/sub'));
    symlinkSync('other/sub', bench.path('d'));
    const call = [...IDENTITY, 'in.txt', '-o', 'd/../out.txt', ...TOOL, 'd/../a.txt'];
    assert.equal((await bench.compile(call)).outcome, 'compiled');
    bench.write('other/a.txt', 'two');
    assert.equal((await bench.compile(call)).outcome, 'compiled');
    assert.equal(bench.text('other/out.txt'), 'abctwo');
    rmSync(bench.path('other/out.txt'));
    assert.equal((await bench.compile(call)).outcome, 'disk');
    assert.equal(bench.text('other/out.txt'), 'abctwo');
  });

  for (const [what, text] of [
    ['an empty list', ''],
    ['a list in another form', 'part.txt'],
  ] as const) {
    it(`${what} says nothing about what was read`, async (t) => {
      const bench = withTool(t, `cat "$1" part.txt > "$2"\nprintf '%s\\n' "${text}" > "$3"`);
      bench.write('part.txt', '1');
      const call = [...IDENTITY, 'in.txt', '-o', 'out.txt', ...TOOL, '{depfile}'];
      assert.equal((await bench.compile(call)).notStored, 'preset:unlisted-read');
      bench.write('part.txt', '2');
      await bench.compile(call);
      assert.equal(bench.text('out.txt'), 'abc2');
    });
  }

  it('the executable bit of an input', async (t) => {
    const bench = withTool(t, 'cp -p "$1" "$2"');
    const call = [...IDENTITY, '--relocatable', 'in.txt', '-o', 'out.txt', ...TOOL];
    assert.equal((await bench.compile(call)).outputs[0]?.executable, false);
    chmodSync(bench.path('in.txt'), 0o755);
    const again = await bench.compile(call);
    assert.deepEqual([again.outcome, again.outputs[0]?.executable], ['compiled', true]);
  });

  it('inputs whose names hold braces', async (t) => {
    const bench = withTool(t, 'cat "$1" > "$2" 2>/dev/null || printf none > "$2"');
    bench.write('a', 'A');
    bench.write('a}b', 'B');
    bench.write('ab}', 'C');
    const call = (word: string): readonly string[] => [
      ...IDENTITY,
      'a',
      'a}b',
      '-o',
      'out.txt',
      '--',
      './tool',
      word,
      '{output}',
    ];
    await bench.compile(call('{input:1}b}'));
    assert.equal(bench.text('out.txt'), 'C');
    await bench.compile(call('{input:2}'));
    assert.equal(bench.text('out.txt'), 'B');
  });
});

describe('a result that tells of the worker directory is made again without it', () => {
  it('in an escaped form of the path', async (t) => {
    const bench = withTool(t, 'bash -c \'printf %q "$TMPDIR"\' > "$2"');
    const root = bench.path('a home');
    const call = ['--cache-dir', root, ...IDENTITY, '--relocatable', 'in.txt', '-o', 'out.txt', ...TOOL];
    assert.equal((await bench.compile(call)).notStored, 'embeds-path');
    assert.ok(!bench.text('out.txt').includes('worker'));
  });

  it('and is cached as soon as its cause is gone', async (t) => {
    const bench = withTool(t, 'cp "$1" "$2"\ntouch "$HOME/left"');
    const call = [...IDENTITY, '--relocatable', 'in.txt', '-o', 'out.txt', ...TOOL];
    assert.equal((await bench.compile(call)).notStored, 'embeds-path');
    assert.equal((await bench.compile(call)).notStored, 'embeds-path');
    bench.script('tool', 'cp "$1" "$2"');
    assert.equal((await bench.compile(call)).outcome, 'compiled');
    assert.equal((await bench.compile(call)).outcome, 'disk');
  });
});

/** The same request but for its last word, at the same real place. */
function variant(which: string): readonly string[] {
  return [...IDENTITY, 'in.txt', '-o', 'out.txt', ...TOOL, which];
}

describe('one output for two builds', () => {
  const slow = ['printf slow > "$2"', GATE].join('\n');

  it('what another build delivers meanwhile is never stored under the first one', async (t) => {
    const bench = withTool(
      t,
      `if [ "$3" = slow ]; then ${slow.replaceAll('\n', '\n  ')}\nelse printf fast > "$2"; fi`,
    );
    await bench.compile(variant('fast'));
    const first = bench.start(['compile', '--json', ...variant('slow')]);
    await eventually('the slow build to write its output', () => existsSync(bench.path('started')));
    const second = bench.start(['compile', '--json', ...variant('fast')]);
    assert.equal(compiledJob(await second.ended).outcome, 'disk');
    writeFileSync(bench.path('go'), '');
    assert.equal(compiledJob(await first.ended).notStored, 'output-contested');
    const again = await bench.compile(variant('slow'));
    assert.deepEqual([again.outcome, bench.text('out.txt')], ['compiled', 'slow']);
    assert.equal((await bench.compile(variant('slow'))).outcome, 'disk');
  });

  it('and what a second compilation writes meanwhile is stored for neither', async (t) => {
    const bench = withTool(
      t,
      `printf "$3" > "$2"\necho "$3" >> begun\nwhile [ ! -e go ]; do sleep 0.02; done`,
    );
    const first = bench.start(['compile', '--json', ...variant('one')]);
    await eventually('the first to write', () => bench.lines('begun') === 1);
    const second = bench.start(['compile', '--json', ...variant('two')]);
    await eventually('the second to write', () => bench.lines('begun') === 2);
    writeFileSync(bench.path('go'), '');
    for (const running of [first, second]) {
      assert.equal(compiledJob(await running.ended).notStored, 'output-contested');
    }
    for (const which of ['one', 'two']) {
      assert.equal((await bench.compile(variant(which))).outcome, 'compiled');
      assert.equal(bench.text('out.txt'), which);
    }
  });

  it('and an orphan of a killed process is ended before the next one begins', async (t) => {
    const bench = withTool(
      t,
      'if [ "$3" = one ]; then touch begun; while [ ! -e go ]; do sleep 0.02; done; fi\nprintf "$3" > "$2"',
    );
    const first = bench.start(['compile', ...variant('one')]);
    await eventually('the first to begin', () => existsSync(bench.path('begun')));
    first.kill('SIGKILL');
    await first.ended;
    assert.equal((await bench.compile(variant('two'))).outcome, 'compiled');
    writeFileSync(bench.path('go'), '');
    assert.deepEqual(bench.processes(), []);
    assert.equal(bench.text('out.txt'), 'two');
    assert.equal((await bench.compile(variant('two'))).outcome, 'disk');
  });

  it('a folder of headers that is exchanged meanwhile', async (t) => {
    const bench = withTool(
      t,
      'cat inc/part.txt "$1" > "$2"\nprintf "out.txt: inc/part.txt\\n" > "$3"\nmv inc old\nmv inc2 inc',
    );
    bench.write('inc/part.txt', 'one');
    bench.write('inc2/part.txt', 'two');
    const call = [...IDENTITY, 'in.txt', '-o', 'out.txt', ...TOOL, '{depfile}'];
    assert.equal((await bench.compile(call)).notStored, 'input-changed');
  });
});

describe('what cannot be read is run, and not cached', () => {
  const asNobody = { skip: process.getuid?.() === 0 ? false : 'needs root to become nobody' };

  function opened(bench: Workbench): void {
    for (const folder of [bench.folder, bench.project]) chmodSync(folder, 0o777);
  }

  /** Runs the command line as a user who is not root; `setpriv` is part of util-linux. */
  async function runAsNobody(bench: Workbench, args: readonly string[]): Promise<number | null> {
    const cache = bench.path('mine');
    mkdirSync(cache, { recursive: true, mode: 0o777 });
    chmodSync(cache, 0o777);
    const words = bench.commandLine(['compile', '--cache-dir', `${cache}/vyre`, ...args]);
    const become = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
    const environment = { HOME: cache, XDG_STATE_HOME: cache };
    const running = bench.spawn('/bin/sh', ['-c', `${become} ${words}`], { environment });
    return (await running.ended).status;
  }

  it('an argument that names a closed file', asNobody, async (t) => {
    const bench = withTool(t, 'cp "$1" "$2"');
    opened(bench);
    bench.write('closed', 'secret');
    chmodSync(bench.path('closed'), 0o600);
    assert.equal(
      await runAsNobody(bench, [...IDENTITY, 'in.txt', '-o', 'out.txt', ...TOOL, '--x=closed']),
      0,
    );
    assert.equal(bench.text('out.txt'), 'abc');
  });

  for (const flags of [[], ['--relocatable']]) {
    it(`an output that the compiler closes ${flags.join(' ')}`, asNobody, async (t) => {
      const bench = withTool(t, 'cp "$1" "$2"\nchmod 300 "$2"');
      opened(bench);
      assert.equal(await runAsNobody(bench, [...IDENTITY, ...flags, 'in.txt', '-o', 'out.txt', ...TOOL]), 0);
      assert.equal(bench.text('out.txt'), 'abc');
    });
  }
});

describe('the fingerprint of a request', () => {
  it('is found out without touching an output that the command names itself', async (t) => {
    const bench = withTool(t, 'cp "$1" out.txt\nprintf "out.txt: in.txt\\n" > "$2"');
    bench.write('out.txt', 'mine');
    const ended = await bench.run([
      'fingerprint',
      ...IDENTITY,
      'in.txt',
      '-o',
      'out.txt',
      '--',
      './tool',
      '{input}',
      '{depfile}',
    ]);
    assert.equal(ended.status, 3);
    assert.equal(bench.text('out.txt'), 'mine');
  });
});
