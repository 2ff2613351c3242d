import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openCache, type CacheOptions, type CompileOptions, type PruneRules } from '../../src/index.js';
import { fingerprintFrom } from '../support/artifacts.js';
import { FakeClock, fakeHost } from '../support/fake-host.js';
import { GATE } from '../support/gate.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { Workbench } from '../support/workbench.js';

const A = fingerprintFrom('a');
const B = fingerprintFrom('b');
const HOUR_MS = 3_600_000;

describe('opening a cache', () => {
  for (const [what, options] of [
    ['a root that is not absolute', { root: 'cache' }],
    ['an empty root', { root: '' }],
    ['a state directory that is not absolute', { root: '/c', stateDirectory: 'state' }],
    ['a bound that is no number', { root: '/c', maxPayloadBytes: Number.NaN }],
    ['a bound below zero', { root: '/c', careMaxBytes: -1 }],
  ] as const satisfies readonly (readonly [string, CacheOptions])[]) {
    it(`refuses ${what}`, () => {
      assert.throws(() => openCache(options), { code: 'usage' });
    });
  }
});

describe('options of a cache', () => {
  for (const rules of [
    { ttlMs: -1 },
    { maxBytes: -1 },
    { maxEntries: Number.NaN },
    { minFree: { percent: 101 } },
    { maxBytes: 1, lowWaterPercent: 101 },
    { maxBytes: 1, minAgeMs: Number.POSITIVE_INFINITY },
    {},
  ] satisfies readonly Partial<PruneRules>[]) {
    it(`prune removes nothing for ${Object.entries(rules).join()}`, async (t) => {
      const cache = openCache({ root: temporaryFolder(t) });
      await cache.put(A, Buffer.from('vyre'));
      await assert.rejects(cache.prune(rules), { code: 'usage' });
      assert.equal((await cache.get(A)).hit, true);
      await cache.close();
    });
  }

  it('that are undefined count as left out', async (t) => {
    const bench = Workbench.make(t);
    bench.write('in', 'abc');
    const cache = bench.open();
    const request = bench.request({
      inputs: ['in'],
      outputs: ['out'],
      command: ['cp', '{input}', '{output}'],
    });
    const given = JSON.parse('{}') as Partial<CompileOptions>;
    const names = ['timeoutMs', 'memoryBytes', 'lockTimeoutMs', 'refresh', 'noCache', 'failureMemory'];
    for (const name of names) Object.defineProperty(given, name, { value: undefined, enumerable: true });
    assert.equal((await cache.compile(request, given)).outcome, 'compiled');
    assert.equal((await cache.compile(request, given)).outcome, 'disk');
    await cache.close();
  });
});

describe('automatic care of a cache', () => {
  for (const [what, options, kept] of [
    ['keeps what was stored below a bound that was set', { careMaxBytes: 1 }, false],
    ['does not exist without one', {}, true],
  ] as const) {
    it(what, async (t) => {
      const root = join(temporaryFolder(t), 'vyre');
      const clock = new FakeClock();
      const opened = openCache({ root, host: fakeHost({ clock }), ...options });
      await opened.put(A, Buffer.from('old'));
      clock.advance(2 * HOUR_MS);
      await opened.put(B, Buffer.from('new'));
      await opened.close();
      assert.equal(existsSync(join(root, 'pipelines', `${A}.bin`)), kept);
    });
  }
});

describe('closing a cache', () => {
  it('waits for what is running', async (t) => {
    const bench = Workbench.make(t);
    bench.write('in', 'abc');
    bench.script('tool', `cp "$1" "$2"\n${GATE}`);
    const cache = bench.open();
    const compiled = cache.compile(
      bench.request({ inputs: ['in'], outputs: ['out'], command: ['./tool', '{input}', '{output}'] }),
    );
    const ends: unknown[] = [];
    const all = [
      compiled.then(({ outcome }) => ends.push(outcome)),
      cache.close().then(() => ends.push('closed')),
    ];
    bench.write('go', '');
    await Promise.all(all);
    assert.deepEqual(ends, ['compiled', 'closed']);
  });

  it('may be done twice, and ends all uses but those of what is known already', async (t) => {
    const cache = openCache({ root: join(temporaryFolder(t), 'vyre') });
    await cache.put(A, Buffer.from('vyre'));
    await Promise.all([cache.close(), cache.close()]);
    await cache.close();
    for (const use of [
      async () => cache.get(A),
      async () => cache.put(B, Buffer.from('vyre')),
      async () => cache.verify(),
      async () => cache.flush(),
      async () => cache.prune({ all: true }),
    ]) {
      await assert.rejects(use(), { code: 'usage' });
    }
    assert.equal((await cache.stats()).entries, 1);
    assert.deepEqual(cache.troubles(), []);
  });
});
