import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { verify } from '../../src/maintenance/verify.js';
import type { VerifyReport } from '../../src/maintenance/reports.js';
import { ARTIFACT_KINDS, kindNamed, placeKind } from '../support/artifact-kinds.js';
import { TestHome } from '../support/homes.js';
import { listing } from '../support/listing.js';

/** The formats of vyre's sections that carry a checksum. */
const CHECKED: ReadonlySet<string> = new Set(['entry', 'wgpu-pipeline']);
const VYRE_KINDS = ARTIFACT_KINDS.filter((kind) => kind.layout === 'vyre');

async function check(home: TestHome): Promise<VerifyReport> {
  return verify(home.session(), { fingerprints: null });
}

function figures({ artifacts, valid, damaged, unverifiable, aliens }: VerifyReport): unknown {
  return { artifacts, valid, damaged, unverifiable, aliens };
}

describe('verify of a vyre home', () => {
  for (const kind of VYRE_KINDS) {
    const isChecked = CHECKED.has(kind.format);
    it(`calls the ${kind.name} ${isChecked ? 'valid' : 'unverifiable, for its format has no checksum'}`, async (t) => {
      const home = new TestHome(t);
      placeKind(home.root, kind, 'one');
      const before = listing(home.root);
      assert.deepEqual(figures(await check(home)), {
        artifacts: 1,
        valid: isChecked ? 1 : 0,
        damaged: 0,
        unverifiable: isChecked ? 0 : 1,
        aliens: 0,
      });
      assert.deepEqual(listing(home.root), before);
    });

    it(`knows the ${kind.name} by its place: in another section it is an alien`, async (t) => {
      const home = new TestHome(t);
      const [path = ''] = placeKind(home.root, kind, 'one');
      const elsewhere = join(home.root, 'photos');
      mkdirSync(elsewhere);
      renameSync(path, join(elsewhere, basename(path)));
      const { aliens, valid, unverifiable } = await check(home);
      assert.deepEqual([aliens, valid, unverifiable], [1, 0, 0]);
    });
  }

  it('knows all sections at once, and calls opaque ones unverifiable', async (t) => {
    const home = new TestHome(t);
    for (const kind of VYRE_KINDS) placeKind(home.root, kind, 'one');
    for (const name of ['cuda-jit/index', 'cuda-jit/a/b', 'ptx-cache/x']) {
      mkdirSync(dirname(join(home.root, name)), { recursive: true });
      writeFileSync(join(home.root, name), 'x');
    }
    const valid = VYRE_KINDS.filter(({ format }) => CHECKED.has(format)).length;
    assert.deepEqual(figures(await check(home)), {
      artifacts: VYRE_KINDS.length + 3,
      valid,
      damaged: 0,
      unverifiable: VYRE_KINDS.length + 3 - valid,
      aliens: 0,
    });
  });

  it('demands that a shard is the beginning of the names in it', async (t) => {
    for (const name of ['pipeline of a driver', 'PTX text', 'summary of the C frontend']) {
      const home = new TestHome(t);
      const [path = ''] = placeKind(home.root, kindNamed(name), 'one');
      const shard = basename(path).startsWith('00') ? '11' : '00';
      const wrong = join(dirname(dirname(path)), shard);
      mkdirSync(wrong);
      renameSync(path, join(wrong, basename(path)));
      const report = await check(home);
      assert.deepEqual([report.artifacts, report.aliens], [0, 1], name);
    }
  });

  it('names each half of a pair, and each file that is cut', async (t) => {
    const kinds = [
      ['pipeline of wgpu', 'half-pair'],
      ['shader of aot', 'half-pair'],
    ] as const;
    for (const [name, reason] of kinds) {
      const kind = kindNamed(name);
      for (const missing of Object.keys(kind.filesOf('one'))) {
        const home = new TestHome(t);
        placeKind(home.root, kind, 'one');
        rmSync(join(home.root, missing));
        const { problems, damaged } = await check(home);
        assert.deepEqual([damaged, problems.map((problem) => problem.reason)], [1, [reason]], missing);
      }
    }
    for (const kind of VYRE_KINDS.filter(
      ({ format }) => !['driver-pipeline', 'ptx-source'].includes(format),
    )) {
      const home = new TestHome(t);
      const [path = ''] = placeKind(home.root, kind, 'one');
      truncateSync(path, 10);
      const { problems, valid, unverifiable } = await check(home);
      assert.deepEqual([valid, unverifiable, problems.length], [0, 0, 1], kind.name);
      assert.equal(problems[0]?.path, path.slice(home.root.length + 1));
      assert.equal(problems[0].layout, 'vyre');
    }
  });
});
