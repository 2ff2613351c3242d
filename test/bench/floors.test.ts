import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { withoutAddons } from '../../bench/data/floors.js';
import { systemHost } from '../../src/host/host.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { findTool, has, SEARCH_PATH } from '../support/tools.js';

const ROOT = join(import.meta.dirname, '../..');
const FLOORS = join(ROOT, 'bench', 'floors');
const PROGRAM = join(ROOT, 'bin', 'vyre-cache.js');
/** More than one read of a floor takes. */
const LARGE_BYTES = 300_000;

function runIn(folder: string, program: string, args: readonly string[]): { failed: boolean; text: string } {
  const ended = spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    env: { PATH: SEARCH_PATH, HOME: folder },
    encoding: 'utf8',
  });
  return { failed: ended.status !== 0, text: ended.stdout + ended.stderr };
}

function floor(folder: string, name: string, args: readonly string[]): { failed: boolean; text: string } {
  return runIn(folder, join(FLOORS, name), args);
}

/** With the native addons; says so where there are none. */
function hasAddons(t: TestContext): boolean {
  const reason = withoutAddons();
  if (reason !== null) t.skip(`${reason}; npm ci without --omit=optional installs them`);
  return reason === null;
}

function withFooter(payload: Buffer): Buffer {
  return Buffer.concat([payload, systemHost().hash.digest(payload)]);
}

/** Changes one byte. */
function damage(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(path, bytes);
}

interface Compiled {
  readonly folder: string;
  readonly fingerprint: string;
  /** Without its suffix. */
  readonly entry: string;
}

/** A folder in which `src/a.c` was compiled to `out/a.o` with the home `home`; null where there is no compiler. */
function compile(t: TestContext): Compiled | null {
  if (!has(t, 'gcc') || !hasAddons(t)) return null;
  const folder = temporaryFolder(t);
  for (const name of ['src', 'out']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'src', 'a.c'), 'int a(void) { return 1; }\n');
  const command = 'compile --cache-dir home src/a.c -o out/a.o -- gcc -c {input} -o {output}';
  const { failed, text } = runIn(folder, PROGRAM, command.split(' '));
  assert.equal(failed, false, text);
  const name = readdirSync(join(folder, 'home', 'pipelines')).find((found) => found.endsWith('.bin')) ?? '';
  const fingerprint = name.replace('.bin', '');
  return { folder, fingerprint, entry: join(folder, 'home', 'pipelines', fingerprint) };
}

function hits({ folder }: Compiled): string {
  const { text } = runIn(folder, PROGRAM, ['stats', '--json', 'home']);
  return /"hits":\s*(\d+)/.exec(text)?.[1] ?? 'none';
}

