import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { PROGRAM } from '../support/program.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { has, SEARCH_PATH, type ToolName } from '../support/tools.js';

const ROOT = join(import.meta.dirname, '../..');
/** The home that the documents show. */
const SHOWN_HOME = '/home/you';
/** Stands for lines that are left out. */
const ELLIPSIS = '…';
const TOOLS: readonly ToolName[] = ['gcc', 'g++', 'wat2wasm', 'glslangValidator', 'nvcc', 'python3', 'b3sum'];

interface Example {
  readonly command: string;
  readonly expected: readonly string[];
}

/** The examples below one heading: they run one after another in one folder. */
interface Section {
  readonly title: string;
  readonly examples: readonly Example[];
}

function documents(): readonly string[] {
  const below = (folder: string): readonly string[] =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name));
  return ['README.md', ...below('docs')].toSorted();
}

function sectionsOf(text: string): readonly Section[] {
  const sections: { title: string; examples: Example[] }[] = [{ title: 'the beginning', examples: [] }];
  let block: string[] | null = null;
  for (const line of text.split('\n')) {
    if (block !== null) {
      if (line !== '```') block.push(line);
      else {
        sections.at(-1)?.examples.push(...examplesOf(block));
        block = null;
      }
    } else if (line === '```console') block = [];
    else if (line.startsWith('## ')) sections.push({ title: line.slice('## '.length), examples: [] });
  }
  return sections.filter((section) => section.examples.length > 0);
}

/** `$ ` begins a command, `> ` continues one whose line ends with a backslash; all else is output. */
function examplesOf(block: readonly string[]): readonly Example[] {
  const examples: { command: string; expected: string[] }[] = [];
  for (const line of block) {
    const last = examples.at(-1);
    if (line.startsWith('$ ')) examples.push({ command: line.slice(2), expected: [] });
    else if (last === undefined)
      throw new Error(`a console block begins with "${line}" instead of a command`);
    else if (line.startsWith('> ') && last.expected.length === 0) last.command += `\n${line.slice(2)}`;
    else last.expected.push(line);
  }
  return examples;
}

/** Replaces what differs between two machines or two runs. */
function normalise(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{8,64}\b/g, '<hex>')
    .replaceAll(/\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?/g, '<date>')
    .replaceAll(/("[a-zA-Z]*(?:[sS]econds|[bB]ytes)"):[\d.]+/g, '$1:<number>')
    .replaceAll(/\b\d+(?:\.\d+)? (?:ms|s|m|h|d)\b(?: \d+ (?:s|m|h)\b)?/g, '<time>')
    .replaceAll(/\b\d+(?:\.\d+)? (?:B|[KMG]iB)(?![A-Za-z])/g, '<size>')
    .split('\n')
    .map((line) =>
      line
        .replaceAll(/ {2,}/g, '  ')
        .replace(/ +(?=<size>|<time>)/g, ' ')
        .trimEnd(),
    )
    .join('\n');
}

/** Compares line by line; a line of its own with `…` stands for any number of lines. */
function agrees(shown: readonly string[], real: readonly string[]): boolean {
  const [first, ...rest] = shown;
  if (first === undefined) return real.length === 0;
  if (first.trim() === ELLIPSIS)
    return real.some((_, at) => agrees(rest, real.slice(at))) || rest.length === 0;
  return real[0] === first && agrees(rest, real.slice(1));
}

function linesOf(text: string): readonly string[] {
  const lines = normalise(text).split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

interface Place {
  readonly project: string;
  readonly home: string;
  readonly environment: Readonly<Record<string, string>>;
}

function preparePlace(t: TestContext): Place {
  const folder = temporaryFolder(t);
  const home = join(folder, 'home');
  const project = join(home, 'project');
  const bin = join(folder, 'bin');
  for (const path of [home, bin]) mkdirSync(path);
  cpSync(join(ROOT, 'fixtures/sources'), project, { recursive: true });
  symlinkSync(PROGRAM, join(bin, 'vyre-cache'));
  symlinkSync(realpathSync(join(ROOT, 'node_modules/esbuild/bin/esbuild')), join(bin, 'esbuild'));
  symlinkSync(process.execPath, join(bin, 'node'));
  return { project, home, environment: { HOME: home, PATH: `${bin}:${SEARCH_PATH}` } };
}

function runExample(place: Place, example: Example): void {
  const { stdout, error } = spawnSync('/bin/sh', ['-c', `{ ${example.command}\n} 2>&1`], {
    cwd: place.project,
    env: place.environment,
    encoding: 'utf8',
  });
  assert.equal(error, undefined);
  const real = linesOf(stdout.replaceAll(place.home, SHOWN_HOME));
  const shown = linesOf(example.expected.join('\n'));
  if (agrees(shown, real)) return;
  assert.equal(real.join('\n'), shown.join('\n'), `the output of: ${example.command}`);
}

/** The programs that a section needs, by the words of its commands. */
function neededTools(section: Section): readonly ToolName[] {
  const words = new Set(section.examples.flatMap(({ command }) => command.split(/[\s'"();]+/)));
  return TOOLS.filter((tool) => words.has(tool));
}

for (const name of documents()) {
  describe(name, () => {
    for (const section of sectionsOf(readFileSync(join(ROOT, name), 'utf8'))) {
      test(`shows what the commands of "${section.title}" print`, (t) => {
        if (!has(t, ...neededTools(section))) return;
        const place = preparePlace(t);
        for (const example of section.examples) runExample(place, example);
      });
    }
  });
}

test('the normalisation leaves words alone and replaces figures', () => {
  assert.equal(normalise('took 1.24 s, 5 B in 3 m 12 s'), 'took <time>, <size> in <time>');
  assert.equal(normalise('"wallSeconds":0.12,"bytes":5'), '"wallSeconds":<number>,"bytes":<number>');
  assert.equal(normalise('1 / 2  50%'), '1 / 2  50%');
  assert.ok(agrees(['a', ELLIPSIS, 'd'], ['a', 'b', 'c', 'd']));
  assert.ok(!agrees(['a', ELLIPSIS, 'd'], ['a', 'b', 'c']));
});
