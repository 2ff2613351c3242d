import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { portableBlake3 } from '../../src/host/portable-hash.js';
import type { CompileRequest } from '../../src/index.js';
import { hitRatePpm } from '../../src/model/counters.js';
import { LayeredStore } from '../../src/store/layered-store.js';
import { MemoryTier } from '../../src/store/memory-tier.js';
import type { Tier } from '../../src/store/tier.js';
import { entryBytes, fingerprintFrom, makeArtifact } from '../support/artifacts.js';
import { errnoError, failingFiles, fakeHost } from '../support/fake-host.js';
import { tree } from '../support/listing.js';
import { Workbench } from '../support/workbench.js';

const EMPTY_ENTRY = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';
const VYRE_ENTRY = '7679726528a4bd7a07a1042e21f74f4a4a1303a4ee2b3de9a1f0cf8a36a79e4690a982c6';

/** A compiler that copies and notes each of its runs in `runs`. */
function copier(bench: Workbench): string {
  return bench.script('copier', 'echo run >> runs\ncat "$1" > "$2"');
}

function copy(bench: Workbench, more: Partial<CompileRequest> = {}): CompileRequest {
  return bench.request({
    inputs: ['a.txt'],
    outputs: ['b.txt'],
    command: ['./copier', '{input}', '{output}'],
    ...more,
  });
}

const COPY = ['a.txt', '-o', 'b.txt', '--', './copier', '{input}', '{output}'];

/** A bench with the copier and one input. */
function copyBench(t: Parameters<typeof Workbench.make>[0], content = 'content'): Workbench {
  const bench = Workbench.make(t);
  copier(bench);
  bench.write('a.txt', content);
  return bench;
}

/** The one entry of the store. */
function onlyEntry(bench: Workbench): string {
  const [entry, ...others] = bench.entries();
  assert.deepEqual(others, []);
  assert.ok(entry !== undefined, 'expected an entry');
  return entry;
}

