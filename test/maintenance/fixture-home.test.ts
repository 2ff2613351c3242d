import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { collectGarbage } from '../../src/maintenance/gc.js';
import { prune } from '../../src/maintenance/prune.js';
import type { VerifyProblem, VerifyReport } from '../../src/maintenance/reports.js';
import { verify } from '../../src/maintenance/verify.js';
import { NO_RULES } from '../../src/model/retention.js';
import { makeArtifact } from '../support/artifacts.js';
import { FakeClock, fakeHost } from '../support/fake-host.js';
import {
  countsOf,
  fillSections,
  keyOf,
  NOTHING,
  OPAQUE_ARTIFACTS,
  plantFaults,
  scatterAliens,
  scatterLitter,
  touchTree,
  type Aliens,
  type Counts,
} from '../support/fixture-home.js';
import { sessionOf, TestHome } from '../support/homes.js';
import { listing, tree } from '../support/listing.js';
import { BUILT } from '../support/program.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeAot, writeDriverPipeline, writeWgpu } from '../support/vyre-files.js';

const DAY = 86_400_000;
const PROJECT = join(import.meta.dirname, '../..');

interface Fixture {
  readonly home: TestHome;
  readonly aliens: Aliens;
  readonly litter: readonly string[];
  /** What has to be counted. */
  readonly counts: Counts;
}

function makeFixture(t: TestContext): Fixture {
  const home = new TestHome(t);
  const sound = fillSections(home);
  const litter = scatterLitter(home);
  const aliens = scatterAliens(home, temporaryFolder(t));
  return { home, aliens, litter, counts: { ...sound, litter: litter.length, aliens: aliens.counted } };
}

/** A process that starts so long after everything was written. */
function later(ms: number): ReturnType<typeof fakeHost> {
  return fakeHost({ clock: new FakeClock(Date.now() + ms) });
}

async function check(home: TestHome): Promise<VerifyReport> {
  return verify(home.session(later(0)), { fingerprints: null });
}

