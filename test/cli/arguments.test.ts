import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { commandHelp, parseArguments } from '../../src/cli/arguments.js';
import { COMMANDS } from '../../src/cli/command-table.js';
import { wantsColor } from '../../src/cli/color.js';
import { expandDependencies } from '../../src/cli/dependency-patterns.js';
import { programHelp } from '../../src/cli/help.js';
import { editDistance, nearest } from '../../src/cli/nearest.js';
import { VERSION } from '../../src/cli/version.js';
import { splitWords } from '../../src/cli/words.js';
import { compileCommand } from '../../src/cli/commands/compile.js';
import { systemHost } from '../../src/host/host.js';
import { CacheError } from '../../src/model/error.js';
import packageJson from '../../package.json' with { type: 'json' };
import { cli, makePlace } from './support.js';

describe('the words of a call', () => {
  it('are split at the first --', () => {
    assert.deepEqual(splitWords(['compile', 'a.c', '-o', 'a.o', '--', 'cc', '--', '-c', '--json']), {
      name: 'compile',
      own: ['a.c', '-o', 'a.o'],
      command: ['cc', '--', '-c', '--json'],
    });
    assert.deepEqual(splitWords(['compile', '--']).command, []);
    assert.equal(splitWords(['stats']).command, null);
  });

  it('may hold options of every command before its name', () => {
    const words = splitWords(['--json', '--cache-dir', 'compile', '--color=never', 'stats', 'x']);
    assert.deepEqual(words, {
      name: 'stats',
      own: ['--json', '--cache-dir', 'compile', '--color=never', 'x'],
      command: null,
    });
    assert.equal(splitWords(['--', 'stats']).name, null);
  });

  it('are never lost', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom('--', 'stats', '--json', '-o', '--cache-dir'), fc.string())),
        (argv) => {
          const { name, own, command } = splitWords(argv);
          const count = own.length + (name === null ? 0 : 1) + (command === null ? 0 : command.length + 1);
          assert.equal(count, argv.length);
        },
      ),
    );
  });
});

describe('the arguments of a command', () => {
  it('may mix inputs and options; repeatable ones keep their order', () => {
    const parsed = parseArguments(compileCommand, [
      'a.c',
      '-o',
      'x',
      'b.c',
      '--output=y',
      '--key',
      '-O2',
      '-qv',
      '--no-cache',
    ]);
    assert.ok(parsed.kind === 'run');
    assert.deepEqual(parsed.positionals, ['a.c', 'b.c']);
    assert.deepEqual(parsed.options.list('output'), ['x', 'y']);
    assert.deepEqual(parsed.options.list('key'), ['-O2']);
    assert.deepEqual(parsed.options.list('tool'), []);
    assert.equal(parsed.options.flag('quiet'), true);
    assert.equal(parsed.options.refused('cache'), true);
    assert.deepEqual([...parsed.flags], [['verbose', true]]);
  });

  it('give settings through their flags', () => {
    const parsed = parseArguments(compileCommand, [
      '--timeout',
      '5m',
      '--no-color',
      '--strict',
      '--cache-dir',
      'd',
    ]);
    assert.ok(parsed.kind === 'run');
    assert.deepEqual(
      new Map(parsed.flags),
      new Map<string, unknown>([
        ['cache_dir', 'd'],
        ['strict', true],
        ['color', 'never'],
        ['timeout', '5m'],
      ]),
    );
    assert.equal(parsed.options.refused('cache'), false);
  });

  const mistakes: readonly (readonly [readonly string[], string])[] = [
    [['--outptu', 'x'], 'expected an option of "vyre-cache compile", got "--outptu"'],
    [['-x'], 'expected an option of "vyre-cache compile", got "-x"'],
    [['-o'], 'expected a value after "-o, --output <file>", got nothing'],
    [['--json=1'], 'expected an option of "vyre-cache compile", got "--json=1"'],
  ];
  for (const [words, message] of mistakes) {
    it(`that are wrong are named: ${words.join(' ')}`, () => {
      assert.throws(
        () => parseArguments(compileCommand, words),
        (error) =>
          error instanceof CacheError &&
          error.code === 'usage' &&
          error.message === message &&
          error.hint !== null,
      );
    });
  }
});

