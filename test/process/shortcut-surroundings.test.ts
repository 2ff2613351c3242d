import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  answer,
  CALL,
  CallYard,
  environment,
  GCC,
  NOTHING,
  projectFolder,
  rewrite,
  ROOT,
  SCRIPT,
  settings,
  userFolder,
  withHeaders,
  type Row,
} from '../support/call-yard.js';
import type { CallOptions, Way } from '../support/repeated-call.js';
import { writeKey } from '../support/signing-keys.js';
import type { Workbench } from '../support/workbench.js';

const yard = new CallYard();

interface Around extends Row {
  readonly change: (bench: Workbench) => void;
  readonly changed?: CallOptions | ((bench: Workbench) => CallOptions);
  readonly way: Way;
}

const above = (bench: Workbench): string => bench.folder;
function call(bench: Workbench, words: readonly string[]): void {
  const line = bench.commandLine(words);
  const { status, stderr } = spawnSync('sh', ['-c', line], {
    cwd: bench.project,
    env: { ...bench.environment },
  });
  assert.equal(status, 0, String(stderr));
}

function trustList(bench: Workbench): string {
  return join(bench.stateHome, 'vyre-cache/trusted.json');
}

/** Settings that count only where they are trusted, as they are. */
function trusted(bench: Workbench): void {
  bench.write('vyre-cache.toml', 'care_max_size = "1GiB"');
  call(bench, ['config', 'trust']);
}

