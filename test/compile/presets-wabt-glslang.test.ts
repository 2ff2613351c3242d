import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import type { Preset } from '../../src/compile/presets/preset.js';
import { presetFor } from '../../src/compile/presets/registry.js';
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

const SOURCES: Tree = {
  'a.wat': '(module (func $foo (export "add") (param $a i32) (result i32) local.get $a))',
  'sub/b.wat': '(module)',
  'a.frag':
    '#version 450\n#extension GL_GOOGLE_include_directive : require\n#include "inc/h.glsl"\nlayout(location=0) out vec4 c; void main() { c = vec4(H); }\n',
  'a.vert': '#version 450\nvoid main() { gl_Position = vec4(0); }\n',
  'plain.frag.glsl': '#version 450\nlayout(location=0) out vec4 c; void main() { c = vec4(1); }\n',
  'inc/h.glsl': '#include "deep.glsl"\n',
  'inc/deep.glsl': '#define H 1.0\n',
};

function preset(name: string): Preset {
  const found = presetFor(name);
  assert.ok(found);
  return found;
}

const program = (name: string): string => `/usr/bin/${name}`;

describe('what is said to be relocatable is the same from two folders with two output folders', () => {
  for (const row of [
    'wat2wasm a.wat',
    'wat2wasm --debug-names -v a.wat',
    'wat2wasm -d -r --enable-threads a.wat',
    'wat2wasm --no-check --disable-simd sub/b.wat',
    'glslangValidator -V a.frag',
    'glslangValidator -V -g a.frag',
    'glslangValidator -V -gVS a.frag',
    'glslangValidator -V -Os a.frag',
    'glslangValidator -V -H a.frag',
    'glslangValidator -G a.frag',
    'glslangValidator -V --vn name a.frag',
    'glslangValidator -V -x a.frag',
    'glslangValidator -V --quiet -I. -DX=1 --target-env vulkan1.2 a.frag',
    'glslangValidator -V a.vert plain.frag.glsl',
    'glslangValidator -V -S frag a.frag',
  ]) {
    test(row, () => {
      const [name = '', ...args] = row.split(' ');
      const root = temporaryFolder();
      const made = ['one', 'another/deeper'].map((folder) => {
        const cwd = join(root, folder);
        const output = join(root, `out-${folder}`, 'result');
        plant(cwd, SOURCES);
        mkdirSync(dirname(output), { recursive: true });
        const line = commandLine({
          program: program(name),
          args: [...args, '-o', output],
          cwd,
          outputs: [output],
        });
        assert.equal(preset(name).facts(line).relocatable, true);
        const ran = runLine(line, line.args, join(root, 'home'));
        assert.equal(ran.status, 0, ran.stdout + ran.stderr);
        return { bytes: readFileSync(output).toString('hex'), stdout: ran.stdout, stderr: ran.stderr };
      });
      assert.deepEqual(made[0], made[1]);
    });
  }

  for (const row of [
    'wat2wasm --some-new-option a.wat',
    'glslangValidator -V --depfile out a.frag',
    'glslangValidator -V --stdin a.frag',
    'glslangValidator -zzz a.frag',
  ]) {
    test(`${row} is not`, () => {
      const [name = '', ...args] = row.split(' ');
      assert.equal(
        preset(name).facts(commandLine({ program: name, args, cwd: '/', outputs: ['out'] })).relocatable,
        false,
      );
    });
  }
});

describe('further outputs are those that the bare command writes', () => {
  for (const row of [
    'wat2wasm a.wat',
    'wat2wasm sub/b.wat',
    'wat2wasm a.wat -o x.y',
    'wat2wasm a.wat --output=x.y',
    'wat2wasm a.wat --output=-',
    'glslangValidator -V a.frag',
    'glslangValidator -V a.vert plain.frag.glsl',
    'glslangValidator -G a.frag -o x.spv',
    'glslangValidator -H a.vert',
    'glslangValidator -V a.frag -o x.spv --depfile x.d',
    'glslangValidator --target-env vulkan1.1 a.vert',
    'glslangValidator a.vert',
  ]) {
    test(row, () => {
      const [name = '', ...args] = row.split(' ');
      const cwd = temporaryFolder();
      plant(cwd, SOURCES);
      const before = new Set(filesBelow(cwd));
      const line = commandLine({ program: program(name), args, cwd });
      const ran = runLine(line, args, temporaryFolder());
      assert.equal(ran.status, 0, ran.stdout + ran.stderr);
      const written = filesBelow(cwd).filter((file) => !before.has(file));
      assert.deepEqual([...preset(name).facts(line).furtherOutputs].toSorted(), written);
    });
  }
});

