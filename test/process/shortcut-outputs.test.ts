import assert from 'node:assert/strict';
import { chmodSync, linkSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import {
  answer,
  CallYard,
  COVERED,
  fifo,
  NOTHING,
  replace,
  TOOL,
  UNBLOCK,
  type Row,
} from '../support/call-yard.js';
import type { Way } from '../support/repeated-call.js';
import type { Workbench } from '../support/workbench.js';

const yard = new CallYard();

interface Place extends Row {
  /** Before each of the two runs that are compared. */
  readonly arrange?: (bench: Workbench) => void;
  readonly shell?: (line: string) => string;
  readonly outputs?: readonly string[];
  readonly way?: Way;
  /** Of a call that has left a shortcut. */
  readonly wayAfterLeaving?: Way;
}

const to = (output: string): readonly string[] => [...COVERED, 'in.txt', '-o', output, ...TOOL];
/** Into a pipe, with the status of the call. */
const intoRead = (line: string): string => `{ ${line}; echo $? > status; } | cat > read; exit $(cat status)`;

const PLACES: readonly Place[] = [
  {
    name: 'nothing',
    arrange: (b) => {
      rmSync(b.path('out.txt'), { force: true });
    },
  },
  {
    name: 'another file',
    arrange: (b) => {
      b.write('out.txt', 'something else');
    },
  },
  {
    name: 'a file that nobody may write',
    arrange: (b) => {
      replace(b.path('out.txt'), 'xyz', 0o400);
    },
  },
  {
    name: 'the same, with another name of it',
    arrange: (b) => {
      rmSync(b.path('twin'), { force: true });
      linkSync(b.path('out.txt'), b.path('twin'));
    },
    outputs: ['out.txt', 'twin'],
  },
  {
    name: 'a link',
    arrange: (b) => {
      rmSync(b.path('out.txt'));
      b.write('target', 'old');
      symlinkSync('target', b.path('out.txt'));
    },
    outputs: ['target'],
    way: 'long way',
  },
  {
    name: 'a link to nothing yet',
    arrange: (b) => {
      rmSync(b.path('out.txt'));
      rmSync(b.path('made'), { force: true });
      symlinkSync('made', b.path('out.txt'));
    },
    outputs: ['made'],
    way: 'long way',
  },
  {
    name: 'a link in a circle',
    arrange: (b) => {
      rmSync(b.path('out.txt'), { force: true });
      symlinkSync('out.txt', b.path('out.txt'));
    },
    way: 'failed',
  },
  {
    name: 'a folder',
    arrange: (b) => {
      rmSync(b.path('out.txt'), { recursive: true, force: true });
      mkdirSync(b.path('out.txt'));
    },
    way: 'failed',
  },
  {
    name: 'a FIFO with a reader',
    arrange: (b) => {
      fifo(b.path('out.txt'));
    },
    shell: (line) => `cat out.txt > read & ${line}; wait`,
    outputs: ['read'],
    way: 'long way',
  },
  {
    name: '/dev/null',
    args: ['--relocatable', ...to('/dev/null')],
    outputs: [],
    wayAfterLeaving: 'long way',
    way: 'long way',
  },
  {
    name: '/dev/stdout',
    args: ['--relocatable', ...to('/dev/stdout')],
    shell: (line) => `${line} | cat`,
    leaving: { shell: (line) => `${line} | cat` },
    wayAfterLeaving: 'long way',
    outputs: [],
    way: 'long way',
  },
  {
    name: 'a read-only folder',
    prepare: (b) => {
      mkdirSync(b.path('d'));
    },
    args: to('d/out.txt'),
    arrange: (b) => {
      chmodSync(b.path('d'), 0o555);
    },
    outputs: ['d/out.txt'],
    way: 'long way',
  },
  {
    name: 'a folder that is gone',
    prepare: (b) => {
      mkdirSync(b.path('d'));
    },
    args: to('d/out.txt'),
    arrange: (b) => {
      rmSync(b.path('d'), { recursive: true, force: true });
    },
    way: 'failed',
  },
  ...['077', '000', '027'].map((umask): Place => ({
    name: `a file, with the umask ${umask}`,
    shell: (line) => `umask ${umask}; exec ${line}`,
  })),
  {
    name: 'an executable',
    prepare: (b) => {
      b.script('tool', 'cat "$1" > "$2"; chmod +x "$2"');
    },
    shell: (line) => `umask 037; exec ${line}`,
  },
  {
    name: 'two files',
    prepare: (b) => {
      b.script('tool', 'printf 1 > "$1"; printf 2 > "$2"');
    },
    args: [...COVERED, '-o', 'one', '-o', 'two', '--', './tool', '{output:1}', '{output:2}'],
    arrange: (b) => {
      for (const name of ['one', 'two']) b.write(name, 'old');
    },
    outputs: ['one', 'two'],
  },
  {
    name: 'two files, one being a folder',
    prepare: (b) => {
      b.script('tool', 'printf 1 > "$1"; printf 2 > "$2"');
    },
    args: [...COVERED, '-o', 'one', '-o', 'two', '--', './tool', '{output:1}', '{output:2}'],
    arrange: (b) => {
      b.write('one', 'old');
      rmSync(b.path('two'), { recursive: true });
      mkdirSync(b.path('two'));
    },
    outputs: ['one', 'two'],
    way: 'failed',
  },
  {
    name: '/dev/stdout, and a device that is full',
    prepare: (b) => {
      b.script('tool', 'printf 1 > "$1"; printf 2 > "$2"');
      b.write('two', '');
    },
    args: [
      '--relocatable',
      ...COVERED,
      '-o',
      '/dev/stdout',
      '-o',
      'two',
      '--',
      './tool',
      '{output:1}',
      '{output:2}',
    ],
    arrange: (b) => {
      rmSync(b.path('two'), { force: true });
      symlinkSync('/dev/full', b.path('two'));
    },
    shell: intoRead,
    outputs: ['read'],
    leaving: { shell: intoRead },
    wayAfterLeaving: 'long way',
    way: 'failed',
  },
  {
    name: 'a file that takes stdout',
    args: [...COVERED, 'in.txt', '--stdout', 'out.txt', '--', './tool', '{input}', '/dev/null'],
  },
  { name: 'closed stdout', shell: (line) => `${line} >&-` },
  { name: 'stdout that takes nothing', shell: (line) => `${line} > /dev/full`, way: 'failed' },
  { name: 'stderr that takes nothing', shell: (line) => `${line} 2> /dev/full` },
  {
    name: 'stdout that nobody reads',
    shell: (line) => `{ ${line}; echo $? > status; } | true`,
    outputs: ['out.txt', 'status'],
  },
  {
    name: 'stdout that is slow and never waits',
    prepare: (b) => {
      b.write('words', 'o'.repeat(200_000));
      b.script('tool', 'cat words; cat "$1" > "$2"');
    },
    shell: (line) =>
      `rm -f ready; { ${UNBLOCK} & node=$!; until test -e ready; do sleep 0.01; done; ${line}; echo $? > status; kill -9 $node; } | ` +
      '{ sleep 0.6; wc -c > read; }',
    outputs: ['read', 'status'],
  },
];

yard.rows('what is said and made is that of the long way, the place being', PLACES, async (call, row) => {
  const { bench } = call;
  const { arrange = NOTHING, outputs = ['out.txt'], way = 'shortcut' } = row;
  const shell = row.shell === undefined ? {} : { shell: row.shell };
  await call.leave(row.wayAfterLeaving);
  arrange(bench);
  const ended = await call.go(shell);
  const made = answer(call, ended, outputs);
  arrange(bench);
  assert.deepEqual(made, answer(call, await call.runLong(shell), outputs), 'the long way');
  assert.equal(ended.way, way);
});