const AROUND: readonly Around[] = [
  {
    name: 'MAKEFLAGS and what else changes from call to call',
    change: NOTHING,
    changed: environment({
      MAKEFLAGS: 'j2',
      MAKELEVEL: '3',
      MFLAGS: '-j',
      SHLVL: '7',
      OLDPWD: '/',
      PWD: '/',
      _: 'x',
    }),
    way: 'shortcut',
  },
  { name: 'any other variable', change: NOTHING, changed: environment({ OTHER: 'x' }), way: 'long way' },
  {
    name: 'SOURCE_DATE_EPOCH',
    change: NOTHING,
    changed: environment({ SOURCE_DATE_EPOCH: '1' }),
    way: 'compiled',
  },
  {
    name: 'a variable of --env',
    args: ['--env', 'MODE', ...CALL],
    options: () => environment({ MODE: '1' }),
    change: NOTHING,
    changed: environment({ MODE: '2' }),
    way: 'compiled',
  },
  {
    name: 'VYRE_CACHE_DISABLE',
    change: NOTHING,
    changed: environment({ VYRE_CACHE_DISABLE: '1' }),
    way: 'compiled',
  },
  {
    name: 'VYRE_CACHE_DIR',
    change: NOTHING,
    changed: (b) => environment({ VYRE_CACHE_DIR: join(b.folder, 'elsewhere') }),
    way: 'compiled',
  },
  {
    name: 'the working directory',
    prepare: (b) => {
      b.script('sub/tool', SCRIPT);
      b.write('sub/in.txt', 'sub');
    },
    change: NOTHING,
    changed: (b) => ({ cwd: b.path('sub') }),
    way: 'compiled',
  },
  {
    name: 'disable in the settings of the project',
    change: settings(projectFolder, 'disable = true'),
    way: 'compiled',
  },
  {
    name: 'disable in settings above the project',
    change: settings(above, 'disable = true'),
    way: 'compiled',
  },
  {
    name: 'disable in the settings of the user',
    change: settings(userFolder, 'disable = true', 'config.toml'),
    way: 'compiled',
  },
  {
    name: 'cache_dir in the settings of the user',
    change: settings(userFolder, 'cache_dir = "~/other"', 'config.toml'),
    way: 'compiled',
  },
  {
    name: 'cache_dir in the settings of the project, untrusted',
    change: settings(projectFolder, 'cache_dir = "other"'),
    way: 'long way',
  },
  {
    name: 'max_payload in the settings of the user',
    prepare: (b) => {
      b.write('in.txt', 'x'.repeat(9000));
    },
    change: settings(userFolder, 'max_payload = "4KiB"', 'config.toml'),
    way: 'compiled',
  },
  {
    name: 'max_payload taken back',
    prepare: (b) => {
      b.write('in.txt', 'x'.repeat(9000));
      settings(userFolder, 'max_payload = "1MiB"', 'config.toml')(b);
    },
    change: (b) => {
      rewrite(join(userFolder(b), 'config.toml'), 'max_payload = "4KiB"');
    },
    way: 'compiled',
  },
  // The file stays an old one where its folder is renamed.
  {
    name: 'strict in the settings of the user',
    prepare: settings((b) => join(b.home, 'old/vyre-cache'), 'strict = true', 'config.toml'),
    change: (b) => {
      renameSync(join(b.home, 'old'), join(b.home, '.config'));
    },
    way: 'long way',
  },
  { name: 'a broken settings file', change: settings(projectFolder, 'strict = '), way: 'failed' },
  {
    name: 'a settings file that others may write',
    change: (b) => {
      settings(userFolder, '', 'config.toml')(b);
      chmodSync(join(userFolder(b), 'config.toml'), 0o666);
    },
    way: 'failed',
  },
  {
    name: 'the settings that --config names',
    prepare: settings(projectFolder, '', 'my.toml'),
    args: ['--config', 'my.toml', ...CALL],
    change: (b) => {
      b.write('my.toml', 'disable = true');
    },
    way: 'compiled',
  },
  {
    name: 'key_file in the settings of the user',
    change: (b) => {
      writeKey(join(b.home, 'key'), 1);
      settings(userFolder, 'key_file = "~/key"', 'config.toml')(b);
    },
    way: 'compiled',
  },
  {
    name: 'a key in a variable',
    prepare: (b) => {
      writeKey(join(b.home, 'key'), 1);
    },
    change: NOTHING,
    changed: (b) => environment({ VYRE_CACHE_KEY_FILE: join(b.home, 'key') }),
    way: 'compiled',
  },
  {
    name: 'the trust in the settings of the project, withdrawn',
    prepare: trusted,
    change: (b) => {
      rmSync(trustList(b));
    },
    way: 'long way',
  },
  {
    name: 'the trust in the settings of the project, in a list that others may write',
    prepare: trusted,
    change: (b) => {
      chmodSync(trustList(b), 0o666);
    },
    way: 'long way',
  },
  {
    name: 'the trust in other settings, added',
    prepare: trusted,
    change: (b) => {
      b.write('other.toml', 'jobs = 1');
      call(b, ['config', 'trust', 'other.toml']);
    },
    way: 'long way',
  },
  {
    name: 'the settings of the project, no longer those that are trusted',
    prepare: trusted,
    change: (b) => {
      rewrite(b.path('vyre-cache.toml'), 'care_max_size = "2GiB"');
    },
    way: 'long way',
  },
  {
    name: 'the entry, cut',
    change: (b) => {
      truncateSync(b.entryPath(b.entries()[0] ?? ''), 20);
    },
    way: 'compiled',
  },
  {
    name: 'the entry, damaged',
    change: (b) => {
      rewrite(b.entryPath(b.entries()[0] ?? ''), `abd${' '.repeat(32)}`);
    },
    way: 'compiled',
  },
  {
    name: 'the entry, removed',
    change: (b) => {
      rmSync(b.entryPath(b.entries()[0] ?? ''));
    },
    way: 'compiled',
  },
  {
    name: 'the record, removed',
    change: (b) => {
      rmSync(b.recordPath(b.entries()[0] ?? ''));
    },
    way: 'compiled',
  },
  {
    name: 'the record, damaged',
    change: (b) => {
      writeFileSync(b.recordPath(b.entries()[0] ?? ''), '{}');
    },
    way: 'compiled',
  },
  {
    name: 'the home, emptied by prune --all',
    change: (b) => {
      call(b, ['prune', '--all', '--yes']);
    },
    way: 'compiled',
  },
  {
    name: 'the home, removed',
    change: (b) => {
      rmSync(b.root, { recursive: true });
    },
    way: 'compiled',
  },
  {
    name: 'the home, whose store was removed',
    change: (b) => {
      rmSync(join(b.root, 'pipelines'), { recursive: true });
    },
    way: 'compiled',
  },
  {
    name: 'the home, whose private state was removed',
    change: (b) => {
      rmSync(join(b.root, '.vyre-cache'), { recursive: true });
    },
    way: 'long way',
  },
  {
    name: 'what is noted of its requests, removed',
    change: (b) => {
      rmSync(join(b.root, '.vyre-cache/requests'), { recursive: true });
    },
    way: 'long way',
  },
  {
    name: 'what a compilation has read, removed',
    needs: 'gcc',
    prepare: withHeaders,
    args: GCC,
    change: (b) => {
      rmSync(join(b.root, '.vyre-cache/deps'), { recursive: true });
    },
    way: 'long way',
  },
  {
    name: 'a later --refresh',
    change: (b) => {
      call(b, ['compile', '--refresh', ...CALL]);
    },
    way: 'long way',
  },
  {
    name: 'the home, open to all',
    change: (b) => {
      chmodSync(b.root, 0o777);
    },
    way: 'compiled',
  },
  {
    name: 'its store, open to all',
    change: (b) => {
      chmodSync(join(b.root, 'pipelines'), 0o777);
    },
    way: 'compiled',
  },
  {
    name: 'its private state, open to all',
    change: (b) => {
      chmodSync(join(b.root, '.vyre-cache'), 0o777);
    },
    way: 'compiled',
  },
  {
    name: 'the owner of the home',
    skip: ROOT,
    change: (b) => {
      chownSync(b.root, 12_345, 12_345);
    },
    way: 'compiled',
  },
  {
    name: 'the home, of a newer version',
    change: (b) => {
      writeFileSync(join(b.root, '.vyre-cache/home.json'), '{"schema":"vyre-cache.home/9"}');
    },
    way: 'compiled',
  },
  {
    name: 'the home, a link to the same one',
    change: (b) => {
      renameSync(b.root, `${b.root}2`);
      symlinkSync(`${b.root}2`, b.root);
    },
    way: 'long way',
  },
];

yard.rows('what is around a call decides as ever:', AROUND, async (repeated, { change, changed, way }) => {
  const { bench, args } = repeated;
  const output = args[args.indexOf('-o') + 1] ?? '';
  const outputs = [output, join('sub', output)];
  await repeated.leave();
  change(bench);
  const options = typeof changed === 'function' ? changed(bench) : (changed ?? {});
  rmSync(bench.path(output));
  const ended = await repeated.go(options);
  assert.equal(ended.way, way, ended.stderr.toString('utf8'));
  const made = answer(repeated, ended, outputs);
  for (const name of outputs) rmSync(bench.path(name), { force: true });
  assert.deepEqual(made, answer(repeated, await repeated.runLong(options), outputs), 'the long way');
});
