import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './support/temporary-folder.js';
import { has } from './support/tools.js';

const ROOT = join(import.meta.dirname, '..');
const TSX = fileURLToPath(import.meta.resolve('tsx'));
const STEPS = [
  'The first build misses.',
  'the same build again: hits',
  'A file changes that no command names',
  'byte for byte',
  'One bit on the disk flips.',
  'What it came to.',
  'Everything was as expected.',
];

interface Taken {
  readonly status: number | null;
  readonly text: string;
  readonly errors: string;
  /** What is left in the folder for temporary files. */
  readonly left: readonly string[];
}

/** Takes the tour with this PATH. */
function take(t: TestContext, searchPath: string): Taken {
  const folder = temporaryFolder(t);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', TSX, 'fixtures/tour.ts'], {
    cwd: ROOT,
    env: { PATH: searchPath, TMPDIR: folder, HOME: folder },
    encoding: 'utf8',
  });
  return {
    status,
    text: stdout,
    errors: stderr,
    left: readdirSync(folder).filter((name) => name.includes('tour')),
  };
}

function assertComplete(taken: Taken): void {
  assert.deepEqual([taken.status, taken.errors], [0, '']);
  for (const step of STEPS) assert.ok(taken.text.includes(step), `expected the step "${step}"`);
  assert.deepEqual(taken.left, []);
}

/** The lines of the README's excerpt, figures replaced. */
function plain(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.replaceAll(/[0-9a-f]{64}/g, '<hex>').replace(/ [0-9.]+ (?:ms|s)$/, ' <time>'));
}

describe('the tour', () => {
  test('shows its steps with the compilers that are installed, without colour', (t) => {
    const taken = take(t, process.env['PATH'] ?? '');
    assertComplete(taken);
    assert.ok(!taken.text.includes('\u001B'));
  });

  test('names what it skips, and goes on with esbuild alone', (t) => {
    // Everything that the tour types but compilers.
    const folder = temporaryFolder(t);
    const programs = ['sh', 'cat', 'rm', 'sed', 'cmp', 'node', 'env'];
    const made = spawnSync('/bin/sh', [
      '-c',
      programs.map((name) => `ln -s "$(command -v ${name})" ${folder}/${name}`).join(' && '),
    ]);
    assert.equal(made.status, 0);
    const taken = take(t, folder);
    assertComplete(taken);
    assert.match(taken.text, /^used +esbuild$/m);
    assert.match(taken.text, /^skipped +gcc, .*Debian package gcc\)$/m);
  });

  test('prints what the README shows of it', (t) => {
    if (!has(t, 'gcc', 'g++')) return;
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const shown = /```text\n(\$ sh build\.sh[\s\S]*?)```/.exec(readme)?.[1];
    assert.ok(shown !== undefined, 'expected an excerpt of the tour');
    const { text } = take(t, process.env['PATH'] ?? '');
    const real = new Set(plain(text));
    for (const line of plain(shown.trimEnd())) assert.ok(real.has(line), `expected "${line}" in the tour`);
  });
});
