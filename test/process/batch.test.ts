import assert from 'node:assert/strict';
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import {
  breakSource,
  compileBare,
  makeManifestProject,
  usesSharedHeader,
  type ManifestJob,
} from '../support/manifest-project.js';
import { has } from '../support/tools.js';
import { Workbench, type CompiledJob, type Ended, type RunOptions } from '../support/workbench.js';

const COMPILERS = ['gcc', 'glslangValidator', 'wat2wasm'] as const;

interface Batch {
  readonly status: number | null;
  readonly jobs: readonly CompiledJob[];
  readonly totals: Readonly<Record<string, number>>;
  readonly stderr: string;
}

async function runBatch(
  bench: Workbench,
  options: readonly string[] = [],
  run: RunOptions = {},
): Promise<Batch> {
  return batchOf(await bench.run(['compile', '--manifest', 'warm.json', '--json', ...options], run));
}

function batchOf({ status, stdout, stderr }: Ended): Batch {
  const text = stdout.toString('utf8');
  assert.ok(
    text.startsWith('{"schema":"vyre-cache.compile/1"'),
    `expected a report, got ${text}${stderr.toString()}`,
  );
  const { jobs, totals } = JSON.parse(text) as Pick<Batch, 'jobs' | 'totals'>;
  return { status, jobs, totals, stderr: stderr.toString('utf8') };
}

function count(batch: Batch, outcome: string): number {
  return batch.jobs.filter((job) => job.outcome === outcome).length;
}

function isRelocatable({ outputs }: ManifestJob): boolean {
  return outputs.every((output) => !output.endsWith('.js'));
}

function isC(job: ManifestJob): boolean {
  return job.command[0] === 'gcc';
}

describe('a manifest of 500 real compilations', { concurrency: false }, () => {
  const JOBS = 500;
  const bench = Workbench.make({ after });
  const project = makeManifestProject(bench, JOBS);

  it('killed in the middle leaves nothing wrong behind', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    const running = bench.start(['compile', '--manifest', 'warm.json']);
    await eventually('a good part is compiled', () => bench.entries().length > JOBS / 5);
    running.kill('SIGKILL');
    assert.equal((await running.ended).signal, 'SIGKILL');
    const stored = bench.entries().length;
    assert.ok(stored < JOBS, `expected to kill it in the middle, got all ${stored}`);
    assert.equal(await bench.verified(), stored);
  });

  it('started again takes what is there and compiles the rest', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    const stored = bench.entries().length;
    const batch = await runBatch(bench);
    assert.equal(batch.status, 0, batch.stderr);
    assert.equal(batch.jobs.length, JOBS);
    // One that was published in the last moment before the kill may lack its dependency set.
    const hits = count(batch, 'disk');
    assert.ok(hits >= stored - 2 && hits <= stored, `expected ${stored} hits, got ${hits}`);
    assert.equal(count(batch, 'compiled') + hits, JOBS);
    assert.deepEqual(bench.workers(), []);
    assert.equal(await bench.verified(), JOBS);
  });

  it('delivers what the bare compilers make', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    for (const job of project.jobs.slice(0, 24)) {
      const [output = ''] = job.outputs;
      assert.ok(
        bench.read(output).equals(await compileBare(bench, job)),
        `expected ${output} as the compiler makes it`,
      );
    }
  });

  it('warm, starts no compiler', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    const before = new Map(project.jobs.map(({ outputs: [output = ''] }) => [output, bench.read(output)]));
    for (const output of before.keys()) rmSync(bench.path(output));
    const batch = await runBatch(bench);
    assert.equal(batch.status, 0, batch.stderr);
    assert.equal(count(batch, 'disk') + count(batch, 'memory'), JOBS);
    for (const [output, bytes] of before) assert.ok(bench.read(output).equals(bytes), output);
  });

  it('after a change of one header, compiles what reads it and nothing else', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    bench.write('include/shared.h', '#define SCALE 4\n');
    const batch = await runBatch(bench);
    assert.equal(batch.status, 0, batch.stderr);
    for (const [index, job] of batch.jobs.entries()) {
      const reads = isC(project.jobs[index] ?? assert.fail()) && usesSharedHeader(index);
      assert.equal(job.outcome, reads ? 'compiled' : 'disk', `job ${index + 1}`);
      const reasons: readonly (string | null)[] = reads ? ['dependency-changed', 'absent'] : [null];
      assert.ok(reasons.includes(job.reason), `job ${index + 1}: ${job.reason}`);
    }
    // One that was published in the last moment before the kill lacks its dependency set, and was found without it.
    const absent = batch.jobs.filter(({ reason }) => reason === 'absent').length;
    assert.ok(absent <= 2, `expected up to 2 jobs of which nothing is known, got ${absent}`);
  });

  it('with ten broken sources among them, does the others and tells of the ten', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    const broken = new Set([3, 50, 101, 152, 203, 254, 305, 356, 407, 458]);
    for (const index of broken) breakSource(bench, project.jobs[index] ?? assert.fail());
    const batch = await runBatch(bench);
    assert.equal(batch.status, 1);
    for (const [index, job] of batch.jobs.entries()) {
      assert.equal(job.outcome, broken.has(index) ? 'failed' : 'disk', `job ${index + 1}`);
      assert.equal(job.exitCode === 0, !broken.has(index));
    }
    for (const index of broken) {
      const name = project.jobs[index]?.inputs[0] ?? '';
      assert.ok(batch.stderr.includes(`job ${index + 1} `), `expected words about job ${index + 1}`);
      assert.ok(batch.stderr.includes(name), `expected the compiler's words about ${name}`);
    }
    // What a compiler says of its input alone is remembered.
    const again = await runBatch(bench);
    assert.equal(again.status, 1);
    assert.equal(count(again, 'remembered-failure') + count(again, 'failed'), broken.size);
    assert.ok(count(again, 'remembered-failure') > 0);
  });

  it('counts every lookup once', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    const { counters } = await bench.stats();
    assert.ok(counters !== null);
    assert.equal(counters.hits + counters.misses, counters.lookups);
  });
});

