import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemFiles } from '../../../src/host/files.js';
import type { Layout } from '../../../src/layouts/layout.js';
import { compilerOfFolder } from '../../../src/layouts/wasmtime/compiler-folder.js';
import { moduleFormat } from '../../../src/layouts/wasmtime/module-format.js';
import { readUsages } from '../../../src/layouts/wasmtime/module-stats.js';
import { heldModules, isLiveTaskLock } from '../../../src/layouts/wasmtime/task-locks.js';
import { wasmtimeLayout, wasmtimeModulesLayout } from '../../../src/layouts/wasmtime/wasmtime-layout.js';
import { has } from '../../support/tools.js';
import { FakeClock, errnoError, failingFiles, fakeHost } from '../../support/fake-host.js';
import {
  examineAt,
  kindOf,
  NO_FILES,
  replaceBy,
  sectionIn,
  wordOf,
} from '../../support/layout-examination.js';
import { moduleName, writeWasmtime, zstd } from '../../support/other-caches.js';
import { NOW_MS } from '../../support/store-files.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const host = fakeHost();
const section = sectionIn(sectionIn(wasmtimeLayout.top, 'modules'), 'cranelift-31.0.0');
const STEM = moduleName('module');

/** True when an item of the folder makes it one of this layout's. */
function isRecognised(layout: Layout, folder: string): boolean {
  return systemFiles
    .readDirectory(folder)
    .some((item) => layout.suggests(item) && layout.confirms(host, folder, item));
}

function modulesRoot(t: TestContext): string {
  const folder = join(temporaryFolder(t), 'modules');
  mkdirSync(join(folder, 'cranelift-31.0.0'), { recursive: true });
  return folder;
}

describe('a directory of wasmtime', () => {
  it('is known by the modules in it', (t) => {
    if (!has(t, 'zstd')) return;
    const root = temporaryFolder(t);
    const [path = ''] = writeWasmtime(root);
    assert.ok(isRecognised(wasmtimeLayout, root));
    assert.ok(isRecognised(wasmtimeModulesLayout, join(root, 'modules')));
    assert.equal(isRecognised(wasmtimeLayout, join(root, 'modules')), false);
    assert.equal(isRecognised(wasmtimeModulesLayout, root), false);
    assert.equal(isRecognised(wasmtimeModulesLayout, dirname(path)), false);
  });
  it('is known by the certificate of a cleanup, where nothing is left', (t) => {
    const root = temporaryFolder(t);
    writeFileSync(join(root, '.cleanup.wip-12'), '');
    assert.equal(isRecognised(wasmtimeLayout, root), false);
    mkdirSync(join(root, 'modules'));
    assert.ok(isRecognised(wasmtimeLayout, root));
  });
  it('is not any folder with modules in it', (t) => {
    const root = temporaryFolder(t);
    const folder = join(root, 'modules', 'left-pad-1.3.0');
    mkdirSync(folder, { recursive: true });
    for (const name of ['index.js', STEM.slice(1), `${STEM}.js`]) writeFileSync(join(folder, name), '');
    mkdirSync(join(folder, STEM));
    assert.equal(isRecognised(wasmtimeLayout, root), false);
    assert.equal(isRecognised(wasmtimeModulesLayout, join(root, 'modules')), false);
  });
  it('is not a folder of another name that looks like its modules', (t) => {
    const root = modulesRoot(t);
    writeFileSync(join(root, 'cranelift-31.0.0', STEM), '');
    assert.ok(isRecognised(wasmtimeModulesLayout, root));
    const other = join(dirname(root), 'elsewhere');
    renameSync(root, other);
    assert.equal(isRecognised(wasmtimeModulesLayout, other), false);
  });
  it('looks at no more than 64 names of a folder', (t) => {
    const root = modulesRoot(t);
    for (let file = 0; file < 500; file += 1)
      writeFileSync(join(root, 'cranelift-31.0.0', `alien-${file}`), '');
    let visits = 0;
    const counting = failingFiles({
      scanDirectory: (path, visit) =>
        systemFiles.scanDirectory(path, (item) => {
          visits += 1;
          return visit(item);
        }),
    });
    const item = { name: 'modules', type: 'directory' } as const;
    assert.equal(wasmtimeLayout.confirms(fakeHost({ files: counting }), dirname(root), item), false);
    assert.ok(visits <= 65);
  });
});

