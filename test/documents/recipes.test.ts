import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PROGRAM } from '../support/program.js';
import { temporaryFolder, type Cleanup } from '../support/temporary-folder.js';
import { has, SEARCH_PATH } from '../support/tools.js';

const ROOT = join(import.meta.dirname, '../..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The blocks of a language below a heading of the README. */
function blocks(title: string, language: string): readonly string[] {
  const section = README.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
  return [...section.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, text = '']) => text,
  );
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A machine on which the program is installed, with the sources of the examples. */
class Machine {
  readonly project: string;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(t: Cleanup) {
    const folder = temporaryFolder(t);
    this.project = join(folder, 'project');
    cpSync(join(ROOT, 'fixtures/sources'), this.project, { recursive: true });
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    symlinkSync(PROGRAM, join(bin, 'vyre-cache'));
    symlinkSync(process.execPath, join(bin, 'node'));
    this.#environment = { HOME: folder, PATH: `${bin}:${SEARCH_PATH}` };
  }

  run(command: string): Ended {
    const { project: cwd } = this;
    const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], {
      cwd,
      env: this.#environment,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  }
}

describe('the README', () => {
  test('shows a script that warms a cache, and fails when a source does not compile', (t) => {
    if (!has(t, 'gcc', 'g++', 'wat2wasm', 'glslangValidator')) return;
    const machine = new Machine(t);
    const [script = ''] = blocks('Warming before a deploy', 'sh');
    writeFileSync(join(machine.project, 'warm.sh'), script);
    const cold = machine.run('sh warm.sh');
    assert.equal(cold.status, 0, cold.stderr);
    assert.match(cold.stdout, /^4 jobs in .*4 compiled\n4 entries durable\n$/);
    assert.match(machine.run('sh warm.sh warm.json').stdout, /^4 jobs in .*: 4 hits/);
    writeFileSync(join(machine.project, 'moon/moon.c'), 'int x = ;\n');
    const broken = machine.run('sh warm.sh');
    assert.equal(broken.status, 1);
    assert.match(broken.stderr, /moon\/moon\.c:1:9: error/);
  });

  test('shows a CI step that works without a cache, and with one', (t) => {
    if (!has(t, 'wat2wasm')) return;
    const machine = new Machine(t);
    const [step = ''] = blocks('In CI and in cron', 'yaml');
    const command = /^ {2}run: (.*)$/m.exec(step)?.[1] ?? '';
    const first = machine.run(command);
    assert.equal(first.status, 0, first.stderr);
    assert.equal((JSON.parse(first.stdout) as { readonly keptCount: number }).keptCount, 0);
    machine.run('vyre-cache compile rule30/rule30.wat -o rule30.wasm -- wat2wasm {input} -o {output}');
    const second = machine.run(command);
    assert.equal(second.status, 0, second.stderr);
    const { schema, keptCount } = JSON.parse(second.stdout) as { schema: string; keptCount: number };
    assert.deepEqual([schema, keptCount], ['vyre-cache.prune/1', 1]);
  });

  test('shows a line for a crontab, which says nothing when all is well', (t) => {
    if (!has(t, 'wat2wasm')) return;
    const machine = new Machine(t);
    const [line = ''] = blocks('In CI and in cron', 'cron');
    const match = /^(?:[\d*,/-]+ ){5}(.*)\n$/.exec(line);
    assert.ok(match !== null, `expected five fields and a command, got ${line}`);
    // cron ends the command at the first `%` that is not escaped.
    assert.doesNotMatch(line, /(?<!\\)%/);
    machine.run('vyre-cache compile rule30/rule30.wat -o rule30.wasm -- wat2wasm {input} -o {output}');
    const ended = machine.run((match[1] ?? '').replaceAll('\\%', '%'));
    assert.deepEqual(ended, { status: 0, stdout: '', stderr: '' });
    assert.ok(existsSync(join(machine.project, '..', '.cache/vyre/pipelines')));
  });
});
