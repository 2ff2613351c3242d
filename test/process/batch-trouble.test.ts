import assert from 'node:assert/strict';
import { existsSync, renameSync } from 'node:fs';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { has } from '../support/tools.js';
import { Workbench, type CompiledJob } from '../support/workbench.js';

interface Job {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly command: readonly string[];
}

/** `warm.json` of as many jobs, made by the program `tool`, which gets the names of input and output. */
function makeJobs(bench: Workbench, count: number): readonly Job[] {
  const jobs = Array.from({ length: count }, (_, index) => {
    bench.write(`in${index}`, String(index));
    return {
      inputs: [`in${index}`],
      outputs: [`out${index}`],
      command: ['./tool', '{input}', '{output}'],
      compilerVersion: 'echo 1',
      relocatable: true,
    };
  });
  bench.write('warm.json', JSON.stringify({ jobs }));
  return jobs;
}

const WARM = ['compile', '--manifest', 'warm.json'] as const;
const UNTIL_GO = 'echo $$ >> started\nwhile [ ! -e go ]; do sleep 0.02; done\ncp "$1" "$2"';

describe('a batch', () => {
  it('whose home becomes a file goes on without it, and says so', async (t) => {
    const bench = Workbench.make(t);
    bench.script('tool', UNTIL_GO);
    const jobs = makeJobs(bench, 6);
    const running = bench.start([...WARM, '--jobs', '2']);
    await eventually('two compilers run', () => bench.lines('started') === 2);
    renameSync(bench.root, `${bench.root}.gone`);
    bench.write(bench.root, '');
    bench.write('go', '');
    const ended = await running.ended;
    assert.equal(ended.status, 0, ended.stderr.toString('utf8'));
    for (const index of jobs.keys()) assert.equal(bench.text(`out${index}`), String(index));
    assert.match(ended.stderr.toString('utf8'), /compiled without the cache/);
  });

  it('of many compilers at once adds nothing of its own to stderr', async (t) => {
    const bench = Workbench.make(t);
    bench.script('tool', UNTIL_GO);
    makeJobs(bench, 16);
    const running = bench.start([...WARM, '--jobs', '16']);
    await eventually('all compilers run', () => bench.lines('started') === 16);
    bench.write('go', '');
    const ended = await running.ended;
    assert.equal(ended.status, 0);
    assert.equal(ended.stderr.toString('utf8'), '');
  });

  it('shows in CI that it goes on while a compiler takes its time', async (t) => {
    const bench = Workbench.make(t);
    bench.script('tool', UNTIL_GO);
    makeJobs(bench, 1);
    const command = `${bench.commandLine(WARM)} 2> log`;
    const running = bench.spawn('/bin/sh', ['-c', command], { environment: { CI: '1' } });
    await eventually('there is a line', () => existsSync(bench.path('log')) && bench.lines('log') > 0);
    bench.write('go', '');
    assert.equal((await running.ended).status, 0);
    assert.match(bench.text('log'), /^0\/1 jobs, 0 hits\n/);
  });

  it('says of each job whose failure is repeated that its compiler was not run', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    const jobs = ['a.c', 'b.c'].map((name) => {
      bench.write(name, 'this is no program\n');
      const command = ['gcc', '-c', '{input}', '-o', '{output}'];
      return { inputs: [name], outputs: [`${name}.o`], command };
    });
    bench.write('warm.json', JSON.stringify({ jobs }));
    await bench.run(WARM);
    const ended = await bench.run(WARM);
    assert.equal(ended.status, 1);
    const ours = ended.stderr
      .toString('utf8')
      .split('\n')
      .filter((line) => line.startsWith('vyre-cache: '));
    assert.equal(ours.length, 2);
    for (const name of ['a.c', 'b.c']) {
      const line = ours.find((each) => each.includes(`(${name})`)) ?? '';
      assert.match(line, /failed with exit 1 \(failure of .* ago repeated, --retry-failed tries again\)$/);
    }
  });
});

describe('a batch with the cache switched off', () => {
  const environment = { VYRE_CACHE_DISABLE: '1' };

  it('goes on when a command cannot be started', async (t) => {
    const bench = Workbench.make(t);
    bench.script('tool', 'rm -f other\ncp "$1" "$2"');
    bench.script('other', 'exit 0');
    const [first, second, third] = makeJobs(bench, 3);
    const lost = { ...second, command: ['./other', '{input}', '{output}'] };
    bench.write('warm.json', JSON.stringify({ jobs: [first, lost, third] }));
    const ended = await bench.run([...WARM, '--jobs', '1'], { environment });
    assert.equal(ended.status, 1);
    assert.match(ended.stderr.toString('utf8'), /^vyre-cache: job 2 \(in1\) could not be run: .*"\.\/other"/);
    assert.match(ended.stdout.toString('utf8'), /^3 jobs in .*: 0 hits, 2 not stored, 1 failed\n$/);
    assert.deepEqual([bench.text('out0'), bench.text('out2')], ['0', '2']);
  });

  it('tells of every job when it is interrupted', async (t) => {
    const bench = Workbench.make(t);
    bench.script('tool', 'echo $$ >> started\nexec sleep 600');
    makeJobs(bench, 40);
    const running = bench.start([...WARM, '--jobs', '2', '--json'], { environment });
    await eventually('two commands run', () => bench.lines('started') === 2);
    running.kill('SIGINT');
    const ended = await running.ended;
    assert.equal(ended.signal, 'SIGINT');
    const { jobs } = JSON.parse(ended.stdout.toString('utf8')) as { readonly jobs: readonly CompiledJob[] };
    assert.equal(jobs.length, 40);
    assert.ok(jobs.every(({ exitCode, error }) => exitCode === null && error === null));
  });
});