describe('the names in a directory of wasmtime', () => {
  it('have their places', () => {
    assert.equal(kindOf(wasmtimeLayout.top, '.cleanup.wip-4711'), 'private');
    for (const name of [STEM, '.cleanup.wip-x', 'config.toml'])
      assert.equal(kindOf(wasmtimeLayout.top, name), 'alien');
    const modules = sectionIn(wasmtimeLayout.top, 'modules');
    assert.equal(modules.folder('cranelift'), null);
    assert.equal(kindOf(modules, STEM), 'alien');
    assert.equal(wasmtimeLayout.top.folder('cranelift-31.0.0'), null);
  });
  const names: readonly (readonly [string, string])[] = [
    [STEM, `wasmtime-module 0 of ${STEM}`],
    [`${STEM}.stats`, `wasmtime-module 1 of ${STEM}`],
    [`${STEM}.wip-atomic-write-mod`, 'litter'],
    [`${STEM}.wip-atomic-write-stats`, 'litter'],
    [`${STEM}.wip-4711`, 'litter'],
    [`${STEM}.wip-`, 'alien'],
    [`${STEM}.wip-other`, 'alien'],
    [`${STEM}.bin`, 'alien'],
    [`${STEM}x`, 'alien'],
    [STEM.slice(1), 'alien'],
    [`${STEM.slice(1)}+`, 'alien'],
    [`${STEM}\n`, 'alien'],
    [`${STEM}.stats\n`, 'alien'],
  ];
  for (const [name, kind] of names) {
    it(`take ${JSON.stringify(name)} for: ${kind}`, () => assert.equal(kindOf(section, name), kind));
  }
  it('tell the compiler', () => {
    for (const [folder, name, version] of [
      ['cranelift-31.0.0', 'cranelift', '31.0.0'],
      ['wasmtime-cranelift-36.0.2-1712345678901', 'wasmtime-cranelift', '36.0.2-1712345678901'],
      ['winch-29.0.1-m12', 'winch', '29.0.1-m12'],
      ['cranelift-9f86d08', 'cranelift', '9f86d08'],
      ['cranelift-deadbeef-1598000000000', 'cranelift', 'deadbeef-1598000000000'],
      ['cranelift-deadbeef-no-mtime', 'cranelift', 'deadbeef-no-mtime'],
    ] as const)
      assert.deepEqual(compilerOfFolder(folder), { name, version });
    for (const folder of ['cranelift', '-1.0', 'left-pad', '1.0'])
      assert.equal(compilerOfFolder(folder), null);
    assert.deepEqual(moduleFormat.compiler?.('/x-9.0/modules/winch-29.0.1'), {
      name: 'winch',
      version: '29.0.1',
    });
  });
});

describe('a module of wasmtime', () => {
  it('counts as its module, used when its statistics were written', () => {
    const stat = (bytes: number, mtimeMs: number) => ({
      ...({
        type: 'file',
        device: 1,
        inode: 1,
        atimeMs: 9e12,
        ctimeMs: 9e12,
        mode: 0o600,
        uid: 0,
        links: 1,
      } as const),
      bytes,
      mtimeMs,
    });
    const module = stat(1000, 5000.4);
    const stats = stat(40, 7000.6);
    assert.equal(moduleFormat.bytes([module, stats]), 1000);
    assert.equal(moduleFormat.usedAtMs([module, stats]), 7001);
    assert.equal(moduleFormat.usedAtMs([module, null]), 5000);
    assert.equal(moduleFormat.wholeness(0b01), 'artifact');
    assert.equal(moduleFormat.wholeness(0b11), 'artifact');
    assert.equal(moduleFormat.wholeness(0b10), 'orphan');
    assert.deepEqual(moduleFormat.removal, [0, 1]);
  });
  it('is unverifiable when it decodes, whatever its statistics are', (t) => {
    if (!has(t, 'zstd')) return;
    for (const path of writeWasmtime(temporaryFolder(t))) {
      for (const stats of [null, '', 'garbage', '\0'.repeat(100_000)]) {
        if (stats !== null) writeFileSync(`${path}.stats`, stats);
        const { verdict, bytesRead } = examineAt(section, dirname(path), basename(path));
        assert.equal(wordOf(verdict), 'unverifiable');
        assert.equal(bytesRead, readFileSync(path).length);
      }
    }
  });
  it('is damaged when it does not decode, with the reason', (t) => {
    if (!has(t, 'zstd')) return;
    const folder = temporaryFolder(t);
    const path = join(folder, STEM);
    const whole = zstd(Buffer.alloc(500_000, 'wasm '));
    for (const [bytes, reason] of [
      [Buffer.alloc(0), 'truncated'],
      [whole.subarray(0, -1), 'truncated'],
      [Buffer.from('invalid module'), 'bad-zstd'],
      [Buffer.concat([whole, Buffer.from('more')]), 'bad-zstd'],
      [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 0, 0]), 'window-too-large'],
      [whole, 'unverifiable'],
    ] as const) {
      writeFileSync(path, bytes);
      assert.equal(wordOf(examineAt(section, folder, STEM).verdict), reason);
    }
  });
  it('is nothing else in the place of a file', (t) => {
    const folder = temporaryFolder(t);
    for (const [name, make] of NO_FILES) {
      replaceBy(join(folder, STEM), make);
      const { verdict } = examineAt(section, folder, STEM);
      assert.equal(wordOf(verdict), 'not-a-file', name);
    }
  });
});

