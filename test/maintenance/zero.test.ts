import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { CacheSession } from '../../src/compile/session.js';
import { systemFiles } from '../../src/host/files.js';
import { collectStats } from '../../src/maintenance/stats.js';
import { zeroCounters } from '../../src/maintenance/zero.js';
import { Tally, type CounterName } from '../../src/model/counters.js';
import { LockFile } from '../../src/store/lock-file.js';
import type { PrivateState } from '../../src/store/private-state.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing } from '../support/listing.js';
import { asOtherUser } from '../support/other-user.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const NOW = 1_700_000_000_000;

/** Where the session counts: in the home, and in the state directory. */
function statesOf(session: CacheSession): { readonly inHome: PrivateState; readonly foreign: PrivateState } {
  const [inHome, foreign] = session.states();
  assert.ok(inHome !== undefined && foreign !== undefined);
  return { inHome, foreign };
}

async function count(state: PrivateState, name: CounterName, amount: number): Promise<void> {
  mkdirSync(state.folder, { recursive: true });
  const lock = new LockFile(fakeHost(), state.lockPath);
  const tally = new Tally();
  tally.add(name, amount);
  await state.addToCounters(tally, lock);
  lock.close();
}

function addTrouble(state: PrivateState, reason: string, atMs: number): void {
  mkdirSync(state.folder, { recursive: true });
  state.addEvent({ atMs, kind: 'trouble', reason, fingerprint: null, message: reason });
}

function valuesOf(counters: Awaited<ReturnType<typeof zeroCounters>>): Record<string, number> | null {
  return counters === null ? null : Object.fromEntries(counters.values);
}

describe('setting the counters of a root to zero', () => {
  it('covers the home and the state directory, and tells their sum', async (t) => {
    const home = new TestHome(t);
    const clock = new FakeClock(NOW);
    const session = home.session(fakeHost({ clock }));
    const { inHome, foreign } = statesOf(session);
    await count(inHome, 'lookups', 3);
    await count(foreign, 'lookups', 4);
    await count(foreign, 'degraded', 1);
    clock.advance(5000);
    assert.deepEqual(valuesOf(await zeroCounters(session)), { lookups: 7, degraded: 1 });
    const { counters } = await collectStats(session);
    assert.deepEqual(valuesOf(counters), {});
    assert.equal(counters?.sinceMs, NOW + 5000);
    await count(inHome, 'lookups', 1);
    assert.deepEqual(valuesOf((await collectStats(session)).counters), { lookups: 1 });
  });

  it('ends old trouble in both, and shows what comes later', async (t) => {
    const session = new TestHome(t).session(fakeHost({ clock: new FakeClock(NOW) }));
    const { inHome, foreign } = statesOf(session);
    addTrouble(inHome, 'no-space', NOW - 1000);
    addTrouble(inHome, 'from-the-future', NOW + 1e12);
    addTrouble(foreign, 'home-unwritable', NOW - 500);
    assert.equal((await collectStats(session)).trouble.length, 3);
    assert.equal(valuesOf(await zeroCounters(session)), null);
    assert.deepEqual((await collectStats(session)).trouble, []);
    addTrouble(inHome, 'io-error', NOW - 9000);
    assert.deepEqual(
      (await collectStats(session)).trouble.map(({ kind }) => kind),
      ['io-error'],
    );
  });

  it('makes nothing where nothing was counted', async (t) => {
    const home = new TestHome(t);
    const before = listing(home.root);
    assert.equal(await zeroCounters(home.session()), null);
    assert.deepEqual(listing(home.root), before);
    const root = join(temporaryFolder(t), 'absent');
    assert.equal(await zeroCounters(sessionOf(t, root)), null);
    assert.deepEqual(readdirSync(join(root, '..')), []);
  });

  it('works for a root that is a file, about which something was counted elsewhere', async (t) => {
    const folder = temporaryFolder(t);
    const root = join(folder, 'a-file');
    writeFileSync(root, 'x');
    const session = sessionOf(t, root, { stateDirectory: join(folder, 'state') });
    await count(statesOf(session).foreign, 'degraded', 2);
    assert.deepEqual(valuesOf(await zeroCounters(session)), { degraded: 2 });
    assert.deepEqual(valuesOf((await collectStats(session)).counters), {});
  });

  it('changes neither place when one of them cannot be opened', async (t) => {
    const home = new TestHome(t);
    const plain = home.session();
    const { inHome, foreign } = statesOf(plain);
    await count(inHome, 'lookups', 3);
    await count(foreign, 'lookups', 4);
    const files = failingFiles({
      open: (path, flags, mode) => {
        if (path === foreign.lockPath) throw errnoError('EROFS');
        return systemFiles.open(path, flags, mode);
      },
    });
    await assert.rejects(zeroCounters(home.session(fakeHost({ files }))), {
      code: 'environment',
      message: `the counters of "${home.root}" cannot be set to zero (EROFS)`,
    });
    assert.deepEqual(valuesOf((await collectStats(plain)).counters), { lookups: 7 });
  });

  it('is refused to a user who may not write', async (t) => {
    const home = new TestHome(t);
    await count(statesOf(home.session()).inHome, 'lookups', 3);
    await asOtherUser(home.root, async () => {
      chmodSync(join(home.paths.private, 'lock'), 0o400);
      chmodSync(home.paths.private, 0o500);
      const uid = process.geteuid?.() ?? 0;
      const session = sessionOf(t, home.root, { host: fakeHost({ user: { uid } }) });
      await assert.rejects(zeroCounters(session), {
        code: 'environment',
        message: /cannot be set to zero \(EACCES\)/,
      });
    });
    assert.deepEqual(valuesOf((await collectStats(home.session())).counters), { lookups: 3 });
  });

  it('is refused in the home of somebody else, to root as well', async (t) => {
    const home = new TestHome(t);
    await count(statesOf(home.session()).inHome, 'lookups', 3);
    const host = fakeHost({ user: { uid: (process.geteuid?.() ?? 0) + 1 } });
    await assert.rejects(zeroCounters(home.session(host)), {
      code: 'environment',
      message: /^expected counters of yours, but ".*\.vyre-cache" belongs to user [0-9]+$/,
    });
    if (process.geteuid?.() === 0) {
      chownSync(home.paths.private, 12_345, 12_345);
      await assert.rejects(zeroCounters(home.session()), /belongs to user 12345/);
      chownSync(home.paths.private, 0, 0);
    }
    assert.deepEqual(valuesOf((await collectStats(home.session())).counters), { lookups: 3 });
  });

  it('leaves a home of a newer version as it is', async (t) => {
    const home = new TestHome(t);
    await count(statesOf(home.session()).inHome, 'lookups', 3);
    writeFileSync(home.paths.marker, '{"schema":"vyre-cache.home/2"}\n');
    const before = listing(home.root);
    await assert.rejects(zeroCounters(home.session()), { code: 'environment', message: /newer version/ });
    assert.deepEqual(listing(home.root), before);
  });
});
