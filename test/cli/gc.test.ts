import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { renderGc } from '../../src/cli/rendering/gc.js';
import type { RemovalReport } from '../../src/maintenance/reports.js';
import { LOCK_BYTES } from '../../src/store/lock-file.js';
import { startChild } from '../support/child.js';
import { FakeClock, fakeHost } from '../support/fake-host.js';
import { TestHome } from '../support/homes.js';
import { listing, tree } from '../support/listing.js';
import { shellLine, SOURCES } from '../support/program.js';
import { findTool } from '../support/tools.js';
import { cli, makePlace, type Place, type Ran } from './support.js';

const HEX = 'a'.repeat(64);
const HOUR = 3_600_000;

/** A home with one left-over temporary file, and a host for which two hours have passed since. */
function makeLitter(t: TestContext): {
  readonly home: TestHome;
  readonly later: ReturnType<typeof fakeHost>;
  readonly path: string;
} {
  const home = new TestHome(t);
  const path = join(home.paths.store, `.${HEX}-0.bin.tmp`);
  writeFileSync(path, 'half');
  utimesSync(path, 0, 0);
  return { home, later: fakeHost({ clock: new FakeClock(Date.now() + 2 * HOUR) }), path };
}

/** A directory of a PVF host. */
function makeArtifacts(place: Place, name = 'pvf'): string {
  const root = join(place.work, name);
  mkdirSync(join(root, 'worker-dir-prepare-1'), { recursive: true });
  for (const file of ['abcd.pvf', 'abcd.pvfartifact', 'worker-dir-prepare-1/tmp-artifact'])
    writeFileSync(join(root, file), 'bytes');
  return root;
}

function json(ran: Ran): RemovalReport & { readonly schema: string; readonly busy: boolean } {
  return JSON.parse(ran.stdout) as RemovalReport & { readonly schema: string; readonly busy: boolean };
}

const nothing: RemovalReport = {
  root: '/c',
  dryRun: false,
  removed: [],
  removedBy: new Map(),
  removedCount: 0,
  removedBytes: 0,
  keptCount: 0,
  keptBytes: 0,
  inUse: 0,
  failures: [],
};

describe('the sentence of gc', () => {
  const went = (...reasons: readonly string[]): RemovalReport => ({
    ...nothing,
    removed: reasons.map((reason) => ({ path: 'x', reason, bytes: 1, ageSeconds: 1 })),
    removedCount: reasons.length,
    removedBytes: 4_300_000,
  });

  it('says what went, in the words of each kind', () => {
    assert.equal(renderGc(nothing), 'Nothing to remove\n');
    assert.equal(renderGc({ ...nothing, inUse: 1200 }), 'Nothing to remove; 1,200 in use\n');
    assert.equal(renderGc(went('dead-worker')), 'Removed 1 worker directory, 4.1 MiB\n');
    assert.equal(
      renderGc(went('temporary', 'dead-worker', 'temporary')),
      'Removed 1 worker directory and 2 temporary files, 4.1 MiB\n',
    );
    assert.equal(
      renderGc({
        ...went(
          'unused-state',
          'expired-failure',
          'orphan-record',
          'orphan-record',
          'staged',
          'expired-failure',
        ),
        dryRun: true,
        inUse: 2,
      }),
      'Would remove 1 half-made item, 2 orphaned records, 2 expired failures and 1 unused note, 4.1 MiB; 2 in use\n',
    );
    assert.equal(renderGc(went('restart', 'restart')), 'Removed 2 items, 4.1 MiB\n');
  });
});

