import assert from 'node:assert/strict';
import { existsSync, readlinkSync, rmSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { systemFiles, type Files } from '../../src/host/files.js';
import { errnoError, failingFiles, fakeHost } from '../support/fake-host.js';
import { Workbench } from '../support/workbench.js';

const COMMAND = ['./tool', '{input}', '{output}'] as const;

function prepare(t: TestContext): Workbench {
  const bench = Workbench.make(t);
  bench.write('in.txt', 'abc');
  bench.script('tool', 'echo run >> runs\necho said\ncp "$1" "$2"\n[ ! -e fails ]');
  return bench;
}

/** Compiles while single primitives fail; the compiler itself fails where `fails` is. @returns how often the compiler ran, and what became of the call. */
async function compileWith(bench: Workbench, files: Partial<Files>, tryLock?: () => boolean) {
  const { locks } = fakeHost();
  const host = fakeHost({
    files: failingFiles(files),
    locks: tryLock === undefined ? locks : { ...locks, tryLock },
  });
  const cache = bench.open({ host });
  const request = bench.request({
    inputs: ['in.txt'],
    outputs: ['out.txt'],
    relocatable: true,
    command: COMMAND,
  });
  const result = await cache.compile(request);
  const troubles = cache.troubles().map(({ kind }) => kind);
  await cache.close();
  assert.equal(result.exitCode, existsSync(bench.path('fails')) ? 1 : 0);
  assert.equal(Buffer.from(result.stdout).toString('utf8'), 'said\n');
  assert.equal(bench.text('out.txt'), 'abc');
  return { result, troubles };
}

describe('a system call that fails where nobody expects it', () => {
  it('is trouble of the cache, and the compiler runs without it: a lock', async (t) => {
    const bench = prepare(t);
    const { result, troubles } = await compileWith(bench, {}, () => {
      throw errnoError('EIO');
    });
    assert.deepEqual([result.outcome, troubles], [null, ['io-error']]);
  });

  it('is trouble of the cache, and the compiler runs without it: a look at the lock file', async (t) => {
    const bench = prepare(t);
    const { result, troubles } = await compileWith(bench, {
      lstat: (path) => {
        if (path.endsWith('/lock')) throw errnoError('EACCES');
        return systemFiles.lstat(path);
      },
    });
    assert.deepEqual([result.outcome, troubles], [null, ['io-error']]);
  });

  it('is not remembered of the request when a folder of its compilation could not be looked into', async (t) => {
    const bench = prepare(t);
    const { result } = await compileWith(bench, {
      readDirectory: (path) => {
        if (path.endsWith('/out')) throw errnoError('EIO');
        return systemFiles.readDirectory(path);
      },
    });
    assert.equal(result.outcome, null);
    const next = await compileWith(bench, {});
    assert.deepEqual([next.result.notStored, next.troubles], [null, []]);
    assert.equal((await compileWith(bench, {})).result.outcome, 'disk');
  });

  it('takes nothing from a result that is there: the lock file cannot be closed', async (t) => {
    const bench = prepare(t);
    const { result } = await compileWith(bench, {
      close: (fd) => {
        const path = readlinkSync(`/proc/self/fd/${fd}`);
        systemFiles.close(fd);
        if (path.endsWith('/.vyre-cache/lock')) throw errnoError('EIO');
      },
    });
    assert.deepEqual([result.outcome, result.notStored], ['compiled', null]);
  });

  for (const [name, isLost] of [
    ['is in trouble', 'EIO'],
    ['lets nobody look', 'EACCES'],
  ] as const) {
    for (const ends of ['succeeds', 'fails'] as const) {
      it(`loses no output of a compiler that ${ends} where its disk ${name}`, async (t) => {
        const bench = prepare(t);
        if (ends === 'fails') bench.write('fails', '');
        let looks = 0;
        const { result } = await compileWith(bench, {
          lstat: (path) => {
            if (!path.endsWith('/out/out.txt')) return systemFiles.lstat(path);
            looks += 1;
            throw errnoError(isLost);
          },
        });
        assert.ok(looks > 0);
        assert.equal(result.notStored, 'irregular-output');
        rmSync(bench.path('out.txt'));
        await compileWith(bench, {});
        assert.equal(bench.lines('runs'), 3, 'nothing was kept');
      });
    }
  }

  it('loses no output of a compiler that fails where its output cannot be opened', async (t) => {
    const bench = prepare(t);
    bench.write('fails', '');
    const { result } = await compileWith(bench, {
      open: (path, flags, mode) => {
        if (path.endsWith('/out/out.txt')) throw errnoError('EMFILE');
        return systemFiles.open(path, flags, mode);
      },
    });
    assert.equal(result.notStored, 'irregular-output');
  });

  it('takes nothing from a result that is there: its output cannot be looked at any more', async (t) => {
    const bench = prepare(t);
    const { result } = await compileWith(bench, {
      stat: (path) => {
        if (path.endsWith('/out.txt')) throw errnoError('EIO');
        return systemFiles.stat(path);
      },
    });
    assert.deepEqual([result.outcome, result.notStored, result.outputs], ['compiled', null, []]);
  });

  for (const [what, name] of [
    ['an input', '/in.txt'],
    ['the folder of an output', '/project'],
  ] as const) {
    it(`keeps nobody from compiling: a look at ${what}`, async (t) => {
      const bench = prepare(t);
      let looks = 0;
      await compileWith(bench, {
        stat: (path) => {
          if (!path.endsWith(name)) return systemFiles.stat(path);
          looks += 1;
          throw errnoError('EIO');
        },
      });
      assert.ok(looks > 0);
    });
  }

  it('keeps nobody from starting the compiler, which cannot be looked at', async (t) => {
    const bench = prepare(t);
    let looks = 0;
    await compileWith(bench, {
      stat: (path) => {
        if (!path.endsWith('/tool')) return systemFiles.stat(path);
        looks += 1;
        throw errnoError('EIO');
      },
    });
    assert.ok(looks > 0);
  });
});
