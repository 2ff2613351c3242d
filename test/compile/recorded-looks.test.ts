import assert from 'node:assert/strict';
import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { LookKind } from '../../src/compile/looks.js';
import type { Files } from '../../src/host/files.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { errnoError } from '../support/fake-host.js';
import { at, LATER_MS, LooksBench, opened, scanned } from '../support/looks-bench.js';

/** What cannot be started, which makes no difference. */
const NO_PROGRAM = [
  { program: '/nowhere', args: [], argv0: 'nowhere', cwd: '/', environment: {} },
  { stdout: () => undefined, stderr: () => undefined },
] as const;

interface NoProof {
  readonly name: string;
  readonly replaced?: Partial<Files>;
  readonly look: (bench: LooksBench) => unknown;
}

const throwing = (): never => {
  throw errnoError('EIO');
};
const young =
  (look: NoProof['look']): NoProof['look'] =>
  (bench) => {
    bench.clock.advance(-LATER_MS);
    look(bench);
  };

/** Looks after which what was seen proves nothing. */
const NO_PROOFS: readonly NoProof[] = [
  { name: 'stat at a young file', look: young((b) => b.files.stat(b.path('file'))) },
  { name: 'lstat at a young file', look: young((b) => b.files.lstat(b.path('file'))) },
  { name: 'lstat at a young link', look: young((b) => b.files.lstat(b.path('link'))) },
  { name: 'a young file that is read', look: young(at(opened, 'file')) },
  { name: 'a young folder that is listed', look: young((b) => b.files.readDirectory(b.path('one'))) },
  { name: 'a young folder that is scanned', look: young(at(scanned, 'one')) },
  { name: 'a young link that is read', look: young((b) => b.files.readLink(b.path('link'))) },
  { name: 'a look that is thrown', replaced: { stat: throwing }, look: (b) => b.files.stat(b.path('file')) },
  { name: 'a circle of links', look: (b) => b.files.stat(b.path('circle')) },
  { name: 'a file that cannot be opened', look: (b) => b.files.open(b.path('none'), 'read') },
  { name: 'a link of nothing', look: (b) => b.files.readLink(b.path('none')) },
  { name: 'the way through a circle', look: (b) => b.files.realpath(b.path('circle')) },
  { name: 'the names of nothing', look: (b) => b.files.readDirectory(b.path('none')) },
  {
    name: 'a folder that is refused',
    replaced: { isDirectory: throwing },
    look: (b) => b.files.isDirectory('/'),
  },
  { name: 'a device that is read', look: at(opened, '../'.repeat(20) + 'dev/null') },
  {
    name: 'a file that changed between two looks',
    look: (b) => {
      b.files.stat(b.path('file'));
      b.write('file', 'another');
      b.files.stat(b.path('file'));
    },
  },
  {
    name: 'a file that changed and was seen twice since',
    look: (b) => {
      b.files.stat(b.path('file'));
      b.write('file', 'another');
      for (let run = 0; run < 2; run += 1) b.files.stat(b.path('file'));
    },
  },
  { name: 'a file that appeared between two looks', look: (b) => appearing(b) },
  { name: 'a path that is not absolute', look: (b) => b.files.stat('somewhere') },
  ...['\t', '\n'].flatMap((sign): NoProof[] => [
    { name: `a path with ${JSON.stringify(sign)}`, look: (b) => b.files.stat(b.path(`a${sign}b`)) },
    {
      name: `a way that leads to a path with ${JSON.stringify(sign)}`,
      look: (b) => {
        linkSync(b.path('file'), b.path(`a${sign}b`));
        b.repoint('link', `a${sign}b`);
        b.files.realpath(b.path('link'));
      },
    },
  ]),
  {
    name: 'a file that is not on a local file system',
    replaced: { isLocal: () => false },
    look: (b) => b.files.stat(b.path('file')),
  },
  {
    name: 'a folder that is not on a local file system',
    replaced: { isLocal: () => false },
    look: (b) => b.files.stat(b.path('one')),
  },
  {
    name: 'a file system that does not answer',
    replaced: { isLocal: throwing },
    look: (b) => b.files.stat(b.path('file')),
  },
  {
    name: 'a program that is started',
    look: (b) => b.looks.host.processes.start(...NO_PROGRAM),
  },
  {
    name: 'a program whose words are read',
    look: (b) => b.looks.host.processes.capture(NO_PROGRAM[0], { maxBytes: 1, timeoutMs: 1 }),
  },
];

