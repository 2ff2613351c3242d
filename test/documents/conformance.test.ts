import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');
const BEHAVIOURS = 96;
/** What must be proved or decided. */
const REQUIRED: readonly (readonly [first: number, last: number])[] = [[1, 96]];

interface Row {
  readonly cells: readonly string[];
  readonly proof: string;
}

/** The rows of the first table of a document, without its heading. */
function rowsOf(document: string): readonly Row[] {
  const lines = readFileSync(join(ROOT, document), 'utf8').split('\n');
  const start = lines.findIndex((line) => line.startsWith('| --- |'));
  assert.ok(start > 0, `expected a table in ${document}`);
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('| '));
  return lines.slice(start + 1, end).map((line) => {
    const cells = line.slice(2, -2).split(' | ');
    return { cells, proof: cells.at(-1) ?? '' };
  });
}

interface NamedTest {
  readonly file: string;
  readonly name: string;
}

function testsOf(proof: string): readonly NamedTest[] {
  return proof.split('<br>').map((part) => {
    const match = /^`(test\/[a-z0-9/-]+\.test\.ts)` › (.+)$/.exec(part);
    assert.ok(match !== null, `expected \`test/file.test.ts\` › name of a test, got "${part}"`);
    return { file: match[1] ?? '', name: match[2] ?? '' };
  });
}

const texts = new Map<string, ReadonlySet<string>>();

/** The names of the tests of a file, as they stand in its text. */
function namesIn(file: string): ReadonlySet<string> {
  const known = texts.get(file);
  if (known !== undefined) return known;
  const path = join(ROOT, file);
  assert.ok(existsSync(path), `expected the file ${file}`);
  const text = readFileSync(path, 'utf8');
  const calls = text.matchAll(
    /\b(?:test|it)\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g,
  );
  const names = new Set(
    [...calls].map((call) => (call[1] ?? call[2] ?? call[3] ?? '').replaceAll(/\\(.)/g, '$1')),
  );
  texts.set(file, names);
  return names;
}

function assertExists(named: NamedTest): void {
  assert.ok(namesIn(named.file).has(named.name), `expected a test "${named.name}" in ${named.file}`);
}

describe('docs/conformance.md', () => {
  const rows = rowsOf('docs/conformance.md');

  test('has each behaviour once, in order', () => {
    const numbers = rows.map((row) => Number(row.cells[0]));
    assert.deepEqual(
      numbers,
      Array.from({ length: BEHAVIOURS }, (_, index) => index + 1),
    );
    for (const { cells } of rows) assert.equal(cells.length, 3, cells.join(' | '));
  });

  test('names tests that exist, reasons that say something, or planned', () => {
    for (const { cells, proof } of rows) {
      if (proof === 'planned' || /^decided: .{20,}/.test(proof)) continue;
      assert.doesNotThrow(() => {
        for (const named of testsOf(proof)) assertExists(named);
      }, `behaviour ${cells[0]}`);
    }
  });

  test('plans nothing that this release must do', () => {
    const planned = rows.filter(({ proof }) => proof === 'planned').map((row) => Number(row.cells[0]));
    const owed = planned.filter((number) =>
      REQUIRED.some(([first, last]) => number >= first && number <= last),
    );
    assert.deepEqual(owed, []);
  });
});

describe('docs/faults.md', () => {
  test('names for each fault a test that exists', () => {
    const rows = rowsOf('docs/faults.md');
    assert.ok(rows.length > 0);
    for (const { proof } of rows) for (const named of testsOf(proof)) assertExists(named);
  });
});