describe('usage errors', () => {
  const example = /\nhint: For example: vyre-cache compile a\.c -o a\.o -- cc -c \{input\} -o \{output\}\n$/;
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['no command', [], /expected a command, got nothing\nhint: .*--help/],
    ['an unknown command', ['statz'], /expected a command, got "statz"\nhint: Did you mean stats\?/],
    ['a command that is like none', ['xyzzy'], /hint: The commands are compile, get, /],
    ['an unknown option', ['stats', '--jsom'], /hint: Did you mean --json\?/],
    ['too many arguments', ['stats', 'a', 'b'], /expected "vyre-cache stats \[dir\] \[options\]", got "a b"/],
    ['a missing argument', ['rm'], /expected a fingerprint, got nothing/],
    [
      'a command where none is taken',
      ['stats', '--', 'x'],
      /expected no command after "--" for "vyre-cache stats"/,
    ],
    ['a compile without --', ['compile', 'a.c', '-o', 'a.o'], /expected a command after "--", got no "--"/],
    [
      'a compile with an empty command',
      ['compile', 'a.c', '-o', 'a.o', '--'],
      /expected a command after "--", got nothing/,
    ],
    [
      'a compile of nothing',
      ['compile', 'a.c', '-o', 'a.o', '--', ''],
      /expected a command after "--", got nothing/,
    ],
    [
      'a compile without output',
      ['compile', 'a.c', '--', 'cc', '{input}'],
      /expected an output, got neither -o FILE nor --stdout FILE/,
    ],
    ['a placeholder without output', ['compile', '--', 'cc', '{depfile}'], /expected an output/],
    [
      'a launcher for an unknown program',
      ['compile', '--', './gen', 'x'],
      /expected inputs and outputs for a program that is not known, got "\.\/gen"/,
    ],
    ['an empty input', ['compile', '', '-o', 'x', '--', 'cc'], /expected an input, got ""/],
    ['an empty output', ['compile', 'a', '-o', '', '--', 'cc'], /expected an output, got ""/],
    [
      'a variable without name',
      ['compile', 'a', '-o', 'x', '--env', '=1', '--', 'cc'],
      /expected NAME or NAME=VALUE for --env, got "=1"/,
    ],
    [
      'dependencies that match nothing',
      ['compile', 'a', '-o', 'x', '--deps', 'inc/*.h', '--', 'cc'],
      /expected files for --deps, got none for "inc\/\*\.h"/,
    ],
    ['get of nothing', ['get'], /expected one fingerprint, or inputs and a command after "--", got nothing/],
    ['get of two', ['get', '01234567', '89abcdef'], /got "01234567 89abcdef"/],
    [
      'get of a short prefix',
      ['get', '0123456'],
      /expected a fingerprint of 64 lowercase hex digits, or at least the first 8, got "0123456"/,
    ],
    ['get of upper case', ['get', 'A'.repeat(64)], /64 lowercase hex digits/],
    ['get of a path', ['get', '../01234567'], /64 lowercase hex digits/],
    [
      'get with two places',
      ['get', '01234567', '-o', 'a', '--extract', 'b'],
      /expected one of -o and --extract/,
    ],
    [
      'get --extract of a request',
      ['get', 'a', '-o', 'b', '--extract', 'c', '--', 'cc'],
      /expected -o for a request, got --extract/,
    ],
    [
      'get of a bare command line',
      ['get', '--', 'gcc', '-c', 'a.c'],
      /expected inputs and outputs before "--", got only "gcc"/,
    ],
    [
      'verify of a directory and a fingerprint',
      ['verify', 'dir', '0'.repeat(64)],
      /expected one directory, or fingerprints only, got "dir"/,
    ],
    [
      'an unknown action of config',
      ['config', 'tust'],
      /expected path or trust, got "tust"\nhint: Did you mean trust\?/,
    ],
    [
      'trust without a file',
      ['config', 'trust'],
      /expected a vyre-cache\.toml in this folder or above, got none/,
    ],
  ];
  for (const [name, argv, expected] of cases) {
    it(`exit 2 and leave stdout alone: ${name}`, async (t) => {
      const ran = await cli(makePlace(t), argv);
      assert.equal(ran.code, 2, ran.stderr);
      assert.match(ran.stderr, expected);
      assert.match(ran.stderr, /^vyre-cache: /);
      assert.equal(ran.stdout, '');
    });
  }

  it('show an example of compile', async (t) => {
    for (const argv of [['compile'], ['compile', 'a', '--', 'cc']]) {
      assert.match((await cli(makePlace(t), argv)).stderr, example);
    }
  });

  it('are a document with --json', async (t) => {
    const ran = await cli(makePlace(t), ['stats', '--jsonn', '--json']);
    assert.equal(ran.code, 2);
    assert.deepEqual(JSON.parse(ran.stdout), {
      schema: 'vyre-cache.error/1',
      code: 'usage',
      message: 'expected an option of "vyre-cache stats", got "--jsonn"',
      hint: 'Did you mean --json?',
    });
  });

  it('say that a document and a payload need two places', async (t) => {
    const ran = await cli(makePlace(t), ['get', '01234567', '--json']);
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /expected -o FILE or --extract DIR with --json, got neither/);
  });

  it('are not mistaken for ours behind --', async (t) => {
    const ran = await cli(makePlace(t), ['compile', '--', './gen', '--json']);
    assert.equal(ran.stdout, '');
  });
});