describe('gc', () => {
  it('shows with --dry-run what it would remove, and then removes it', async (t) => {
    const place = makePlace(t);
    const { home, later, path } = makeLitter(t);
    const dry = await cli(place, ['gc', home.root, '--dry-run'], { host: later });
    assert.equal(dry.code, 0);
    assert.match(
      dry.stdout,
      new RegExp(
        `^pipelines/\\.${HEX}-0\\.bin\\.tmp +4 B .* temporary\nWould remove 1 temporary file, 4 B\n$`,
      ),
    );
    assert.ok(existsSync(path));
    const real = await cli(place, ['gc', home.root], { host: later });
    assert.deepEqual(real, { code: 0, stdout: 'Removed 1 temporary file, 4 B\n', stderr: '' });
    assert.equal(existsSync(path), false);
    const again = await cli(place, ['gc', home.root], { host: later });
    assert.deepEqual(again, { code: 0, stdout: 'Nothing to remove\n', stderr: '' });
  });

  it('lists with -v what it removed, and says nothing with -q', async (t) => {
    const place = makePlace(t);
    const { home, later, path } = makeLitter(t);
    const quiet = await cli(place, ['gc', home.root, '--dry-run', '-q'], { host: later });
    assert.deepEqual(quiet, { code: 0, stdout: '', stderr: '' });
    const ran = await cli(place, ['gc', home.root, '-v'], { host: later });
    assert.match(ran.stdout, /temporary\nRemoved 1 temporary file, 4 B\n$/);
    assert.equal(existsSync(path), false);
  });

  it('has the documented fields in JSON, alone on stdout', async (t) => {
    const place = makePlace(t);
    const { home, later } = makeLitter(t);
    const ran = await cli(place, ['gc', home.root, '--json'], { host: later });
    const { ageSeconds } = [...json(ran).removed][0] ?? { ageSeconds: 0 };
    assert.ok(ageSeconds > 7200);
    assert.deepEqual(json(ran), {
      schema: 'vyre-cache.gc/1',
      root: home.root,
      dryRun: false,
      removed: [{ path: `pipelines/.${HEX}-0.bin.tmp`, reason: 'temporary', bytes: 4, ageSeconds }],
      removedCount: 1,
      removedBytes: 4,
      keptCount: 0,
      keptBytes: 0,
      inUse: 0,
      failures: [],
      busy: false,
    });
    assert.ok(ran.stdout.startsWith('{"schema":"vyre-cache.gc/1",'));
    assert.equal(ran.stderr, '');
  });

  it('means by `pipelines` its parent, as every command does', async (t) => {
    const place = makePlace(t);
    const { home, later, path } = makeLitter(t);
    const ran = await cli(place, ['gc', home.paths.store], { host: later });
    assert.equal(ran.stdout, 'Removed 1 temporary file, 4 B\n');
    assert.equal(existsSync(path), false);
  });

  it('exits 3 when something cannot be removed, and names it', async (t) => {
    const place = makePlace(t);
    const { home, later, path } = makeLitter(t);
    const files = {
      ...later.files,
      unlink: () => {
        throw Object.assign(new Error('EPERM: made by a test'), { code: 'EPERM' });
      },
    };
    const ran = await cli(place, ['gc', home.root], { host: { ...later, files } });
    assert.deepEqual(ran, {
      code: 3,
      stdout: 'Nothing removed; 1 failed\n',
      stderr: `vyre-cache: "pipelines/.${HEX}-0.bin.tmp" cannot be looked at or removed (EPERM)\n`,
    });
    assert.ok(existsSync(path));
  });

  it('does nothing while another one is at work, says so, and exits 0', async (t) => {
    const place = makePlace(t);
    const { home, later, path } = makeLitter(t);
    const child = startChild(t, 'hold', join(home.paths.private, 'lock'), String(LOCK_BYTES.maintenance));
    assert.equal(await child.line(), 'held');
    const ran = await cli(place, ['gc', home.root], { host: later });
    assert.deepEqual([ran.code, ran.stdout], [0, '']);
    assert.match(ran.stderr, /another process cleans up/);
    const document = json(await cli(place, ['gc', home.root, '--json'], { host: later }));
    assert.deepEqual([document.removedCount, document.keptCount, document.busy], [0, 0, true]);
    assert.ok(existsSync(path));
  });

  it('removes nothing from a home directory, from / and from a directory of a PVF host', async (t) => {
    const place = makePlace(t);
    mkdirSync(join(place.home, 'worker-dir-prepare-x'));
    for (const name of [
      'abcd.pvf',
      'wasmtime_x',
      `.${HEX}-0.bin.tmp`,
      `${HEX}.json`,
      'worker-dir-prepare-x/owner',
    ])
      writeFileSync(join(place.home, name), 'precious');
    makeArtifacts(place);
    const before = listing(place.home);
    for (const root of ['..', '/']) {
      // A wrong answer must not empty the machine that finds it.
      const ran = await cli(place, ['gc', root, '--dry-run']);
      assert.equal(ran.code, 3, root);
      assert.match(ran.stderr, /which has no known layout/);
    }
    assert.equal((await cli(place, ['gc', '..'])).code, 3);
    const ran = await cli(place, ['gc', 'pvf', '--stale-compilers']);
    assert.deepEqual([ran.code, ran.stdout], [0, 'Nothing to remove\n']);
    for (const command of ['ls', 'flush']) {
      const refused = await cli(place, [command, 'pvf']);
      assert.deepEqual([refused.code, refused.stdout], [3, '']);
      assert.match(refused.stderr, /expected a cache with entries, got ".*" of another system/);
    }
    assert.deepEqual(listing(place.home), before);
  });

  it('reports nothing for the root that holds anyway while it is absent, and misses a typed one', async (t) => {
    const place = makePlace(t);
    const ran = await cli(place, ['gc']);
    assert.deepEqual(ran, { code: 0, stdout: 'Nothing to remove\n', stderr: '' });
    assert.deepEqual(tree(place.home), ['work/']);
    assert.equal((await cli(place, ['gc', 'nowhere'])).code, 3);
  });
});

