import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { settled, shortcutObstacle } from '../support/shortcuts.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const ROOT = join(import.meta.dirname, '../..');
const BIN = join(ROOT, 'bin/vyre-cache.js');
const PAGE = readFileSync(join(ROOT, 'docs/start.md'), 'utf8');

interface Loaded {
  /** Files of this project and its packages, relative to the project. */
  readonly files: readonly string[];
  /** Modules of Node that `node -e 0` does not load. */
  readonly builtins: readonly string[];
}

/** Runs Node with a script before the program that tells what was loaded in the end. */
function modulesOf(t: TestContext, folder: string, argv: readonly string[]): Loaded {
  const observer = join(folder, 'observer.cjs');
  const report = join(folder, 'report.json');
  writeFileSync(
    observer,
    `process.on('exit', () => {
      const fs = require('fs');
      const scripts = require.cache[${JSON.stringify(BIN)}]?.exports.scripts ?? new Map();
      const mapped = fs.readFileSync('/proc/self/maps', 'utf8').match(/\\/.*\\.node$/gm) ?? [];
      const files = [...Object.keys(require.cache), ...scripts.keys(), ...new Set(mapped)];
      fs.writeFileSync(${JSON.stringify(report)}, JSON.stringify({ files, builtins: process.moduleLoadList }));
    });`,
  );
  const run = (words: readonly string[]): { files: string[]; builtins: string[] } => {
    execFileSync(process.execPath, ['--require', observer, ...words], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder },
      stdio: 'ignore',
    });
    // What the script above wrote.
    return JSON.parse(readFileSync(report, 'utf8')) as { files: string[]; builtins: string[] };
  };
  const empty = join(folder, 'empty.cjs');
  writeFileSync(empty, '');
  const bare = new Set([...run(['-e', '0']).builtins, ...run([empty]).builtins]);
  const { files, builtins } = run([BIN, ...argv]);
  t.diagnostic(`${files.length} files, ${builtins.length} modules of Node`);
  return {
    files: files.map((file) => relative(ROOT, file)).filter((file) => !file.endsWith('observer.cjs')),
    builtins: builtins.filter((name) => !bare.has(name)).map((name) => name.replace(/^NativeModule /, '')),
  };
}