describe('help and version', () => {
  it('name every command that exists, within 80 columns', async (t) => {
    const ran = await cli(makePlace(t), ['--help']);
    assert.equal(ran.code, 0);
    assert.equal(ran.stdout, programHelp());
    for (const { name } of COMMANDS) assert.match(ran.stdout, new RegExp(`^  ${name} +\\S`, 'm'));
    for (const line of ran.stdout.split('\n')) assert.ok(line.length <= 80, line);
    assert.doesNotMatch(ran.stdout, /manifest|quarantine|prometheus/);
  });

  it('show a command’s options and examples, either way of asking', async (t) => {
    const place = makePlace(t);
    for (const entry of COMMANDS) {
      const command = await entry.load();
      assert.equal(command.name, entry.name);
      const text = commandHelp(command);
      assert.equal((await cli(place, [entry.name, '--help'])).stdout, text);
      assert.equal((await cli(place, ['help', entry.name])).stdout, text);
      assert.match(text, new RegExp(`^Usage: vyre-cache ${entry.name} `));
      for (const option of [
        '--cache-dir',
        '--config',
        '--json',
        '--quiet',
        '--verbose',
        '--color',
        '--no-color',
        '--strict',
      ]) {
        assert.ok(text.includes(option), `${entry.name} ${option}`);
      }
    }
  });

  it('agree with package.json', async (t) => {
    assert.equal(VERSION, packageJson.version);
    assert.equal((await cli(makePlace(t), ['--version'])).stdout, `${VERSION}\n`);
    assert.equal((await cli(makePlace(t), ['-V'])).stdout, `${VERSION}\n`);
  });
});

describe('--deps', () => {
  it('takes an existing file literally, expands other patterns, and sorts by bytes', async (t) => {
    const place = makePlace(t);
    for (const name of ['a[1].h', 'a1.h', 'inc/z.h', 'inc/.hidden.h', 'inc/deep/é.h', 'inc/B.h'])
      place.write(name, '');
    mkdirSync(join(place.work, 'empty'));
    const expand = async (...patterns: string[]): Promise<readonly string[]> =>
      expandDependencies({ host: systemHost(), cwd: place.work, patterns });
    assert.deepEqual(await expand('a[1].h'), ['a[1].h']);
    assert.deepEqual(await expand('a?.h', 'a1.h'), ['a1.h']);
    assert.deepEqual(await expand('inc/**/*.h'), ['inc/.hidden.h', 'inc/B.h', 'inc/deep/é.h', 'inc/z.h']);
    assert.deepEqual(await expand(`${place.work}/inc/*.h`), [
      `${place.work}/inc/.hidden.h`,
      `${place.work}/inc/B.h`,
      `${place.work}/inc/z.h`,
    ]);
    assert.deepEqual(
      await expandDependencies({ host: systemHost(), cwd: join(place.work, 'inc'), patterns: ['../a?.h'] }),
      ['../a1.h'],
    );
    await assert.rejects(expand('empty'), /expected files for --deps, got the folder "empty"/);
    await assert.rejects(expand('empty/**'), /got none for "empty\/\*\*"/);
    await assert.rejects(expand(''), /got none for ""/);
  });

  it('ends where links make a circle', async (t) => {
    const place = makePlace(t);
    place.write('inc/a.h', '');
    symlinkSync('..', join(place.work, 'inc', 'up'));
    const found = await expandDependencies({ host: systemHost(), cwd: place.work, patterns: ['inc/**/*.h'] });
    assert.ok(found.includes('inc/a.h'));
  });
});

describe('suggestions', () => {
  it('count edits', () => {
    const table: readonly (readonly [string, string, number])[] = [
      ['', '', 0],
      ['a', '', 1],
      ['stats', 'statz', 1],
      ['stats', 'tsats', 1],
      ['kitten', 'sitting', 3],
    ];
    for (const [a, b, distance] of table) assert.equal(editDistance(a, b), distance);
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const distance = editDistance(a, b);
        assert.equal(distance, editDistance(b, a));
        assert.equal(distance === 0, a === b);
        assert.ok(distance <= Math.max(a.length, b.length));
      }),
    );
  });

  it('are made only where one is near', () => {
    assert.equal(nearest('comple', ['compile', 'config']), 'compile');
    assert.equal(nearest('prune', ['compile', 'config', 'rm', 'ls']), null);
  });
});

describe('colour', () => {
  it('is decided by setting, FORCE_COLOR, NO_COLOR, TERM and the stream, in this order', () => {
    const table: readonly (readonly [string, Record<string, string>, boolean, boolean])[] = [
      ['auto', {}, true, true],
      ['auto', {}, false, false],
      ['auto', { CI: '1' }, false, false],
      ['auto', { NO_COLOR: '1' }, true, false],
      ['auto', { NO_COLOR: '' }, true, true],
      ['auto', { FORCE_COLOR: '1' }, false, true],
      ['auto', { FORCE_COLOR: '0' }, true, false],
      ['auto', { FORCE_COLOR: 'false' }, true, false],
      ['auto', { FORCE_COLOR: '1', NO_COLOR: '1' }, false, true],
      ['auto', { TERM: 'dumb' }, true, false],
      ['always', { NO_COLOR: '1' }, false, true],
      ['never', { FORCE_COLOR: '1' }, true, false],
    ];
    for (const [setting, environment, isTerminal, expected] of table) {
      assert.equal(
        wantsColor({ setting, environment, isTerminal }),
        expected,
        JSON.stringify([setting, environment, isTerminal]),
      );
    }
  });
});