describe('the floors of the bench', () => {
  test('import nothing of ours', () => {
    for (const name of readdirSync(FLOORS)) {
      const text = readFileSync(join(FLOORS, name), 'utf8');
      const imported = [...text.matchAll(/(?:\bfrom |\brequire\(|\bimport\()'([^']+)'/g)].map(
        ([, found]) => found,
      );
      for (const found of imported) assert.match(found ?? '', /^(?:node:|bun:|\.\/[a-z0-9-]+\.c?js$)/, name);
    }
  });

  test('verify reads small files and large ones, and sees a wrong byte, a short file and a missing one', (t) => {
    if (!hasAddons(t)) return;
    const folder = temporaryFolder(t);
    const sizes = [0, 1, 4096, 131_040, 131_071, 131_072, 131_073, 262_144, LARGE_BYTES];
    for (const size of sizes) writeFileSync(join(folder, `${size}.bin`), withFooter(Buffer.alloc(size, 7)));
    const verify = (count: number): ReturnType<typeof floor> =>
      floor(ROOT, 'verify.cjs', [folder, String(count)]);
    assert.deepEqual(verify(sizes.length), { failed: false, text: '' });
    assert.match(verify(sizes.length + 1).text, /expected 10 right files, found 9 of 9/);
    damage(join(folder, '131072.bin'), 131_071);
    assert.match(verify(sizes.length).text, /found 8 of 9/);
    damage(join(folder, `${LARGE_BYTES}.bin`), LARGE_BYTES + 31);
    assert.match(verify(sizes.length).text, /found 7 of 9/);
    writeFileSync(join(folder, '1.bin'), 'short');
    assert.equal(verify(sizes.length).failed, true);
  });

  test('stats counts files and bytes, and prints what is older', (t) => {
    const folder = temporaryFolder(t);
    for (let index = 0; index < 1000; index += 1) writeFileSync(join(folder, `${index}.bin`), 'four');
    const stats = (...args: readonly string[]): ReturnType<typeof floor> =>
      floor(ROOT, 'stats.cjs', [folder, ...args]);
    assert.deepEqual(stats('1000', '4000'), { failed: false, text: '' });
    const { text } = stats('1000', '4000', String(Date.now() + 60_000));
    assert.deepEqual(new Set(text.trimEnd().split('\n')), new Set(readdirSync(folder)));
    assert.equal(stats('1000', '4000', '1000').text, '');
    assert.match(stats('1000', '4001').text, /expected 1000 files of 4001 bytes, found 1000 of 4000/);
    assert.equal(stats('999', '3996').failed, true);
  });

  test('a hit is counted, and is none when entry, record, output or what was looked at have changed', (t) => {
    const compiled = compile(t);
    if (compiled === null) return;
    const { folder, fingerprint, entry } = compiled;
    const looks = `a${join(folder, 'later')}`;
    const { checksum } = systemHost();
    const entryChecksum = checksum(readFileSync(`${entry}.bin`));
    const line = JSON.stringify({ fingerprint, looks, states: [], entryChecksum });
    writeFileSync(join(folder, 'shortcut'), `${line}\n${checksum(Buffer.from(line))}`);
    const words = ['home', 'out/a.o', fingerprint];
    const shortcut = join(folder, 'shortcut');
    const hit = (...args: readonly string[]): ReturnType<typeof floor> => floor(folder, 'hit.cjs', args);
    const before = statSync(join(folder, 'out', 'a.o')).mtimeMs;
    assert.deepEqual(hit(...words), { failed: false, text: '' });
    assert.deepEqual(hit(...words, shortcut), { failed: false, text: '' });
    assert.equal(hits(compiled), '2');
    assert.ok(statSync(join(folder, 'out', 'a.o')).mtimeMs > before);
    for (const [path, what] of [
      [`${entry}.bin`, /expected a whole entry/],
      [`${entry}.json`, /expected a whole record/],
      [join(folder, 'out', 'a.o'), /expected the same output/],
    ] as const) {
      damage(path, 200);
      assert.match(hit(...words).text, what);
      if (!path.endsWith('.json')) assert.match(hit(...words, shortcut).text, what);
      damage(path, 200);
    }
    writeFileSync(join(folder, 'later'), '');
    assert.match(hit(...words, shortcut).text, /expected a.*later/);
    appendFileSync(join(folder, 'out', 'a.o'), 'more');
    assert.match(hit(...words).text, /expected the output/);
    assert.equal(hits(compiled), '2');
  });

  test('hits of a batch are counted, and fail when a source has changed', (t) => {
    const compiled = compile(t);
    if (compiled === null) return;
    const { folder, fingerprint } = compiled;
    const { ino, size, mtimeMs, ctimeMs } = statSync(join(folder, 'src', 'a.c'));
    const job = ['src/a.c', ino, size, mtimeMs, ctimeMs, fingerprint, 'out/a.o'].join('\t');
    writeFileSync(join(folder, 'jobs'), `${job}\n`.repeat(50));
    const batch = (threads: string): ReturnType<typeof floor> =>
      floor(folder, 'batch-hits.cjs', [threads, 'home', 'jobs']);
    assert.deepEqual(batch('1'), { failed: false, text: '' });
    assert.deepEqual(batch('2'), { failed: false, text: '' });
    assert.equal(hits(compiled), '100');
    appendFileSync(join(folder, 'src', 'a.c'), '\n');
    for (const threads of ['1', '2']) assert.match(batch(threads).text, /expected src\/a\.c as it was/);
  });

  test('a batch of misses compiles everything, and fails when a compiler does', (t) => {
    if (!has(t, 'gcc')) return;
    const folder = temporaryFolder(t);
    for (const name of ['src', 'out']) mkdirSync(join(folder, name));
    for (const name of ['a', 'b', 'c']) writeFileSync(join(folder, 'src', `${name}.c`), `int ${name};\n`);
    writeFileSync(join(folder, 'names'), 'a\nb\nc\n');
    const miss = (): ReturnType<typeof floor> =>
      floor(folder, 'batch-miss.cjs', [findTool('gcc') ?? 'gcc', '2', 'names']);
    assert.deepEqual(miss(), { failed: false, text: '' });
    assert.deepEqual(readdirSync(join(folder, 'out')).toSorted(), ['a.o', 'b.o', 'c.o']);
    writeFileSync(join(folder, 'src', 'b.c'), 'no C\n');
    assert.match(miss().text, /expected b to compile, got 1/);
  });
});
