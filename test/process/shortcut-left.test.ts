import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import {
  CALL,
  CallYard,
  COVERED,
  environment,
  GCC,
  projectFolder,
  ROOT,
  settings,
  TOOL,
  userFolder,
  withHeaders,
  type Row,
} from '../support/call-yard.js';
import { stateOf, succeeded, type RepeatedCall } from '../support/repeated-call.js';
import { writeKey } from '../support/signing-keys.js';
import type { Workbench } from '../support/workbench.js';

const HOUR_MS = 3_600_000;

const yard = new CallYard();

interface NoneLeft extends Row {
  /** What becomes of a call that was compiled before; its inputs keep their bytes. */
  readonly before?: (bench: Workbench) => void;
  /** False for calls that compile each time. */
  readonly isHit?: false;
}

/** Gives a file a time by which it is young, however long a test takes; its bytes stay. */
function touch(path: string): void {
  utimesSync(path, new Date(), new Date(Date.now() + HOUR_MS));
}

const newline = 'in\n.txt';
const of = (input: string): readonly string[] => [...COVERED, input, '-o', 'out.txt', ...TOOL];

const NONE_LEFT: readonly NoneLeft[] = [
  ...[
    ['-v'],
    ['--json'],
    ['--deps', 'in.txt'],
    ['--compiler-version', 'echo 1'],
    ['--env', 'MAKEFLAGS'],
    ['--env', 'MAKEFLAGS=1'],
    ['--env', '_'],
    ['--env', 'OLDPWD=/'],
    ['--env', 'PWD'],
  ].map((words): NoneLeft => ({ name: words.join(' '), args: [...words, ...CALL] })),
  ...['--no-cache', '--refresh'].map((word): NoneLeft => ({
    name: word,
    args: [word, ...CALL],
    isHit: false,
  })),
  {
    name: 'no state directory',
    options: () => environment({ HOME: undefined, XDG_STATE_HOME: undefined }),
  },
  { name: 'a variable that is unknown', options: () => environment({ VYRE_CACHE_UNKNOWN: '1' }) },
  { name: 'the setting', options: () => environment({ VYRE_CACHE_SHORTCUTS: 'false' }) },
  { name: 'verbose in the settings', prepare: settings(projectFolder, 'verbose = true') },
  { name: 'settings that nobody trusts', prepare: settings(projectFolder, 'cache_dir = "other"') },
  {
    name: 'a key in a variable',
    prepare: (b) => {
      writeKey(join(b.home, 'key'), 1);
    },
    options: (b) => environment({ VYRE_CACHE_KEY_FILE: join(b.home, 'key') }),
  },
  {
    name: 'a key in the settings of the user',
    prepare: (b) => {
      writeKey(join(b.home, 'key'), 1);
      settings(userFolder, 'key_file = "~/key"', 'config.toml')(b);
    },
  },
  {
    name: 'an input that is young',
    before: (b) => {
      touch(b.path('in.txt'));
    },
  },
  {
    name: 'a compiler that is young',
    before: (b) => {
      touch(b.path('tool'));
    },
  },
  {
    name: 'a file in a variable of --env that is young',
    args: ['--env', 'X=part', ...CALL],
    prepare: (b) => {
      b.write('part', 'new');
    },
    before: (b) => {
      touch(b.path('part'));
    },
  },
  {
    name: 'a header that is young',
    needs: 'gcc',
    prepare: withHeaders,
    args: GCC,
    before: (b) => {
      touch(b.path('inc2/h.h'));
    },
  },
  {
    name: 'a note of its request that is young',
    before: (b) => {
      const folder = join(b.root, '.vyre-cache/requests');
      for (const name of readdirSync(folder)) touch(join(folder, name));
    },
  },
  {
    name: 'an output that the compiler reads',
    needs: 'gcc',
    prepare: (b) => {
      withHeaders(b);
      b.write('out.h', 'int x;');
    },
    args: [
      'a.c',
      '-o',
      'out.h',
      '--',
      'gcc',
      '-E',
      '-P',
      '-Iinc2',
      '-include',
      'out.h',
      '{input}',
      '-o',
      '{output}',
    ],
    isHit: false,
  },
  {
    name: 'a path with a newline',
    prepare: (b) => {
      b.write(newline, 'x');
    },
    args: of(newline),
  },
  {
    name: 'a path with a tab',
    prepare: (b) => {
      b.write('in\t.txt', 'x');
    },
    args: of('in\t.txt'),
  },
  { name: 'a file of /proc', args: of('/proc/sys/kernel/ostype') },
  { name: 'a file of /sys', args: of('/sys/devices/system/cpu/online') },
  {
    name: 'a link to a file of /proc',
    prepare: (b) => {
      rmSync(b.path('in.txt'));
      symlinkSync('/proc/sys/kernel/ostype', b.path('in.txt'));
    },
  },
  {
    name: 'a home that only root may write',
    skip: ROOT,
    prepare: (b) => {
      chmodSync(b.cacheHome, 0o755);
      chownSync(b.cacheHome, 12_345, 12_345);
      mkdirSync(b.root);
      chownSync(b.root, 12_345, 12_345);
    },
    isHit: false,
  },
];

yard.rows('no shortcut is left by a call with', NONE_LEFT, async (call, { before, isHit = true }) => {
  before?.(call.bench);
  const made = (): readonly unknown[] => [call.bench.lines('runs'), call.bench.entries().map(stored(call))];
  const first = made();
  for (let run = 0; run < 2; run += 1) succeeded(await call.run());
  if (isHit) assert.deepEqual(made(), first, 'expected hits');
  assert.deepEqual(call.paths(), []);
});

function stored({ bench }: RepeatedCall): (fingerprint: string) => string {
  return (fingerprint) => stateOf(bench.recordPath(fingerprint));
}