describe('fingerprint and compile', () => {
  test('the same request has the same key of 64 lowercase hex digits', async (t) => {
    const bench = copyBench(t);
    const first = await bench.run(['fingerprint', ...COPY]);
    const second = await bench.run(['fingerprint', ...COPY]);
    assert.match(first.stdout.toString(), /^[0-9a-f]{64}\n$/);
    assert.deepEqual(second.stdout, first.stdout);
  });

  test('what cannot reach the result changes no key', async (t) => {
    const bench = copyBench(t);
    const { fingerprint } = await bench.compile(COPY);
    const job = await bench.compile(
      ['--timeout', '5m', '--lock-timeout', '1m', '--memory', '1GiB', ...COPY],
      {
        environment: { UNDECLARED: '1', LANG: 'da_DK.UTF-8', VYRE_CACHE_VERBOSE: '1' },
      },
    );
    assert.equal(job.outcome, 'disk');
    assert.equal(job.fingerprint, fingerprint);
    assert.equal(bench.lines('runs'), 1);
  });

  test('an empty payload and the payload vyre make the known entries', async (t) => {
    for (const [content, hex] of [
      ['', EMPTY_ENTRY],
      ['vyre', VYRE_ENTRY],
    ] as const) {
      const bench = copyBench(t, content);
      await bench.compile(COPY);
      assert.equal(readFileSync(bench.entryPath(onlyEntry(bench))).toString('hex'), hex);
    }
  });

  test('neither a success nor a failure leaves temporary files or work directories behind', async (t) => {
    const bench = copyBench(t);
    bench.script('failing', 'echo half > "$2"; exit 3');
    await bench.compile(COPY);
    const before = tree(bench.root).filter((name) => !name.startsWith('.vyre-cache/'));
    const failed = await bench.compile(['a.txt', '-o', 'c.txt', '--', './failing', '{input}', '{output}']);
    assert.equal(failed.exitCode, 3);
    assert.deepEqual(
      tree(bench.root).filter((name) => !name.startsWith('.vyre-cache/')),
      before,
    );
    assert.deepEqual(tree(join(bench.root, '.vyre-cache/new')), []);
    assert.deepEqual(bench.workers(), []);
  });

  test('a full disk rejects the entry, leaves nothing half written, and delivers the artifact', async (t) => {
    const bench = copyBench(t);
    const files = failingFiles({
      rename: (from, to) => {
        if (to.endsWith('.bin')) throw errnoError('ENOSPC');
        realRename(from, to);
      },
    });
    const cache = bench.open({ host: fakeHost({ files }) });
    const result = await cache.compile(copy(bench));
    await cache.close();
    assert.deepEqual([result.outcome, result.notStored, result.exitCode], ['compiled', 'store-failed', 0]);
    assert.equal(bench.text('b.txt'), 'content');
    assert.deepEqual(
      cache.troubles().map(({ kind }) => kind),
      ['no-space'],
    );
    assert.deepEqual(bench.entries(), []);
    assert.deepEqual(bench.workers(), []);
  });

  test('a second compile runs no compiler and reports a disk hit', async (t) => {
    const bench = copyBench(t);
    assert.equal((await bench.compile(COPY)).outcome, 'compiled');
    rmSync(bench.path('b.txt'));
    assert.equal((await bench.compile(COPY)).outcome, 'disk');
    assert.equal(bench.text('b.txt'), 'content');
    assert.equal(bench.lines('runs'), 1);
  });

  test('a time limit ends the whole process tree with 124 and leaves no artifact', async (t) => {
    const bench = Workbench.make(t);
    bench.write('a.txt', 'content');
    bench.script('slow', '(setsid sleep 600 &)\nsleep 600 &\nwait');
    const job = await bench.compile([
      '--timeout',
      '1s',
      'a.txt',
      '-o',
      'b.txt',
      '--',
      './slow',
      '{input}',
      '{output}',
    ]);
    assert.deepEqual([job.outcome, job.exitCode], ['failed', 124]);
    assert.deepEqual(bench.processes(), []);
    assert.deepEqual(bench.entries(), []);
    assert.deepEqual(bench.workers(), []);
    assert.ok(!existsSync(bench.path('b.txt')));
  });

  test('the cache directory is made with its parents; a file in its place is named and the build goes on', async (t) => {
    const bench = copyBench(t);
    const root = join(bench.folder, 'a/b/c');
    assert.equal((await bench.compile(['--cache-dir', root, ...COPY])).outcome, 'compiled');
    assert.equal(statSync(join(root, 'pipelines')).isDirectory(), true);
    const file = bench.write('file', 'a file');
    const job = await bench.compile(['--cache-dir', file, ...COPY]);
    assert.deepEqual([job.outcome, job.exitCode], [null, 0]);
    assert.match(job.stderr, /expected a directory at ".*file", found a file/);
    const verified = await bench.run(['verify', file]);
    assert.equal(verified.status, 3);
  });

  test('a file system that may only be read is named, and the build goes on', async (t) => {
    const bench = copyBench(t);
    const refuse = (): never => {
      throw errnoError('EROFS');
    };
    const files = failingFiles({ makeDirectory: refuse, makeDirectories: refuse });
    const cache = bench.open({ host: fakeHost({ files }) });
    const result = await cache.compile(copy(bench));
    assert.deepEqual([result.outcome, result.exitCode], [null, 0]);
    assert.equal(bench.text('b.txt'), 'content');
    const [trouble] = cache.troubles();
    assert.equal(trouble?.kind, 'home-unwritable');
    assert.match(trouble.message, /cannot be written \(EROFS\)/);
    await cache.close();
  });
});

const { rename: realRename } = failingFiles({});

