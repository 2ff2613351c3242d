import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import { HomePaths } from '../../src/layouts/vyre/home-paths.js';
import { openHome } from '../../src/store/home.js';
import { decodeNotes, mergeNotes } from '../../src/store/pending-list.js';
import { entryBytes, fingerprintFrom } from '../support/artifacts.js';
import { errnoError, failingFiles, fakeHost } from '../support/fake-host.js';
import { listing } from '../support/listing.js';
import { REMOVAL } from '../support/program.js';
import { findTool, has } from '../support/tools.js';
import { Workbench } from '../support/workbench.js';
import { cli, makePlace, type Place } from './support.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const C = fingerprintFrom('c');
const CLEAN = 'vyre-cache.pending/1\n';

/** A home whose list names these entries, all of which are there. */
function fill(root: string, fingerprints: readonly string[]): HomePaths {
  mkdirSync(dirname(root), { recursive: true });
  const paths = new HomePaths(root);
  assert.ok(openHome(fakeHost(), paths).ok);
  for (const fingerprint of fingerprints) {
    writeFileSync(join(paths.store, `${fingerprint}.bin`), entryBytes('vyre'));
    writeFileSync(join(paths.store, `${fingerprint}.json`), '{}');
  }
  writeFileSync(paths.pending, `${CLEAN}${fingerprints.map((each) => `${each}\n`).join('')}`);
  return paths;
}

function makeHome(place: Place, fingerprints: readonly string[] = [A, B, C]): HomePaths {
  return fill(join(place.home, '.cache/vyre'), fingerprints);
}

describe('flush', () => {
  it('says how many entries are durable, and then that nothing was pending', async (t) => {
    const place = makePlace(t);
    makeHome(place);
    assert.deepEqual(await cli(place, ['flush']), { code: 0, stdout: '3 entries durable\n', stderr: '' });
    assert.deepEqual(await cli(place, ['flush']), { code: 0, stdout: 'Nothing was pending\n', stderr: '' });
  });

  it('has one document with the documented fields', async (t) => {
    const place = makePlace(t);
    const { root, store } = makeHome(place);
    systemFiles.unlink(join(store, `${A}.bin`));
    const { code, stdout, stderr } = await cli(place, ['flush', '--json']);
    assert.deepEqual([code, stderr], [0, '']);
    const fields = { root, flushed: 2, gone: 1, failed: 0, pending: 0 };
    assert.equal(stdout, `${JSON.stringify({ schema: 'vyre-cache.flush/1', ...fields })}\n`);
  });

  it('prints nothing with --quiet but what failed', async (t) => {
    const place = makePlace(t);
    makeHome(place);
    assert.deepEqual(await cli(place, ['flush', '-q']), { code: 0, stdout: '', stderr: '' });
  });

  it('exits 3 and names what could not be synced, which stays pending', async (t) => {
    const place = makePlace(t);
    const { pending } = makeHome(place, [A]);
    const files = failingFiles({
      syncBeside: async () => {
        throw errnoError('EIO');
      },
    });
    for (const words of [['flush'], ['flush', '--json'], ['flush', '-q']]) {
      const { code, stderr } = await cli(place, words, { host: fakeHost({ files }) });
      assert.equal(code, 3);
      assert.equal(stderr, `vyre-cache: "pipelines/${A}.bin" cannot be synced (EIO); it stays pending\n`);
    }
    assert.equal(readFileSync(pending, 'latin1'), `${CLEAN}${A}\n`);
    assert.equal((await cli(place, ['flush'])).stdout, '1 entry durable\n');
  });

  it('exits 3 on a full disk, and says that nothing is lost', async (t) => {
    const place = makePlace(t);
    makeHome(place, [A]);
    const files = failingFiles({
      write: () => {
        throw errnoError('ENOSPC');
      },
    });
    const { code, stdout, stderr } = await cli(place, ['flush'], { host: fakeHost({ files }) });
    assert.deepEqual([code, stdout], [3, '1 entry durable\n']);
    assert.match(stderr, /cannot be brought up to date \(ENOSPC\).*\nhint: Nothing is lost; make room/);
    assert.equal((await cli(place, ['flush'])).code, 0);
  });

  it('says that the list stays where it may not be written, and is done all the same', async (t) => {
    const place = makePlace(t);
    const { pending } = makeHome(place, [A]);
    const files = failingFiles({
      open: (path, flags, mode) => {
        if (flags !== 'read') throw errnoError('EROFS');
        return systemFiles.open(path, flags, mode);
      },
    });
    const host = fakeHost({ files });
    const { code, stdout, stderr } = await cli(place, ['flush'], { host });
    assert.deepEqual([code, stdout], [0, '1 entry durable\n']);
    assert.match(
      stderr,
      /^vyre-cache: the pending list in ".*" may not be written; every entry was looked at/,
    );
    assert.deepEqual(await cli(place, ['flush', '-q'], { host }), { code: 0, stdout: '', stderr: '' });
    assert.equal(readFileSync(pending, 'latin1'), `${CLEAN}${A}\n`);
  });

  it('takes a directory; an absent one is an error, the default one may be absent', async (t) => {
    const place = makePlace(t);
    fill(join(place.work, 'cache'), [A]);
    assert.equal((await cli(place, ['flush', 'cache'])).stdout, '1 entry durable\n');
    assert.equal((await cli(place, ['flush', 'nowhere'])).code, 3);
    assert.equal((await cli(place, ['flush'])).stdout, 'Nothing was pending\n');
    assert.equal((await cli(place, ['flush', 'a', 'b'])).code, 2);
    assert.ok(!existsSync(join(place.home, '.cache')));
  });

  it('means durability, never deletion, and its help says so', async (t) => {
    const place = makePlace(t);
    const { store } = makeHome(place);
    const before = listing(store);
    await cli(place, ['flush']);
    assert.deepEqual(listing(store), before);
    const { stdout } = await cli(place, ['flush', '--help']);
    assert.match(stdout, /durable/);
    assert.match(stdout.replaceAll('\n', ' '), /Deletes nothing/);
  });

  it('is counted, with its errors', async (t) => {
    const place = makePlace(t);
    makeHome(place, [A, B]);
    const files = failingFiles({
      syncBeside: async () => {
        throw errnoError('EIO');
      },
    });
    await cli(place, ['flush'], { host: fakeHost({ files }) });
    await cli(place, ['flush']);
    await cli(place, ['flush']);
    const { stdout } = await cli(place, ['stats', '--json']);
    const { counters } = JSON.parse(stdout) as { counters: Record<string, number> };
    assert.deepEqual([counters['flushes'], counters['flushErrors']], [3, 2]);
  });
});

