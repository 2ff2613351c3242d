import assert from 'node:assert/strict';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { has } from '../support/tools.js';
import { Workbench } from '../support/workbench.js';

const DOCUMENT = join(import.meta.dirname, '../../docs/fingerprint.md');
const SOURCES = join(import.meta.dirname, '../../fixtures/sources');

/** The patterns of the first column of the table of fields. */
function documented(): readonly string[] {
  const text = readFileSync(DOCUMENT, 'utf8');
  const table = text.slice(text.indexOf('| Field | Value |'), text.indexOf('## Encoding'));
  return [...table.matchAll(/^\| `([^`]+)` \| /gm)].map((match) => match[1] ?? '');
}

function matches(pattern: string, name: string): boolean {
  const escaped = pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('000000', '[0-9]{6}').replaceAll(/<[^>]+>/g, '.+')}$`, 's').test(
    name,
  );
}

/** The pattern with the longest fixed text that fits: `compiler/tool/x/package` is no tool of that name. */
function patternOf(name: string, patterns: readonly string[]): string | null {
  const fitting = patterns.filter((pattern) => matches(pattern, name));
  const fixed = (pattern: string): number => pattern.replaceAll(/<[^>]+>/g, '').length;
  return fitting.toSorted((a, b) => fixed(b) - fixed(a))[0] ?? null;
}

/** Requests that bring every kind of field with what the tests need. */
function requests(bench: Workbench): readonly (readonly string[])[] {
  bench.write('moon.c', readFileSync(join(SOURCES, 'moon/moon.c')));
  bench.write('moon.h', readFileSync(join(SOURCES, 'moon/moon.h')));
  bench.write('made/package.json', '{"name":"made","version":"1.2.3"}');
  for (const name of ['made/tool.mjs', 'made/other.mjs']) {
    bench.write(name, '#!/usr/bin/env node\nprocess.stdout.write("made");\n');
    chmodSync(bench.path(name), 0o755);
  }
  bench.script('wrapped/wat2wasm', 'echo 1.0');
  return [
    [
      'moon.c',
      '-o',
      'moon.o',
      '--key',
      'a key',
      '--',
      'gcc',
      '-march=native',
      '-c',
      '{input}',
      '-o',
      '{output}',
    ],
    ['moon.c', '--env', 'SET_NOWHERE', '-o', 'moon.o', '--', 'gcc', '-g', '-c', '{input}', '-o', '{output}'],
    ['made/tool.mjs', '--stdout', 'made.txt', '--tool', 'made/other.mjs', '--', 'made/tool.mjs', '{input}'],
    ['--stdout', 'made.txt', '--tool', 'made/other.mjs', '--', 'made/tool.mjs'],
    ['-o', 'made.wasm', '--', './wrapped/wat2wasm', 'moon.c', '-o', '{output}'],
    ['--stdout', 'made.txt', '--compiler-version', 'echo 1', '--', 'sh', 'made/tool.mjs'],
  ];
}

async function fieldNames(bench: Workbench, t: TestContext): Promise<readonly string[]> {
  const names: string[] = [];
  for (const words of requests(bench)) {
    const { stdout, stderr } = await bench.run(['fingerprint', '--json', ...words]);
    assert.equal(stderr.toString(), '');
    const report: unknown = JSON.parse(stdout.toString());
    const { fields } = report as { readonly fields: readonly { readonly name: string }[] };
    t.diagnostic(`${fields.length} fields of ${words.join(' ')}`);
    names.push(...fields.map((field) => field.name));
  }
  return names;
}

test('docs/fingerprint.md lists exactly the groups of fields that there are', async (t) => {
  if (!has(t, 'gcc')) return;
  const patterns = documented();
  const names = await fieldNames(Workbench.make(t), t);
  const unknown = names.filter((name) => patternOf(name, patterns) === null);
  assert.deepEqual(unknown, [], 'fields that the document does not list');
  const seen = new Set(names.map((name) => patternOf(name, patterns)));
  // Only a machine with a GPU and nvcc has this one.
  const expected = patterns.filter((pattern) => pattern !== 'compiler/gpu');
  assert.deepEqual(
    expected.filter((pattern) => !seen.has(pattern)),
    [],
    'groups of the document that do not occur',
  );
});
