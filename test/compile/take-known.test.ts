import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import type { KnownJob } from '../../src/compile/batch-shortcut.js';
import { compileBatch } from '../../src/compile/batch.js';
import { recordedOf } from '../../src/compile/leave-shortcut.js';
import { makePlan } from '../../src/compile/plan.js';
import { KnownHits } from '../../src/compile/take-known.js';
import { StorePaths } from '../../src/layouts/vyre/home-paths.js';
import { COMPILE } from '../support/compile-options.js';
import { errnoError, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf } from '../support/homes.js';
import { LATER_MS } from '../support/looks-bench.js';
import { Workbench } from '../support/workbench.js';

const LOOKS = { looks: 'd/', states: [] };
const NEVER = new AbortController().signal;

/** Jobs that were compiled, as a shortcut knows them. */
async function compiled(
  t: TestContext,
  names: readonly string[],
): Promise<{ bench: Workbench; jobs: KnownJob[] }> {
  const bench = Workbench.make(t);
  bench.script('tool', 'cp "$1" "$2"');
  const session = sessionOf(t, bench.root);
  const plans = names.map((name) => {
    bench.write(name, name);
    const command = ['./tool', '{input}', '{output}'];
    const request = { inputs: [name], outputs: [`${name}.out`], command, compilerVersion: 'echo 1' };
    return makePlan(session.host, bench.request(request));
  });
  const jobs: KnownJob[] = [];
  const { maxPayloadBytes } = session;
  const later = fakeHost({ clock: new FakeClock(Date.now() + LATER_MS) });
  await compileBatch(
    session,
    plans.map((plan) => ({ plan, priority: 'normal', timeoutMs: null, memoryBytes: null })),
    {
      jobs: 1,
      hardJobs: 1,
      compile: COMPILE,
      onResult: ({ index, result }) => {
        const plan = plans[index] ?? assert.fail();
        const fingerprint = result?.fingerprint ?? assert.fail();
        const store = new StorePaths(session.paths.store);
        const recorded = recordedOf(later, { store, fingerprint, maxPayloadBytes }, plan.outputs);
        assert.ok(recorded !== null);
        jobs.push({ ...recorded, index, name: names[index] ?? '', looks: '', states: [] });
      },
    },
  );
  await session.close();
  return { bench, jobs };
}

describe('jobs that a shortcut answers', () => {
  it('are counted every ten seconds', async (t) => {
    const { bench, jobs } = await compiled(t, ['a', 'b', 'c']);
    const clock = new FakeClock();
    const host = fakeHost({ clock });
    const session = sessionOf(t, bench.root, { host });
    const seen: (number | undefined)[] = [];
    const counted = (): number | undefined => session.states()[0]?.readCounters()?.values.get('outcome:disk');
    await new KnownHits(host, session, { jobs, ...LOOKS }).takeAll({
      signal: NEVER,
      onTaken: (_, { outcome }) => {
        assert.equal(outcome, 'disk');
        clock.advance(10_000);
        seen.push(counted());
      },
    });
    assert.deepEqual([...seen, counted()], [undefined, 1, 2, 3]);
  });

  it('are left to the long way where the home cannot be opened', async (t) => {
    const { bench, jobs } = await compiled(t, ['a']);
    const session = sessionOf(t, bench.root);
    const openHome = async (): Promise<never> => Promise.reject(errnoError('EIO'));
    Object.assign(session, { openHome });
    const onTaken = (): never => assert.fail('expected none');
    await new KnownHits(fakeHost(), session, { jobs, ...LOOKS }).takeAll({ signal: NEVER, onTaken });
    assert.ok(existsSync(bench.path('a.out')));
  });

  it('are no more taken once somebody asks to stop, or something changes for all', async (t) => {
    const { bench, jobs } = await compiled(t, ['a', 'b', 'c']);
    for (const isStopped of [true, false]) {
      const clock = new FakeClock();
      const host = fakeHost({ clock });
      const stopping = new AbortController();
      const taken: number[] = [];
      const looks = { looks: `n${bench.path('gone')}`, states: [] };
      await new KnownHits(host, sessionOf(t, bench.root, { host }), { jobs, ...looks }).takeAll({
        signal: stopping.signal,
        onTaken: ({ index }) => {
          taken.push(index);
          if (isStopped) stopping.abort();
          else {
            clock.advance(20);
            bench.write('gone/in', '');
          }
        },
      });
      assert.deepEqual(taken, [0]);
    }
  });

  it('are not known any more once another manifest is there, however soon', async (t) => {
    const { bench, jobs } = await compiled(t, ['a', 'b']);
    const host = fakeHost();
    const session = sessionOf(t, bench.root, { host });
    const home = (await session.homeOrNull()) ?? assert.fail();
    const known = new KnownHits(host, session, { jobs, ...LOOKS });
    assert.equal(known.take(home, 0)?.outcome, 'disk');
    known.forget();
    assert.equal(known.take(home, 1), null);
    assert.equal(known.taken.size, 0);
  });
});
