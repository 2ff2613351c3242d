import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { systemFiles } from '../../src/host/files.js';
import type { Host } from '../../src/host/host.js';
import type { VerifyReport } from '../../src/maintenance/reports.js';
import { verify } from '../../src/maintenance/verify.js';
import { FOOTER_BYTES } from '../../src/model/entry.js';
import { entryBytes } from '../support/artifacts.js';
import { errnoError, failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { manyNames } from '../support/store-files.js';

/** What is read at once. */
const AT_ONCE = 131_072;
const FILE_BYTES = [32, 33, 4128, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE + 5];

async function check(home: TestHome, parts: Partial<Host> = {}): Promise<VerifyReport> {
  return verify(home.session(fakeHost({ clock: new FakeClock(), ...parts })), { fingerprints: null });
}

/** An entry of each size, as bytes to be changed. */
function placed(home: TestHome, change: (entry: Buffer) => Buffer): number {
  let sum = 0;
  for (const [index, name] of manyNames(FILE_BYTES.length).entries()) {
    const payload = Buffer.alloc((FILE_BYTES[index] ?? 0) - FOOTER_BYTES, index);
    const entry = change(Buffer.from(entryBytes(payload)));
    sum += entry.length;
    writeFileSync(home.entry(name), entry);
  }
  return sum;
}

describe('entries without a record', () => {
  it('are valid at every size, with their bytes', async (t) => {
    const home = new TestHome(t);
    const bytes = placed(home, (entry) => entry);
    const report = await check(home);
    assert.deepEqual([report.valid, report.damaged, report.bytes], [FILE_BYTES.length, 0, bytes]);
  });

  const damages = {
    'a bit of the footer': (entry: Buffer) => {
      entry[entry.length - 1] = (entry.at(-1) ?? 0) ^ 1;
      return entry;
    },
    'the first bit': (entry: Buffer) => {
      entry[0] = (entry[0] ?? 0) ^ 0x80;
      return entry;
    },
    'a byte too many': (entry: Buffer) => Buffer.concat([entry, Buffer.alloc(1)]),
    'a byte too few': (entry: Buffer) => entry.subarray(0, -1),
  };
  for (const [what, change] of Object.entries(damages)) {
    it(`are damaged at every size: ${what}`, async (t) => {
      const home = new TestHome(t);
      placed(home, change);
      const report = await check(home);
      assert.deepEqual([report.valid, report.damaged], [0, FILE_BYTES.length]);
      const reasons = report.problems.map(({ reason }) => reason);
      assert.equal(
        reasons.filter((reason) => reason === 'truncated').length,
        what === 'a byte too few' ? 1 : 0,
      );
      assert.ok(reasons.every((reason) => reason === 'truncated' || reason === 'bad-checksum'));
    });
  }

  it('are empty where a crash left them', async (t) => {
    const home = new TestHome(t);
    for (const [index, name] of manyNames(3).entries()) writeFileSync(home.entry(name), Buffer.alloc(index));
    const report = await check(home);
    assert.deepEqual(
      report.problems.map(({ reason }) => reason),
      ['truncated', 'truncated', 'truncated'],
    );
  });

  it('are bounded by their payload, inclusively', async (t) => {
    const home = new TestHome(t);
    placed(home, (entry) => entry);
    const session = sessionOf(t, home.root, { maxPayloadBytes: 4096 });
    const report = await verify(session, { fingerprints: null });
    assert.deepEqual([report.valid, report.damaged], [3, 4]);
    assert.ok(report.problems.every(({ reason }) => reason === 'oversized'));
  });

  it('are read as any other file where a look without a trace is not permitted', async (t) => {
    const home = new TestHome(t);
    placed(home, (entry) => entry);
    const files = failingFiles({
      open: (path, flags, mode) => {
        if (flags === 'scan') throw errnoError('EPERM');
        return systemFiles.open(path, flags, mode);
      },
    });
    assert.equal((await check(home, { files })).valid, FILE_BYTES.length);
  });
});
