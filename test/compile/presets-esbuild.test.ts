import assert from 'node:assert/strict';
import { readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { esbuild } from '../../src/compile/presets/esbuild.js';
import { decodeMetafile } from '../../src/compile/presets/metafile.js';
import { mappedPaths, readTsconfig } from '../../src/compile/presets/tsconfig.js';
import type { Facts } from '../../src/compile/presets/preset.js';
import { systemFiles } from '../../src/host/files.js';
import {
  commandLine,
  compileListed,
  filesBelow,
  listOf,
  plant,
  runLine,
  temporaryFolder,
  type Tree,
} from './preset-runs.js';

const ESBUILD = join(import.meta.dirname, '../../node_modules/.bin/esbuild');

const PROJECT: Tree = {
  'app/src/a.ts':
    'import { b } from "./sub/b";\nimport d from "dep";\nimport { z } from "@/zz";\nimport u from "up/deep/x";\nconsole.log(b, d, z, u);\n',
  'app/src/sub/b.ts': 'export const b: number = 2;\n',
  'app/src/sub/zz.ts': 'export const z = 1;\n',
  'app/src/plain.ts': 'export const p: number = 1;\n',
  'app/src/s.css': '@import "./t.css";\n.x { background: url(./i.png) }\n',
  'app/src/t.css': '.t { color: red }\n',
  'app/src/i.png': 'PNG',
  'app/src/with-css.ts': 'import "./t.css";\nconsole.log(1);\n',
  'app/src/glob.ts': 'export const load = (n: string) => import(`./sub/${n}.ts`);\n',
  'app/node_modules/dep/package.json': '{"name":"dep","version":"1.0.0","main":"lib/m"}',
  'app/node_modules/dep/lib/m.js': 'module.exports = 7;\n//# sourceMappingURL=m.js.map\n',
  'app/node_modules/dep/lib/m.js.map': '{"version":3,"sources":["m.orig.ts"],"mappings":"AAAA"}',
  'node_modules/up/package.json': '{"name":"up","version":"2.0.0"}',
  'node_modules/up/deep/x.js': 'export default 1;\n',
  'app/tsconfig.json':
    '{\n  // comment\n  "extends": "./base.json",\n  "compilerOptions": { "paths": { "@/*": ["./src/late/*", "./src/sub/*"], }, },\n}\n',
  'app/base.json': '{"compilerOptions":{"target":"es2020"}}',
  'package.json': '{"name":"workspace"}',
};

function lineIn(root: string, args: string, outputs: readonly string[] = ['out.js']) {
  return commandLine({ program: ESBUILD, args: args.split(' '), cwd: join(root, 'app'), outputs });
}

function project(extra: Tree = {}): string {
  const root = temporaryFolder();
  plant(root, { ...PROJECT, ...extra });
  return root;
}

function facts(args: string, outputs: readonly string[] = []): Facts {
  return esbuild.facts(commandLine({ program: ESBUILD, args: args.split(' '), cwd: '/x', outputs }));
}

async function read(root: string, args: string, outputs?: readonly string[]) {
  return listOf(await compileListed(esbuild, lineIn(root, args, outputs)));
}

describe('facts', () => {
  for (const args of [
    'a.ts --watch',
    'a.ts --watch=forever',
    '--serve',
    '--serve=8000',
    '--servedir=www a.ts',
  ]) {
    test(`${args} goes on for ever`, () => {
      assert.equal(facts(args).uncacheable?.word, 'preset:watch');
    });
  }

  test('--mangle-cache is read and written', () => {
    assert.equal(facts('a.ts --mangle-cache=m.json --outfile=o.js').uncacheable?.word, 'undeclared-output');
  });

  test('never relocatable', () => {
    for (const args of ['a.ts --outfile=o.js', 'a.ts --bundle --outfile=o.js --log-level=error', 'a.ts']) {
      assert.equal(facts(args, ['o.js']).relocatable, false);
    }
  });

  for (const row of [
    'src/plain.ts --outfile=out.js',
    'src/plain.ts --outdir=out',
    'src/t.css --outdir=out',
    'src/a.ts --bundle --outfile=out.js --sourcemap',
    'src/a.ts --bundle --outfile=out.js --sourcemap=external',
    'src/a.ts --bundle --outfile=out.js --sourcemap=inline',
    'src/a.ts --bundle --outfile=out.js --metafile=m.json',
    'src/plain.ts',
  ]) {
    test(`further outputs of ${row} are those that the bare command writes`, () => {
      const root = project();
      const before = new Set(filesBelow(join(root, 'app')));
      const line = lineIn(root, row, []);
      const ran = runLine(line, line.args, temporaryFolder());
      assert.equal(ran.status, 0, ran.stderr);
      const written = filesBelow(join(root, 'app')).filter((name) => !before.has(name));
      assert.deepEqual([...esbuild.facts(line).furtherOutputs].toSorted(), written);
    });
  }
});

describe('the list', () => {
  for (const [args, outputs] of [
    ['src/a.ts --bundle --outfile=out.js', ['out.js']],
    ['src/a.ts --bundle --outfile=out.js --sourcemap --minify', ['out.js', 'out.js.map']],
    ['src/a.ts --bundle --outfile=out.js --analyze', ['out.js']],
    ['src/plain.ts --outfile=out.js', ['out.js']],
    ['src/plain.ts --outdir=.', ['plain.js']],
    ['src/a.ts --bundle', []],
  ] as const) {
    test(`${args}: changes no byte`, async () => {
      const root = project();
      const line = lineIn(root, args, outputs);
      const withoutTime = (text: string): string => text.replace(/Done in .*/, '');
      const bare = runLine(line, line.args, temporaryFolder());
      const before = outputs.map((name) => readFileSync(join(root, 'app', name), 'utf8'));
      for (const name of outputs) rmSync(join(root, 'app', name));
      const listing = await compileListed(esbuild, line);
      listOf(listing);
      assert.deepEqual([listing.ran.status, listing.ran.stdout], [bare.status, bare.stdout]);
      assert.equal(withoutTime(listing.ran.stderr), withoutTime(bare.stderr));
      assert.deepEqual(
        outputs.map((name) => readFileSync(join(root, 'app', name), 'utf8')),
        before,
      );
    });
  }

  test('sources, packages, and what the metafile leaves out', async () => {
    const root = project();
    const { files } = await read(root, 'src/a.ts --bundle --outfile=out.js --sourcemap=inline');
    const inside = (name: string): boolean => files.includes(name) || files.includes(join(root, 'app', name));
    for (const name of [
      'src/a.ts',
      'src/sub/b.ts',
      'src/sub/zz.ts',
      'node_modules/dep/lib/m.js',
      'node_modules/dep/lib/m.js.map',
      'node_modules/dep/package.json',
      '../node_modules/up/deep/x.js',
      'tsconfig.json',
      'base.json',
      '../package.json',
      '../node_modules/up/package.json',
    ]) {
      assert.ok(inside(name), `${name} in ${files.join(' ')}`);
    }
  });

  test('files that would be taken if they were there', async () => {
    const root = project();
    const { absent } = await read(root, 'src/a.ts --bundle --outfile=out.js --sourcemap=inline');
    const app = join(root, 'app');
    for (const path of [
      'src/sub/b.tsx',
      'src/sub/b.js',
      'src/late',
      'src/package.json',
      'src/tsconfig.json',
      'node_modules/up',
      'node_modules/dep/lib/m.orig.ts',
      'node_modules/dep/lib/m.ts',
      '.pnp.cjs',
      'src/node_modules',
    ]) {
      assert.ok(absent.includes(join(app, path)), `${path} in ${absent.join(' ')}`);
    }
    for (const path of absent) assert.equal(systemFiles.lstat(path), null, path);
  });

  test('a tsconfig.json that appears nearer changes the bytes', async () => {
    const root = project({ 'app/src/plain.ts': 'export class A { x = 1 }\n' });
    const { absent } = await read(root, 'src/plain.ts --outfile=out.js');
    const before = readFileSync(join(root, 'app/out.js'), 'utf8');
    const nearer = join(root, 'app/src/tsconfig.json');
    assert.ok(absent.includes(nearer));
    plant(root, {
      'app/src/tsconfig.json': '{"compilerOptions":{"useDefineForClassFields":true,"target":"es2022"}}',
    });
    await read(root, 'src/plain.ts --outfile=out.js');
    assert.notEqual(readFileSync(join(root, 'app/out.js'), 'utf8'), before);
  });

  test('a package that a source asks for and that is not there', async () => {
    const root = project({ 'app/src/opt.js': 'try { require("nope/x") } catch {}\n' });
    const { absent } = await read(root, 'src/opt.js --bundle --platform=node --outfile=out.js');
    assert.ok(
      absent.includes(join(root, 'app/node_modules/nope')) &&
        absent.includes(join(root, 'node_modules/nope')),
    );
  });

  test('linked packages of a workspace', async () => {
    const root = project({
      'packages/w/index.ts': 'export default 3;\n',
      'packages/w/package.json': '{"name":"w","main":"index.ts"}',
      'app/src/w.ts': 'import w from "w"; console.log(w);\n',
    });
    symlinkSync('../../packages/w', join(root, 'app/node_modules/w'));
    const { files } = await read(root, 'src/w.ts --bundle --outfile=out.js');
    assert.ok(files.includes('../packages/w/index.ts'), files.join(' '));
    assert.ok(files.includes(join(root, 'packages/w/package.json')), files.join(' '));
  });

  for (const [name, args, outputs, word] of [
    [
      'assets that nobody declared',
      'src/s.css --bundle --loader:.png=file --outfile=out.css',
      ['out.css'],
      'undeclared-output',
    ],
    [
      'a style sheet beside a script',
      'src/with-css.ts --bundle --outfile=out.js',
      ['out.js'],
      'undeclared-output',
    ],
    ['imports by pattern', 'src/glob.ts --bundle --outfile=out.js', ['out.js'], 'preset:unlisted-read'],
  ] as const) {
    test(`${name}: ${word}`, async () => {
      const { listed, ran } = await compileListed(esbuild, lineIn(project(), args, outputs));
      assert.equal(ran.status, 0, ran.stderr);
      assert.equal(listed?.ok === false && listed.word, word);
    });
  }

  test('declared style sheets are fine', async () => {
    const { files } = await read(project(), 'src/with-css.ts --bundle --outfile=out.js', [
      'out.js',
      'out.css',
    ]);
    assert.ok(files.includes('src/t.css'));
  });

  test("plug'n'play, an unknown base of tsconfig.json, NODE_PATH", async () => {
    for (const extra of [{ '.pnp.cjs': '' }, { 'app/tsconfig.json': '{"extends":"some-package"}' }]) {
      const { listed } = await compileListed(
        esbuild,
        lineIn(project(extra), 'src/plain.ts --outfile=out.js'),
      );
      assert.equal(listed?.ok === false && listed.word, 'preset:unlisted-read');
    }
  });

  test('a metafile of the user is taken as it is', async () => {
    const { files } = await read(project(), 'src/a.ts --bundle --outfile=out.js --metafile=m.json', [
      'out.js',
      'm.json',
    ]);
    assert.ok(files.includes('src/sub/b.ts'));
  });
});

test('metafiles that are none decode to nothing', () => {
  for (const text of [
    '',
    '[]',
    '{}',
    '{"inputs":{},"outputs":[]}',
    '{"inputs":{"a":{}},"outputs":{}}',
    '{"inputs":{"a":{"imports":[{}]}},"outputs":{}}',
  ]) {
    assert.equal(decodeMetafile(text), null);
  }
});

test('paths of tsconfig.json', () => {
  const root = temporaryFolder();
  plant(root, {
    'tsconfig.json':
      '{"compilerOptions":{"baseUrl":"src","paths":{"@/*":["x/*"],"one":["y/one.ts"],"a*b":["z"]}}}',
  });
  const config = readTsconfig(systemFiles, join(root, 'tsconfig.json'));
  assert.ok(config);
  const at = (path: string): string => join(root, 'src', path);
  assert.deepEqual(mappedPaths(config, '@/q/r'), [at('x/q/r'), at('@/q/r')]);
  assert.deepEqual(mappedPaths(config, 'one'), [at('y/one.ts'), at('one')]);
  assert.deepEqual(mappedPaths(config, 'ab'), [at('z'), at('ab')]);
  assert.deepEqual(mappedPaths(config, 'b'), [at('b')]);
});
