import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { BUILT } from '../support/program.js';
import { temporaryFolder } from '../support/temporary-folder.js';

/** Not plain any more, and of no effect. */
const LONG_WAY = '--no-color';
const OTHER = 'f'.repeat(64);

interface Bench {
  readonly folder: string;
  readonly fingerprint: string;
  /** Of the one entry of the home. */
  readonly entry: string;
  readonly record: string;
  readonly path: (name: string) => string;
}

function makeBench(t: TestContext): Bench {
  const folder = temporaryFolder(t);
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('in'), 'payload\n');
  const request = ['in', '-o', 'made', '--cache-dir', 'home', '--', 'cp', '{input}', '{output}'];
  const options = { cwd: folder, env: environment(folder), encoding: 'utf8' } as const;
  const [node = '', ...words] = BUILT;
  execFileSync(node, [...words, 'compile', ...request], options);
  const fingerprint = execFileSync(node, [...words, 'fingerprint', ...request], options).trim();
  const stem = join(folder, 'home/pipelines', fingerprint);
  return { folder, fingerprint, entry: `${stem}.bin`, record: `${stem}.json`, path };
}

function environment(folder: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: folder, ...more };
}

interface Row {
  readonly name: string;
  readonly arrange?: (bench: Bench) => void;
  /** Of a call, before that which decides the way. */
  readonly words?: (bench: Bench) => readonly string[];
  readonly environment?: (bench: Bench) => Readonly<Record<string, string>>;
  readonly status: number;
}

const plain = ({ fingerprint }: Bench): readonly string[] => [
  fingerprint,
  '-o',
  'out',
  '--cache-dir',
  'home',
];

const ROWS: readonly Row[] = [
  { name: 'an entry', status: 0 },
  { name: 'an absent entry', words: () => [OTHER, '-o', 'out', '--cache-dir', 'home'], status: 1 },
  {
    name: 'a damaged entry',
    arrange: ({ entry }) => {
      writeFileSync(entry, readFileSync(entry, 'latin1').replace('payload', 'PAYLOAD'), 'latin1');
    },
    status: 1,
  },
  {
    name: 'an entry that was cut',
    arrange: ({ entry }) => {
      truncateSync(entry, 20);
    },
    status: 1,
  },
  {
    name: 'an entry without its record',
    arrange: ({ record }) => {
      rmSync(record);
    },
    status: 0,
  },
  {
    name: 'a damaged record',
    arrange: ({ record }) => {
      appendFileSync(record, ' ');
    },
    status: 0,
  },
  {
    name: 'a record of another payload',
    arrange: (bench) => {
      writeFileSync(bench.path('in'), 'another payload\n');
      const request = ['in', '-o', 'made', '--cache-dir', 'home', '--', 'cp', '{input}', '{output}'];
      const options = { cwd: bench.folder, env: environment(bench.folder), encoding: 'utf8' } as const;
      const [node = '', ...words] = BUILT;
      execFileSync(node, [...words, 'compile', ...request], options);
      const other = execFileSync(node, [...words, 'fingerprint', ...request], options).trim();
      copyFileSync(bench.path(`home/pipelines/${other}.json`), bench.record);
    },
    status: 1,
  },
  {
    name: 'a home that others may write',
    arrange: ({ path }) => {
      chmodSync(path('home'), 0o770);
    },
    status: 0,
  },
  {
    name: 'a home that is none any more',
    arrange: ({ path }) => {
      rmSync(path('home/.vyre-cache'), { recursive: true });
    },
    status: 0,
  },
  {
    name: 'no directory at all',
    words: ({ fingerprint }) => [fingerprint, '-o', 'out', '--cache-dir', 'nothing'],
    status: 3,
  },
  {
    name: 'the directory of a variable',
    words: ({ fingerprint }) => [fingerprint, '-o', 'out'],
    environment: ({ path }) => ({ VYRE_CACHE_DIR: path('home') }),
    status: 0,
  },
  {
    name: 'a variable that is unknown',
    environment: () => ({ VYRE_CACHE_STRCT: '1' }),
    status: 0,
  },
  {
    name: 'a bound for payloads in a variable',
    environment: () => ({ VYRE_CACHE_MAX_PAYLOAD: '3B' }),
    status: 1,
  },
  {
    name: 'a bound in the file of the project above',
    arrange: ({ path }) => {
      writeFileSync(path('vyre-cache.toml'), 'max_payload = "3B"\n');
    },
    status: 1,
  },
  {
    name: 'a bound in the file of the user',
    arrange: ({ path }) => {
      mkdirSync(path('.config/vyre-cache'), { recursive: true });
      writeFileSync(path('.config/vyre-cache/config.toml'), 'max_payload = "3B"\n');
    },
    status: 1,
  },
  {
    name: 'a file of the project that is a mistake',
    arrange: ({ path }) => {
      writeFileSync(path('vyre-cache.toml'), 'max_payloads = 3\n');
    },
    status: 2,
  },
  {
    name: 'the same output as before',
    arrange: ({ path }) => {
      writeFileSync(path('out'), 'payload\n');
      utimesSync(path('out'), 1, 1);
    },
    status: 0,
  },
  {
    name: 'another output than before',
    arrange: ({ path }) => {
      writeFileSync(path('out'), 'something else', { mode: 0o600 });
    },
    status: 0,
  },
  {
    name: 'an output behind a link',
    arrange: ({ path }) => {
      rmSync(path('out'), { force: true });
      symlinkSync('target', path('out'));
    },
    status: 0,
  },
  {
    name: 'an output that is a folder',
    arrange: ({ path }) => {
      rmSync(path('out'), { force: true });
      mkdirSync(path('out'));
    },
    status: 2,
  },
  {
    name: 'an output in no folder',
    words: ({ fingerprint }) => [fingerprint, '-o', 'none/out', '--cache-dir', 'home'],
    status: 3,
  },
  { name: 'half a fingerprint', words: (b) => [b.fingerprint.slice(0, 8), ...plain(b).slice(1)], status: 0 },
  { name: 'two fingerprints', words: (b) => [OTHER, ...plain(b)], status: 2 },
  { name: 'two outputs', words: (b) => [...plain(b), '-o', 'more'], status: 2 },
  { name: 'no output', words: (b) => [b.fingerprint, '--cache-dir', 'home'], status: 0 },
  { name: 'an empty directory', words: (b) => [b.fingerprint, '-o', 'out', '--cache-dir', ''], status: 2 },
  {
    name: 'a flag in the place of a value',
    words: (b) => [b.fingerprint, '-o', '--cache-dir', 'home'],
    status: 2,
  },
  {
    name: 'an output that is called as a flag',
    words: (b) => ['-o', '--cache-dir', b.fingerprint, '--cache-dir', 'home'],
    status: 0,
  },
];

interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What lies at the places of outputs, but for its time. */
  readonly outputs: readonly (readonly [string, string, number] | null)[];
  readonly isRenewed: boolean;
  readonly counted: unknown;
}

const OUTPUTS = ['out', 'target', '--cache-dir', 'none/out', 'more'];

function answer(bench: Bench, row: Row, more: readonly string[]): Answer {
  const { folder, path } = bench;
  const words = [...(row.words?.(bench) ?? plain(bench)), ...more];
  const options = {
    cwd: folder,
    env: environment(folder, row.environment?.(bench)),
    encoding: 'utf8',
  } as const;
  const [node = '', ...program] = BUILT;
  const { status, stdout, stderr } = spawnSync(node, [...program, 'get', ...words], options);
  const outputs = OUTPUTS.map((name) => {
    const file = path(name);
    if (!existsSync(file)) return null;
    const stat = lstatSync(file);
    return [name, stat.isDirectory() ? 'folder' : readFileSync(file, 'utf8'), stat.mode] as const;
  });
  const isRenewed = existsSync(path('out')) && lstatSync(path('out')).mtimeMs > 1000;
  const report = spawnSync(node, [...program, 'stats', 'home', '--json'], {
    ...options,
    env: environment(folder, { XDG_CONFIG_HOME: '/dev/null' }),
    cwd: '/',
  });
  const hidden = (text: string): string =>
    text.replaceAll(folder, '$folder').replaceAll(bench.fingerprint, '$fingerprint');
  return { status, stdout, stderr: hidden(stderr), outputs, isRenewed, counted: countersOf(report.stdout) };
}

/** Null where there is no report. */
function countersOf(report: string): unknown {
  if (report === '') return null;
  const { counters }: { readonly counters: Readonly<Record<string, unknown>> | null } = JSON.parse(report);
  return counters === null ? null : { ...counters, since: null };
}

describe('a get in plain words', () => {
  for (const row of ROWS) {
    it(`comes to what the long way comes to: ${row.name}`, (t) => {
      const [short, long] = [[], [LONG_WAY]].map((more) => {
        const bench = makeBench(t);
        row.arrange?.(bench);
        return answer(bench, row, more);
      });
      assert.deepEqual(short, long);
      assert.equal(short?.status, row.status);
    });
  }
});