describe('get', () => {
  test('an absent entry is a miss with exit 1 and no bytes, also when its file has disappeared', async (t) => {
    const bench = copyBench(t);
    await bench.compile(COPY);
    const entry = onlyEntry(bench);
    unlinkSync(bench.entryPath(entry));
    for (const key of [entry, 'f'.repeat(64)]) {
      const { status, stdout } = await bench.run(['get', key]);
      assert.equal(status, 1);
      assert.equal(stdout.byteLength, 0);
    }
  });

  test('whatever lies in the place of an entry is a miss that prints no byte and stays', async (t) => {
    const bench = copyBench(t);
    await bench.compile(COPY);
    const entry = onlyEntry(bench);
    const path = bench.entryPath(entry);
    const valid = readFileSync(path);
    const target = bench.write('target', valid);
    const places: Readonly<Record<string, () => void>> = {
      link: () => {
        symlinkSync(target, path);
      },
      directory: () => mkdirSync(path),
      pipe: () => execFileSync('mkfifo', [path]),
      short: () => {
        writeFileSync(path, valid.subarray(0, 31));
      },
      giant: () => {
        writeFileSync(path, '');
        truncateSync(path, 67_108_897);
      },
      footer: () => {
        writeFileSync(
          path,
          Buffer.concat([valid.subarray(0, -1), Buffer.from([~(valid.at(-1) ?? 0) & 0xff])]),
        );
      },
    };
    for (const [name, put] of Object.entries(places)) {
      rmSync(path, { recursive: true });
      put();
      const { status, stdout } = await bench.run(['get', entry]);
      assert.deepEqual([name, status, stdout.byteLength], [name, 1, 0]);
      assert.ok(bench.entries().includes(entry), `${name} stays`);
    }
    assert.deepEqual(readFileSync(target), valid);
  });

  test('makes the entry the last used one', async (t) => {
    const bench = copyBench(t);
    await bench.compile(COPY);
    const path = bench.entryPath(onlyEntry(bench));
    const old = new Date('2020-01-01T00:00:00Z');
    utimesSync(path, old, old);
    assert.equal((await bench.run(['get', onlyEntry(bench)])).status, 0);
    assert.ok(statSync(path).mtimeMs > old.getTime());
  });

  test('accepts nothing but hex digits as a key', async (t) => {
    const bench = copyBench(t);
    await bench.compile(COPY);
    const entry = onlyEntry(bench);
    writeFileSync(join(bench.root, 'outside.bin'), entryBytes('outside'));
    for (const key of [
      '../outside',
      `pipelines/${entry}`,
      entry.toUpperCase(),
      `${entry}.bin`,
      entry.slice(0, 7),
      '..',
      '',
    ]) {
      const { status, stdout } = await bench.run(['get', key]);
      assert.deepEqual([key, status, stdout.byteLength], [key, 2, 0]);
    }
  });

  test('a lower tier is asked only after the upper one has missed, and its hit is kept above', async () => {
    const artifact = makeArtifact(fingerprintFrom('a'), 'payload');
    let asked = 0;
    const lower: Tier = {
      name: 'disk',
      get: async () => {
        asked += 1;
        return Promise.resolve({ hit: true, artifact });
      },
    };
    const memory = new MemoryTier(portableBlake3);
    const store = new LayeredStore([memory, lower]);
    const first = await store.get(artifact.fingerprint);
    const second = await store.get(artifact.fingerprint);
    assert.deepEqual([first.hit && first.tier, second.hit && second.tier, asked], ['disk', 'memory', 1]);
    artifact.payload.write('X');
    const third = await store.get(artifact.fingerprint);
    assert.deepEqual([third.hit && third.tier, asked], ['disk', 2]);
  });

  test('works in a directory that may only be read', async (t) => {
    const bench = copyBench(t);
    await bench.compile(COPY);
    const entry = onlyEntry(bench);
    const { open } = failingFiles({});
    const refuse = (): never => {
      throw errnoError('EROFS');
    };
    const files = failingFiles({
      open: (path, flags, mode) => (flags === 'read' ? open(path, flags, mode) : refuse()),
      rename: refuse,
      makeDirectory: refuse,
      makeDirectories: refuse,
      setTimes: refuse,
    });
    const cache = bench.open({ host: fakeHost({ files }) });
    const found = await cache.get(entry);
    await cache.close();
    assert.ok(found.hit);
    assert.equal(Buffer.from(found.payload).toString(), 'content');
  });
});

