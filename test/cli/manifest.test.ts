import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { loadBatch } from '../../src/cli/manifest/load-batch.js';
import { readManifest, type ManifestSource } from '../../src/cli/manifest/read-manifest.js';
import { scanJson } from '../../src/cli/manifest/scan-json.js';
import type { BatchJob } from '../../src/compile/batch.js';
import { systemFiles } from '../../src/host/files.js';
import { systemHost, type Host } from '../../src/host/host.js';
import { openCache } from '../../src/index.js';
import { CacheError } from '../../src/model/error.js';
import { failingFiles, FakeClock, fakeHost } from '../support/fake-host.js';
import { checkProperty } from '../support/properties.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { cli, makePlace } from './support.js';

const ENVIRONMENT = { PATH: process.env['PATH'] ?? '', HOME: '/nowhere', PWD: '/elsewhere' };

/** A folder with two sources, in which manifests are read. */
class Project {
  readonly folder: string;
  host: Host = systemHost();

  constructor(t: TestContext) {
    this.folder = temporaryFolder(t);
    for (const name of ['a.c', 'b.c']) this.write(name, '');
    mkdirSync(this.path('out'));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string | Uint8Array): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), content);
  }

  async load(source: string, options: Partial<ManifestSource> = {}): Promise<readonly BatchJob[]> {
    const context = { host: this.host, environment: ENVIRONMENT, priority: 'normal' as const };
    return loadBatch(context, { source, cwd: this.folder, ...options });
  }

  async loadText(text: string | Uint8Array): Promise<readonly BatchJob[]> {
    this.write('m.json', text);
    return this.load('m.json');
  }

  async loadJobs(jobs: readonly unknown[]): Promise<readonly BatchJob[]> {
    return this.loadText(JSON.stringify({ jobs }));
  }

  async refusedText(text: string | Uint8Array): Promise<CacheError> {
    return refusal(this.loadText(text));
  }

  /** The mistakes, one a line. */
  async refused(...jobs: readonly unknown[]): Promise<string> {
    return (await this.refusedText(JSON.stringify({ jobs }))).message;
  }
}

async function run(program: string, ...args: readonly string[]): Promise<void> {
  await promisify(execFile)(program, args);
}

async function refusal(work: Promise<unknown>): Promise<CacheError> {
  const thrown: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof CacheError, `expected a refusal, got ${String(thrown)}`);
  assert.equal(thrown.code, 'usage');
  return thrown;
}

type JobText = Readonly<Record<string, unknown>>;

/** A job of `true`, which every system has. */
function job(output: string, more: JobText = {}): JobText {
  return { inputs: ['a.c'], outputs: [output], command: ['true', '{input}', '{output}'], ...more };
}

const TWO = [job('out/a.o'), job('out/b.o', { inputs: ['b.c'], env: ['X=1'], key: ['k'], timeout: '30s' })];