function withFaults({ home, counts }: Fixture): {
  readonly problems: readonly VerifyProblem[];
  readonly counts: Counts;
} {
  const problems = plantFaults(home);
  const damaged = problems.length;
  return { problems, counts: { ...counts, artifacts: counts.artifacts + damaged, damaged } };
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built program as a process of its own. */
async function built(home: TestHome, argv: readonly string[], words = BUILT): Promise<Ran> {
  const [program = '', ...args] = [...words, ...argv];
  const env = { HOME: dirname(home.root), XDG_STATE_HOME: home.stateDirectory };
  return new Promise((resolve, reject) => {
    execFile(program, args, { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(error ?? new Error('no status'));
    });
  });
}

interface Document extends Counts {
  readonly problems: readonly VerifyProblem[];
  readonly bytes: number;
}

function documentOf({ stdout }: Ran): Document {
  const { artifacts, valid, damaged, unverifiable, litter, aliens, sealed, problems, bytes } = JSON.parse(
    stdout,
  ) as Document;
  return {
    artifacts,
    valid,
    damaged,
    unverifiable,
    litter,
    aliens,
    sealed,
    problems,
    bytes,
    // A document without such items has no number for them.
    unreadable: 0,
  };
}

describe('a home with all of vyre’s sections, the litter of every writer and aliens everywhere', () => {
  it('is clean, with every count exact', async (t) => {
    const { home, counts } = makeFixture(t);
    const before = listing(home.root);
    const report = await check(home);
    assert.deepEqual(report.problems, []);
    assert.deepEqual(countsOf(report), counts);
    // Of the two folders of somebody else in the quarantine one has a file that is called as ours is.
    assert.equal(report.quarantined, 1);
    assert.deepEqual(listing(home.root), before);
  });

  it('has each planted fault named with its path, layout and reason, and nothing else', async (t) => {
    const fixture = makeFixture(t);
    const { problems, counts } = withFaults(fixture);
    const report = await check(fixture.home);
    assert.deepEqual(report.problems, problems);
    assert.deepEqual(countsOf(report), counts);
  });

  it('loses every prunable artifact to an age rule when all are old, and not a bit of the aliens', async (t) => {
    const { home, aliens, counts, litter } = makeFixture(t);
    touchTree(home.root, Date.now() - 400 * DAY);
    const before = aliens.digest();
    const session = home.session(later(400 * DAY));
    const report = await prune(session, { rules: { ...NO_RULES, ttlMs: 7 * DAY }, dryRun: false });
    assert.deepEqual(report.failures, []);
    assert.equal(report.removedCount, counts.artifacts - OPAQUE_ARTIFACTS);
    assert.equal(aliens.digest(), before);
    assert.deepEqual(countsOf(await check(home)), {
      ...counts,
      artifacts: OPAQUE_ARTIFACTS,
      valid: 0,
      unverifiable: OPAQUE_ARTIFACTS,
    });
    const left = tree(home.root);
    for (const name of litter) assert.ok(left.includes(name), `expected ${name} to stay`);
  });

  it('removes exactly the litter as garbage when everything is old, and not a bit of the aliens', async (t) => {
    const { home, aliens, litter, counts } = makeFixture(t);
    touchTree(home.root, Date.now() - 400 * DAY);
    const before = aliens.digest();
    const left = tree(home.root).filter((path) => !litter.includes(path));
    const report = await collectGarbage(home.session(later(400 * DAY)), { dryRun: false });
    assert.deepEqual([...report.removed].map(({ path }) => path).toSorted(), litter.toSorted());
    assert.deepEqual(report.failures, []);
    assert.equal(aliens.digest(), before);
    // The journal tells of the removals.
    assert.deepEqual(
      tree(home.root).filter((path) => path !== '.vyre-cache/events'),
      left,
    );
    assert.deepEqual(countsOf(await check(home)), { ...counts, litter: 0 });
  });

  it('keeps its aliens and its faults through an age rule and a collection with faults in it', async (t) => {
    const fixture = makeFixture(t);
    withFaults(fixture);
    const { home, aliens } = fixture;
    const before = aliens.digest();
    const session = home.session(later(400 * DAY));
    await prune(session, { rules: { ...NO_RULES, ttlMs: 7 * DAY }, dryRun: false });
    await collectGarbage(session, { dryRun: false });
    assert.equal(aliens.digest(), before);
  });
});

describe('the built program on such a home', () => {
  it('exits 0 without faults, 1 with them, and tells the same as a run in this process', async (t) => {
    const fixture = makeFixture(t);
    const { home, counts } = fixture;
    const clean = await built(home, ['verify', home.root, '--json']);
    assert.deepEqual([clean.code, clean.stderr], [0, '']);
    const { bytes: _, problems, ...counted } = documentOf(clean);
    assert.deepEqual([problems, counted], [[], counts]);
    const faults = withFaults(fixture);
    const ran = await built(home, ['verify', home.root, '--json']);
    assert.equal(ran.code, 1, ran.stderr);
    assert.deepEqual(documentOf(ran).problems, faults.problems);
  });

  it('finds in several threads what one thread finds, and seals alike', async (t) => {
    const fixture = makeFixture(t);
    const { home } = fixture;
    const { counts } = withFaults(fixture);
    const more = fillLargely(home);
    const expected = { ...addTo(counts, more), sealed: 0 };
    const alone = await check(home);
    assert.deepEqual(countsOf(alone), expected);
    const ran = await built(home, ['verify', home.root, '--json']);
    assert.equal(ran.code, 1, ran.stderr);
    assert.deepEqual(documentOf(ran), { ...expected, problems: alone.problems, bytes: alone.bytes });
    await built(home, ['verify', home.root, '--json', '--seal']);
    const sealed = await built(home, ['verify', home.root, '--json']);
    assert.equal(documentOf(sealed).sealed, expected.unverifiable);
    assert.deepEqual(documentOf(sealed).problems, alone.problems);
    const stateDirectory = join(home.stateDirectory, 'vyre-cache');
    const session = sessionOf(t, home.root, { host: later(0), stateDirectory });
    const again = await verify(session, { fingerprints: null });
    assert.deepEqual(countsOf(again), { ...expected, sealed: expected.unverifiable });
  });

  it('does work in threads: without a sound one there is no report', async (t) => {
    const home = new TestHome(t);
    fillLargely(home);
    const folder = temporaryFolder(t);
    for (const name of ['bin', 'dist', 'package.json'])
      cpSync(join(PROJECT, name), join(folder, name), { recursive: true });
    symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
    const argv = ['verify', home.root, '--json'];
    const copy = [process.execPath, join(folder, 'bin/vyre-cache.js')];
    assert.equal((await built(home, argv, copy)).code, 1);
    writeFileSync(join(folder, 'dist/bulk-thread.cjs'), 'throw new Error("made by a test");\n');
    const ran = await built(home, argv, copy);
    // One processor does all the work itself.
    if (availableParallelism() === 1) assert.equal(ran.code, 1);
    else assert.deepEqual([ran.code, /"message":"made by a test"/.test(ran.stdout)], [70, true]);
  });
});

/** More artifacts than one thread takes alone, some with faults. */
function fillLargely(home: TestHome): Counts {
  const many = 5200;
  for (let index = 0; index < many; index += 1) {
    home.place({ ...makeArtifact(keyOf(`entry ${index}`), `entry ${index}`), record: null });
  }
  const faulty = [0, 1, 511, 512, 2600, 4095, 4096, many - 1];
  for (const index of faulty)
    writeFileSync(home.entry(keyOf(`entry ${index}`)), 'not at all what it should be');
  for (let index = 0; index < 300; index += 1) {
    // Not behind the link in the place of the shard `ff`.
    const shard = `a${keyOf(`driver ${index}`).slice(1)}`;
    writeDriverPipeline(home.paths.store, shard, `driver ${index}`);
    writeAot(join(home.root, 'aot'), keyOf(`aot ${index}`), `fn f${index}() {}`);
    writeWgpu(join(home.root, 'pipeline'), keyOf(`wgpu ${index}`), { text: `fn f${index}() {}`, blob: 'b' });
  }
  unlinkSync(join(home.root, 'pipeline', `${keyOf('wgpu 150')}.pipeline.bin`));
  const damaged = faulty.length + 1;
  const artifacts = many + 900;
  const unverifiable = 600;
  return { ...NOTHING, artifacts, damaged, unverifiable, valid: artifacts - damaged - unverifiable };
}

function addTo(counts: Counts, more: Counts): Counts {
  return {
    artifacts: counts.artifacts + more.artifacts,
    valid: counts.valid + more.valid,
    damaged: counts.damaged + more.damaged,
    unverifiable: counts.unverifiable + more.unverifiable,
    litter: counts.litter + more.litter,
    aliens: counts.aliens + more.aliens,
    unreadable: counts.unreadable + more.unreadable,
    sealed: counts.sealed + more.sealed,
  };
}