describe('gc --restart on the command line', () => {
  it('demands a directory that was typed', async (t) => {
    const place = makePlace(t);
    for (const argv of [
      ['gc', '--restart', '--yes'],
      ['gc', '--restart', '--dry-run', '--cache-dir', makeArtifacts(place)],
    ]) {
      const ran = await cli(place, argv);
      assert.equal(ran.code, 2);
      assert.match(ran.stderr, /expected the directory of a PVF host with --restart, got none/);
    }
    assert.equal((await cli(place, ['gc', '--yes'])).code, 2);
    assert.equal((await cli(place, ['gc', '--restart', '--yes', 'nowhere'])).code, 3);
    assert.equal((await cli(place, ['gc', '--restart', '--yes', 'pvf/abcd.pvf'])).code, 3);
  });

  it('demands --yes where nobody can be asked, but not for a dry run', async (t) => {
    const place = makePlace(t);
    const root = makeArtifacts(place);
    const before = listing(root);
    const ran = await cli(place, ['gc', '--restart', 'pvf']);
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /expected --yes with --restart/);
    const dry = await cli(place, ['gc', '--restart', 'pvf', '--dry-run']);
    assert.equal(dry.code, 0);
    assert.match(dry.stdout, /Would remove 2 items, 10 B\n$/);
    assert.deepEqual(listing(root), before);
    const real = await cli(place, ['gc', '--restart', 'pvf', '--yes']);
    assert.deepEqual(real, { code: 0, stdout: 'Removed 2 items, 10 B\n', stderr: '' });
    assert.deepEqual(readdirSync(root), ['abcd.pvfartifact']);
  });

  it('works on the directory itself, also when it is called by a link', async (t) => {
    const place = makePlace(t);
    const root = makeArtifacts(place);
    symlinkSync(root, join(place.work, 'link'));
    const ran = await cli(place, ['gc', '--restart', 'link', '--yes', '--json']);
    assert.equal(json(ran).root, root);
    assert.equal(json(ran).removedCount, 2);
  });

  it('refuses a cache of ours', async (t) => {
    const place = makePlace(t);
    const home = new TestHome(t);
    writeFileSync(join(home.root, 'abcd.pvf'), 'x');
    for (const root of [home.root, home.paths.store]) {
      const ran = await cli(place, ['gc', '--restart', '--yes', root]);
      assert.equal(ran.code, 3);
      assert.match(ran.stderr, /is a cache of vyre-cache/);
    }
    assert.ok(existsSync(join(home.root, 'abcd.pvf')));
  });

  const answers: readonly (readonly [string, number, boolean])[] = [
    ['y', 0, true],
    ['YES', 0, true],
    ['n', 1, false],
    ['', 1, false],
    ['yesterday', 1, false],
  ];
  for (const [answer, code, isRemoved] of answers) {
    it(`asks on a terminal, and ${isRemoved ? 'goes on' : 'stops'} after "${answer}"`, (t) => {
      const script = findTool('script');
      if (script === null) {
        t.skip('missing: script (apt-get install bsdutils)');
        return;
      }
      const place = makePlace(t);
      const root = makeArtifacts(place);
      const command = shellLine([...SOURCES, 'gc', '--restart', root]);
      const ran = spawnSync(script, ['-qec', command, '/dev/null'], {
        input: `${answer}\n`,
        encoding: 'utf8',
        env: { ...place.environment, TERM: 'xterm' },
      });
      assert.equal(ran.status, code, ran.stdout);
      assert.match(ran.stdout, /Remove 2 items, 10 B from ".*"\? Its node must be stopped\. \[y\/N\]/);
      assert.equal(existsSync(join(root, 'abcd.pvf')), !isRemoved);
      assert.ok(existsSync(join(root, 'abcd.pvfartifact')));
    });
  }
});