describe('the text of a manifest', () => {
  const BAD: readonly (readonly [string, string | Uint8Array, string])[] = [
    ['is empty', '', 'expected at least one job in "m.json", got an empty text'],
    ['has white space only', ' \r\n\t\n', 'expected at least one job in "m.json", got only white space'],
    ['has a byte order mark only', '\uFEFF', 'expected at least one job in "m.json", got an empty text'],
    ['has no jobs', '{"jobs": []}', 'expected at least one job in "m.json", got none'],
    ['is a list', '[{"inputs": []}]', 'expected {"jobs": [...]} or one job a line in "m.json", got a list'],
    ['is a word', '"jobs"', 'expected {"jobs": [...]} or one job a line in "m.json", got a single value'],
    [
      'is an object over several lines without jobs',
      '{\n"job": [] }',
      'expected {"jobs": [...]} or one job a line in "m.json", got an object without "jobs"',
    ],
    ['has jobs that are no list', '{"jobs": {}}', 'expected a list for "jobs" in "m.json"'],
    [
      'goes on behind its end',
      '{"jobs": []}\n{"jobs": []}',
      'expected the end, got "{" at line 2, column 1 of "m.json"',
    ],
    [
      'lacks a comma',
      '{"jobs": [\n  {"inputs": ["a.c" "b.c"]}\n]}',
      'expected "," or "]", got a text in quotes at line 2, column 21 of "m.json"',
    ],
    ['has a comma too much', '{"jobs": [1,]}', 'expected a value, got "]" at line 1, column 13 of "m.json"'],
    [
      'has a bare word',
      '{"jobs": [{"inputs": [a.c]}]}',
      'expected a value, got "a.c" at line 1, column 23 of "m.json"',
    ],
    [
      'has a key without quotes',
      '{jobs: []}',
      'expected a key in quotes, got "jobs" at line 1, column 2 of "m.json"',
    ],
    [
      'has an escape that is none',
      String.raw`{"jobs": ["\x41"]}`,
      String.raw`expected an escape such as \n, got "\" at line 1, column 12 of "m.json"`,
    ],
    [
      'has a text over two lines',
      '{"jobs": ["a\nb"]}',
      'expected a closing quote, got the end of the line at line 1, column 13 of "m.json"',
    ],
    [
      'ends within a line',
      '{"jobs": [\n{"inp',
      'expected a closing quote, got the end of the text at line 2, column 6 of "m.json"',
    ],
    [
      'is nested too deep',
      `{"jobs": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      'expected at most 64 levels, got "[" at line 1, column 73 of "m.json"',
    ],
    [
      'is not UTF-8',
      Buffer.from('{"jobs": [\n"\xe9"]}', 'latin1'),
      'expected UTF-8 in "m.json", got other bytes on line 2',
    ],
  ];
  for (const [what, text, message] of BAD) {
    it(`that ${what} is a usage error`, async (t) => {
      assert.equal((await new Project(t).refusedText(text)).message, message);
    });
  }

  it('of more than 256 MiB is refused before it is read', async (t) => {
    const project = new Project(t);
    project.write('m.json', '');
    truncateSync(project.path('m.json'), 256 * 1024 ** 2 + 1);
    const { message } = await refusal(project.load('m.json'));
    assert.equal(message, 'expected a manifest of at most 256 MiB, got more in "m.json"');
  });

  it('may be as large as the bound, from a file and from standard input', async (t) => {
    const project = new Project(t);
    const text = JSON.stringify({ jobs: TWO });
    project.write('m.json', text);
    for (const [maxBytes, isFine] of [
      [text.length, true],
      [text.length - 1, false],
    ] as const) {
      for (const source of ['m.json', '-']) {
        const loading = project.load(source, { maxBytes, stdin: Readable.from([Buffer.from(text)]) });
        if (isFine) assert.equal((await loading).length, 2);
        else assert.match((await refusal(loading)).message, /^expected a manifest of at most /);
      }
    }
  });

  it('is never taken for less than it was when it is cut off anywhere', async (t) => {
    const project = new Project(t);
    for (const text of [
      JSON.stringify({ jobs: TWO }),
      JSON.stringify({ jobs: TWO }, null, 2),
      JSON.stringify(TWO[1]),
    ]) {
      for (let length = 0; length < text.length; length += 1) {
        const { message, hint } = await project.refusedText(text.slice(0, length));
        if (length === 0) assert.match(message, /^expected at least one job/);
        else assert.equal(hint, 'The manifest is cut off.', `${message} after ${length} characters`);
      }
    }
  });

  it('of one job a line that is cut off has whole jobs only', async (t) => {
    const project = new Project(t);
    const [first = '', second = ''] = TWO.map((each) => JSON.stringify(each));
    const text = `${first}\n${second}`;
    for (let length = 1; length < text.length; length += 1) {
      const cut = text.slice(0, length);
      if (cut.trimEnd() === first) {
        assert.equal((await project.loadText(cut)).length, 1);
        continue;
      }
      const { message } = await project.refusedText(cut);
      assert.match(
        message,
        length < first.length ? /end of the text at line 1/ : /^job 2, line 2: .*the end of the line/,
      );
    }
  });

  it('with any bytes in it gives jobs or a usage error', async (t) => {
    const project = new Project(t);
    const whole = Buffer.from(TWO.map((each) => `${JSON.stringify(each)}\n`).join(''));
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.uint8Array({ maxLength: 4 }), async (at, bytes) => {
        const text = Buffer.concat([whole.subarray(0, at), bytes, whole.subarray(at + 1)]);
        const jobs = await project.loadText(text).catch((error: unknown) => error);
        if (jobs instanceof CacheError) assert.equal(jobs.code, 'usage');
        else assert.ok(Array.isArray(jobs) && jobs.length > 0, String(jobs));
      }),
      { numRuns: 300 },
    );
  });

  it('is JSON exactly where JSON.parse says so', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"\\u00e9"',
      '"\\',
      '-1.5e+3',
      '01',
      'true',
      'nul',
      ' ',
      '\n',
    ];
    const broken = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join(''));
    checkProperty(
      fc.property(fc.oneof(fc.json(), broken, fc.string()), (text) => {
        assert.equal(scanJson(text, { start: 0, end: text.length }).problem === null, isJson(text), text);
        const inner = scanJson(`[[${text}]]`, { start: 2, end: text.length + 2 });
        assert.equal(inner.problem === null, isJson(text), 'within another text');
      }),
      2000,
    );
  });

  it('is a mistake of its line where one job a line is broken, and all lines are looked at', async (t) => {
    const lines = ['{"inputs": [x]}', '', JSON.stringify(TWO[0]), '{"outputs": ["o"', '{}'];
    const { message } = await new Project(t).refusedText(lines.join('\r\n'));
    assert.equal(
      message,
      [
        'job 1, line 1: expected a value, got "x" at column 13',
        'job 3, line 4: expected "," or "]", got the end of the line at column 18',
        'job 4, line 5: expected a list of texts for "command", got nothing',
      ].join('\n'),
    );
  });

  it('is the same with a byte order mark, as a document and as one job a line', async (t) => {
    const project = new Project(t);
    const lines = TWO.map((each) => JSON.stringify(each));
    const loaded = await project.loadText(JSON.stringify({ jobs: TWO }));
    assert.equal(loaded.length, 2);
    for (const text of [
      JSON.stringify({ jobs: TWO }, null, 2),
      `\uFEFF${JSON.stringify({ jobs: TWO })}\n\n`,
      `${lines.join('\n')}\n`,
      `\n \r\n${lines.join('\r\n\r\n')}`,
    ]) {
      assert.deepEqual(await project.loadText(text), loaded);
    }
  });

  it('that is absent, a folder or nowhere is named', async (t) => {
    const project = new Project(t);
    assert.equal((await refusal(project.load('x'))).message, 'expected a manifest, found nothing at "x"');
    assert.equal(
      (await refusal(project.load('out'))).message,
      'expected a manifest, found a directory at "out"',
    );
    assert.equal((await refusal(project.load(''))).message, 'expected a file for --manifest, got ""');
  });

  it('that cannot be read is the environment’s fault', async (t) => {
    const project = new Project(t);
    project.write('m.json', '{}');
    const failing = Object.assign(new Error('EIO'), { code: 'EIO' });
    const host = fakeHost({
      files: failingFiles({
        stat: () => {
          throw failing;
        },
      }),
    });
    await assert.rejects(readManifest(host, { source: 'm.json', cwd: project.folder }), {
      code: 'environment',
      message: '"m.json" cannot be read (EIO)',
    });
    const { folder } = project;
    const noFolder = fakeHost({
      files: failingFiles({
        realpath: (path) => {
          if (path === folder) throw failing;
          return systemFiles.realpath(path);
        },
      }),
    });
    await assert.rejects(readManifest(noFolder, { source: 'm.json', cwd: folder }), {
      code: 'environment',
      message: `the folder "${folder}" cannot be read (EIO)`,
    });
    const stdin = new Readable({
      read() {
        this.destroy(failing);
      },
    });
    await assert.rejects(readManifest(systemHost(), { source: '-', cwd: project.folder, stdin }), {
      code: 'environment',
      message: 'standard input cannot be read (EIO)',
    });
  });

  it('is waited for no longer when the user interrupts', async (t) => {
    const project = new Project(t);
    const stdin = new Readable({ read: () => undefined });
    const interruption = new AbortController();
    const loading = project.load('-', { stdin, signal: interruption.signal });
    interruption.abort();
    await assert.rejects(loading, { name: 'AbortError' });
    project.write('m.json', JSON.stringify({ jobs: TWO }));
    await assert.rejects(project.load('m.json', { signal: interruption.signal }), { name: 'AbortError' });
  });

  it('with nothing but mistakes is checked no further when the user interrupts', async (t) => {
    const project = new Project(t);
    const interruption = new AbortController();
    const clock = new FakeClock();
    clock.breathe = async () => {
      interruption.abort();
      return Promise.resolve();
    };
    project.host = fakeHost({ clock });
    project.write('m.json', '{"jobs":[{}]}');
    await assert.rejects(project.load('m.json', { signal: interruption.signal }), { name: 'AbortError' });
  });

  it('that nobody writes is waited for no longer when the user interrupts', async (t) => {
    const project = new Project(t);
    await run('mkfifo', project.path('pipe'));
    const interruption = new AbortController();
    setImmediate(() => {
      interruption.abort();
    });
    await assert.rejects(project.load('pipe', { signal: interruption.signal }), { name: 'AbortError' });
    // Lets go of the thread that opens it.
    await run('/bin/sh', '-c', ': > "$0"', project.path('pipe'));
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('a job of a manifest', () => {
  const BAD: readonly (readonly [unknown, string | RegExp])[] = [
    ['a', 'expected an object with inputs, outputs and a command, got "a"'],
    [null, 'expected an object with inputs, outputs and a command, got null'],
    [[], 'expected an object with inputs, outputs and a command, got an empty list'],
    [job('o', { command: undefined }), 'expected a list of texts for "command", got nothing'],
    [job('o', { command: 'cc' }), 'expected a list of texts for "command", got "cc"'],
    [job('o', { command: [] }), 'expected a program and its arguments for "command", got an empty list'],
    [job('o', { command: [''] }), 'expected a program and its arguments for "command", got a list'],
    [job('o', { command: ['cc', 1] }), 'expected a text for "command[1]", got 1'],
    [job('o', { inputs: 'a.c' }), 'expected a list of texts for "inputs", got "a.c"'],
    [job('o', { inputs: { 0: 'a.c' } }), 'expected a list of texts for "inputs", got an object'],
    [job('o', { inputs: [''] }), 'expected a path for "inputs[0]", got ""'],
    [
      job('o', { inputs: ['a\0'] }),
      String.raw`expected a text without NUL characters for "inputs[0]", got "a\u{0}"`,
    ],
    [
      job('o', { key: ['\uD800'] }),
      String.raw`expected a text of whole characters for "key[0]", got "\u{d800}"`,
    ],
    [job('o', { outputs: [] }), 'expected at least one output, got neither "outputs" nor "stdout"'],
    [job('o', { outputs: null }), 'expected a list of texts for "outputs", got null'],
    [job('o', { stdout: '' }), 'expected a path for "stdout", got ""'],
    [job('o', { deps: [''] }), 'expected a pattern for "deps[0]", got ""'],
    [job('o', { deps: ['*.h'] }), 'expected files for --deps, got none for "*.h"'],
    [job('o', { env: ['=1'] }), 'expected NAME or NAME=VALUE for "env[0]", got "=1"'],
    [job('o', { tool: [''] }), 'expected a program for "tool[0]", got ""'],
    [job('o', { compilerVersion: 3 }), 'expected a text for "compilerVersion", got 3'],
    [job('o', { relocatable: 'yes' }), 'expected true or false for "relocatable", got "yes"'],
    [job('o', { priority: 'high' }), 'expected "normal" or "critical" for "priority", got "high"'],
    [job('o', { timeout: 30 }), 'expected a text for "timeout", got 30'],
    [job('o', { timeout: '30' }), 'expected a duration such as 30m for "timeout", got "30"'],
    [
      job('o', { timeout: '0s' }),
      'expected a time limit above zero, or none at all for no limit for "timeout", got "0s"',
    ],
    [job('o', { memory: '-1B' }), 'expected a size such as 500MB or 5GiB for "memory", got "-1B"'],
    [job('o', { cwd: 'none' }), 'expected an existing folder for "cwd", got "none"'],
    [job('o', { cwd: 'a.c' }), 'expected an existing folder for "cwd", got "a.c"'],
    [job('o', { inptus: [] }), 'expected the key "inputs", got "inptus"'],
    [job('o', { compiler_version: '' }), 'expected the key "compilerVersion", got "compiler_version"'],
    [job('o', { inputs: ['none.c'] }), 'expected a file for the input "none.c": no such file'],
    [job('none/o'), /^job 1: expected an existing folder for the output "none\/o", got "/],
    [job('o', { command: ['no-such-program'] }), /^job 1: .*no-such-program/],
    [job('o', { command: ['true', '{inptu}'] }), /^job 1: expected a placeholder such as \{input\}/],
  ];
  for (const [value, message] of BAD) {
    it(`is refused: ${String(message)}`, async (t) => {
      const got = await new Project(t).refused(value);
      if (typeof message === 'string') assert.equal(got, `job 1: ${message}`);
      else assert.match(got, message);
    });
  }

  it('has every mistake named', async (t) => {
    const got = await new Project(t).refused({ inptus: [], foo: 1, inputs: [1, 2], command: 'x', stdout: 3 });
    assert.deepEqual(got.split('\n').toSorted(), [
      'job 1: expected a key of inputs, outputs, command, deps, env, key, tool, compilerVersion, relocatable, cwd, priority, timeout, memory, stdout, got "foo"',
      'job 1: expected a list of texts for "command", got "x"',
      'job 1: expected a text for "inputs[0]", got 1',
      'job 1: expected a text for "inputs[1]", got 2',
      'job 1: expected a text for "stdout", got 3',
      'job 1: expected the key "inputs", got "inptus"',
    ]);
  });

  it('with a key of every object’s prototype has an unknown key', async (t) => {
    const project = new Project(t);
    for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      const text = JSON.stringify({ jobs: [job('o')] }).replace(
        '"inputs"',
        `"${key}": {"inputs": []}, "inputs"`,
      );
      const { message } = await project.refusedText(text);
      assert.match(message, new RegExp(`^job 1: expected a key of inputs, .*, got "${key}"$`));
      assert.match(
        (await project.refusedText(text.replace('"jobs"', `"${key}": 1, "jobs"`))).message,
        /^expected no key but "jobs" in "m\.json", got/,
      );
    }
  });

  it('with a key twice is refused, however the key is written', async (t) => {
    const project = new Project(t);
    const twice = String.raw`{"inputs": ["a.c"], "outputs": ["o"], "command": ["true"], "inp\u0075ts": []}`;
    const one = JSON.stringify(job('out/x'));
    assert.equal(
      (await project.refusedText(`{"jobs": [${one}, ${twice}]}`)).message,
      'job 2: expected each key once, got "inputs" twice',
    );
    assert.equal(
      (await project.refusedText(`${one}\n\n${twice}`)).message,
      'job 2, line 3: expected each key once, got "inputs" twice',
    );
    assert.equal(
      (await project.refusedText(`{"jobs": [${one}], "jobs": [${one}]}`)).message,
      'expected each key once in "m.json", got "jobs" twice',
    );
  });

  it('of 100,000 levels ends no process', async (t) => {
    const project = new Project(t);
    const deep = '{"inputs":'.repeat(100_000);
    assert.match(
      (await project.refusedText(`${deep}1${'}'.repeat(100_000)}`)).message,
      /^expected at most 64 levels/,
    );
    assert.match(
      (await project.refusedText(`{}\n${deep}`)).message,
      /job 2, line 2: expected at most 64 levels, got "{" at/,
    );
    const nested = `${'['.repeat(40)}${']'.repeat(40)}`;
    assert.equal(
      (await project.refusedText(`{"jobs": [{"outputs": ["o"], "command": ["true", ${nested}]}]}`)).message,
      'job 1: expected a text for "command[1]", got a list',
    );
  });

  it('among a hundred that is wrong is named, and nothing else', async (t) => {
    const jobs = Array.from({ length: 100 }, (_, index) => job(`out/${index}`));
    const wrong = jobs.with(41, job('out/41', { relocatable: 1 }));
    assert.equal(
      await new Project(t).refused(...wrong),
      'job 42: expected true or false for "relocatable", got 1',
    );
  });

  it('is one of twenty that are shown when many are wrong', async (t) => {
    const refusedWith = async (count: number): Promise<readonly string[]> =>
      (await new Project(t).refused(...Array.from({ length: count }, () => 1))).split('\n');
    assert.equal((await refusedWith(20)).length, 20);
    const lines = await refusedWith(100);
    assert.equal(lines.length, 21);
    assert.match(lines[19] ?? '', /^job 20: /);
    assert.equal(lines[20], 'and 80 more');
  });

  it('keeps the hint that all mistakes share', async (t) => {
    const project = new Project(t);
    const missing = job('none/o');
    const { hint } = await project.refusedText(JSON.stringify({ jobs: [missing] }));
    assert.equal(hint, `Make it first: mkdir -p "${project.path('none')}"`);
    assert.equal((await project.refusedText(JSON.stringify({ jobs: [missing, 1] }))).hint, null);
  });

  it('has its own limits and priority, or those of the batch', async (t) => {
    const project = new Project(t);
    const own = { priority: 'critical', timeout: '2m', memory: '1GiB' };
    const [first, second] = await project.loadJobs([job('out/a', own), job('out/b')]);
    const limits = {
      priority: first?.priority,
      timeoutMs: first?.timeoutMs,
      memoryBytes: first?.memoryBytes,
    };
    assert.deepEqual(limits, { priority: 'critical', timeoutMs: 120_000, memoryBytes: 1024 ** 3 });
    assert.deepEqual([second?.priority, second?.timeoutMs, second?.memoryBytes], ['normal', null, null]);
  });

  it('may keep what is printed, without other outputs', async (t) => {
    const [loaded] = await new Project(t).loadJobs([{ command: ['true'], stdout: 'out/x' }]);
    assert.deepEqual(
      loaded?.plan.outputs.map(({ name, isStdout }) => [name, isStdout]),
      [['out/x', true]],
    );
  });

  it('has its patterns expanded in its folder, each once for all jobs', async (t) => {
    const project = new Project(t);
    for (const name of ['x/one.h', 'x/two.h', 'y/three.h']) project.write(name, '');
    const asked: string[] = [];
    project.host = fakeHost({
      files: failingFiles({
        stat: (path) => {
          if (path.endsWith('*.h')) asked.push(path);
          return systemFiles.stat(path);
        },
      }),
    });
    const jobs = Array.from({ length: 40 }, (_, index) => {
      const cwd = index % 2 === 0 ? 'x' : 'y';
      return job(`../out/${index}`, {
        inputs: [],
        command: ['true'],
        cwd,
        deps: index < 20 ? ['*.h'] : ['*.h', '../a.c'],
      });
    });
    const loaded = await project.loadJobs(jobs);
    assert.deepEqual(loaded[0]?.plan.request.deps, ['one.h', 'two.h']);
    assert.deepEqual(loaded[39]?.plan.request.deps, ['../a.c', 'three.h']);
    assert.deepEqual(asked, [project.path('x/*.h'), project.path('y/*.h')]);
  });
});

describe('the folder of a job', () => {
  it('is the manifest’s, or lies relative to it, links resolved', async (t) => {
    const project = new Project(t);
    mkdirSync(project.path('sub/deeper'), { recursive: true });
    symlinkSync('sub/deeper', project.path('link'));
    project.write('sub/a.c', '');
    const jobs = [undefined, '.', 'deeper', '../link', '../link/..', project.path('out')].map((cwd, index) =>
      job(project.path(`out/${index}`), { inputs: [], command: ['true'], cwd }),
    );
    project.write('sub/m.json', JSON.stringify({ jobs }));
    const loaded = await project.load('sub/m.json');
    assert.deepEqual(
      loaded.map(({ plan }) => plan.request.cwd),
      ['sub', 'sub', 'sub/deeper', 'sub/deeper', 'sub', 'out'].map((name) => project.path(name)),
    );
    assert.deepEqual(
      loaded.map(({ plan }) => plan.request.environment['PWD']),
      loaded.map(({ plan }) => plan.request.cwd),
    );
  });

  it('is the current one for standard input and for a pipe', async (t) => {
    const project = new Project(t);
    const text = JSON.stringify(job('out/a'));
    const stdin = Readable.from([Buffer.from(text.slice(0, 9)), Buffer.from(text.slice(9))]);
    const [typed] = await project.load('-', { stdin });
    assert.equal(typed?.plan.request.cwd, project.folder);
    await run('mkfifo', project.path('out/pipe'));
    const written = run('/bin/sh', '-c', 'printf %s "$1" > "$0"', project.path('out/pipe'), text);
    const [piped] = await project.load('out/pipe');
    await written;
    assert.equal(piped?.plan.request.cwd, project.folder);
    project.write('out/m.json', text);
    const descriptor = openSync(project.path('out/m.json'), 'r');
    const [opened] = await project.load(`/dev/fd/${descriptor}`);
    closeSync(descriptor);
    assert.equal(opened?.plan.request.cwd, project.folder);
  });

  it('makes a job the same compilation as one that was typed there', async (t) => {
    const place = makePlace(t);
    place.write('sub/a.wat', '(module)');
    place.write('sub/x.h', '');
    const words = [
      '-o',
      'a.wasm',
      '--deps',
      '*.h',
      '--key',
      'k',
      '--env',
      'PWD',
      '--env',
      'A=1',
      '--relocatable',
    ];
    const command = ['wat2wasm', '{input}', '-o', '{output}'];
    const there = join(place.work, 'sub');
    const typed = await cli(place, ['fingerprint', 'a.wat', ...words, '--', ...command], {
      cwd: there,
      environment: { PWD: there },
    });
    assert.equal(typed.code, 0, typed.stderr);
    const manifest = {
      inputs: ['a.wat'],
      outputs: ['a.wasm'],
      command,
      deps: ['*.h'],
      key: ['k'],
      env: ['PWD', 'A=1'],
      relocatable: true,
      cwd: 'sub',
    };
    place.write('m.json', JSON.stringify({ jobs: [manifest] }));
    const environment = { ...place.environment, PWD: place.work };
    const [loaded] = await loadBatch(
      { host: systemHost(), environment, priority: 'normal' },
      { source: 'm.json', cwd: place.work },
    );
    assert.ok(loaded !== undefined);
    const cache = openCache({ root: join(place.home, 'cache') });
    const { fingerprint } = await cache.fingerprint(loaded.plan.request);
    await cache.close();
    assert.equal(`${fingerprint}\n`, typed.stdout);
  });
});

describe('jobs that depend on each other', () => {
  const independent = (which: string): RegExp =>
    new RegExp(`^expected independent jobs, got the ${which} of job 1$`);
  const second = async (project: Project, jobs: readonly JobText[]): Promise<string> => {
    const message = await project.refused(...jobs);
    assert.match(message, /^job 2: [^\n]*$/);
    return message.replace('job 2: ', '');
  };

  it('by one output are mistakes, however it is spelled', async (t) => {
    const project = new Project(t);
    symlinkSync('out', project.path('link'));
    symlinkSync('out/a.o', project.path('dangling'));
    project.write('out/there', '');
    linkSync(project.path('out/there'), project.path('out/hard'));
    for (const [one, other] of [
      ['out/a.o', 'out/a.o'],
      ['out/a.o', './out/../out/a.o'],
      ['out/a.o', project.path('out/a.o')],
      ['out/a.o', 'link/a.o'],
      ['out/a.o', 'dangling'],
      ['out/there', 'out/hard'],
    ] as const) {
      const named = one === other ? '' : ` "${one}"`;
      assert.match(
        await second(project, [job(one), job(other)]),
        independent(`output "${other}", which is the output${named}`),
      );
    }
    assert.match(
      await second(project, [job('out/x'), job('x', { cwd: 'link', inputs: ['../b.c'] })]),
      independent('output "x", which is the output "out/x"'),
    );
    assert.match(
      await second(project, [job('out/x'), { command: ['true'], stdout: 'out/x' }]),
      independent('output "out/x", which is the output'),
    );
  });

  it('by an input, a dependency, an argument, a program or a tool are mistakes, there or not', async (t) => {
    const project = new Project(t);
    project.write('out/there.h', '');
    project.write('tools/gen', '#!/bin/sh\n');
    chmodSync(project.path('tools/gen'), 0o755);
    const cases: readonly (readonly [string, JobText, string])[] = [
      ['out/new.c', { inputs: ['out/new.c'] }, 'input "out/new.c"'],
      ['out/there.h', { inputs: ['out/there.h'] }, 'input "out/there.h"'],
      ['out/there.h', { deps: ['out/*.h'] }, 'dependency "out/there.h"'],
      ['out/there.h', { command: ['true', '--with=out/there.h'] }, 'dependency "out/there.h"'],
      ['tools/gen', { command: ['./tools/gen'] }, 'program "./tools/gen"'],
      ['tools/gen', { tool: ['./tools/gen'] }, 'tool "./tools/gen"'],
    ];
    for (const [output, more, which] of cases) {
      const message = await second(project, [job(output), job('out/b.o', more)]);
      assert.ok(
        message.startsWith(`expected independent jobs, got the ${which}, which is the output`),
        message,
      );
    }
    assert.match(
      await project.refused(job('out/b.o', { inputs: ['out/new.c'] }), job('out/new.c')),
      /^job 1: .* of job 2$/,
    );
  });

  it('may all write to /dev/null, and read and write the same file in one job’s own way', async (t) => {
    const project = new Project(t);
    symlinkSync('/dev/null', project.path('null'));
    const jobs = [job('/dev/null'), job('null'), job('out/a', { inputs: ['a.c', 'b.c'] }), job('out/b')];
    assert.equal((await project.loadJobs(jobs)).length, 4);
  });
});
