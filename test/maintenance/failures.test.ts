import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { listEntries } from '../../src/maintenance/list.js';
import { removeEntries } from '../../src/maintenance/remove.js';
import { verify } from '../../src/maintenance/verify.js';
import type { Failure } from '../../src/model/failure.js';
import { encodeRecord } from '../../src/model/record.js';
import { entryBytes, fingerprintFrom, hashOf, makeFailure } from '../support/artifacts.js';
import { FakeClock, fakeHost } from '../support/fake-host.js';
import { TestHome } from '../support/homes.js';
import type { Cleanup } from '../support/temporary-folder.js';

const A = fingerprintFrom('a');
const DAY = 86_400_000;
const NOW = 1_700_000_000_000;

/** A home with one failure, looked at some time after it. */
function homeWith(t: Cleanup, failure: Partial<Failure>): TestHome {
  const home = new TestHome(t);
  const record = makeFailure(A, { lastAtMs: NOW, ...failure });
  writeFileSync(home.record(A), encodeRecord(record, hashOf), { mode: 0o600 });
  return home;
}

describe('a remembered failure', () => {
  for (const [name, failure, ageMs, litter] of [
    ['that is in force', {}, 1, 0],
    ['that is a day old', {}, DAY, 1],
    ['that is transient and may be tried again', { kind: 'transient' }, DAY, 0],
    ['that is transient and a week old', { kind: 'transient' }, 7 * DAY, 1],
    ['of a clock that is a little ahead', {}, -1, 0],
    ['of a clock that was years ahead', {}, -1000 * DAY, 1],
    ['of a limit', { kind: 'transient', status: null, limit: { kind: 'memory', value: 1 } }, DAY, 0],
  ] as const) {
    it(`${name} is ${litter === 0 ? 'no ' : ''}litter for verify`, async (t) => {
      const home = homeWith(t, failure);
      const host = fakeHost({ clock: new FakeClock(NOW + ageMs) });
      const report = await verify(home.session(host), { fingerprints: null });
      assert.deepEqual([report.litter, report.artifacts, report.problems], [litter, 0, []]);
    });
  }

  it('that is damaged is litter', async (t) => {
    const home = homeWith(t, {});
    writeFileSync(home.record(A), 'damage');
    const host = fakeHost({ clock: new FakeClock(NOW) });
    assert.equal((await verify(home.session(host), { fingerprints: null })).litter, 1);
  });

  it('beside a valid entry of another program makes it neither damaged nor unlisted', async (t) => {
    const home = homeWith(t, {});
    writeFileSync(home.entry(A), entryBytes('of vyre'));
    const host = fakeHost({ clock: new FakeClock(NOW) });
    const report = await verify(home.session(host), { fingerprints: null });
    assert.deepEqual([report.valid, report.litter, report.problems], [1, 0, []]);
    const [entry] = listEntries(home.session(host)).entries;
    assert.deepEqual([entry?.fingerprint, entry?.compiler], [A, null]);
  });

  it('is no entry for ls, and rm removes it', async (t) => {
    const home = homeWith(t, {});
    assert.deepEqual(listEntries(home.session()).entries, []);
    const { entries } = await removeEntries(home.session(), [A]);
    assert.equal(entries[0]?.result, 'removed');
    assert.equal(existsSync(home.record(A)), false);
  });
});
