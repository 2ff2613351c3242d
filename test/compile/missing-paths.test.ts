import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../src/host/clock.js';
import { systemFiles, type Files } from '../../src/host/files.js';
import { MissingPaths } from '../../src/compile/presets/missing-paths.js';

const HOUR_MS = 3_600_000;

/** A project with one folder, and how often each path is asked for; `laterMs` is how far the clock is ahead of the files. */
function project(t: TestContext, laterMs = HOUR_MS) {
  const cwd = realpathSync(mkdtempSync(join(tmpdir(), 'vyre-cache-missing-')));
  t.after(() => {
    rmSync(cwd, { recursive: true, force: true });
  });
  mkdirSync(join(cwd, 'first'));
  const asked: string[] = [];
  const files: Files = {
    ...systemFiles,
    stat: (path) => {
      asked.push(path.slice(cwd.length + 1));
      return systemFiles.stat(path);
    },
  };
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + laterMs };
  return { cwd, asked, missing: new MissingPaths({ files, clock }) };
}

describe('what was missing', () => {
  it('is named by its shallowest missing part', (t) => {
    const { cwd, missing } = project(t);
    const look = missing.look(cwd);
    assert.equal(look.missingPart('first/sub/deep/a.h'), 'first/sub');
    assert.equal(look.missingPart('first/a.h'), 'first/a.h');
    assert.equal(look.missingPart('none'), 'none');
    assert.equal(look.missingPart(`${cwd}/none/a.h`), `${cwd}/none`);
    assert.equal(look.missingPart('first'), null);
    assert.equal(look.typeOf('first'), 'directory');
  });

  it('is not asked for again while its folder stays as it is, which is asked for once', (t) => {
    const { cwd, missing, asked } = project(t);
    for (const name of ['first/a.h', 'first/b.h', 'first/sub/c.h']) missing.look(cwd).missingPart(name);
    asked.length = 0;
    const look = missing.look(cwd);
    assert.equal(look.missingPart('first/a.h'), 'first/a.h');
    assert.equal(look.missingPart('first/b.h'), 'first/b.h');
    assert.equal(look.missingPart('first/sub/c.h'), 'first/sub');
    assert.deepEqual(asked, ['first']);
  });

  const changes: readonly (readonly [string, (cwd: string) => void])[] = [
    ['that very file comes', (cwd) => writeFileSync(join(cwd, 'first/a.h'), '')],
    ['a link to something comes in its place', (cwd) => symlinkSync(cwd, join(cwd, 'first/a.h'))],
    [
      'its folder is exchanged for another one of the same times',
      (cwd) => {
        mkdirSync(join(cwd, 'other'));
        writeFileSync(join(cwd, 'other/a.h'), '');
        utimesSync(join(cwd, 'other'), 1, 1);
        renameSync(join(cwd, 'first'), join(cwd, 'old'));
        renameSync(join(cwd, 'other'), join(cwd, 'first'));
      },
    ],
  ];
  for (const [name, change] of changes) {
    it(`is there when ${name}`, (t) => {
      const { cwd, missing } = project(t);
      utimesSync(join(cwd, 'first'), 1, 1);
      assert.equal(missing.look(cwd).missingPart('first/a.h'), 'first/a.h');
      change(cwd);
      assert.equal(missing.look(cwd).missingPart('first/a.h'), null);
    });
  }

  it('is named anew when a part of it comes, or goes', (t) => {
    const { cwd, missing } = project(t);
    assert.equal(missing.look(cwd).missingPart('first/sub/a.h'), 'first/sub');
    mkdirSync(join(cwd, 'first/sub'));
    assert.equal(missing.look(cwd).missingPart('first/sub/a.h'), 'first/sub/a.h');
    rmSync(join(cwd, 'first/sub'), { recursive: true });
    assert.equal(missing.look(cwd).missingPart('first/sub/a.h'), 'first/sub');
    rmSync(join(cwd, 'first'), { recursive: true });
    assert.equal(missing.look(cwd).missingPart('first/sub/a.h'), 'first');
  });

  it('is asked for again in a folder that has changed a moment ago: its times need not show the next change', (t) => {
    const { cwd, missing, asked } = project(t, 0);
    missing.look(cwd).missingPart('first/a.h');
    asked.length = 0;
    missing.look(cwd).missingPart('first/a.h');
    assert.deepEqual(asked, ['first/a.h', 'first']);
  });

  it('from one folder says nothing about the same name from another one', (t) => {
    const { cwd, missing } = project(t);
    assert.equal(missing.look(cwd).missingPart('a.h'), 'a.h');
    writeFileSync(join(cwd, 'first/a.h'), '');
    assert.equal(missing.look(join(cwd, 'first')).missingPart('a.h'), null);
  });
});
