import assert from 'node:assert/strict';
import { appendFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Host } from '../../src/host/host.js';
import { aotFormat } from '../../src/layouts/vyre/aot.js';
import { hashedModuleFormat } from '../../src/layouts/wasmer/hashed-module.js';
import { HomeLocks } from '../../src/maintenance/home-locks.js';
import type { NamedArtifact } from '../../src/maintenance/inventory.js';
import { Judge, type Judgement } from '../../src/maintenance/judge.js';
import { FakeClock, fakeHost } from '../support/fake-host.js';
import { sessionOf } from '../support/homes.js';
import { wasmerArtifact } from '../support/other-caches.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeAot } from '../support/vyre-files.js';

const KEY = 'ab'.repeat(32);

async function judged(t: TestContext, artifact: NamedArtifact, host: Host): Promise<Judgement> {
  const locks = new HomeLocks(sessionOf(t, artifact.folder, { host }), { make: false });
  return new Judge(host, locks, { maxPayloadBytes: 1000, signing: null, takesDigest: false }).judge(artifact);
}

/** A pair whose second file is not there yet; `finish` puts it there. */
function halfPair(t: TestContext): { readonly artifact: NamedArtifact; readonly finish: () => void } {
  const folder = temporaryFolder(t);
  writeAot(folder, KEY, 'fn main() {}');
  const path = join(folder, `${KEY}.toml`);
  renameSync(path, `${path}.aside`);
  return {
    artifact: { format: aotFormat, stem: KEY, folder, home: null },
    finish: () => {
      renameSync(`${path}.aside`, path);
    },
  };
}

describe('an artifact of a system without locks', () => {
  it('is no half pair while its second file is still to come', async (t) => {
    const { artifact, finish } = halfPair(t);
    const clock = new FakeClock();
    clock.onSleep = () => {
      clock.onSleep = null;
      finish();
    };
    const { verdict } = await judged(t, artifact, fakeHost({ clock }));
    assert.equal(verdict.kind, 'unverifiable');
  });

  it('is one when nobody has touched it for two seconds, without a wait', async (t) => {
    const { artifact } = halfPair(t);
    const clock = new FakeClock(Date.now() + 2001);
    const { verdict } = await judged(t, artifact, fakeHost({ clock }));
    assert.deepEqual(verdict, { kind: 'damaged', reason: 'half-pair' });
    assert.equal(clock.monotonicMs(), 0);
  });

  it('is one after a wait of two seconds at most when it is younger', async (t) => {
    const { artifact } = halfPair(t);
    const clock = new FakeClock();
    const { verdict } = await judged(t, artifact, fakeHost({ clock }));
    assert.deepEqual(verdict, { kind: 'damaged', reason: 'half-pair' });
    assert.ok(clock.monotonicMs() <= 2100, String(clock.monotonicMs()));
  });

  it('needs no wait for a clock that is behind its files, or far ahead', async (t) => {
    for (const ms of [-1e9, 1e9]) {
      const clock = new FakeClock(Date.now() + ms);
      assert.equal((await judged(t, halfPair(t).artifact, fakeHost({ clock }))).verdict.kind, 'damaged');
      assert.equal(clock.monotonicMs(), 0);
    }
  });

  it('is unreadable, never damaged, while somebody goes on writing it', async (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, KEY);
    writeFileSync(path, wasmerArtifact(Buffer.from('module')).subarray(0, 20));
    const clock = new FakeClock();
    clock.onSleep = () => {
      appendFileSync(path, 'x');
      utimesSync(path, clock.nowMs() / 1000, clock.nowMs() / 1000);
    };
    const files = fakeHost().files;
    let reads = 0;
    const host = fakeHost({
      clock,
      files: {
        ...files,
        // Between the two looks at its state, each time.
        fstat: (fd) => {
          reads += 1;
          appendFileSync(path, 'x');
          return files.fstat(fd);
        },
      },
    });
    const artifact = { format: hashedModuleFormat, stem: KEY, folder, home: null };
    const { verdict } = await judged(t, artifact, host);
    assert.deepEqual(verdict, { kind: 'unreadable', errno: 'EBUSY' });
    assert.equal(reads, 20);
  });

  it('is gone, and nothing else, when it vanishes meanwhile', async (t) => {
    const { artifact } = halfPair(t);
    const clock = new FakeClock();
    clock.onSleep = () => {
      rmSync(join(artifact.folder, `${KEY}.wgsl`));
    };
    assert.equal((await judged(t, artifact, fakeHost({ clock }))).verdict.kind, 'gone');
  });
});