function mayTrace(t: TestContext): boolean {
  if (!has(t, 'strace')) return false;
  if (spawnSync(findTool('strace') ?? '', ['-qq', '-o', '/dev/null', 'true']).status === 0) return true;
  t.skip('strace may not trace here (ptrace is not permitted)');
  return false;
}

/** Runs a flush below strace. @returns what ended it, and the paths whose sync the kernel reported as done. */
async function traced(
  bench: Workbench,
  inject: readonly string[] = [],
): Promise<{
  readonly signal: string | null;
  readonly status: number | null;
  readonly synced: readonly string[];
}> {
  const log = join(bench.folder, 'trace');
  const words = [
    '-f',
    '-y',
    '-qq',
    '-o',
    log,
    '-e',
    `trace=fsync,fdatasync,rename,${REMOVAL},write`,
    ...inject,
  ];
  const line = `exec ${findTool('strace') ?? ''} ${words.join(' ')} ${bench.commandLine(['flush'])}`;
  const { signal, status } = await bench.spawn('sh', ['-c', line]).ended;
  return { signal, status, synced: syncsIn(readFileSync(log, 'latin1')) };
}

/** A call of one thread may be reported in two parts, with those of others between them. */
function syncsIn(log: string): readonly string[] {
  const begun = new Map<string, string>();
  return log.split('\n').flatMap((line) => {
    const [, thread = '', path = '', rest = ''] =
      /^(\d+) +f(?:data)?sync\(\d+<([^>]*)>(.*)$/.exec(line) ?? [];
    if (rest.endsWith(' = 0')) return [path];
    if (path !== '') begun.set(thread, path);
    const [, resumed = ''] = /^(\d+) +<\.\.\. f(?:data)?sync resumed>.* = 0$/.exec(line) ?? [];
    return begun.has(resumed) ? [begun.get(resumed) ?? ''] : [];
  });
}

function isNoted(paths: HomePaths, fingerprint: string): boolean {
  const names = readdirSync(paths.private).filter((name) => name.startsWith('pending'));
  if (!names.includes('pending')) return true;
  const notes = mergeNotes(names.map((name) => decodeNotes(readFileSync(join(paths.private, name)))));
  return notes.every || [...notes.noted].some((noted) => noted === fingerprint);
}

describe('the system calls of a flush', () => {
  it('sync each entry, each record, and each folder once', async (t) => {
    if (!mayTrace(t)) return;
    const bench = Workbench.make(t);
    const { root, store } = fill(bench.root, [A, B]);
    const { status, synced } = await traced(bench);
    assert.equal(status, 0);
    const files = [A, B].flatMap((each) => [join(store, `${each}.bin`), join(store, `${each}.json`)]);
    const folders = synced.filter((path) => !files.includes(path));
    assert.deepEqual(folders.slice(0, 4), [store, root, bench.cacheHome, bench.folder]);
    assert.deepEqual([...new Set(synced)], synced);
    for (const folder of folders) {
      for (const file of files) assert.ok(synced.indexOf(folder) > synced.indexOf(file));
    }
  });

  for (const step of ['rename', REMOVAL, 'fsync', 'write']) {
    it(`may each be the last one: after SIGKILL at any ${step} no entry is forgotten`, async (t) => {
      if (!mayTrace(t)) return;
      let number = 1;
      for (; ; number += 1) {
        const bench = Workbench.make(t);
        const paths = fill(bench.root, [A, B]);
        const what = `killed at ${step} number ${number}`;
        const { signal, synced } = await traced(bench, ['-e', `inject=${step}:signal=KILL:when=${number}`]);
        for (const each of [A, B]) {
          const files = [
            join(paths.store, `${each}.bin`),
            join(paths.store, `${each}.json`),
            paths.store,
            paths.root,
          ];
          assert.ok(isNoted(paths, each) || files.every((file) => synced.includes(file)), what);
        }
        const { status, stdout } = await bench.run(['flush']);
        assert.equal(status, 0, what);
        assert.match(stdout.toString('utf8'), /^(?:2 entries durable|Nothing was pending)\n$/, what);
        const left = readdirSync(paths.private).filter((name) => name.startsWith('pending'));
        assert.deepEqual(left, ['pending'], what);
        assert.equal(readFileSync(paths.pending, 'latin1'), CLEAN, what);
        if (signal === null) break;
      }
      assert.ok(number > 1, `expected calls of ${step}`);
    });
  }
});