describe('a batch', () => {
  it('ends with one line of what it came to', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    const bench = Workbench.make(t);
    makeManifestProject(bench, 8);
    const cold = await bench.run(['compile', '--manifest', 'warm.json']);
    assert.match(cold.stdout.toString('utf8'), /^8 jobs in [^\n]*: 0 hits, 8 compiled\n$/);
    const warm = await bench.run(['compile', '--manifest', 'warm.json']);
    assert.match(warm.stdout.toString('utf8'), /^8 jobs in [^\n]*: 8 hits[^\n]*\n$/);
    assert.equal(warm.stderr.toString('utf8'), '');
  });

  it('reads the manifest from stdin, in lines too', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    const bench = Workbench.make(t);
    const { jobs } = makeManifestProject(bench, 4);
    const stdin = Buffer.from(jobs.map((job) => `${JSON.stringify(job)}\n`).join(''));
    const ended = await bench.run(['compile', '--manifest', '-'], { stdin });
    assert.equal(ended.status, 0, ended.stderr.toString('utf8'));
    assert.match(ended.stdout.toString('utf8'), /^4 jobs /);
  });

  it('gives each job the fingerprint of the same compile typed there', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    const bench = Workbench.make(t);
    const { jobs } = makeManifestProject(bench, 4);
    const batch = await runBatch(bench);
    for (const [index, { inputs, outputs, command }] of jobs.entries()) {
      const typed = [...inputs, ...outputs.flatMap((output) => ['-o', output]), '--', ...command];
      const single = await bench.compile(typed);
      assert.equal(single.fingerprint, batch.jobs[index]?.fingerprint);
      assert.equal(single.outcome, 'disk');
    }
  });

  it('finds a job whose notes are gone by what those before it have read, and no other', async (t) => {
    if (!has(t, 'gcc')) return;
    const bench = Workbench.make(t);
    const [KNOWN, JOBS, ODD] = [4, 8, 6];
    const jobs = Array.from({ length: JOBS }, (_, index): ManifestJob => {
      const input = `unit${index}.c`;
      bench.write(
        input,
        `#include "${index === ODD ? 'odd' : 'common'}.h"\nint unit${index} = VALUE + ${index};\n`,
      );
      const command = ['gcc', '-O1', '-c', '{input}', '-o', '{output}'];
      return { inputs: [input], outputs: [`unit${index}.o`], command };
    });
    bench.write('common.h', '#define VALUE 1\n');
    bench.write('odd.h', '#define VALUE 2\n');
    const notes = join(bench.root, '.vyre-cache/deps');
    const run = async (some: readonly ManifestJob[]): Promise<Batch> => {
      bench.write('warm.json', JSON.stringify({ jobs: some }));
      return runBatch(bench, ['--jobs', '1']);
    };
    await run(jobs.slice(0, KNOWN));
    const kept = new Set(readdirSync(notes));
    const first = await run(jobs);
    for (const name of readdirSync(notes)) if (!kept.has(name)) rmSync(join(notes, name));
    const objects = jobs.map(({ outputs: [output = ''] }) => output);
    const before = objects.map((output) => bench.read(output));
    for (const output of objects) rmSync(bench.path(output));
    const second = await run(jobs);
    assert.deepEqual(
      second.jobs.map(({ outcome }) => outcome),
      jobs.map((_, index) => (index === ODD ? 'compiled' : 'disk')),
    );
    assert.deepEqual(
      second.jobs.map(({ fingerprint }) => fingerprint),
      first.jobs.map(({ fingerprint }) => fingerprint),
    );
    for (const [index, output] of objects.entries()) assert.deepEqual(bench.read(output), before[index]);
  });

  it('runs nothing when a job has a mistake', async (t) => {
    const bench = Workbench.make(t);
    const { jobs } = makeManifestProject(bench, 100);
    const bad = [...jobs.slice(0, 41), { ...jobs[41], inputs: ['missing.c'] }, ...jobs.slice(42)];
    bench.write('warm.json', JSON.stringify({ jobs: bad }));
    const ended = await bench.run(['compile', '--manifest', 'warm.json']);
    assert.equal(ended.status, 2);
    assert.match(ended.stderr.toString('utf8'), /job 42: .*"missing\.c"/);
    assert.deepEqual(readdirSync(bench.path('out')), ['keep']);
    assert.deepEqual(bench.topLevel(), []);
  });

  it('interrupted ends its compilers, removes its worker directories, and dies of the signal', async (t) => {
    const bench = Workbench.make(t);
    bench.script('tool', 'echo $$ >> started\nwhile :; do sleep 0.05; done');
    const jobs = Array.from({ length: 6 }, (_, index) => {
      bench.write(`in${index}`, String(index));
      const command = ['./tool', '{input}', '{output}'];
      return { inputs: [`in${index}`], outputs: [`out${index}`], command, compilerVersion: 'echo 1' };
    });
    bench.write('warm.json', JSON.stringify({ jobs }));
    const running = bench.start(['compile', '--manifest', 'warm.json', '--jobs', '2']);
    await eventually('two compilers run', () => bench.lines('started') === 2);
    running.kill('SIGINT');
    const ended = await running.ended;
    assert.equal(ended.signal, 'SIGINT');
    assert.deepEqual(bench.processes(), []);
    assert.deepEqual(bench.workers(), []);
    assert.equal(bench.lines('started'), 2);
  });

  it('whose home vanishes goes on without it, and says so', async (t) => {
    const bench = Workbench.make(t);
    bench.script('tool', 'echo $$ >> started\nwhile [ ! -e go ]; do sleep 0.02; done\ncp "$1" "$2"');
    const jobs = Array.from({ length: 6 }, (_, index) => {
      bench.write(`in${index}`, String(index));
      const command = ['./tool', '{input}', '{output}'];
      return {
        inputs: [`in${index}`],
        outputs: [`out${index}`],
        command,
        compilerVersion: 'echo 1',
        relocatable: true,
      };
    });
    bench.write('warm.json', JSON.stringify({ jobs }));
    const running = bench.start(['compile', '--manifest', 'warm.json', '--jobs', '2']);
    await eventually('two compilers run', () => bench.lines('started') === 2);
    renameSync(bench.root, `${bench.root}.gone`);
    bench.write('go', '');
    const ended = await running.ended;
    assert.equal(ended.status, 0, ended.stderr.toString('utf8'));
    for (const index of jobs.keys()) assert.equal(bench.text(`out${index}`), String(index));
    assert.match(ended.stderr.toString('utf8'), /compiled without the cache/);
  });

  it('beside a second one on the same home compiles everything once', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    const bench = Workbench.make(t);
    // The others cannot be shared between two folders of outputs.
    const jobs = makeManifestProject(bench, 80).jobs.filter(isRelocatable);
    bench.write('warm.json', JSON.stringify({ jobs }));
    const elsewhere = jobs.map((job) => ({
      ...job,
      outputs: job.outputs.map((output) => output.replace('out/', 'two/')),
    }));
    bench.write('two/keep', '');
    bench.write('two.json', JSON.stringify({ jobs: elsewhere }));
    const [one, two] = await Promise.all([
      runBatch(bench),
      bench.run(['compile', '--manifest', 'two.json', '--json']).then(batchOf),
    ]);
    assert.deepEqual([one.status, two.status], [0, 0]);
    assert.equal(count(one, 'compiled') + count(two, 'compiled'), 60);
    for (const {
      outputs: [output = ''],
    } of jobs) {
      assert.ok(bench.read(output).equals(bench.read(output.replace('out/', 'two/'))), output);
    }
  });

  it('takes the limits of a job, and those of the call for the others', async (t) => {
    const bench = Workbench.make(t);
    bench.script('tool', 'sleep 600');
    const job = { command: ['./tool', '{input}', '{output}'], compilerVersion: 'echo 1', relocatable: true };
    for (const name of ['a', 'b']) bench.write(name, name);
    const jobs = [
      { ...job, inputs: ['a'], outputs: ['a.out'], timeout: '1s' },
      { ...job, inputs: ['b'], outputs: ['b.out'] },
    ];
    bench.write('warm.json', JSON.stringify({ jobs }));
    const batch = await runBatch(bench, ['--timeout', '2s', '--jobs', '2']);
    assert.equal(batch.status, 1);
    assert.deepEqual(
      batch.jobs.map((each) => each.exitCode),
      [124, 124],
    );
  });

  it('runs untouched commands where the cache is switched off', async (t) => {
    if (!has(t, ...COMPILERS)) return;
    const bench = Workbench.make(t);
    const { jobs } = makeManifestProject(bench, 4);
    const ended = await bench.run(['compile', '--manifest', 'warm.json'], {
      environment: { VYRE_CACHE_DISABLE: '1' },
    });
    assert.equal(ended.status, 0, ended.stderr.toString('utf8'));
    assert.deepEqual(bench.topLevel(), []);
    for (const {
      outputs: [output = ''],
    } of jobs)
      assert.ok(statSync(bench.path(output)).size > 0);
  });

  it('takes no command beside the manifest, and no jobs without one', async (t) => {
    const bench = Workbench.make(t);
    makeManifestProject(bench, 4);
    for (const [words, message] of [
      [['--manifest', 'warm.json', 'a.c'], /expected a manifest or a command/],
      [['--manifest', 'warm.json', '-o', 'a.o'], /expected a manifest or a command/],
      [['--manifest', 'warm.json', '--', 'gcc'], /expected a manifest or a command/],
      [['--manifest', 'warm.json', '--jobs', '0'], /expected a number of jobs above zero/],
      [['--manifest', 'warm.json', '--jobs', '4', '--jobs-hard', '2'], /expected at least 4 for --jobs-hard/],
      [['--manifest', 'warm.json', '--priority', 'high'], /expected normal or critical/],
      [['--jobs', '2', 'a.c', '-o', 'a.o', '--', 'gcc'], /expected --manifest/],
    ] as const) {
      const ended = await bench.run(['compile', ...words]);
      assert.equal(ended.status, 2, words.join(' '));
      assert.match(ended.stderr.toString('utf8'), message);
    }
  });
});