/** The sources in the files of the bundle, by their source maps. */
function sourcesOf(files: readonly string[]): readonly string[] {
  const found = new Set<string>();
  for (const file of files.filter((name) => name.startsWith('dist/'))) {
    const map = JSON.parse(readFileSync(join(ROOT, `${file}.map`), 'utf8')) as { sources: string[] };
    for (const source of map.sources) {
      const path = relative(ROOT, resolve(ROOT, dirname(file), source));
      if (/^(?:src|node_modules)\//.test(path)) found.add(path);
    }
  }
  return [...found].toSorted();
}

/** The lists below these headings of the page. */
function listed(...headings: readonly string[]): readonly string[] {
  const names = headings.flatMap((heading) => {
    const section = PAGE.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`));
    assert.ok(section !== undefined, `expected "${heading}" in docs/start.md`);
    return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? '');
  });
  return names.toSorted();
}

function compileArguments(): readonly string[] {
  return ['compile', 'a.c', '-o', 'a.o', '--', 'gcc', '-O2', '-c', '{input}', '-o', '{output}'];
}

/** A folder whose one compilation is in the cache; its fingerprint. */
function warm(t: TestContext): { readonly folder: string; readonly fingerprint: string } {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'a.c'), 'int answer(void) { return 42; }\n');
  const options = {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder },
    encoding: 'utf8',
  } as const;
  execFileSync(process.execPath, [BIN, ...compileArguments()], options);
  const shown = execFileSync(process.execPath, [BIN, 'fingerprint', ...compileArguments().slice(1)], options);
  return { folder, fingerprint: shown.trim() };
}

/** Who may compile makes a controller for who interrupts it; who finds its output in place need not listen for signals. */
const ALLOWED_BUILTINS = {
  get: ['Internal Binding signal_wrap', 'vm'],
  inPlace: ['vm'],
  compile: ['Internal Binding signal_wrap', 'internal/abort_controller', 'vm'],
};

describe('a start of the program', () => {
  it('loads for a hit of get what docs/start.md lists, of it the start for plain words', (t) => {
    const { folder, fingerprint } = warm(t);
    const loaded = modulesOf(t, folder, ['get', fingerprint, '-o', 'b.o', '--no-color']);
    assert.deepEqual(readFileSync(join(folder, 'b.o')), readFileSync(join(folder, 'a.o')));
    assert.deepEqual(loaded.builtins.toSorted(), ALLOWED_BUILTINS.get);
    assert.deepEqual(sourcesOf(loaded.files), listed('Every start', 'The long way'));
    assert.deepEqual(addonsAndFiles(loaded.files), { addons: 2, bundle: 2 });

    const plain = modulesOf(t, folder, ['get', fingerprint, '-o', 'b.o']);
    assert.deepEqual(plain.builtins.toSorted(), ALLOWED_BUILTINS.inPlace);
    assert.deepEqual(sourcesOf(plain.files), listed('Every start'));
    assert.deepEqual(addonsAndFiles(plain.files), { addons: 1, bundle: 1 });
  });

  const skip = shortcutObstacle() ?? false;
  it(
    'loads for a hit of compile what docs/start.md lists, of it the start for a shortcut',
    { skip },
    async (t) => {
      const { folder } = warm(t);
      await settled(folder);
      const loaded = modulesOf(t, folder, compileArguments());
      assert.deepEqual(loaded.builtins.toSorted(), ALLOWED_BUILTINS.compile);
      const leaving = new Set([
        'src/cli/remembered-call.ts',
        'src/compile/leave-shortcut.ts',
        'src/compile/noted-looks.ts',
      ]);
      assert.deepEqual(
        sourcesOf(loaded.files).filter((name) => !leaving.has(name)),
        listed('Every start', 'The long way', 'A hit of compile'),
      );
      assert.deepEqual(
        sourcesOf(loaded.files).filter((name) => leaving.has(name)),
        [...leaving],
      );
      // Two of them leave the shortcut.
      assert.deepEqual(addonsAndFiles(loaded.files), { addons: 2, bundle: 5 });

      const again = modulesOf(t, folder, compileArguments());
      assert.deepEqual(again.builtins.toSorted(), ALLOWED_BUILTINS.inPlace);
      assert.deepEqual(sourcesOf(again.files), listed('Every start'));
      assert.deepEqual(addonsAndFiles(again.files), { addons: 1, bundle: 1 });
    },
  );
});

describe('the code that a build keeps', () => {
  it('is taken from there by a hit, and the program runs without it', (t) => {
    const { folder, fingerprint } = warm(t);
    const copy = join(folder, 'copy');
    for (const name of ['bin', 'dist', 'package.json'])
      cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    const rejected = join(folder, 'rejected.cjs');
    writeFileSync(
      rejected,
      `process.on('exit', () => console.log([...require.cache[${JSON.stringify(join(copy, 'bin/vyre-cache.js'))}].exports.scripts.values()].map((script) => String(script.cachedDataRejected)).join()));`,
    );
    const env = { PATH: process.env['PATH'], HOME: folder };
    const run = (): string =>
      execFileSync(
        process.execPath,
        [
          '--require',
          rejected,
          join(copy, 'bin/vyre-cache.js'),
          'get',
          fingerprint,
          '-o',
          'b.o',
          '--no-color',
        ],
        { cwd: folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
      ).trim();
    assert.equal(run(), 'false,false');
    const kept = readdirSync(join(copy, 'dist')).filter((name) => name.endsWith('.code'));
    assert.ok(kept.length >= 3, `expected the code of 3 files, got ${kept.length}`);
    const again = (expected: string, what: string): void => {
      rmSync(join(folder, 'b.o'));
      assert.equal(run(), expected, what);
      assert.deepEqual(readFileSync(join(folder, 'b.o')), readFileSync(join(folder, 'a.o')), what);
    };
    const packed = kept.filter((name) => name.startsWith('start.')).map((name) => join(copy, 'dist', name));
    assert.equal(packed.length, 1);
    const [pack = ''] = packed;
    const whole = readFileSync(pack);
    writeFileSync(pack, whole.fill(0xa5, 0, 16));
    again('true,false', 'the packed code of another V8');
    for (const bytes of [0, 63, 64, 1000, whole.byteLength - 1]) {
      writeFileSync(pack, whole.subarray(0, bytes));
      again('undefined,false', `a pack of ${bytes} bytes`);
    }
    for (const name of kept) writeFileSync(join(copy, 'dist', name), 'of another V8');
    again('undefined,true', 'code of another V8');
    for (const name of kept) rmSync(join(copy, 'dist', name));
    again('undefined,undefined', 'no code');
  });
});

/** Native addons, and files of the bundle. */
function addonsAndFiles(files: readonly string[]): { readonly addons: number; readonly bundle: number } {
  const others = files.filter((file) => !file.startsWith('dist/') && !file.endsWith('.node'));
  assert.deepEqual(
    others.map((file) => basename(file)),
    ['vyre-cache.js'],
  );
  return {
    addons: files.filter((file) => file.endsWith('.node')).length,
    bundle: files.filter((file) => file.startsWith('dist/')).length,
  };
}