describe('a task lock of wasmtime', () => {
  const MINUTES_30 = 1_800_000;
  const DAY = 86_400_000;
  it('holds by its age', () => {
    for (const [ageMs, isLive] of [
      [0, true],
      [MINUTES_30 - 1000, true],
      [MINUTES_30 - 1, true],
      [MINUTES_30, false],
      [MINUTES_30 + 1, false],
      [-DAY, true],
      [-DAY - 1, false],
      [-DAY - 1000, false],
      [Infinity, false],
      [-Infinity, false],
      [NaN, false],
    ] as const)
      assert.equal(isLiveTaskLock(NOW_MS - ageMs, NOW_MS), isLive, `${ageMs}`);
  });
  it('holds the module whose name it bears, and no other', (t) => {
    const folder = temporaryFolder(t);
    const clock = new FakeClock(NOW_MS);
    const other = moduleName('other');
    const isHeld = (stem: string) => moduleFormat.heldStems?.(fakeHost({ clock }), folder).has(stem);
    for (const extension of ['4711', 'atomic-write-mod', 'atomic-write-stats']) {
      const lock = join(folder, `${STEM}.wip-${extension}`);
      writeFileSync(lock, '');
      utimesSync(lock, NOW_MS / 1000, NOW_MS / 1000);
      assert.deepEqual([isHeld(STEM), isHeld(other)], [true, false]);
      utimesSync(lock, NOW_MS / 1000, NOW_MS / 1000 - 1800);
      assert.equal(isHeld(STEM), false);
    }
    writeFileSync(join(folder, `${STEM}.stats`), '');
    assert.equal(isHeld(STEM), false);
  });
  it('holds nothing when its time cannot be read', (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, `${STEM}.wip-1`), '');
    const files = failingFiles({
      lstat: () => {
        throw errnoError('EACCES');
      },
    });
    assert.deepEqual(heldModules(fakeHost({ files }), folder), new Set());
  });
});

describe('the statistics of a module', () => {
  for (const [text, usages] of [
    ['usages = 1\noptimized-compression = 3\n', 1],
    ['optimized-compression = -5\r\nusages = 9007199254740991\r\n', Number.MAX_SAFE_INTEGER],
    ['# a comment\n\nusages=256 # so often\noptimized-compression=20', 256],
    ['usages = 0\noptimized-compression = 3\nnewer = 4\n', 0],
    ['', null],
    ['usages = 1\n', null],
    ['optimized-compression = 3\n', null],
    ['usages = -1\noptimized-compression = 3\n', null],
    ['usages = "1"\noptimized-compression = 3\n', null],
    ['usages = 1.5\noptimized-compression = 3\n', null],
    ['usages = 1\nusages = 2\noptimized-compression = 3\n', null],
    ['[table]\nusages = 1\noptimized-compression = 3\n', null],
    ['garbage', null],
  ] as const) {
    it(`tell ${usages ?? 'nothing'}: ${JSON.stringify(text)}`, () =>
      assert.equal(readUsages(Buffer.from(text)), usages));
  }
  it('tell nothing above 64 KiB, or as bytes that are no text', () => {
    const text = 'usages = 1\noptimized-compression = 3\n';
    const padded = (bytes: number) => Buffer.from(text.padEnd(bytes, '\n'));
    assert.equal(readUsages(padded(65_536)), 1);
    assert.equal(readUsages(padded(65_537)), null);
    assert.equal(readUsages(Buffer.from([0xff, 0xfe, 0, 1])), null);
  });
});