describe('stats', () => {
  test('hits and misses are the lookups, whatever happened', async (t) => {
    const bench = copyBench(t);
    bench.script('failing', 'exit 3');
    await bench.compile(COPY);
    await bench.compile(COPY);
    await bench.compile(['--no-cache', ...COPY]);
    await bench.compile(['--refresh', ...COPY]);
    await bench.compile(['a.txt', '-o', 'c.txt', '--', './failing']);
    await bench.run(['get', onlyEntry(bench)]);
    await bench.run(['get', 'f'.repeat(64)]);
    await bench.run(['get', ...COPY]);
    const { counters } = await bench.stats();
    assert.ok(counters !== null);
    assert.equal(counters.hits + counters.misses, counters.lookups);
    assert.deepEqual([counters.lookups, counters.hits, counters.misses], [7, 3, 4]);
  });

  test('the hit rate is rounded down to parts per million, and has no value without lookups', () => {
    assert.deepEqual(
      [hitRatePpm(0, 0), hitRatePpm(0, 3), hitRatePpm(1, 3), hitRatePpm(2, 3), hitRatePpm(3, 3)],
      [null, 0, 333_333, 666_666, 1_000_000],
    );
  });

  test('entries and bytes are those of the disk', async (t) => {
    const bench = copyBench(t);
    await bench.compile(COPY);
    bench.write('a.txt', 'other content');
    await bench.compile(COPY);
    const paths = bench.entries().flatMap((entry) => [bench.entryPath(entry), bench.recordPath(entry)]);
    const bytes = paths.reduce((sum, path) => sum + statSync(path).size, 0);
    const report = (await bench.document(['stats'])) as { readonly entries: number; readonly bytes: number };
    assert.deepEqual([report.entries, report.bytes], [2, bytes]);
  });

  test('counters outlive their process and add up over processes that run at once', async (t) => {
    const bench = copyBench(t);
    const names = ['1', '2', '3', '4'];
    for (const name of names) bench.write(`${name}.in`, name);
    await Promise.all(
      names.map(async (name) =>
        bench.compile([`${name}.in`, '-o', `${name}.out`, '--', './copier', '{input}', '{output}']),
      ),
    );
    const { counters } = await bench.stats();
    assert.deepEqual([counters?.lookups, counters?.misses, counters?.puts], [4, 4, 4]);
  });

  test('a failed store is counted apart from hits and misses', async (t) => {
    const bench = copyBench(t);
    const result = await bench.run(['compile', '--json', ...COPY], {
      environment: { VYRE_CACHE_MAX_PAYLOAD: '3B' },
    });
    assert.match(result.stdout.toString(), /"notStored":"payload-too-large"/);
    const { counters } = await bench.stats();
    assert.deepEqual(
      [counters?.lookups, counters?.misses, counters?.puts, counters?.rejectedPuts],
      [1, 1, 0, 1],
    );
  });

  test('memory hits, disk hits, repairs and first compilations are told apart', async (t) => {
    const bench = copyBench(t);
    const cache = bench.open();
    const outcomes = [
      await cache.compile(copy(bench)),
      await cache.compile(copy(bench)),
      await cache.compile(copy(bench)),
    ].map(({ outcome }) => outcome);
    await cache.close();
    assert.deepEqual(outcomes, ['compiled', 'disk', 'memory']);
    const path = bench.entryPath(onlyEntry(bench));
    writeFileSync(path, 'x'.repeat(40));
    assert.equal((await bench.compile(COPY)).outcome, 'recompiled');
    const { counters } = await bench.stats();
    assert.deepEqual(counters?.outcomes, { memory: 1, disk: 1, compiled: 1, recompiled: 1 });
  });
});

describe('everywhere', () => {
  test('directories are made for the user alone, and a home that others may write to is not used', async (t) => {
    const bench = copyBench(t);
    await bench.compile(COPY);
    for (const name of [
      '',
      'pipelines',
      '.vyre-cache',
      '.vyre-cache/new',
      '.vyre-cache/deps',
      '.vyre-cache/requests',
    ]) {
      assert.equal(statSync(join(bench.root, name)).mode & 0o777, 0o700, name);
    }
    for (const name of tree(bench.root).filter((each) => !each.endsWith('/'))) {
      assert.equal(statSync(join(bench.root, name)).mode & 0o777, 0o600, name);
    }
    chmodSync(bench.root, 0o777);
    const job = await bench.compile(COPY);
    assert.equal(job.outcome, null);
    assert.match(job.stderr, /others may write to/);
  });
});
