import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openCache, type Cache } from '../../src/index.js';
import { fingerprintByte } from '../../src/store/lock-file.js';
import { entryBytes, fingerprintFrom } from '../support/artifacts.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';
import { systemFiles } from '../../src/host/files.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');

function cacheIn(t: Cleanup, host = fakeHost()): { readonly cache: Cache; readonly root: string } {
  const folder = temporaryFolder(t);
  const root = join(folder, 'vyre');
  const cache = openCache({ root, stateDirectory: join(folder, 'state'), maxPayloadBytes: 1000, host });
  t.after(async () => cache.close());
  return { cache, root };
}

function storeNames(root: string): readonly string[] {
  return readdirSync(join(root, 'pipelines')).toSorted();
}

describe('putting a payload', () => {
  it('makes an entry as vyre-runtime would read it, with a record', async (t) => {
    const { cache, root } = cacheIn(t);
    assert.deepEqual(await cache.put(A, Buffer.from('vyre')), { stored: true, kept: false });
    assert.deepEqual(readFileSync(join(root, 'pipelines', `${A}.bin`)), entryBytes('vyre'));
    assert.deepEqual(storeNames(root), [`${A}.bin`, `${A}.json`]);
    assert.equal(statSync(join(root, 'pipelines', `${A}.bin`)).mode & 0o777, 0o600);
    assert.deepEqual(await cache.get(A), {
      hit: true,
      fingerprint: A,
      tier: 'disk',
      payload: Buffer.from('vyre'),
      stdout: Buffer.alloc(0),
      stderr: Buffer.alloc(0),
    });
  });

  it('is noted for the next flush before it appears', async (t) => {
    const { cache, root } = cacheIn(t);
    await cache.put(A, Buffer.from('vyre'));
    assert.equal(readFileSync(join(root, '.vyre-cache/pending'), 'utf8'), `${A}\n`);
  });

  it('leaves no worker directory and nothing staged behind', async (t) => {
    const { cache, root } = cacheIn(t);
    await cache.put(A, Buffer.from('vyre'));
    assert.deepEqual(
      readdirSync(root).filter((name) => name.startsWith('worker-dir')),
      [],
    );
    assert.deepEqual(readdirSync(join(root, '.vyre-cache/new')), []);
  });

  it('keeps a valid entry that is there, replaces it on demand, and tells of other bytes in both cases', async (t) => {
    const { cache, root } = cacheIn(t);
    await cache.put(A, Buffer.from('first'));
    assert.deepEqual(await cache.put(A, Buffer.from('other')), { stored: true, kept: true });
    assert.deepEqual(readFileSync(join(root, 'pipelines', `${A}.bin`)), entryBytes('first'));
    assert.deepEqual(await cache.put(A, Buffer.from('other'), { replace: true }), {
      stored: true,
      kept: false,
    });
    assert.deepEqual(readFileSync(join(root, 'pipelines', `${A}.bin`)), entryBytes('other'));
    const [trouble] = (await cache.stats()).trouble;
    assert.deepEqual([trouble?.kind, trouble?.count], ['nondeterministic', 2]);
  });

  it('repairs a damaged entry', async (t) => {
    const { cache, root } = cacheIn(t);
    await cache.put(A, Buffer.from('vyre'));
    writeFileSync(join(root, 'pipelines', `${A}.bin`), 'damage');
    assert.deepEqual(await cache.put(A, Buffer.from('vyre')), { stored: true, kept: false });
    assert.ok((await cache.get(A)).hit);
  });

  for (const [what, bytes, expected] of [
    ['at the bound', 1000, { stored: true, kept: false }],
    ['above the bound', 1001, { stored: false, reason: 'payload-too-large' }],
    ['empty', 0, { stored: true, kept: false }],
  ] as const) {
    it(`${what}: ${JSON.stringify(expected)}`, async (t) => {
      const { cache } = cacheIn(t);
      assert.deepEqual(await cache.put(A, Buffer.alloc(bytes)), expected);
    });
  }

  it('copies the bytes: what the caller does with its buffer afterwards reaches nobody', async (t) => {
    const { cache } = cacheIn(t);
    const bytes = Buffer.from('vyre');
    const stored = cache.put(A, bytes);
    bytes.fill(0);
    await stored;
    const read = await cache.get(A);
    assert.equal(read.hit && read.payload.toString('utf8'), 'vyre');
  });

  it('does not make a home of somebody else’s folder', async (t) => {
    const { cache, root } = cacheIn(t);
    mkdirSync(root);
    writeFileSync(join(root, 'thesis.txt'), 'mine');
    assert.deepEqual(await cache.put(A, Buffer.from('x')), { stored: false, reason: 'home-foreign' });
    assert.deepEqual(readdirSync(root), ['thesis.txt']);
    assert.deepEqual(
      cache.troubles().map(({ kind }) => kind),
      ['home-foreign'],
    );
  });

  it('gives up when another process holds the fingerprint for too long', async (t) => {
    const { cache, root } = cacheIn(t, fakeHost({ clock: new FakeClock() }));
    await cache.put(B, Buffer.from('x'));
    const child = startChild(t, 'hold', join(root, '.vyre-cache/lock'), String(fingerprintByte(A)));
    assert.equal(await child.line(), 'held');
    assert.deepEqual(await cache.put(A, Buffer.from('x'), { lockTimeoutMs: 1000 }), {
      stored: false,
      reason: 'lock-timeout',
    });
  });

  it('a write that fails is a value, is counted, and leaves nothing half written', async (t) => {
    let fails = false;
    const files = failingFiles({
      rename: (from, to) => {
        if (fails && to.endsWith('.bin')) throw errnoError('ENOSPC');
        systemFiles.rename(from, to);
      },
    });
    const { cache, root } = cacheIn(t, fakeHost({ files }));
    await cache.put(B, Buffer.from('x'));
    fails = true;
    assert.deepEqual(await cache.put(A, Buffer.from('x')), { stored: false, reason: 'store-failed' });
    assert.ok(!storeNames(root).includes(`${A}.bin`));
    assert.equal((await cache.get(A)).hit, false);
    fails = false;
    assert.deepEqual(await cache.put(A, Buffer.from('x')), { stored: true, kept: false });
  });

  for (const [what, details] of [
    ['a time that is no number', { wallSeconds: Number.NaN }],
    ['a time below zero', { wallSeconds: -1 }],
    ['a name of another type', JSON.parse('{"name":5}')],
    ['a command of another type', JSON.parse('{"command":"gcc"}')],
    ['a waiting time that never ends', { lockTimeoutMs: Number.NaN }],
  ] as const) {
    it(`refuses ${what}, which would make a record that nobody can read`, async (t) => {
      const { cache, root } = cacheIn(t);
      await assert.rejects(cache.put(A, Buffer.from('vyre'), details), { code: 'usage' });
      assert.equal(existsSync(join(root, 'pipelines', `${A}.bin`)), false);
    });
  }

  for (const name of ['../../x', '', '.', '..', 'a\0b', 'a/', '\ud800', 'x'.repeat(1000)]) {
    it(`keeps the record readable for the name ${JSON.stringify(name.slice(0, 10))}`, async (t) => {
      const { cache } = cacheIn(t);
      assert.deepEqual(await cache.put(A, Buffer.from('vyre'), { name }), { stored: true, kept: false });
      assert.equal((await cache.verify()).damaged, 0);
    });
  }

  it('refuses a payload whose elements are no bytes', async (t) => {
    const { cache } = cacheIn(t);
    const numbers: unknown = JSON.parse('[1.5, 300]');
    await assert.rejects(cache.put(A, numbers as Uint8Array), { code: 'usage' });
  });

  it('takes nothing but a whole fingerprint', async (t) => {
    const { cache, root } = cacheIn(t);
    for (const text of ['', 'a', A.toUpperCase(), `${A}a`, `../${A.slice(3)}`]) {
      await assert.rejects(cache.put(text, Buffer.from('x')), /expected 64 lowercase hex digits/);
    }
    assert.throws(() => statSync(root), { code: 'ENOENT' });
  });

  it('two puts of one fingerprint at once come to one entry', async (t) => {
    const { cache, root } = cacheIn(t);
    const results = await Promise.all([cache.put(A, Buffer.from('one')), cache.put(A, Buffer.from('one'))]);
    assert.deepEqual(new Set(results.map((result) => result.stored && result.kept)), new Set([false, true]));
    assert.deepEqual(storeNames(root), [`${A}.bin`, `${A}.json`]);
  });
});