function appearing(bench: LooksBench): void {
  bench.files.stat(bench.path('none'));
  bench.write('none', '');
  bench.files.stat(bench.path('none'));
}

describe('what was seen proves nothing after', () => {
  for (const { name, replaced = {}, look } of NO_PROOFS) {
    it(name, async (t) => {
      const bench = new LooksBench(t, replaced);
      try {
        await look(bench);
      } catch {
        // Best effort: what throws was looked at as well.
      }
      assert.equal(bench.list(), null);
    });
  }

  it('an end that did not come', (t) => {
    const bench = new LooksBench(t);
    bench.files.stat(bench.path('file'));
    assert.equal(bench.looks.listBeside(new HomePaths(bench.path('home'))), null);
    assert.notEqual(bench.list(), null);
  });
});

describe('of what is looked at', () => {
  const seen = (bench: LooksBench): readonly string[] =>
    (bench.list() ?? 'null').split('\n').map((look) => look.split('\t').slice(0, 2).join(' '));

  it('nothing counts that comes after the end', (t) => {
    const bench = new LooksBench(t);
    bench.files.stat(bench.path('file'));
    bench.looks.stop();
    bench.files.stat(bench.path('other'));
    assert.throws(() => bench.files.realpath(bench.path('none')));
    assert.deepEqual(seen(bench), [`stat ${bench.path('file')}`]);
  });

  it('each kind at one path is noted by itself', (t) => {
    const bench = new LooksBench(t);
    const path = bench.path('one');
    bench.files.stat(path);
    bench.files.lstat(path);
    bench.files.isDirectory(path);
    bench.files.realpath(path);
    bench.files.readDirectory(path);
    bench.files.stat(path);
    const kinds: readonly LookKind[] = ['stat', 'lstat', 'folder', 'real', 'list'];
    assert.deepEqual(
      seen(bench),
      kinds.map((kind) => `${kind} ${path}`),
    );
  });

  it('writing is no look', (t) => {
    const bench = new LooksBench(t);
    bench.files.stat(bench.path('one'));
    bench.files.close(bench.files.open(bench.path('new'), 'createNew'));
    assert.deepEqual(seen(bench), [`stat ${bench.path('one')}`]);
  });

  it('the cache’s own files do not count, but for what it notes of requests and what they read', (t) => {
    const bench = new LooksBench(t);
    const paths = new HomePaths(bench.path('home'));
    const noted = [join(paths.requests, 'a'), join(paths.dependencySets, 'b')];
    const judged = [paths.root, paths.store, join(paths.store, 'x.bin'), paths.private, paths.stamps];
    const beside = [`${paths.root}2`, join(paths.root, 'package.json'), `${paths.store}2`];
    for (const path of [...judged, ...noted, ...beside]) bench.files.lstat(path);
    assert.deepEqual(
      seen(bench),
      [...noted, ...beside].map((path) => `lstat ${path}`),
    );
  });

  it('what the cache judges may be young', (t) => {
    const bench = new LooksBench(t);
    mkdirSync(bench.path('home/pipelines'), { recursive: true });
    writeFileSync(bench.path('home/pipelines/x.bin'), '');
    bench.clock.advance(-LATER_MS);
    bench.files.stat(bench.path('home/pipelines/x.bin'));
    bench.files.stat(bench.path('one'));
    assert.deepEqual(seen(bench), [`stat ${bench.path('one')}`]);
  });

  it('a file system is asked once, and none where nothing is', (t) => {
    const asked: string[] = [];
    const isLocal = (path: string): boolean => {
      asked.push(path);
      return true;
    };
    const bench = new LooksBench(t, { isLocal });
    for (const name of ['none', 'file', 'other', 'one']) bench.files.stat(bench.path(name));
    bench.files.realpath(bench.path('link'));
    assert.equal(seen(bench).length, 5);
    assert.deepEqual(asked, [bench.path('one')]);
  });
});
