import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { CacheSession } from '../../src/compile/session.js';
import { systemFiles } from '../../src/host/files.js';
import { collectStats } from '../../src/maintenance/stats.js';
import { LOCK_BYTES } from '../../src/store/lock-file.js';
import { startChild } from '../support/child.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { TestHome } from '../support/homes.js';
import { listing } from '../support/listing.js';

/** What was counted in the home, and elsewhere. */
function lookups(session: CacheSession): readonly (number | undefined)[] {
  return session.states().map((state) => state.readCounters()?.values.get('lookups'));
}

describe('what a session has counted', () => {
  it('lies in the home', async (t) => {
    const session = new TestHome(t).session();
    session.tally.add('lookups', 3);
    await session.saveCounters();
    assert.deepEqual(lookups(session), [3, undefined]);
  });

  it('lies in the state directory where somebody has stopped with the counters locked', async (t) => {
    const home = new TestHome(t);
    const lockPath = join(home.paths.private, 'lock');
    const child = startChild(t, 'hold', lockPath, String(LOCK_BYTES.counters));
    assert.equal(await child.line(), 'held');
    const session = home.session(fakeHost({ clock: new FakeClock() }));
    session.tally.add('lookups', 3);
    await session.saveCounters();
    assert.deepEqual(lookups(session), [undefined, 3]);
    await child.kill();
    session.tally.add('lookups', 2);
    await session.saveCounters();
    assert.deepEqual(lookups(session), [2, 3]);
  });

  it('lies in the state directory for root in the home of somebody else, who gets no file of root’s', async (t) => {
    const home = new TestHome(t);
    rmSync(join(home.paths.private, 'lock'));
    const before = listing(home.root);
    const files = failingFiles({
      stat: (path) => {
        const stat = systemFiles.stat(path);
        return stat === null ? null : { ...stat, uid: 1001 };
      },
    });
    const session = home.session(fakeHost({ user: { uid: 0 }, files }));
    session.addTrouble({ kind: 'io-error', message: 'broken' });
    session.tally.add('lookups', 3);
    await session.close();
    assert.deepEqual(listing(home.root), before);
    assert.deepEqual(lookups(session), [undefined, 3]);
    assert.equal((await collectStats(session)).trouble[0]?.kind, 'io-error');
    assert.deepEqual(readdirSync(join(home.stateDirectory, 'roots')).length, 1);
  });
});

describe('trouble', () => {
  it('is told by the state directory where the home’s journal takes nothing', async (t) => {
    const home = new TestHome(t);
    const journal = join(home.paths.private, 'events');
    const files = failingFiles({
      open: (path, ...rest) => {
        if (path === journal) throw errnoError('ENOSPC');
        return systemFiles.open(path, ...rest);
      },
    });
    const session = home.session(fakeHost({ files }));
    session.addTrouble({ kind: 'no-space', message: 'full' });
    await session.close();
    assert.deepEqual(
      session.states().map((state) => state.readEvents().map((event) => event.reason)),
      [[], ['no-space']],
    );
    assert.equal((await collectStats(session)).trouble[0]?.kind, 'no-space');
  });
});