test('wat2wasm reads its source and nothing else', () => {
  assert.equal(
    preset('wat2wasm').listing(commandLine({ program: 'wat2wasm', args: ['a.wat'], cwd: '/' })),
    null,
  );
});

describe('what glslangValidator has read', () => {
  const glslang = preset('glslangValidator');
  const compile = async (cwd: string, args: string): ReturnType<typeof compileListed> =>
    compileListed(
      glslang,
      commandLine({ program: program('glslangValidator'), args: args.split(' '), cwd, outputs: ['x.spv'] }),
    );

  for (const args of [
    '-V a.frag -o x.spv',
    '-V -g a.frag -o x.spv',
    '-V a.frag -o x.spv --depfile own.d',
    '-V a.vert plain.frag.glsl -o x.spv',
  ]) {
    test(`${args}: listing it changes no byte`, async () => {
      const cwd = temporaryFolder();
      plant(cwd, SOURCES);
      const line = commandLine({ program: program('glslangValidator'), args: args.split(' '), cwd });
      const bare = runLine(line, line.args, temporaryFolder());
      const before = readFileSync(join(cwd, 'x.spv')).toString('hex');
      rmSync(join(cwd, 'x.spv'));
      const listing = await compile(cwd, args);
      assert.deepEqual(listing.ran, bare);
      assert.equal(readFileSync(join(cwd, 'x.spv')).toString('hex'), before);
      const { files } = listOf(listing);
      const expected = args.includes('a.frag') ? ['a.frag', './inc/h.glsl'] : ['a.vert', 'plain.frag.glsl'];
      for (const file of expected) assert.ok(files.includes(file), files.join(' '));
    });
  }

  test('a header that appears in a folder that is searched earlier', async () => {
    const cwd = temporaryFolder();
    plant(cwd, { 'a.frag': SOURCES['a.frag'] ?? '', 'late/inc/h.glsl': '#define H 1.0\n', 'early/x': '' });
    const { absent } = listOf(await compile(cwd, '-V -Iearly -Ilate a.frag -o x.spv'));
    assert.ok(absent.includes('inc/h.glsl') && absent.includes('early/inc/h.glsl'), absent.join(' '));
    const before = readFileSync(join(cwd, 'x.spv')).toString('hex');
    plant(cwd, { 'early/inc/h.glsl': '#define H 0.5\n' });
    await compile(cwd, '-V -Iearly -Ilate a.frag -o x.spv');
    assert.notEqual(readFileSync(join(cwd, 'x.spv')).toString('hex'), before);
  });

  for (const [what, directive] of [
    ['behind a comment', '#/**/include "x.glsl"'],
    ['over two lines', '#incl\\\nude "x.glsl"'],
  ] as const) {
    test(`the same for an include ${what}`, async () => {
      const cwd = temporaryFolder();
      const text = (SOURCES['a.frag'] ?? '').replace('#include "inc/h.glsl"', () => directive);
      plant(cwd, { 'a.frag': text, 'late/x.glsl': '#define H 1.0\n', 'early/x': '' });
      const { absent } = listOf(await compile(cwd, '-V -Iearly -Ilate a.frag -o x.spv'));
      assert.ok(absent.includes('early/x.glsl'), absent.join(' '));
    });
  }

  test('a link that leads nowhere in a folder that is searched earlier', async () => {
    const cwd = temporaryFolder();
    plant(cwd, {
      'a.frag': SOURCES['a.frag'] ?? '',
      'late/inc/h.glsl': '#define H 1.0\n',
      'early/inc/x': '',
    });
    symlinkSync('nowhere', join(cwd, 'early/inc/h.glsl'));
    const { absent } = listOf(await compile(cwd, '-V -Iearly -Ilate a.frag -o x.spv'));
    assert.ok(absent.includes('early/inc/h.glsl'), absent.join(' '));
  });

  test('an include whose name is no literal is not listed', async () => {
    const cwd = temporaryFolder();
    plant(cwd, { 'a.vert': `${SOURCES['a.vert'] ?? ''}#if 0\n#include NAME\n#endif\n` });
    const { listed } = await compile(cwd, '-V a.vert -o x.spv');
    assert.equal(listed?.ok === false && listed.word, 'preset:unlisted-read');
  });
});
