import assert from 'node:assert/strict';
import { chmodSync, linkSync, rmSync, symlinkSync } from 'node:fs';
import { object, sources, text, texts, TEXTS, TOOL } from '../support/batch-jobs.js';
import { fifo, replace } from '../support/call-yard.js';
import {
  BatchYard,
  batchAnswer,
  madeBare,
  made,
  removeOutputs,
  type BatchRow,
  type RepeatedBatch,
  type TypedJob,
} from '../support/repeated-batch.js';
import type { Workbench } from '../support/workbench.js';

const yard = new BatchYard();

interface Kinds extends BatchRow {
  /** The numbers of the jobs that a shortcut answers; all in their order unless set. */
  readonly taken?: readonly number[];
}

function warning(bench: Workbench): void {
  sources(bench);
  for (const name of ['a', 'b', 'c'])
    bench.write(`${name}.c`, `#warning look at ${name}\nint ${name}(void) { int unused; return 1; }\n`);
}

const WARNED = ['gcc', '-Wall', '-c', '{input}', '-o', '{output}'];

/** In two folders the same source: one artifact. */
function alike(bench: Workbench): void {
  for (const folder of ['one', 'two', 'three']) {
    bench.write(`${folder}/a.c`, 'int a;\n');
    bench.write(`${folder}/b.c`, `int ${folder};\n`);
  }
}

const ALIKE: readonly TypedJob[] = ['one', 'two', 'three'].flatMap((cwd) =>
  ['a', 'b'].map((name) => object(name, { cwd, command: ['gcc', '-c', '{input}', '-o', '{output}'] })),
);

const KINDS: readonly Kinds[] = [
  {
    name: 'warnings',
    needs: 'gcc',
    prepare: warning,
    jobs: ['a', 'b', 'c'].map((name) => object(name, { command: WARNED })),
  },
  {
    name: 'warnings, those of critical jobs first',
    needs: 'gcc',
    prepare: warning,
    jobs: [
      object('a', { command: WARNED }),
      object('b', { command: WARNED, priority: 'critical' }),
      object('c', { command: WARNED }),
    ],
  },
  {
    name: 'words on both streams without an end',
    prepare: (b) => {
      texts(b);
      b.script('tool', 'printf "said $1"; printf "warned $1" >&2; cat "$1" > "$2"');
    },
    jobs: TEXTS,
  },
  {
    name: 'several outputs, executables, dependency files and stdout',
    needs: 'gcc',
    prepare: (b) => {
      sources(b);
      b.write('a.c', '#include "h.h"\nint main(void) { return H; }\n');
      b.write('inc2/h.h', '#define H 1\n');
    },
    jobs: [
      object('a', {
        outputs: ['a.o', 'a.d'],
        command: ['gcc', '-c', '-MD', '-MF', '{output:2}', '-Iinc2', '{input}', '-o', '{output:1}'],
      }),
      object('a', { outputs: ['a.exe'], command: ['gcc', '-Iinc2', '{input}', '-o', '{output}'] }),
      { inputs: ['a.c'], stdout: 'a.i', command: ['gcc', '-E', '-P', '-Iinc2', '{input}'] },
      object('b', { outputs: ['b.s'], command: ['gcc', '-S', '{input}', '-o', '{output}'] }),
    ],
  },
  {
    name: 'jobs that name nothing of their own',
    prepare: texts,
    jobs: [
      text('a', { outputs: ['one'] }),
      text('a', { outputs: ['two'] }),
      { outputs: ['three'], tool: ['cat'], command: ['./tool', '/dev/null', '{output}'] },
    ],
  },
  {
    name: 'one artifact of several jobs',
    needs: 'gcc',
    prepare: alike,
    jobs: ALIKE,
  },
  {
    name: 'several presets',
    needs: 'wat2wasm',
    prepare: (b) => {
      texts(b);
      b.write('m.wat', '(module (func (export "f") (result i32) i32.const 1))');
      b.write('n.wat', '(module)');
    },
    jobs: [
      ...['m', 'n'].map((name) => ({
        inputs: [`${name}.wat`],
        outputs: [`${name}.wasm`],
        command: ['wat2wasm', '{input}', '-o', '{output}'],
      })),
      ...TEXTS,
    ],
  },
  {
    name: 'keys and variables',
    prepare: (b) => {
      texts(b);
      b.script('tool', 'cat "$1" > "$2"; echo "$V$W" >> "$2"');
    },
    jobs: [
      text('a', { key: ['k'], env: ['V=1', 'W'] }),
      text('b', { env: ['W'] }),
      text('c', { env: ['W'] }),
    ],
    options: () => ({ environment: { W: 'caller' } }),
  },
  {
    name: 'odd names',
    prepare: (b) => {
      texts(b);
      for (const name of ['a b', "q'q", 'ü', '{x}', '-dash', '$d', '#h', '%25']) b.write(`${name}.txt`, name);
    },
    jobs: ['a b', "q'q", 'ü', '{x}', './-dash', '$d', '#h', '%25'].map((name) => ({
      inputs: [`${name}.txt`],
      outputs: [`${name}.out`],
      tool: ['cat'],
      command: TOOL,
    })),
  },
];

