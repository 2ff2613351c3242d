import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '../support/temporary-folder.js';
import { has, SEARCH_PATH } from '../support/tools.js';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/library.md'), 'utf8');

function blocks(language: string): readonly string[] {
  return [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, text = '']) => text,
  );
}

/** A project that depends on this package. */
function makeProject(folder: string): string {
  const project = join(folder, 'project');
  cpSync(join(ROOT, 'fixtures/sources'), project, { recursive: true });
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(ROOT, join(project, 'node_modules/vyre-cache'));
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  return project;
}

function runScript(project: string, script: string, folder: string): string {
  const loader = join(ROOT, 'node_modules/tsx/dist/loader.mjs');
  const path = join(project, 'example.ts');
  writeFileSync(path, script);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', loader, path], {
    cwd: project,
    env: { PATH: SEARCH_PATH, HOME: folder, CACHE: join(folder, 'cache') },
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('docs/library.md', () => {
  test('shows a program and what it prints', (t) => {
    if (!has(t, 'wat2wasm')) return;
    const folder = temporaryFolder(t);
    const [script = ''] = blocks('ts');
    const [printed] = blocks('text');
    assert.equal(runScript(makeProject(folder), script, folder), printed);
  });

  test('shows a program with the right types', (t) => {
    const folder = temporaryFolder(t);
    const project = makeProject(folder);
    symlinkSync(join(ROOT, 'node_modules/@types'), join(project, 'node_modules/@types'));
    writeFileSync(join(project, 'example.ts'), blocks('ts')[0] ?? '');
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      strict: true,
      noEmit: true,
      types: ['node'],
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['example.ts'] }));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', project], { encoding: 'utf8' });
    assert.equal(status, 0, stdout);
  });

  test('names every method', async (t) => {
    const folder = temporaryFolder(t);
    const { openCache } = await import('../../src/index.js');
    const methods = Object.keys(openCache({ root: join(folder, 'cache') }));
    for (const method of methods) assert.match(PAGE, new RegExp(`^\\| \`${method}\\(`, 'm'));
    assert.equal(PAGE.match(/^\| `[a-z]+\(/gm)?.length, methods.length);
  });
});

describe('importing the library', () => {
  test('opens no file to write, starts no process and makes nothing', (t) => {
    const folder = temporaryFolder(t);
    const project = makeProject(folder);
    const before = readdirSync(project);
    const script = [
      "import { openCache } from 'vyre-cache';",
      "const before = process.eventNames().join() + process.listenerCount('exit');",
      "openCache({ root: process.env['CACHE'] ?? '' });",
      "console.log(before === process.eventNames().join() + process.listenerCount('exit'));",
    ].join('\n');
    assert.equal(runScript(project, script, folder), 'true\n');
    assert.deepEqual(readdirSync(folder), ['project']);
    assert.deepEqual(
      readdirSync(project).filter((name) => name !== 'example.ts'),
      before,
    );
  });
});
