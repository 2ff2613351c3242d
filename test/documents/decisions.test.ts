import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');

function read(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8');
}

function packages(): ReadonlyMap<string, string> {
  const manifest: unknown = JSON.parse(read('package.json'));
  assert.ok(typeof manifest === 'object' && manifest !== null);
  const groups = new Map(Object.entries(manifest));
  const all = ['dependencies', 'optionalDependencies', 'devDependencies'].flatMap((group) =>
    Object.entries((groups.get(group) ?? {}) as Readonly<Record<string, string>>),
  );
  return new Map(all.flatMap(([name, version]) => partsOf(name, version)));
}

/** A package of this tree stands for those that it brings. */
function partsOf(name: string, version: string): readonly (readonly [string, string])[] {
  if (!version.startsWith('file:')) return [[name, version]];
  const { optionalDependencies } = JSON.parse(read(join(version.slice('file:'.length), 'package.json'))) as {
    readonly optionalDependencies: Readonly<Record<string, string>>;
  };
  return Object.entries(optionalDependencies);
}

test('docs/decisions/dependencies.md lists each package with its version', () => {
  const rows = read('docs/decisions/dependencies.md').matchAll(/^\| ([a-z@][^ ]*) \| ([0-9][^ ]*) \| /gm);
  const listed = [...rows].map((row): [string, string] => [row[1] ?? '', row[2] ?? '']);
  assert.deepEqual(Object.fromEntries(listed), Object.fromEntries(packages()));
});

describe('links between the documents', () => {
  const pages = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  );
  for (const page of ['README.md', ...pages.map((name) => join('docs', name))]) {
    test(`${page} leads to files that exist`, () => {
      for (const match of read(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
        const target = match[1] ?? '';
        if (/^[a-z]+:/.test(target)) continue;
        assert.ok(existsSync(join(ROOT, dirname(page), target)), `expected "${target}"`);
      }
    });
  }
});

test('README.md names npm scripts that exist', () => {
  const manifest = read('package.json');
  for (const match of read('README.md').matchAll(/npm (?:run )?(start|test|[a-z]+:[a-z]+)\b/g)) {
    assert.match(manifest, new RegExp(`"${match[1]}": `));
  }
});