/** Of all jobs, by the words of the call. */
async function counts({ bench }: RepeatedBatch): Promise<readonly unknown[]> {
  const { counters } = await bench.stats();
  assert.ok(counters !== null);
  const { lookups, hits, misses, outcomes } = counters;
  return [lookups, hits, misses, (outcomes['memory'] ?? 0) + (outcomes['disk'] ?? 0)];
}

async function checkKinds(batch: RepeatedBatch, { taken, jobs }: Kinds): Promise<void> {
  const all = taken ?? jobs.map((_, index) => index + 1);
  for (const words of [[], ['--json'], ['-v'], ['--quiet']]) {
    await batch.leave({ words });
    removeOutputs(batch);
    const gone = await batch.go({ words });
    // What is taken is told first.
    const isSorted = taken !== undefined;
    const said = batchAnswer(batch, gone, { isSorted });
    removeOutputs(batch);
    const long = await batch.runLong({ words });
    assert.deepEqual(said, batchAnswer(batch, long, { isSorted }), 'the long way');
    assert.deepEqual(gone.taken, all);
  }
  const here = made(batch);
  assert.deepEqual(here, await madeBare(batch));
  const start = await counts(batch);
  await batch.run();
  const short = await counts(batch);
  await batch.runLong();
  const long = await counts(batch);
  const grown = (from: readonly unknown[], to: readonly unknown[]): readonly number[] =>
    to.map((count, index) => Number(count) - Number(from[index]));
  assert.deepEqual(grown(start, short), grown(short, long), 'the counters');
}

yard.rows('what is said, made and counted is that of the long way:', KINDS, checkKinds);

interface Place extends BatchRow {
  /** Before each of the two runs that are compared. */
  readonly arrange: (bench: Workbench) => void;
  readonly shell?: (line: string) => string;
  readonly taken?: readonly number[];
  readonly further?: string;
}

const PLACES: readonly Omit<Place, 'prepare' | 'jobs'>[] = [
  {
    name: 'nothing',
    arrange: (b) => {
      rmSync(b.path('a.out'), { force: true });
    },
    taken: [1, 2, 3],
  },
  {
    name: 'another file',
    arrange: (b) => {
      b.write('a.out', 'something else');
    },
    taken: [1, 2, 3],
  },
  {
    name: 'a file that nobody may write',
    arrange: (b) => {
      replace(b.path('a.out'), 'xyz', 0o400);
    },
    taken: [1, 2, 3],
  },
  {
    name: 'the same, with another mode',
    arrange: (b) => {
      chmodSync(b.path('a.out'), 0o755);
    },
    taken: [1, 2, 3],
  },
  {
    name: 'the same, with another name of it',
    arrange: (b) => {
      rmSync(b.path('twin'), { force: true });
      linkSync(b.path('a.out'), b.path('twin'));
    },
    further: 'twin',
  },
  {
    name: 'a link',
    arrange: (b) => {
      rmSync(b.path('a.out'), { force: true });
      b.write('target', 'old');
      symlinkSync('target', b.path('a.out'));
    },
    further: 'target',
  },
  {
    name: 'a link to nothing yet',
    arrange: (b) => {
      for (const name of ['a.out', 'target']) rmSync(b.path(name), { force: true });
      symlinkSync('target', b.path('a.out'));
    },
    further: 'target',
  },
  {
    name: 'a link in a circle',
    arrange: (b) => {
      rmSync(b.path('a.out'), { force: true });
      symlinkSync('a.out', b.path('a.out'));
    },
  },
  {
    name: 'a FIFO with a reader',
    arrange: (b) => {
      fifo(b.path('a.out'));
    },
    shell: (line) => `cat a.out > read & ${line}; wait`,
    further: 'read',
  },
  ...['077', '000', '027'].map((umask): Omit<Place, 'prepare' | 'jobs'> => ({
    name: `a file, with the umask ${umask}`,
    arrange: () => undefined,
    shell: (line) => `umask ${umask}; exec ${line}`,
    taken: [1, 2, 3],
  })),
];

yard.rows(
  'what is said and made is that of the long way, the place of an output being',
  PLACES.map((row): Place => Object.assign({ prepare: texts, jobs: TEXTS }, row)),
  async (batch, { arrange, shell, taken = [2, 3], further }) => {
    const { bench } = batch;
    const how = shell === undefined ? {} : { shell };
    const answer = (ended: Awaited<ReturnType<typeof batch.run>>): unknown => [
      batchAnswer(batch, ended),
      further === undefined ? null : bench.text(further),
    ];
    await batch.leave();
    arrange(bench);
    const gone = await batch.go(how);
    const short = answer(gone);
    arrange(bench);
    assert.deepEqual(short, answer(await batch.runLong(how)), 'the long way');
    assert.deepEqual(gone.taken, taken);
  },
);
